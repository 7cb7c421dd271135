import { createHash } from 'node:crypto';

export type Random = {
  int(min: number, max: number): number;
  pick<T>(list: readonly T[]): T;
};

/** A repeatable stream of numbers (mulberry32), one per label, so that one part never shifts another. */
export function createRandom(seed: number, label: string): Random {
  let state = createHash('sha256').update(`${seed}:${label}`).digest().readUInt32LE(0);
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const int = (min: number, max: number) => min + Math.floor(next() * (max - min + 1));
  return { int, pick: (list) => list[int(0, list.length - 1)]! };
}

/** 40 lowercase hex characters, the form NeonPanel calls a uuid; the same label gives the same one. */
export function hexId(label: string): string {
  return createHash('sha1').update(`neonpanel sandbox ${label}`).digest('hex');
}
