import { StoreUnavailable } from '../errors.ts';
import { NotReplicated, type Store } from './store.ts';

/**
 * A store, and whether it has only just come back from an outage. What was done meanwhile and could not be written, its
 * doers write as soon as they can; who would do the same work again gives them the time.
 */
export interface WatchedStore {
  readonly store: Store;
  /** False for a moment after an outage. */
  isSettled(): boolean;
  /** It did not answer, and has taken nothing since. */
  isAway(): boolean;
}

/** A shorter outage is over before any lease is whose work it kept from being written. */
const LONG_MS = 1_000;
/** For everybody to notice that it is back (half a second) and to write what they kept (half a second), twice. */
const SETTLING_MS = 2_000;

/** @param store every call has to go through the store that is returned */
export function watchOutages(store: Store): WatchedStore {
  let failingSince: number | undefined;
  let backAt = -Infinity;

  const failed = (error: unknown): never => {
    const isAway = error instanceof StoreUnavailable && !(error instanceof NotReplicated);
    if (isAway) failingSince ??= performance.now();
    throw error;
  };
  /** Reading alone proves nothing: a replica and a full memory can be read. */
  const wrote = (): void => {
    const now = performance.now();
    if (failingSince !== undefined && now - failingSince > LONG_MS) backAt = now;
    failingSince = undefined;
  };

  return {
    store: {
      ...store,
      read: (...keys) => store.read(...keys).catch(failed),
      async commit(writes, options) {
        const version = await store.commit(writes, options).catch(failed);
        wrote();
        return version;
      },
      async ping() {
        await store.ping().catch(failed);
        wrote();
      },
    },
    isAway: () => failingSince !== undefined,
    isSettled: () => performance.now() - backAt > SETTLING_MS,
  };
}
