import { setTimeout as wait } from 'node:timers/promises';
import { StoreUnavailable } from '../errors.ts';
import type { Key, Store } from './store.ts';

const POLL_MS = 100;

/**
 * Leases: one holder at a time over all instances, for work that must not be done twice at once. A holder that dies
 * loses the lease when it runs out, and the next one carries on.
 */
export function createLeases(store: Store) {
  return {
    /**
     * Does the work under the lease, or waits until someone else's work made it unnecessary.
     *
     * @param seconds how long the lease lasts if it is never returned; longer than the work can take
     * @param isDone the result, if the work was done meanwhile; asked after every wait and before working
     * @throws StoreUnavailable, also if nobody got it done in three times the lease
     */
    async hold<T>(
      key: Key,
      seconds: number,
      isDone: () => Promise<T | undefined>,
      work: () => Promise<T>,
    ): Promise<T> {
      const rounds = (3 * seconds * 1000) / POLL_MS;
      for (let round = 0; round < rounds; round++) {
        const lease = await store.commit([
          { key, expect: 'absent', put: 'held', lifetime: seconds },
        ]);
        const done = await isDone();
        if (!lease) {
          if (done !== undefined) return done;
          await wait(POLL_MS);
          continue;
        }
        try {
          return done ?? (await work());
        } finally {
          // Only our own: if it ran out, it may be someone else's by now.
          await store.commit([{ key, expect: { version: lease }, remove: true }]).catch(() => {});
        }
      }
      throw new StoreUnavailable(`waited in vain for ${key.kind}`);
    },
  };
}

export type Leases = ReturnType<typeof createLeases>;
