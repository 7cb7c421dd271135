import { randomBytes } from 'node:crypto';
import {
  type Configuration,
  errors,
  interactionPolicy,
  type KoaContextWithOIDC,
  Provider,
} from 'oidc-provider';
import { createOidcModels } from '../adapters/oidc-models.ts';
import type { KeySet } from '../keys/key-set.ts';
import { audienceOf, OIDC_SCOPES } from '../resource.ts';
import { authorizationCode } from './grants/authorization-code.ts';
import { clientCredentials, nameForeignGrantTypes } from './grants/client-credentials.ts';
import type { GrantHandlerOptions } from './grants/options.ts';
import { adviseRetry, logEvents } from './events.ts';
import { refreshToken } from './grants/refresh-token.ts';
import { resourceServer } from './issue.ts';
import { INTERACTION_TTL_SECONDS } from './lifetimes.ts';
import type { Approval } from './approval.ts';
import { PATHS } from './paths.ts';
import { ASSERTION_ALGORITHMS, AUTH_METHODS, SERVICE_GRANT_TYPE } from './supported.ts';

export interface ProviderOptions extends GrantHandlerOptions {
  readonly keys: KeySet;
  /** Answers requests that must not be redirected. */
  readonly renderError: NonNullable<Configuration['renderError']>;
}

/**
 * The engine: node-oidc-provider with our choices. The only file that names its options. It checks authorization
 * requests, authenticates clients and signs; what a code or a refresh token is worth is decided by our grant handlers.
 */
export function createProvider(options: ProviderOptions): Provider {
  const { config, keys, store, clients, secrets, renderError } = options;
  const provider = new Provider(config.publicUrl, {
    adapter: createOidcModels(store, clients),
    jwks: { keys: keys.signing } as Configuration['jwks'],
    cookies: {
      keys: [...secrets.cookieKeys],
      names: COOKIE_NAMES,
      short: { httpOnly: true, sameSite: 'lax', secure: true, signed: true },
      long: { httpOnly: true, sameSite: 'lax', signed: true },
    },
    routes: {
      authorization: PATHS.authorize,
      token: PATHS.token,
      registration: PATHS.register,
      revocation: PATHS.revoke,
      introspection: PATHS.introspect,
      jwks: PATHS.jwks,
      // Registered by the engine whether wanted or not; out of the way, and refused by our route table.
      end_session: '/oauth2/session/end',
    },
    features: {
      devInteractions: { enabled: false },
      registration: {
        enabled: config.registration.mode !== 'closed',
        // Asked for before anything else of a request is looked at (registration-endpoint.ts).
        initialAccessToken: false,
        issueRegistrationAccessToken: false,
      },
      revocation: { enabled: true },
      introspection: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audienceOf(config.publicUrl),
        useGrantedResource: () => true,
        getResourceServerInfo(_ctx, indicator) {
          if (indicator !== audienceOf(config.publicUrl)) throw new errors.InvalidTarget();
          return resourceServer(config.publicUrl, config.accessTokenTtlSeconds);
        },
      },
      rpInitiatedLogout: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      userinfo: { enabled: false },
      dPoP: { enabled: false },
    },

    // Resource scopes are not listed here: they would count as OpenID scopes as well.
    scopes: [...OIDC_SCOPES],
    claims: { openid: ['sub'] },
    responseTypes: ['code'],
    pkce: { required: () => true },
    allowOmittingSingleRegisteredRedirectUri: false,
    clientAuthMethods: [...AUTH_METHODS],
    enabledJWA: {
      clientAuthSigningAlgValues: [...ASSERTION_ALGORITHMS],
      idTokenSigningAlgValues: ['RS256'],
    },
    clientBasedCORS: () => true,

    // Every request shows our page and goes through NeonPanel: no remembered consent, no session.
    interactions: { policy: alwaysAsk(), url: (_ctx, { uid }) => `${PATHS.interaction}/${uid}` },
    loadExistingGrant: approvedGrant,
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    expiresWithSession: () => false,

    extraTokenClaims: (_ctx, token) =>
      'grantId' in token && token.grantId ? { grant_id: token.grantId } : undefined,
    ttl: {
      AccessToken: config.accessTokenTtlSeconds,
      AuthorizationCode: config.codeTtlSeconds,
      Grant: config.refreshTokenTtlSeconds,
      IdToken: config.accessTokenTtlSeconds,
      Interaction: INTERACTION_TTL_SECONDS,
      RefreshToken: config.refreshTokenTtlSeconds,
      Session: INTERACTION_TTL_SECONDS,
    },
    renderError,
    // sector_identifier_uri and jwks_uri are never given to it, and if one were, it would stay where it is.
    fetch: () => Promise.reject(new TypeError('the engine fetches nothing itself')),
  } satisfies Configuration);

  refuseDevelopmentLogin(provider);

  // A code names its grant, so that it is found, claimed and answered for under one key.
  // The types leave this method out.
  const codes: { generateTokenId(this: { grantId: string }): string } = provider.AuthorizationCode
    .prototype as never;
  codes.generateTokenId = function generateCode() {
    return `${this.grantId}.${randomBytes(32).toString('base64url')}`;
  };
  provider.registerGrantType(
    'authorization_code',
    authorizationCode(options),
    ['code', 'code_verifier', 'redirect_uri', 'resource'],
    ['resource'],
  );
  provider.registerGrantType(
    'refresh_token',
    refreshToken(options),
    ['refresh_token', 'resource', 'scope'],
    ['resource'],
  );
  provider.registerGrantType(
    SERVICE_GRANT_TYPE,
    clientCredentials(options),
    ['resource', 'scope'],
    ['resource'],
  );
  logEvents(provider);
  adviseRetry(provider);
  nameForeignGrantTypes(provider);
  return provider;
}

/**
 * The engine brings a page that signs in as whoever is typed into it. It is on unless switched off, so what the engine
 * really serves is asked, not what was configured.
 *
 * @throws Error if that page is there
 */
export function refuseDevelopmentLogin(provider: Provider): void {
  let path: string;
  try {
    // The types leave this method out.
    path = (provider as unknown as { pathFor(name: string, of: object): string }).pathFor(
      'interaction',
      { uid: 'uid' },
    );
  } catch {
    return;
  }
  throw new Error(`the engine's development login is on, at ${path}`);
}

export const COOKIE_NAMES = {
  interaction: '__Secure-neonpanel-interaction',
  resume: '__Secure-neonpanel-resume',
  session: 'neonpanel-session',
};

/**
 * One question, always asked: consent and login in one go. The prompts clients may name (`login`, `consent`,
 * `select_account`) are all answered by it; `none` can never be.
 */
function alwaysAsk() {
  const { Check, Prompt } = interactionPolicy;
  const policy = interactionPolicy.base();
  policy.clear();
  policy.add(
    new Prompt(
      { name: 'login', requestable: true },
      new Check('always', 'sign-in at NeonPanel is required', 'login_required', (ctx) =>
        ctx.oidc.result?.login ? Check.NO_NEED_TO_PROMPT : Check.REQUEST_PROMPT,
      ),
    ),
  );
  policy.add(new Prompt({ name: 'consent', requestable: true }));
  policy.add(new Prompt({ name: 'select_account', requestable: true }));
  return policy;
}

/** The grant that was approved in this very interaction; an older one is never looked at. */
function approvedGrant(ctx: KoaContextWithOIDC) {
  const { provider, result, client } = ctx.oidc;
  const interaction = ctx.oidc.entities.Interaction;
  if (!result?.login || !result.consent || !interaction) return undefined;
  const approved = result.consent as unknown as Approval;
  const grant = new provider.Grant({
    accountId: result.login.accountId,
    clientId: client!.clientId,
  });
  grant.jti = interaction.uid;
  grant.addOIDCScope(approved.oidcScope);
  grant.addResourceScope(audienceOf(provider.issuer), approved.resourceScope);
  return grant;
}
