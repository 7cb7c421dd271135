import { compactVerify, decodeProtectedHeader, importJWK, type JWK } from 'jose';
import { Unacceptable } from '../../adapters/document-cache.ts';

/** A JSON Web Key Set (RFC 7517 §5) reduced to what verifies assertions. */
export interface KeySet {
  readonly keys: readonly JWK[];
}

const MAX_KEYS = 20;
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  RSA: ['n', 'e'],
  EC: ['crv', 'x', 'y'],
  OKP: ['crv', 'x'],
};
/** Those of ASSERTION_ALGORITHMS. */
const CURVES: Readonly<Record<string, readonly string[]>> = {
  EC: ['P-256'],
  OKP: ['Ed25519'],
};
const OPTIONAL = ['kid', 'alg', 'use'];
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];

/**
 * Keeps the public signature keys of kinds we can use, and of them the members we need; a set may hold others beside
 * them. A private key in it is one that everybody has: nothing such a client says can be believed.
 *
 * @throws Unacceptable
 */
export function acceptKeySet(content: unknown): KeySet {
  const sent = (content as { keys?: unknown } | null | undefined)?.keys;
  if (!Array.isArray(sent)) throw new Unacceptable('its key set is not a JSON Web Key Set');
  if (sent.length > MAX_KEYS) throw new Unacceptable(`its key set has more than ${MAX_KEYS} keys`);
  const jwks = sent.filter((key) => typeof key === 'object' && key !== null) as Jwk[];
  if (jwks.some((jwk) => PRIVATE.some((member) => Object.hasOwn(jwk, member)))) {
    throw new Unacceptable('its key set contains a private key');
  }
  const keys = jwks.flatMap(usable);
  if (keys.length === 0) throw new Unacceptable('its key set has no key for signatures');
  return { keys };
}

type Jwk = Readonly<Record<string, unknown>>;

function usable(jwk: Jwk): JWK[] {
  const kty = String(jwk.kty);
  const needed = Object.hasOwn(NEEDED, kty) ? NEEDED[kty]! : undefined;
  if (!needed || (jwk.use ?? 'sig') !== 'sig') return [];
  if (CURVES[kty] && !CURVES[kty].includes(String(jwk.crv))) return [];
  if (!needed.every((member) => isText(jwk[member]))) return [];
  const kept = [...needed, ...OPTIONAL.filter((member) => isText(jwk[member]))];
  return [{ kty, ...Object.fromEntries(kept.map((member) => [member, jwk[member] as string])) }];
}

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';

/**
 * Whether one of the keys signed a client assertion. What else must be right about it is the engine's to check; this only
 * says whether the set is the one that the client uses now.
 */
export async function verifies({ keys }: KeySet, assertion: string): Promise<boolean> {
  try {
    const { kid, alg } = decodeProtectedHeader(assertion);
    for (const key of keys) {
      if (kid !== undefined && key.kid !== kid) continue;
      if (await signed(assertion, key, alg!)) return true;
    }
  } catch {
    // Not a JWS at all.
  }
  return false;
}

const signed = async (assertion: string, key: JWK, alg: string): Promise<boolean> =>
  importJWK(key, alg)
    .then((imported) => compactVerify(assertion, imported, { algorithms: [alg] }))
    .then(
      () => true,
      () => false,
    );
