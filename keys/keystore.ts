import { createPublicKey, generateKeyPair, type JsonWebKey, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { calculateJwkThumbprint, type JWK } from 'jose';
import type { Secrets } from '../adapters/secrets.ts';
import { type Key, type Store, update } from '../adapters/store.ts';

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

/**
 * Reads the key set; creates it if there is none. Two instances starting together agree, because only one of them can
 * write an absent record.
 *
 * @throws StoreUnavailable
 * @throws SealBroken when MASTER_KEYS does not contain the key it was sealed with
 */
export async function loadKeySet(options: {
  store: Store;
  secrets: Secrets;
  now: () => number;
}): Promise<KeySet> {
  const { store, secrets, now } = options;
  const [stored] = await store.read(KEY);
  let sealed = stored?.value;
  if (!sealed) {
    const keys = await Promise.all([newKey('current', now()), newKey('next', now())]);
    const ours = await secrets.seal(keys, CONTEXT);
    sealed = await update(store, KEY, (old) =>
      old ? undefined : { put: ours, lifetime: 'forever' },
    );
  }
  return keySet((await secrets.open(sealed!, CONTEXT)) as SigningKey[]);
}

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

async function newKey(state: SigningKey['state'], createdAt: number): Promise<SigningKey> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  const jwk = privateKey.export({ format: 'jwk' }) as JWK;
  return { kid: (await calculateJwkThumbprint(jwk)).slice(0, 16), state, jwk, createdAt };
}

/** Named one by one: a private member can't slip through. */
const publicMembers = ({ kty, n, e, kid, alg, use }: JWK): JWK =>
  ({ kty, n, e, kid, alg, use }) as JWK;
