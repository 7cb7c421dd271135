import { generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { importJWK, type CryptoKey, type JWK } from 'jose';
import type { State } from '../state.ts';
import { randomHex } from './secrets.ts';

/**
 * The signing keys. The newest signs and is the only published one; after a rotation the API itself
 * still accepts tokens of the two before it.
 */
export type SigningKeys = {
  published(): { keys: JWK[] };
  signer(): Promise<{ kid: string; key: CryptoKey | Uint8Array }>;
  verifier(kid: string | undefined): Promise<CryptoKey | Uint8Array | undefined>;
  rotate(): void;
};

const keptKeys = 3;

/** Loads the keys from the state, or makes the first one. */
export function openKeys(state: State): SigningKeys {
  const table = state.table<JsonWebKey>('keys');
  const imported = new Map<string, Promise<CryptoKey | Uint8Array>>();

  const load = (kid: string, jwk: JsonWebKey, use: 'sign' | 'verify') => {
    const name = `${use} ${kid}`;
    const key =
      imported.get(name) ?? importJWK(use === 'sign' ? (jwk as JWK) : publicPart(jwk), 'RS256');
    imported.set(name, key);
    return key;
  };
  const current = () => table.entries().at(-1)!;
  const rotate = () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    state.atomically(() => {
      table.put(randomHex().slice(0, 16), privateKey.export({ format: 'jwk' }));
      for (const [kid] of table.entries().slice(0, -keptKeys)) table.delete(kid);
    });
    imported.clear();
  };
  if (table.count() === 0) rotate();

  return {
    published() {
      const [kid, jwk] = current();
      return { keys: [{ ...publicPart(jwk), kid, alg: 'RS256', use: 'sig' }] };
    },
    async signer() {
      const [kid, jwk] = current();
      return { kid, key: await load(kid, jwk, 'sign') };
    },
    async verifier(kid) {
      const jwk = kid === undefined ? undefined : table.get(kid);
      return kid !== undefined && jwk ? await load(kid, jwk, 'verify') : undefined;
    },
    rotate,
  };
}

function publicPart({ kty, n, e }: JsonWebKey): JWK {
  return { kty: kty!, n: n!, e: e! };
}
