import { exportJWK, generateKeyPair } from 'jose';
import { Provider } from 'oidc-provider';

/**
 * oidc-provider with the adapter it brings, which keeps all in memory: dynamic registration, PKCE, RS256 access tokens, and an
 * interaction that signs in and consents by itself. Refresh tokens rotate, as ours do.
 */
const origin = `http://localhost:${process.env['PORT']}`;
const { privateKey } = await generateKeyPair('RS256', { extractable: true });

const provider = new Provider(origin, {
  jwks: {
    keys: [{ ...(await exportJWK(privateKey)), alg: 'RS256', use: 'sig', kid: '1' }] as never,
  },
  cookies: { keys: ['a key of the benchmark'] },
  clientAuthMethods: ['none', 'client_secret_basic'],
  scopes: ['openid', 'offline_access'],
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => `${origin}/mcp`,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'read',
        audience: `${origin}/mcp`,
        accessTokenTTL: 3600,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
  rotateRefreshToken: true,
  issueRefreshToken: () => true,
  interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
  findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
} as ConstructorParameters<typeof Provider>[1]);

provider.use(async (ctx, next) => {
  if (ctx.path === '/') return void (ctx.body = 'ready');
  if (!ctx.path.startsWith('/interaction/')) return next();
  const { params } = await provider.interactionDetails(ctx.req, ctx.res);
  const grant = new provider.Grant({ accountId: '1', clientId: String(params['client_id']) });
  grant.addOIDCScope('openid offline_access');
  grant.addResourceScope(`${origin}/mcp`, 'read');
  const grantId = await grant.save();
  const result = { login: { accountId: '1' }, consent: { grantId } };
  await provider.interactionFinished(ctx.req, ctx.res, result);
});
provider.listen(Number(process.env['PORT']));
