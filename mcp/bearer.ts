import type { Context } from 'koa';
import type { AccessTokenVerifier } from '../keys/access-token.ts';
import { READ } from '../resource.ts';
import type { Caller } from './caller.ts';

/** What the Authorization header says: nobody, somebody we can't believe, or a caller. */
export type Bearer =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'invalid' }
  | {
      readonly kind: 'caller';
      readonly caller: Caller;
      readonly token: string;
      readonly expiresAt: number;
    };

/**
 * Reads the bearer token (RFC 6750 §2.1; header only, never the query). Anything that is not a bearer token counts as
 * anonymous: clients send empty and odd headers while they discover us.
 */
export function readBearer(header: string | undefined, verifier: AccessTokenVerifier): Bearer {
  const token = /^Bearer +(\S+)$/i.exec(header ?? '')?.[1];
  if (!token) return { kind: 'anonymous' };
  const claims = verifier.verify(token);
  const scopes = new Set(claims?.scope.split(' '));
  if (!claims || !scopes.has(READ)) return { kind: 'invalid' };
  const { sub: accountId, client_id: clientId, grant_id: grantId, iat: issuedAt } = claims;
  const caller = { accountId, clientId, grantId, issuedAt, scopes };
  return { kind: 'caller', caller, token, expiresAt: claims.exp };
}

/**
 * The same for a request that is about to be served: whoever is believed is, by keys that are still in force, also if this
 * process was held up.
 *
 * @param options.freshenKeys looks whether the keys are still the same, if that was not done for 800 ms; true if it had to
 * @throws StoreUnavailable
 */
export function createBearerReader(options: {
  accessTokens: AccessTokenVerifier;
  freshenKeys: () => Promise<boolean>;
}) {
  const { accessTokens, freshenKeys } = options;
  return async function bearerOf(ctx: Context): Promise<Bearer> {
    const header = ctx.get('Authorization') || undefined;
    const bearer = readBearer(header, accessTokens);
    const isStale = bearer.kind === 'caller' && (await freshenKeys());
    return isStale ? readBearer(header, accessTokens) : bearer;
  };
}
