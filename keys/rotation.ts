import { setTimeout as wait } from 'node:timers/promises';
import type { Secrets } from '../adapters/secrets.ts';
import type { Key, Store, Write } from '../adapters/store.ts';
import { newKey, openKeys, sealKeys, SIGNING_KEYS, type Staged } from './key-record.ts';
import { nextOf, prune, retire, rotate, type SigningKey, TAKEOVER_MS } from './stages.ts';

export interface KeyTimes {
  /** For how long others may believe a JWKS that they have fetched. */
  readonly jwksCacheSeconds: number;
  readonly accessTokenTtlSeconds: number;
}

/**
 * Changes the set of signing keys in the store, for all instances: each change is one commit, which applies only to the
 * very set that was looked at. So a change that is cut off leaves the old set or the new one, and of two at once one wins.
 */
export interface Rotation {
  /** @returns undefined before the first start @throws StoreUnavailable, SealBroken */
  read(): Promise<Staged | undefined>;
  /**
   * The next key takes over, the current one retires, and a new next one is published. Whether the next one has been
   * published for long enough is the caller's to say.
   * @returns what is now stored, or undefined if somebody else has changed the set since
   * @throws StageError, StoreUnavailable
   */
  rotate(seen: Staged): Promise<Staged | undefined>;
  /** A key that leaked is gone; likewise. */
  retire(seen: Staged, kid: string): Promise<Staged | undefined>;
  /** Retired keys that nobody needs are gone, all or only some; likewise. */
  prune(seen: Staged, kids?: readonly string[]): Promise<Staged | undefined>;
  /** Whether others must still get to know the last change, by the store's own clock. @throws StoreUnavailable */
  isSettling(): Promise<boolean>;
}

/**
 * Lives for as long as the schedule has to leave the keys alone after a change. It ends by the store's clock, so an
 * instance whose own clock is wrong can neither hurry the others nor drop what they need.
 */
const PAUSE: Key = { tag: 'keys', kind: 'pause' };
/** More than CLOCKS_DIFFER_MS, both ways, and the takeover. */
const PAUSE_MARGIN_SECONDS = 60;
/** Younger by our clock may be newer than an instance has noticed, by its own. */
const SURELY_NOTICED_MS = 30_000;

export function createRotation(options: {
  store: Store;
  secrets: Secrets;
  times: KeyTimes;
  /** Epoch milliseconds. */
  now: () => number;
}): Rotation {
  const { store, secrets, times, now } = options;
  const { accessTokenTtlSeconds, jwksCacheSeconds } = times;

  return {
    async read() {
      const [entry] = await store.read(SIGNING_KEYS);
      return entry && openKeys(secrets, entry);
    },

    async rotate(seen) {
      const spare = await newKey(now());
      // Every instance must know the key before any of them signs with it, whatever their clocks say: the set has been
      // there for as long as we have waited, or the commit fails.
      const next = nextOf(seen.keys);
      if (next && now() - next.createdAt < SURELY_NOTICED_MS) await wait(TAKEOVER_MS);
      const changed = rotate(seen.keys, spare, now(), accessTokenTtlSeconds);
      return replace(seen, changed, [pause()]);
    },

    async retire(seen, kid) {
      const spares = await Promise.all([newKey(now()), newKey(now())]);
      return replace(seen, retire(seen.keys, kid, spares, now()), [pause()]);
    },

    prune: (seen, kids) => replace(seen, prune(seen.keys, now(), kids)),

    async isSettling() {
      const [entry] = await store.read(PAUSE);
      return entry !== undefined;
    },
  };

  async function replace(
    { version: expected }: Staged,
    keys: readonly SigningKey[],
    also: readonly Write[] = [],
  ): Promise<Staged | undefined> {
    const put = await sealKeys(secrets, keys);
    const version = await store.commit([
      { key: SIGNING_KEYS, expect: { version: expected }, put, lifetime: 'forever' },
      ...also,
    ]);
    return version === undefined ? undefined : { keys, version };
  }

  function pause(): Write {
    const lifetime = Math.max(jwksCacheSeconds, accessTokenTtlSeconds) + PAUSE_MARGIN_SECONDS;
    return { key: PAUSE, expect: 'any', put: String(now()), lifetime };
  }
}
