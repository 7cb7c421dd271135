import { setTimeout as wait } from 'node:timers/promises';
import { StoreUnavailable } from '../errors.ts';
import { withoutPatience } from './patience.ts';
import type { Key, Store } from './store.ts';

const POLL_MS = 100;

export interface LeaseTerms<T> {
  /** How long the lease lasts if it is never returned; longer than the work can take. */
  readonly seconds: number;
  /** Epoch milliseconds after which nobody waits any more. */
  readonly deadline: number;
  /** The result, if the work was done meanwhile; asked after every wait and before working. */
  readonly findResult: () => Promise<T | undefined>;
  readonly work: () => Promise<T>;
  /** The work was done, and its result could not be stored: the lease then keeps others from doing it again. */
  readonly isUnsaved: () => boolean;
}

/**
 * Leases: one holder at a time over all instances, for work that must not be done twice at once. A holder that dies
 * loses the lease when it runs out, and the next one carries on.
 */
export function createLeases(options: {
  store: Store;
  /** While false nobody works: the results of others may be on their way (outages.ts). */
  isSettled: () => boolean;
  now: () => number;
}) {
  const { store, isSettled, now } = options;
  return {
    /**
     * Does the work under the lease, or waits until someone else's work made it unnecessary.
     * @throws StoreUnavailable, also if nobody got it done before the deadline
     */
    hold<T>(key: Key, terms: LeaseTerms<T>): Promise<T> {
      // Looking again and again is no sign of a slow store, and the wait has a deadline of its own.
      return withoutPatience(() => hold(key, terms));
    },
  };

  async function hold<T>(key: Key, terms: LeaseTerms<T>): Promise<T> {
    const { seconds, deadline, findResult, work, isUnsaved } = terms;
    do {
      const lease = await store.commit([{ key, expect: 'absent', put: 'held', lifetime: seconds }]);
      try {
        const found = await findResult();
        if (found !== undefined) return found;
        // Asked only now: it is the lease that was taken that says whether the store is back.
        if (lease && isSettled()) return await work();
      } finally {
        if (lease && !isUnsaved()) await giveBack(key, lease);
      }
      await wait(POLL_MS);
    } while (now() < deadline);
    throw new StoreUnavailable(`waited in vain for ${key.kind}`);
  }

  /** Only our own: if it ran out, it may be someone else's by now. */
  async function giveBack(key: Key, lease: string): Promise<void> {
    await store.commit([{ key, expect: { version: lease }, remove: true }]).catch(() => {});
  }
}

export type Leases = ReturnType<typeof createLeases>;
