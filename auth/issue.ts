import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { Grant } from '../adapters/grants.ts';
import { audienceOf, RESOURCE_SCOPES } from '../resource.ts';

/** A token response (RFC 6749 §5.1), except for the refresh token, which the grant handler adds. */
export interface IssuedTokens {
  readonly access_token: string;
  readonly expires_in: number;
  readonly id_token?: string;
  readonly scope: string;
  readonly token_type: 'Bearer';
}

/** What an access token for our one resource looks like; the engine asks for it at authorization as well. */
export const resourceServer = (publicUrl: string, accessTokenTtlSeconds: number) => ({
  scope: RESOURCE_SCOPES.join(' '),
  audience: audienceOf(publicUrl),
  accessTokenFormat: 'jwt' as const,
  accessTokenTTL: accessTokenTtlSeconds,
  jwt: { sign: { alg: 'RS256' as const } },
});

/**
 * Mints the access token (RS256 JWT, RFC 9068, with the grant's id) and, if `openid` was granted, an id_token. Stores
 * nothing: whatever has to be remembered is written by the caller after this succeeded.
 *
 * @param scope what this token may do: the grant's scope or less
 */
export async function issueTokens(
  ctx: KoaContextWithOIDC,
  options: {
    grantId: string;
    grant: Grant;
    scope: readonly string[];
    accessTokenTtlSeconds: number;
  },
): Promise<IssuedTokens> {
  const { grantId, grant, scope, accessTokenTtlSeconds } = options;
  const { provider, client } = ctx.oidc;
  const accessToken = new provider.AccessToken({
    accountId: grant.accountId,
    client: client!,
    expiresWithSession: false,
    grantId,
    gty: ctx.oidc.params!.grant_type as string,
    scope: scope.filter((s) => (RESOURCE_SCOPES as readonly string[]).includes(s)).join(' '),
  });
  accessToken.resourceServer = new provider.ResourceServer(
    audienceOf(provider.issuer),
    resourceServer(provider.issuer, accessTokenTtlSeconds),
  );
  ctx.oidc.entity('AccessToken', accessToken);
  const value = await accessToken.save();
  return {
    access_token: value,
    expires_in: accessToken.expiration,
    ...(scope.includes('openid') && { id_token: await idToken(ctx, provider, grant, value) }),
    scope: scope.join(' '),
    token_type: 'Bearer',
  };
}

/** OpenID Connect Core §2, with `sub` only: NeonPanel tells us nothing else about the user that we could vouch for. */
async function idToken(
  ctx: KoaContextWithOIDC,
  provider: Provider,
  grant: Grant,
  accessToken: string,
) {
  const token = new provider.IdToken({ sub: grant.accountId }, { ctx });
  // The types leave these two out.
  Object.assign(token, { scope: 'openid', mask: {} });
  if (grant.authTime !== undefined) token.set('auth_time', grant.authTime);
  if (grant.nonce !== undefined) token.set('nonce', grant.nonce);
  token.set('at_hash', accessToken);
  return token.issue({ use: 'idtoken' });
}
