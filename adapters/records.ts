import { batches } from './batches.ts';
import type { Entry, Key, Store } from './store.ts';

/**
 * Every record of one kind, in no order; for admin commands and collection, never on a request's path.
 *
 * @param options.size how many are read in one round trip
 * @param options.rest waited for after each round trip but the last, so that others get their turn
 * @param options.only the others are not read
 * @param options.beside what else of the same tag is read along; it comes in the same order
 * @throws StoreUnavailable
 */
export async function* recordsOf(
  store: Store,
  kind: string,
  options: {
    size: number;
    rest?: () => Promise<void>;
    only?: (tag: string) => boolean;
    beside?: readonly ((tag: string) => Key)[];
  },
): AsyncGenerator<{ key: Key; entry: Entry; beside: (Entry | undefined)[] }> {
  const { size, rest, only = () => true, beside: keysBeside = [] } = options;
  const width = 1 + keysBeside.length;
  for await (const batch of batches(store.keys(kind), size, rest)) {
    const keys = batch.filter(({ tag }) => only(tag));
    const all = keys.flatMap((key) => [key, ...keysBeside.map((keyOf) => keyOf(key.tag))]);
    const entries = await store.read(...all);
    for (const [i, key] of keys.entries()) {
      const [entry, ...beside] = entries.slice(i * width, (i + 1) * width);
      if (entry) yield { key, entry, beside };
    }
  }
}
