import { verify as verifySignature } from 'node:crypto';
import { digest } from '../adapters/secrets.ts';
import { createBoundedMap } from '../bounded-map.ts';
import { audienceOf } from '../resource.ts';
import type { KeySet } from './key-set.ts';

/** Claims of our access tokens (RFC 9068 §2.2), with the id of the grant they belong to. */
export interface AccessTokenClaims {
  readonly iss: string;
  readonly sub: string;
  readonly aud: string;
  readonly client_id: string;
  readonly grant_id: string;
  readonly scope: string;
  readonly jti: string;
  /** Epoch seconds. */
  readonly iat: number;
  readonly exp: number;
}

export interface AccessTokenVerifier {
  /** @returns the claims, or undefined for anything but a genuine, unexpired access token of ours */
  verify(token: string): AccessTokenClaims | undefined;
}

const MAX_TOKEN_LENGTH = 4_096;
const CLOCK_TOLERANCE_SECONDS = 15;
const CACHE_SIZE = 10_000;

/**
 * Verifies access tokens against our own key set (RFC 9068 §4): RS256 and `at+jwt` only, keys by `kid` from our set
 * only (a key named or carried by the token is never looked at), issuer, audience, and the times with 15 s for clocks
 * that differ. Of the JSON only the one spelling that we mint is taken: readers disagree about members named twice.
 *
 * Synchronous on purpose: a signature check takes 20 µs here and twice that by way of the thread pool. A token that
 * was found genuine is remembered until it expires, by its hash; whether its grant is alive is asked elsewhere, each
 * time.
 *
 * @param keys the key set in force now; a changed set is noticed by identity and forgets what was remembered
 */
export function createAccessTokenVerifier(options: {
  keys: () => KeySet;
  publicUrl: string;
  now: () => number;
}): AccessTokenVerifier {
  const { keys, publicUrl, now } = options;
  const audience = audienceOf(publicUrl);
  const isExpired = ({ exp }: AccessTokenClaims): boolean =>
    exp + CLOCK_TOLERANCE_SECONDS <= now() / 1000;
  const remember = () => createBoundedMap<AccessTokenClaims>(CACHE_SIZE, isExpired);
  let genuine = remember();
  let keySet: KeySet | undefined;

  function check(token: string): AccessTokenClaims | undefined {
    const [head, body, signature, ...rest] = token.split('.');
    if (!head || !body || !signature || rest.length > 0) return undefined;
    const header = decode(head);
    if (header?.alg !== 'RS256' || header.typ !== 'at+jwt' || 'crit' in header) return undefined;
    const key = typeof header.kid === 'string' ? keys().verification.get(header.kid) : undefined;
    if (!key || !isBase64url(signature)) return undefined;
    const signed = Buffer.from(`${head}.${body}`);
    if (!verifySignature('RSA-SHA256', signed, key, Buffer.from(signature, 'base64url'))) {
      return undefined;
    }
    const claims = decode(body);
    return claims && isOurs(claims) ? claims : undefined;
  }

  function isOurs(claims: Record<string, unknown>): claims is AccessTokenClaims & typeof claims {
    const texts = [claims.sub, claims.client_id, claims.grant_id, claims.scope, claims.jti];
    return (
      claims.iss === publicUrl &&
      claims.aud === audience &&
      Number.isInteger(claims.exp) &&
      texts.every((text) => typeof text === 'string') &&
      hasCome(claims.iat) &&
      (claims.nbf === undefined || hasCome(claims.nbf))
    );
  }

  const hasCome = (seconds: unknown): boolean =>
    Number.isInteger(seconds) && (seconds as number) <= now() / 1000 + CLOCK_TOLERANCE_SECONDS;

  return {
    verify(token) {
      if (token.length > MAX_TOKEN_LENGTH) return undefined;
      if (keySet !== keys()) {
        keySet = keys();
        genuine = remember();
      }
      const id = digest(token);
      const remembered = genuine.get(id);
      const claims = remembered ?? check(token);
      if (!claims) return undefined;
      if (isExpired(claims)) {
        genuine.delete(id);
        return undefined;
      }
      if (!remembered) genuine.set(id, claims);
      return claims;
    },
  };
}

const isBase64url = (text: string) => /^[\w-]+$/.test(text);

function decode(part: string): Record<string, unknown> | undefined {
  if (!isBase64url(part)) return undefined;
  try {
    const text = Buffer.from(part, 'base64url').toString();
    const value: unknown = JSON.parse(text);
    const isCanonical = typeof value === 'object' && JSON.stringify(value) === text;
    return isCanonical && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
