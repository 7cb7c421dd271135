import { StoreUnavailable } from '../errors.ts';
import type { Log } from '../log.ts';
import {
  applyChanges,
  type Change,
  combine,
  type ConnectionList,
  endedFacts,
  type EndReason,
  lifetimeOf,
  NO_CONNECTIONS,
  withoutGap,
} from './connection-list.ts';
import { type Grant, isService } from './grants.ts';
import { createOneAtATime } from './one-at-a-time.ts';
import { withoutPatience } from './patience.ts';
import { digest } from './secrets.ts';
import { type Entry, type Key, type Store, update } from './store.ts';

/**
 * One record for each user with the grants that are theirs, how often each was used, and which have ended lately: what the
 * page of connected apps needs, and nothing else does. So no request waits for it. What happens is kept here and written in
 * one commit for each user, behind the answer: at once if a grant was opened or has ended, else with what the next half
 * minute brings.
 *
 * A process that is killed loses what it had not written: counts of half a minute, and perhaps that a grant was opened, which
 * is made up for when the grant is renewed or used, or within a day (missing-connections.ts). What the store does not take is
 * offered again.
 */
export interface Connections {
  /** A grant was opened. */
  opened(grantId: string, grant: Grant, lifetimeSeconds: number): void;
  /** Its lifetime begins anew. */
  renewed(grantId: string, grant: Grant, lifetimeSeconds: number): void;
  /** It is there, and on no list. Resolves when it is written, or has been tried; never rejects. */
  found(grantId: string, grant: Grant): Promise<void>;
  /** A tool was called with it. */
  called(caller: { readonly grantId: string; readonly accountId: string }): void;
  /** Resolves when it is written, or has been tried; never rejects. */
  ended(grantId: string, grant: Grant, why: EndReason): Promise<void>;
  /** @throws StoreUnavailable */
  of(accountId: string): Promise<ConnectionList>;
  /** Every grant there is was looked at: the list lacks none any more. @throws StoreUnavailable */
  lacksNone(accountId: string): Promise<void>;
  /** Writes what there is. */
  close(): Promise<void>;
}

/** Half of what is promised, so that writing may take the other. */
const WRITTEN_AFTER_MS = 30_000;
/** A look at whether it is time costs nothing; the store is asked only when it is, also after it was away. */
const LOOK_EVERY_MS = 1_000;
/** Users written side by side. */
const BATCH = 50;
/** Users about whom something is kept here: from then on it is written at once, and then calls are no longer counted. */
const MANY_USERS = 10_000;
const MAX_USERS = 50_000;

/**
 * @param options.grantLifetimeSeconds the longest that a grant lives without being renewed
 * @param options.lookEveryMs lowered by tests
 */
export function createConnections(options: {
  store: Store;
  log: Log;
  grantLifetimeSeconds: number;
  now: () => number;
  lookEveryMs?: number;
}): Connections {
  const { store, log, now, lookEveryMs = LOOK_EVERY_MS } = options;
  /** By user and grant: what goes together in the next writing of all. */
  let pending: Pending = new Map();
  /** What the present one has not come to yet. What happens meanwhile waits its own half minute, however long this takes. */
  let taken: Pending = new Map();
  /** For each user: what comes meanwhile goes together in the next. */
  const writing = createOneAtATime();
  /** Epoch milliseconds of the oldest change in `pending`. */
  let since = 0;
  let storeIsAway = false;
  let timer: NodeJS.Timeout | undefined;
  let writingAll: Promise<void> | undefined;
  let closed = false;

  return {
    opened(grantId, grant, lifetimeSeconds) {
      note(grantId, grant, { endsAt: endOf(lifetimeSeconds), aliveAt: now() });
      setImmediate(() => void write(grant.accountId));
    },
    renewed(grantId, grant, lifetimeSeconds) {
      note(grantId, grant, { endsAt: endOf(lifetimeSeconds), aliveAt: now() });
    },
    async found(grantId, grant) {
      const endsAt = grant.rotatedAt + options.grantLifetimeSeconds * 1000;
      note(grantId, grant, { endsAt, aliveAt: now() });
      await write(grant.accountId);
    },
    called({ grantId, accountId }) {
      if (pending.size >= MANY_USERS && !storeIsAway) void writeAll();
      if (pending.size + taken.size >= MAX_USERS && !pending.has(accountId)) return;
      note(grantId, { accountId }, { calls: 1, usedAt: now(), aliveAt: now() });
    },
    async ended(grantId, grant, why) {
      note(grantId, grant, { ended: endedFacts(grantId, grant, why, now()) });
      await write(grant.accountId);
    },
    async of(accountId) {
      const [entry] = await store.read(keyOf(accountId));
      return parse(entry?.value);
    },
    async lacksNone(accountId) {
      await update(store, keyOf(accountId), (old) => {
        const list = withoutGap(parse(old));
        return list && { put: JSON.stringify(list), lifetime: 'keep' };
      });
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await writingAll;
      await writeAll();
      await writing.done();
    },
  };

  function endOf(lifetimeSeconds: number): number {
    return now() + lifetimeSeconds * 1000;
  }

  function note(grantId: string, owner: Pick<Grant, 'accountId'>, change: Change): void {
    if (isService(owner)) return;
    if (pending.size === 0) since = now();
    const changes = pending.get(owner.accountId) ?? new Map<string, Change>();
    changes.set(grantId, combine(changes.get(grantId), change));
    pending.set(owner.accountId, changes);
    lookLater();
  }

  function lookLater(): void {
    if (closed || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      // A clock that was set back makes it due as well.
      const isDue = Math.abs(now() - since) >= WRITTEN_AFTER_MS;
      void (isDue ? writeAll() : Promise.resolve()).then(() => pending.size > 0 && lookLater());
    }, lookEveryMs).unref();
  }

  function writeAll(): Promise<void> {
    writingAll ??= writeInBatches().finally(() => (writingAll = undefined));
    return writingAll;
  }

  async function writeInBatches(): Promise<void> {
    taken = pending;
    pending = new Map();
    since = now();
    storeIsAway = false;
    const users = [...taken.keys()];
    for (let i = 0; i < users.length; i += BATCH) {
      const batch = users.slice(i, i + BATCH);
      const known = await withoutPatience(() => store.read(...batch.map(keyOf))).catch(() => []);
      await Promise.all(batch.map((accountId, at) => write(accountId, known[at])));
    }
    // Not again before half a minute has passed, however long it took to find that out.
    if (storeIsAway) since = now();
  }

  function write(accountId: string, known?: Entry): Promise<void> {
    return writing.run(accountId, () => writeNow(accountId, known));
  }

  async function writeNow(accountId: string, known: Entry | undefined): Promise<void> {
    const changes = together(taken.get(accountId), pending.get(accountId));
    if (!changes) return;
    taken.delete(accountId);
    pending.delete(accountId);
    const change = (old: string | undefined) => {
      const lifetimeMs = options.grantLifetimeSeconds * 1000;
      const list = applyChanges(parse(old), changes, now(), lifetimeMs);
      return { put: JSON.stringify(list), lifetime: lifetimeOf(list, now()) };
    };
    try {
      await withoutPatience(() => update(store, keyOf(accountId), change, known));
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) {
        log.error({ event: 'connections', err: error });
        return;
      }
      // Its absence is told of by the requests that need it.
      storeIsAway = true;
      if (pending.size === 0) since = now();
      pending.set(accountId, together(changes, pending.get(accountId))!);
      lookLater();
    }
  }
}

type Changes = ReadonlyMap<string, Change>;
type Pending = Map<string, Map<string, Change>>;

function together(first: Changes | undefined, then: Changes | undefined) {
  if (!first && !then) return undefined;
  const both = new Map(first);
  for (const [grantId, change] of then ?? []) both.set(grantId, combine(both.get(grantId), change));
  return both;
}

const keyOf = (accountId: string): Key => ({
  tag: digest(`connections ${accountId}`),
  kind: 'connections',
});

const parse = (value: string | undefined): ConnectionList =>
  value === undefined ? NO_CONNECTIONS : (JSON.parse(value) as ConnectionList);
