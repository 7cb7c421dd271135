import { slopePer100k, type SoakResult } from './soak.ts';
import type { Sample } from './server.ts';

/** What a server may hold more after its work than before. */
export interface Bounds {
  /** Of memory, bytes for each 100,000; undefined where the work is too little to say. */
  readonly callSlope?: number | undefined;
  readonly flowSlope?: number | undefined;
  /** Of the heap with nobody connected, bytes. */
  readonly heap: number;
}

/** Of a connection that has ended these are left: its client, and for some minutes what keeps a code or a login from coming twice. */
const LEFT_OF_A_FLOW = ['client'];
const LEFT_FOR_A_WHILE = ['code', 'login', 'interaction', 'commit'];

/** @returns what is out of bounds, a line each */
export function verdict({ during, rest, stored }: SoakResult, bounds: Bounds): string[] {
  const problems: string[] = [];
  const atMost = (what: string, value: number, bound: number | undefined) => {
    if (bound !== undefined && value > bound)
      problems.push(`${what}: ${megabytes(value)} > ${megabytes(bound)}`);
  };
  atMost('memory for each 100,000 calls', slopePer100k(during.calls, rssOf), bounds.callSlope);
  atMost('memory for each 100,000 flows', slopePer100k(during.flows, rssOf), bounds.flowSlope);
  atMost('heap at rest', rest.after.heap - rest.before.heap, bounds.heap);
  for (const [type, count] of Object.entries(rest.after.handles)) {
    const before = rest.before.handles[type] ?? 0;
    if (count > before) problems.push(`handles: ${count} × ${type}, ${before} before`);
  }
  const flows = during.flows.at(-1)!.done;
  for (const [kind, count] of Object.entries(stored.calls.records)) {
    const before = stored.before.records[kind] ?? 0;
    if (count > before) problems.push(`${count - before} × ${kind} were left by calls`);
  }
  for (const [kind, count] of Object.entries(stored.flows.records)) {
    const more = count - (stored.calls.records[kind] ?? 0);
    const allowed = [...LEFT_OF_A_FLOW, ...LEFT_FOR_A_WHILE].includes(kind) ? flows : 0;
    if (more > allowed) problems.push(`${more} × ${kind} were left by ${flows} flows`);
  }
  return problems;
}

export const rssOf = ({ rss }: Sample): number => rss;
export const heapOf = ({ heap }: Sample): number => heap;
export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;
