import { isFresh } from '../clock.ts';
import { withoutPatience } from './patience.ts';
import type { Key, Store } from './store.ts';

/** One record that says that there are service clients, so that nobody has to look through all clients for it. */
const KEY: Key = { tag: 'clients', kind: 'services' };
const BELIEVED_MS = 10_000;

/** Written before the first service client, and removed after the last. @throws StoreUnavailable */
export async function tellOfServices(store: Store, exist: boolean): Promise<void> {
  await store.commit([
    exist
      ? { key: KEY, expect: 'any', put: 'yes', lifetime: 'forever' }
      : { key: KEY, expect: 'any', remove: true },
  ]);
}

/**
 * @returns whether there are service clients, as far as is known. It never waits: what is older than ten seconds is looked
 * up for the next one who asks, and while the store is away the last answer holds
 */
export function watchServices({ store, now }: { store: Store; now: () => number }): () => boolean {
  let known = false;
  let asOf = -Infinity;
  let looking = false;

  async function look(): Promise<void> {
    looking = true;
    try {
      const [entry] = await store.read(KEY);
      known = entry !== undefined;
      asOf = now();
    } catch {
      // The store's absence is told of by the requests that need it.
    } finally {
      looking = false;
    }
  }

  void look();
  return () => {
    if (!looking && !isFresh(asOf, now(), BELIEVED_MS)) void withoutPatience(look);
    return known;
  };
}
