import { createPublicKey, type KeyObject } from 'node:crypto';
import { compactVerify, decodeProtectedHeader, importJWK, type JWK } from 'jose';
import { errors } from 'oidc-provider';
import { ASSERTION_ALGORITHMS, type AssertionAlgorithm } from './supported.ts';

/**
 * The keys of clients that authenticate with `private_key_jwt`, wherever they come from: registration, document or
 * `jwks_uri`. A JSON Web Key Set (RFC 7517 §5) reduced to what can verify an assertion.
 */
export interface KeySet {
  readonly keys: readonly JWK[];
}

const MAX_KEYS = 20;
/** Characters: the modulus of a 16,384 bit RSA key, in base64url. */
const MAX_MEMBER = 2_731;
const MATERIAL = ['kty', 'crv', 'x', 'y', 'n', 'e'];
const LABELS = ['kid', 'alg', 'use'];
/** RFC 7518 §6, and `priv` of the newer kinds. */
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];

/** RFC 7518 §3.3 asks for 2,048 bits. With the exponent 1 anybody could sign. */
const isStrongRsa = ({ asymmetricKeyType, asymmetricKeyDetails: details }: KeyObject): boolean =>
  asymmetricKeyType === 'rsa' && details!.modulusLength! >= 2_048 && details!.publicExponent! > 1n;

const CAN_VERIFY: Readonly<Record<AssertionAlgorithm, (key: KeyObject) => boolean>> = {
  RS256: isStrongRsa,
  PS256: isStrongRsa,
  ES256: ({ asymmetricKeyDetails }) => asymmetricKeyDetails?.namedCurve === 'prime256v1',
  EdDSA: ({ asymmetricKeyType }) => asymmetricKeyType === 'ed25519',
};

/**
 * Keeps the keys that can verify one of ASSERTION_ALGORITHMS, each in its canonical form with `kid`, `alg` and `use`; a
 * set may hold others beside them, and keys may have members that mean nothing to us. A private key in it is one that
 * everybody has: nothing such a client says can be believed.
 *
 * @param content what should be a JSON Web Key Set: at most 20 keys, of members of at most 2,731 characters
 * @throws errors.InvalidClientMetadata (RFC 7591 §3.2.2)
 */
export function acceptClientKeys(content: unknown): KeySet {
  const sent = (content as { keys?: unknown } | null | undefined)?.keys;
  if (!Array.isArray(sent)) throw refused('is not a JSON Web Key Set');
  if (sent.length > MAX_KEYS) throw refused(`has more than ${MAX_KEYS} keys`);
  const jwks = sent.filter((key) => typeof key === 'object' && key !== null) as Jwk[];
  if (jwks.some(isPrivate)) throw refused('contains a private key');
  const keys = jwks.flatMap((jwk) => usable(jwk) ?? []);
  if (keys.length > 0) return { keys };
  throw refused(`has no key for signatures with ${ASSERTION_ALGORITHMS.join(', ')}`);
}

const refused = (problem: string) => new errors.InvalidClientMetadata(`the key set ${problem}`);

type Jwk = Readonly<Record<string, unknown>>;

/** Writers of JSON leave out a member in several ways. */
const isAbsent = (value: unknown) => value === undefined || value === null || value === '';
const isText = (value: unknown) => typeof value === 'string' && value.length <= MAX_MEMBER;

const isPrivate = (jwk: Jwk): boolean => PRIVATE.some((member) => !isAbsent(jwk[member]));

function usable(jwk: Jwk): JWK | undefined {
  const labels = pick(jwk, LABELS);
  // Without a name that can't be read, the key would not be found by it.
  if (!Object.values(labels).every(isText)) return undefined;
  if (!isForSignatures(jwk)) return undefined;
  const key = readKey(jwk);
  const fits = (algorithm: AssertionAlgorithm) =>
    (labels.alg ?? algorithm) === algorithm && CAN_VERIFY[algorithm](key!);
  return key && ASSERTION_ALGORITHMS.some(fits)
    ? { ...key.export({ format: 'jwk' }), ...labels }
    : undefined;
}

/** RFC 7517 §4.2 and §4.3. */
function isForSignatures({ use, key_ops: operations }: Jwk): boolean {
  if (!isAbsent(use) && use !== 'sig') return false;
  return !Array.isArray(operations) || operations.length === 0 || operations.includes('verify');
}

/** Reading it with what will verify finds numbers that are no key: a point off its curve, for instance. */
function readKey(jwk: Jwk): KeyObject | undefined {
  const material = pick(jwk, MATERIAL);
  if (!Object.values(material).every(isText)) return undefined;
  try {
    return createPublicKey({ key: material as JWK, format: 'jwk' });
  } catch {
    return undefined;
  }
}

const pick = (jwk: Jwk, members: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(
    members.filter((member) => !isAbsent(jwk[member])).map((member) => [member, jwk[member]]),
  );

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
