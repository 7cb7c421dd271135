import type { Key, Store, Write } from '../../adapters/store.ts';

/**
 * A history of commits of which every prefix can be told by looking at the records: entry i rewrites one of a few
 * records and notes its number in another, all in one commit.
 */

const TAG = 'history';
const SLOTS = 12;
const LAST: Key = { tag: TAG, kind: 'last' };
const slotKey = (slot: number): Key => ({ tag: TAG, kind: `slot${slot}` });

/** From a few bytes to several overflow pages of SQLite. */
const valueOf = (i: number): string => `${i}:`.padEnd([10, 900, 3_000, 9_000][i % 4]!, `${i}.`);

export function historyWrites(i: number): Write[] {
  return [
    { key: slotKey(i % SLOTS), expect: 'any', put: valueOf(i), lifetime: 'forever' },
    { key: LAST, expect: 'any', put: `${i}`, lifetime: 'forever' },
  ];
}

/**
 * @returns the number of the last entry, -1 if there is none
 * @throws Error if the records are not exactly those after that entry
 */
export async function lastOfHistory(store: Store): Promise<number> {
  const keys = [LAST, ...Array.from({ length: SLOTS }, (_, slot) => slotKey(slot))];
  const [last, ...slots] = (await store.read(...keys)).map((entry) => entry?.value);
  const end = Number(last ?? -1);
  for (const [slot, value] of slots.entries()) {
    const i = end - ((((end - slot) % SLOTS) + SLOTS) % SLOTS);
    if (value !== (i < 0 ? undefined : valueOf(i))) {
      throw new Error(`after entry ${end}, slot ${slot} holds ${value?.slice(0, 20)}`);
    }
    let listed = 0;
    for await (const key of store.keys(slotKey(slot).kind)) if (key.tag === TAG) listed++;
    if (listed !== (i < 0 ? 0 : 1)) throw new Error(`slot ${slot} is listed ${listed} times`);
  }
  return end;
}
