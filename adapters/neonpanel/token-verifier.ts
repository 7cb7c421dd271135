import { createRemoteJWKSet, customFetch, type JWTPayload, jwtVerify } from 'jose';
import type { AuthorizationServer } from 'oauth4webapi';
import type { BoundedFetch } from './bounded-fetch.ts';
import { NeonpanelError } from './neonpanel.ts';

const CLOCK_TOLERANCE_SECONDS = 15;
/** What NeonPanel calls itself, also behind a proxy. Whose keys are believed is decided by the configured URL alone. */
const NEONPANEL_ISSUER = 'https://my.neonpanel.com';

/**
 * Verifies NeonPanel's access tokens by its JWKS: RS256, issuer, expiry and a subject. They carry no dependable `aud`.
 *
 * @param options.url NEONPANEL_URL; an accepted issuer beside the one its metadata names
 */
export function createTokenVerifier(options: {
  url: string;
  fetch: BoundedFetch;
  now: () => number;
}) {
  const { url, fetch, now } = options;
  let jwks: { uri: string; keys: ReturnType<typeof createRemoteJWKSet> } | undefined;

  /** @throws KeysUnavailable, NeonpanelError kind `unavailable` for a token that is at fault itself */
  return async function verify(
    accessToken: string,
    server: AuthorizationServer,
  ): Promise<JWTPayload & { sub: string }> {
    const { payload } = await jwtVerify(accessToken, keysOf(server), {
      algorithms: ['RS256'],
      requiredClaims: ['sub'],
      issuer: [server.issuer, url, NEONPANEL_ISSUER],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: new Date(now()),
    }).catch((cause: Error & { code?: string }) => {
      throw TOKEN_FAULTS.has(cause.code) ? unverifiable(cause) : new KeysUnavailable(cause);
    });
    const { sub } = payload;
    if (typeof sub !== 'string' || sub === '') throw unverifiable(new Error('no subject'));
    return { ...payload, sub };
  };

  function keysOf(server: AuthorizationServer) {
    const uri = server.jwks_uri!;
    if (jwks?.uri !== uri) {
      const keys = createRemoteJWKSet(new URL(uri), {
        [customFetch]: (address, init) => fetch(address, { ...init, mayRepeat: true }),
        cooldownDuration: 1_000,
      });
      jwks = { uri, keys };
    }
    return jwks.keys;
  }
}

/** jose's codes for a token that is at fault itself; with any other the keys could not be had. */
const TOKEN_FAULTS = new Set<unknown>([
  'ERR_JOSE_ALG_NOT_ALLOWED',
  'ERR_JOSE_NOT_SUPPORTED',
  'ERR_JWS_INVALID',
  'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
  'ERR_JWT_CLAIM_VALIDATION_FAILED',
  'ERR_JWT_EXPIRED',
  'ERR_JWT_INVALID',
]);

const unverifiable = (cause: Error) =>
  new NeonpanelError('unavailable', 'NeonPanel’s access token could not be verified', {
    detail: cause.message,
    cause,
  });

/** NeonPanel's keys can't be fetched, or the one this token names is not among them yet. */
export class KeysUnavailable extends NeonpanelError {
  constructor(cause: Error) {
    const detail = cause.message;
    const wait = cause instanceof NeonpanelError ? cause.retryAfterSeconds : undefined;
    const more = { detail, cause, ...(wait && { retryAfterSeconds: wait }) };
    super('unavailable', 'NeonPanel’s keys can’t be had', more);
  }
}
