import { setTimeout as pause } from 'node:timers/promises';
import { StoreUnavailable } from '../errors.ts';
import type { Log } from '../log.ts';
import { batches } from './batches.ts';
import type { Connections } from './connections.ts';
import { type Grants, isService, type StoredGrant } from './grants.ts';
import type { Leases } from './leases.ts';
import type { Key, Store } from './store.ts';

/**
 * Once a day somebody goes through all grants and puts those on their user's list that are missing there: because a process
 * was killed before it had written them, or because they are older than lists are, or because there was no room for them.
 * A list that had no room, and now lacks none, says so no more. One instance does it for all, slowly, in the background.
 */
export interface MissingConnections {
  close(): Promise<void>;
}

const COMPLETE: Key = { tag: 'connections', kind: 'complete' };
const LEASE: Key = { tag: 'connections', kind: 'complete-lease' };
const COMPLETE_FOR_SECONDS = 86_400;
/** Longer than it takes. Should it take longer all the same, two of them do no harm. */
const LEASE_SECONDS = 600;
/** Pause before each look at whether it is time, the first one included. */
const LOOK_EVERY_MS = 60_000;
/** What is done without a pause, and the pause. */
const BATCH = 100;
const PAUSE_MS = 10;

type Found = StoredGrant & { readonly grantId: string };

/** @param options.lookEveryMs for tests */
export function listMissingConnections(options: {
  store: Store;
  grants: Pick<Grants, 'all'>;
  connections: Pick<Connections, 'of' | 'found' | 'lacksNone'>;
  leases: Leases;
  log: Log;
  now: () => number;
  lookEveryMs?: number | undefined;
}): MissingConnections {
  const { store, grants, connections, leases, log, now, lookEveryMs = LOOK_EVERY_MS } = options;
  let closed = false;
  let looking = Promise.resolve();
  let timer = lookLater();

  function lookLater(): NodeJS.Timeout {
    return setTimeout(() => {
      looking = look().finally(() => {
        if (!closed) timer = lookLater();
      });
    }, lookEveryMs).unref();
  }

  async function look(): Promise<void> {
    try {
      if (await isComplete()) return;
      await leases.hold(LEASE, {
        seconds: LEASE_SECONDS,
        deadline: now(),
        findResult: isComplete,
        work: complete,
        isUnsaved: () => false,
      });
    } catch (error) {
      // The next look is soon enough; the store's outage is told of by the requests that need it.
      if (!(error instanceof StoreUnavailable)) log.error({ event: 'connections', err: error });
    }
  }

  async function isComplete(): Promise<true | undefined> {
    const [entry] = await store.read(COMPLETE);
    return entry && true;
  }

  async function complete(): Promise<true> {
    /** Users whose lists have or had no room for all, with whether these lacked any. */
    const crowded = new Map<string, boolean>();
    for await (const batch of batches(grants.all(), BATCH)) {
      if (closed) throw new StoreUnavailable('the server is stopping');
      const ofUsers = batch.filter(({ grant }) => !isService(grant));
      const byUser = Map.groupBy(ofUsers, ({ grant }) => grant.accountId);
      await Promise.all([...byUser].map(([accountId, own]) => listOwn(accountId, own, crowded)));
      await pause(PAUSE_MS);
    }
    const whole = [...crowded].filter(([, lacks]) => !lacks).map(([accountId]) => accountId);
    for (const accountId of whole) await connections.lacksNone(accountId);
    const put = String(now());
    await store.commit([{ key: COMPLETE, expect: 'any', put, lifetime: COMPLETE_FOR_SECONDS }]);
    return true;
  }

  async function listOwn(
    accountId: string,
    own: readonly Found[],
    crowded: Map<string, boolean>,
  ): Promise<void> {
    const { connections: listed, isIncomplete } = await connections.of(accountId);
    // One that is said to have ended, and is here, has come back.
    const missing = own.filter(({ grantId }) => !Object.hasOwn(listed, grantId));
    const lacks = missing.length > 0 || crowded.get(accountId) === true;
    if (isIncomplete || lacks) crowded.set(accountId, lacks);
    await Promise.all(missing.map(({ grantId, grant }) => connections.found(grantId, grant)));
  }

  return {
    async close() {
      closed = true;
      clearTimeout(timer);
      await looking;
    },
  };
}
