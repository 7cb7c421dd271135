import { setTimeout as wait } from 'node:timers/promises';
import { StoreUnavailable } from '../errors.ts';

/**
 * The store: small versioned records with a lifetime. One interface, several backends (SQLite embedded, Redis), one
 * conformance suite (test/store/).
 *
 * Two verbs carry everything. `read` fetches several records in one round trip. `commit` writes several records all
 * or nothing, each only if it still has the version its writer saw. Versions are chosen by the writer and fresh for
 * every commit, so a commit whose reply was lost can be sent again: it finds its own version in place and succeeds.
 * That is what makes "exactly once" survive a cut connection.
 *
 * Records that are committed together share a tag (on Redis Cluster: the hash tag, so they live on one node).
 */

/** `tag` groups the records of one connection or one subject; `kind` says which record it is. */
export interface Key {
  readonly tag: string;
  readonly kind: string;
}

export interface Entry {
  readonly value: string;
  /** Opaque; equal only if nobody wrote since. */
  readonly version: string;
}

/** What a writer requires of the record before it is changed. */
export type Expectation =
  /** the record has exactly this version */
  | { readonly version: string }
  /** there is no live record */
  | 'absent'
  /** whatever is there */
  | 'any';

/** Lifetime in seconds from now, `keep` for what the record has left (no record: refused), `forever`. */
export type Lifetime = number | 'keep' | 'forever';

export type Write =
  | {
      readonly key: Key;
      readonly expect: Expectation;
      readonly put: string;
      readonly lifetime: Lifetime;
    }
  | { readonly key: Key; readonly expect: Expectation; readonly touch: Lifetime }
  | { readonly key: Key; readonly expect: Expectation; readonly remove: true };

export interface Store {
  /**
   * Fetches records in one round trip, in the order of the keys; undefined for absent or expired ones.
   * @throws StoreUnavailable when the backend does not answer within its time-out
   */
  read(...keys: Key[]): Promise<(Entry | undefined)[]>;

  /**
   * Applies all writes or none. All keys must share one tag.
   * `put` replaces the value; `touch` changes the lifetime only (and leaves the version); `remove` deletes. An
   * expectation of `any` on `touch` of an absent record is a no-op, not a failure.
   *
   * @param options.durable for what must never happen twice: where the store has replicas, one of them has it, too
   * @returns the new version of the records that were put, or undefined if an expectation failed
   * @throws StoreUnavailable when the backend does not answer within its time-out; the outcome is then unknown
   * @throws NotReplicated if it is done, and no replica has it in time
   */
  commit(
    writes: readonly Write[],
    options?: { readonly durable?: boolean },
  ): Promise<string | undefined>;

  /** Live keys of one kind, in no order; for admin commands and collection, never on a request path. */
  keys(kind: string): AsyncIterable<Key>;

  /** Resolves if the backend can read and write now. @throws StoreUnavailable */
  ping(): Promise<void>;

  close(): Promise<void>;
}

/** A durable commit was carried out, and a failover at this moment would take it back. */
export class NotReplicated extends StoreUnavailable {
  /** Of the records that were put. */
  readonly version: string;

  constructor(version: string) {
    super('no replica has it yet');
    this.version = version;
  }
}

/**
 * Changes one record by a function of its old value, re-run when somebody else wrote in between.
 *
 * @param change gets the live value or undefined; returns the new record, and what else is to be written in the same
 * commit, or undefined to leave everything as it is
 * @param known the record as it was read a moment ago, which saves reading it; if it is out of date it is read
 * @returns the value that is now stored (new or, if `change` declined, old)
 * @throws StoreUnavailable after 20 lost races, or when the backend is away
 */
export async function update(
  store: Store,
  key: Key,
  change: (
    old: string | undefined,
  ) => { put: string; lifetime: Lifetime; also?: readonly Write[] } | undefined,
  known?: Entry,
): Promise<string | undefined> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const entry = attempt === 0 && known ? known : (await store.read(key))[0];
    const next = change(entry?.value);
    if (!next) return entry?.value;
    const expect: Expectation = entry ? { version: entry.version } : 'absent';
    const { also = [], ...write } = next;
    if (await store.commit([{ key, expect, ...write }, ...also])) return next.put;
    // Losers that come back in step would lose in step: each waits its own while.
    await wait(Math.random() * Math.min(2 ** attempt, 64));
  }
  throw new StoreUnavailable(`gave up on ${key.kind} after ${MAX_ATTEMPTS} lost races`);
}

const MAX_ATTEMPTS = 20;
