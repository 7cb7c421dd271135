import { createPublicKey, generateKeyPair, type JsonWebKey, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { calculateJwkThumbprint, type JWK } from 'jose';
import type { Secrets } from '../adapters/secrets.ts';
import type { Entry, Key, Store } from '../adapters/store.ts';
import { audit } from '../audit.ts';
import { StoreUnavailable } from '../errors.ts';
import type { Log } from '../log.ts';

/**
 * The signing keys: made on first start, kept sealed in the store, the same for every instance. They are staged:
 * `current` signs; `next` is published so that verifiers know it before it signs; `retired` is published until the
 * last token it signed has expired.
 */
export interface SigningKey {
  readonly kid: string;
  readonly state: 'next' | 'current' | 'retired';
  /** Private RSA key, RS256. */
  readonly jwk: JWK;
  /** Epoch milliseconds. */
  readonly createdAt: number;
}

export interface KeySet {
  /** Private keys in the order the engine wants them: the first signs. */
  readonly signing: readonly JWK[];
  /** The document at /.well-known/jwks.json: public members only (RFC 7517). */
  readonly jwks: { readonly keys: readonly JWK[] };
  /** Public keys by id, for verifying our own tokens. */
  readonly verification: ReadonlyMap<string, KeyObject>;
}

/** The key set of all instances, as this one knows it. */
export interface KeyRing {
  /**
   * The key set in force. The same object as long as nothing has changed.
   * @throws StoreUnavailable while it could not be read for the first time
   */
  current(): KeySet;
  /**
   * Looks at the store now. It is done by itself all the time, so a change anywhere is in force here within a second.
   * @throws StoreUnavailable
   * @throws SealBroken when MASTER_KEYS does not contain the key it was sealed with
   */
  refresh(): Promise<void>;
  close(): void;
}

/**
 * Reads the key set, or creates it if there is none: two instances starting together agree, because only one of them
 * can write an absent record. A store that is away is no reason not to start; the keys are there soon after it.
 *
 * @throws SealBroken when MASTER_KEYS does not contain the key it was sealed with
 */
export async function openKeyRing(options: {
  store: Store;
  secrets: Secrets;
  log: Log;
  now: () => number;
}): Promise<KeyRing> {
  const { store, secrets, log, now } = options;
  let known: { sealed: string; version: string; keys: KeySet } | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let told = '';

  async function refresh(): Promise<void> {
    const { value: sealed, version } = await storedOrNew();
    if (version === known?.version) return;
    const keys = keySet((await secrets.open(sealed, CONTEXT)) as SigningKey[]);
    // Another instance, or the operator, has changed them.
    const kids = [...keys.verification.keys()];
    if (known && known.sealed !== sealed) audit(log, 'keys.changed', { outcome: 'noticed', kids });
    known = { sealed, version, keys };
  }

  async function storedOrNew(): Promise<Entry> {
    for (;;) {
      const [entry] = await store.read(KEY);
      if (entry) return entry;
      // A store that lost its records gets back the keys we know: others have fetched them and believe in them.
      const made = known ? undefined : await newKeys(now());
      const put = known?.sealed ?? (await secrets.seal(made, CONTEXT));
      const written = await store.commit([
        { key: KEY, expect: 'absent', put, lifetime: 'forever' },
      ]);
      if (!written) continue;
      const kids = made?.map(({ kid }) => kid) ?? [...known!.keys.verification.keys()];
      audit(log, 'keys.changed', { outcome: known ? 'restored' : 'created', kids });
    }
  }

  async function look(): Promise<void> {
    try {
      await refresh();
      told = '';
    } catch (error) {
      tell(error as Error);
    }
    if (!closed) timer = setTimeout(look, LOOK_EVERY_MS).unref();
  }

  /** An absent store is told of by the requests that need it; keys that can't be opened are told of here, once. */
  function tell(error: Error): void {
    if (error instanceof StoreUnavailable || error.message === told) return;
    told = error.message;
    log.error({ event: 'keys', err: error });
  }

  await refresh().catch((error) => {
    if (!(error instanceof StoreUnavailable)) throw error;
  });
  timer = setTimeout(look, LOOK_EVERY_MS).unref();

  return {
    current() {
      if (!known) throw new StoreUnavailable('the signing keys have not been read yet');
      return known.keys;
    },
    refresh,
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/** Together with the time to read it stays below the 800 ms that anything may be believed. */
const LOOK_EVERY_MS = 500;
const KEY: Key = { tag: 'keys', kind: 'signing' };
const CONTEXT = 'signing keys';
const ORDER = { current: 0, next: 1, retired: 2 };

function keySet(keys: readonly SigningKey[]): KeySet {
  const signing = keys
    .toSorted((a, b) => ORDER[a.state] - ORDER[b.state])
    .map(({ jwk, kid }) => ({ ...jwk, kid, alg: 'RS256', use: 'sig' }));
  return {
    signing,
    jwks: { keys: signing.map(publicMembers) },
    verification: new Map(
      signing.map((jwk) => [
        jwk.kid,
        createPublicKey({ key: publicMembers(jwk) as JsonWebKey, format: 'jwk' }),
      ]),
    ),
  };
}

const newKeys = (createdAt: number): Promise<SigningKey[]> =>
  Promise.all([newKey('current', createdAt), newKey('next', createdAt)]);

async function newKey(state: SigningKey['state'], createdAt: number): Promise<SigningKey> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  const jwk = privateKey.export({ format: 'jwk' }) as JWK;
  return { kid: (await calculateJwkThumbprint(jwk)).slice(0, 16), state, jwk, createdAt };
}

/** Named one by one: a private member can't slip through. */
const publicMembers = ({ kty, n, e, kid, alg, use }: JWK): JWK =>
  ({ kty, n, e, kid, alg, use }) as JWK;
