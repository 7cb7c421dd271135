import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { type Context, sealContext } from '../adapters/sealed-kinds.ts';
import type { Secrets } from '../adapters/secrets.ts';
import type { Entry, Key } from '../adapters/store.ts';
import type { SigningKey } from './stages.ts';

/** The one record of the signing keys, sealed, the same for every instance. */
export const SIGNING_KEYS: Key = { tag: 'keys', kind: 'signing' };

const CONTEXT: Context = sealContext.signingKeys();

/** A set as it was read: it can be replaced only if nobody has replaced it since. */
export interface Staged {
  readonly keys: readonly SigningKey[];
  readonly version: string;
}

/** @throws SealBroken when MASTER_KEYS does not contain the key it was sealed with */
export const openKeys = async (secrets: Secrets, { value, version }: Entry): Promise<Staged> => ({
  keys: (await secrets.open(value, CONTEXT)) as SigningKey[],
  version,
});

export const sealKeys = (secrets: Secrets, keys: readonly SigningKey[]): Promise<string> =>
  secrets.seal(keys, CONTEXT);

/** A fresh key, for the stage that it is needed for. @param createdAt epoch milliseconds */
export async function newKey(createdAt: number): Promise<SigningKey> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  const jwk = privateKey.export({ format: 'jwk' }) as JWK;
  const kid = (await calculateJwkThumbprint(jwk)).slice(0, 16);
  return { kid, state: 'next', jwk, createdAt };
}

/** The first set. @param now epoch milliseconds */
export async function firstKeys(now: number): Promise<SigningKey[]> {
  const [current, next] = await Promise.all([newKey(now), newKey(now)]);
  return [{ ...current, state: 'current', promotedAt: now }, next];
}
