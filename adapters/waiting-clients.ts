import { DAY_MS } from '../clock.ts';
import { setTimeout as pause } from 'node:timers/promises';
import { StoreUnavailable } from '../errors.ts';
import type { Log } from '../log.ts';
import { batches } from './batches.ts';
import type { Leases } from './leases.ts';
import { recordsOf } from './records.ts';
import type { Entry, Key, Store, Write } from './store.ts';

/**
 * Clients that wait for their first login. Anybody may register, so how many may wait is limited: when it gets crowded,
 * the oldest go that had a day and more to sign in, and when it is full, nobody registers any more.
 *
 * Each has a record of its own beside the client's (kind `waiting`), written in the commit that registers it and removed in
 * the commit that opens its first grant. So they can be listed without looking at the clients in use, and one is collected
 * only if nobody signed in meanwhile: whichever commit comes second finds that record gone.
 *
 * How many there are is counted now and then in the background, by one instance for all, slowly, and the result kept for
 * the others. Between two counts an instance adds what was registered with itself. So no request ever counts, or waits for
 * somebody who does; with several instances the limit may be exceeded by what the others register between two counts.
 */
export interface WaitingClients {
  /** Takes a place for a client that is about to be registered. @returns false if all are taken */
  takePlace(): boolean;
  /** The registration came to nothing. */
  giveBackPlace(): void;
  close(): Promise<void>;
}

export interface WaitingLimits {
  /** How many may wait. */
  readonly max: number;
  /** Pause between two looks at whether it is time to count, in milliseconds. */
  readonly lookEveryMs: number;
}

const LIMITS: WaitingLimits = { max: 100_000, lookEveryMs: 30_000 };
/** From this part of the limit on, the oldest go: there is room until the next count. */
const CROWDED = 0.95;
/** They had at least so long to sign in. */
const MIN_WAIT_MS = DAY_MS;
/** An instance that registered this part of the limit does not wait for somebody else to count. */
const GROWTH = 0.01;
/** Looks until the next count. */
const LOOKS = { full: 1, crowded: 10, roomy: 120 };
/** How many go at a time, so that their list stays small. */
const MAX_COLLECTED = 10_000;
/** What is done without a pause, and the pause. */
const BATCH = 100;
const PAUSE_MS = 10;
/** Longer than a count takes. Should it take longer all the same, two of them do no harm. */
const LEASE_SECONDS = 600;

/** Written with the client, goes with its first grant. */
export const waitingKey = (clientId: string): Key => ({ tag: clientId, kind: 'waiting' });
const COUNT: Key = { tag: 'clients', kind: 'count' };
const LEASE: Key = { tag: 'clients', kind: 'count-lease' };
const COUNT_LIFETIME_SECONDS = 86_400;

/** What all instances know. */
interface Count {
  readonly waiting: number;
  /** Epoch milliseconds at which counting began. */
  readonly at: number;
}

interface Waiting {
  readonly clientId: string;
  readonly version: string;
  /** Epoch milliseconds. */
  readonly registeredAt: number;
}

/** @param options.limits for tests */
export function createWaitingClients(options: {
  store: Store;
  leases: Leases;
  log: Log;
  now: () => number;
  limits?: Partial<WaitingLimits> | undefined;
}): WaitingClients {
  const { store, leases, log, now } = options;
  const { max, lookEveryMs } = { ...LIMITS, ...options.limits };
  const crowded = Math.floor(max * CROWDED);
  let count: Count | undefined;
  /** When clients were registered here that the count may not contain. */
  let since: number[] = [];
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  const isFull = (): boolean => count !== undefined && count.waiting + since.length >= max;

  async function look(): Promise<void> {
    try {
      believe(await storedCount());
      if (isDue()) believe(await countUnderLease());
    } catch (error) {
      // The next look is soon enough; the store's outage is told of by the requests that need it.
      if (!(error instanceof StoreUnavailable)) log.error({ event: 'collection', err: error });
    }
    if (closed) return;
    timer = setTimeout(() => (looking = look()), lookEveryMs).unref();
  }

  function believe(newest: Count | undefined): void {
    if (!newest || newest.at === count?.at) return;
    count = newest;
    since = since.filter((time) => time >= newest.at);
  }

  function isDue(): boolean {
    if (!count || since.length >= Math.max(1, max * GROWTH)) return true;
    const looks = isFull() ? LOOKS.full : count.waiting > crowded ? LOOKS.crowded : LOOKS.roomy;
    // A clock that was set back makes it due as well.
    return Math.abs(now() - count.at) >= looks * lookEveryMs;
  }

  async function storedCount(): Promise<Count | undefined> {
    const [entry] = await store.read(COUNT);
    return entry && (JSON.parse(entry.value) as Count);
  }

  async function countUnderLease(): Promise<Count> {
    const known = count?.at;
    return leases.hold(LEASE, {
      seconds: LEASE_SECONDS,
      deadline: now(),
      findResult: async () => {
        const stored = await storedCount();
        return stored?.at === known ? undefined : stored;
      },
      work: countAndCollect,
      isUnsaved: () => false,
    });
  }

  async function countAndCollect(): Promise<Count> {
    const at = now();
    let waiting = 0;
    for await (const batch of batches(store.keys('waiting'), BATCH, rest)) waiting += batch.length;
    if (waiting > crowded) {
      const collected = await collect(Math.min(waiting - crowded, MAX_COLLECTED));
      waiting -= collected;
      log.info({ event: 'collection', collected, waiting });
    }
    const put = JSON.stringify({ waiting, at });
    const lifetime = COUNT_LIFETIME_SECONDS;
    await store.commit([{ key: COUNT, expect: 'any', put, lifetime }]);
    return { waiting, at };
  }

  /** @returns how many went: the oldest, and at most so many, of those that had their time */
  async function collect(most: number): Promise<number> {
    let collected = 0;
    for (const { clientId, version } of await oldest(most)) {
      await breathe(collected);
      const removed = await store.commit([
        // Only if it still waits: a first login removes this record together with what it writes.
        { key: waitingKey(clientId), expect: { version }, remove: true },
        { key: { tag: clientId, kind: 'client' }, expect: 'any', remove: true },
      ]);
      if (removed) collected++;
    }
    return collected;
  }

  async function oldest(most: number): Promise<Waiting[]> {
    const before = now() - MIN_WAIT_MS;
    let found: Waiting[] = [];
    const best = () => found.sort((a, b) => a.registeredAt - b.registeredAt).slice(0, most);
    for await (const { key, entry } of recordsOf(store, 'waiting', { size: BATCH, rest })) {
      const waiting = asWaiting(key.tag, entry);
      if (waiting.registeredAt < before) found.push(waiting);
      if (found.length > 2 * most) found = best();
    }
    return best();
  }

  /** After every batch that is read. */
  const rest = () => breathe(0);

  /** @param done a pause follows after each batch of so many */
  async function breathe(done: number): Promise<void> {
    if (closed) throw new StoreUnavailable('the server is stopping');
    if (done % BATCH === 0) await pause(PAUSE_MS);
  }

  let looking = look();

  return {
    takePlace() {
      if (isFull()) return false;
      since.push(now());
      return true;
    },
    giveBackPlace() {
      since.pop();
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await looking;
    },
  };
}

/** To be committed with the client. @param now epoch milliseconds */
export const startWaiting = (clientId: string, now: number, lifetime: number): Write => ({
  key: waitingKey(clientId),
  expect: 'any',
  put: String(now),
  lifetime,
});

/** To be committed with what shows that somebody signed in, or with the client's removal. */
export const endWaiting = (clientId: string): Write => ({
  key: waitingKey(clientId),
  expect: 'any',
  remove: true,
});

const asWaiting = (clientId: string, { value, version }: Entry): Waiting => ({
  clientId,
  version,
  registeredAt: Number(value),
});
