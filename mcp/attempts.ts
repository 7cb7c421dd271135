import { keepTrying } from '../adapters/keep-trying.ts';
import { withoutPatience } from '../adapters/patience.ts';
import { sealContext } from '../adapters/sealed-kinds.ts';
import { digest, openIfPossible, type Secrets } from '../adapters/secrets.ts';
import type { Key, Store, Write } from '../adapters/store.ts';
import { StoreUnavailable } from '../errors.ts';
import type { Log } from '../log.ts';

/** What is known of the call that first used an idempotency key. */
export interface Attempt {
  /** Of what NeonPanel was to be asked. */
  readonly argumentsHash: string;
  /** `started` until NeonPanel has answered; `unknown` if nobody knows what it did. */
  readonly state: 'started' | 'done' | 'unknown';
  /** Which call it is: a record can be told from others of the same form. */
  readonly holder: string;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** Of one that is done: the answer, if it was short enough to keep. */
  readonly result?: Record<string, unknown>;
  /** Of an answer that was not: how to ask NeonPanel about it. */
  readonly requestId?: string;
}

/** How long a key is remembered. */
const LIFETIME_SECONDS = 24 * 60 * 60;
/** What the store did not take is offered again for ten minutes: longer than any outage that is not a disaster. */
const RETRIES = { everyMs: 500, tries: 1_200 };

/**
 * The records behind idempotency keys. Each is sealed as a whole and for its own place: hashes of documents could be
 * guessed, and results are the user's.
 */
export function createAttempts(options: { store: Store; secrets: Secrets; log: Log }) {
  const { store, secrets, log } = options;

  return {
    /**
     * Writes down that something is about to be done.
     * @returns the version of the record, or undefined if there is one already
     * @throws StoreUnavailable; should the record have been written all the same, it is taken back
     */
    async begin(key: Key, attempt: Attempt): Promise<string | undefined> {
      try {
        return await store.commit([{ expect: 'absent', ...(await putOf(key, attempt)) }]);
      } catch (error) {
        if (error instanceof StoreUnavailable) insistLater(() => takeBack(key, attempt.holder));
        throw error;
      }
    },

    /** @throws StoreUnavailable */
    async find(key: Key): Promise<Attempt | 'unreadable' | undefined> {
      return (await read(key))?.attempt;
    },

    /** Writes down how it ended. If the store is away that is done later; nobody is kept from the answer. */
    async end(key: Key, version: string, attempt: Attempt): Promise<void> {
      const write = { expect: { version }, ...(await putOf(key, attempt)) };
      await insist(() => store.commit([write]));
    },

    /** Nothing was done, and the key is free again. */
    async drop(key: Key, version: string): Promise<void> {
      await insist(() => remove(key, version));
    },
  };

  async function putOf(key: Key, attempt: Attempt) {
    const put = await secrets.seal(attempt, contextOf(key));
    return { key, put, lifetime: LIFETIME_SECONDS } satisfies Partial<Write>;
  }

  async function read(key: Key) {
    const [entry] = await store.read(key);
    if (!entry) return undefined;
    const opened = await openIfPossible(secrets, entry.value, contextOf(key));
    const attempt = (opened as Attempt | undefined) ?? ('unreadable' as const);
    return { attempt, version: entry.version };
  }

  function remove(key: Key, version: string): Promise<unknown> {
    return store.commit([{ key, expect: { version }, remove: true }]);
  }

  /** Of a record whose version was never heard: if it is ours, it is known by its holder. */
  async function takeBack(key: Key, holder: string): Promise<void> {
    const found = await read(key);
    if (!found || found.attempt === 'unreadable' || found.attempt.holder !== holder) return;
    await remove(key, found.version);
  }

  async function insist(write: () => Promise<unknown>): Promise<void> {
    try {
      await withoutPatience(write);
    } catch (error) {
      if (error instanceof StoreUnavailable) return insistLater(write);
      log.error({ event: 'idempotency.unsaved', err: error });
    }
  }

  function insistLater(write: () => Promise<unknown>): void {
    keepTrying(write, RETRIES).catch((err) => log.error({ event: 'idempotency.unsaved', err }));
  }
}

export type Attempts = ReturnType<typeof createAttempts>;

/** Where the record of a user's key is: nothing of the three can be read in it. */
export const attemptKey = (owner: string, tool: string, key: string): Key => ({
  tag: digest(JSON.stringify([owner, tool, key])),
  kind: 'idempotency',
});

const contextOf = ({ tag }: Key) => sealContext.idempotency(tag);
