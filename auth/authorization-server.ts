import type { Context, Middleware } from 'koa';
import { takeTurn, takeTurnAmongAll } from '../adapters/rate-limits.ts';
import { Refusal } from '../errors.ts';
import { addressOf } from '../http/address.ts';
import { OAUTH_BODY_LIMIT_BYTES, readText, refuseOversize, replayBody } from '../http/body.ts';
import { allowAnyOrigin, answerOptions } from '../http/cors.ts';
import { wantsPage } from '../http/errors.ts';
import { pageHeaders } from '../http/headers.ts';
import type { KeySet } from '../keys/key-set.ts';
import type { Secrets } from '../adapters/secrets.ts';
import { type AccountOptions, createAccount } from './account/account.ts';
import { audited } from './events.ts';
import { MAX_STATE_LENGTH, normaliseAuthorizationRequest } from './authorization-request.ts';
import { runEngine } from './run-provider.ts';
import { redirect } from './form.ts';
import { createFailureLimit } from './failure-limit.ts';
import { createInteractions, type InteractionOptions } from './interactions.ts';
import { isAccountState } from './login-transaction.ts';
import { authorizationServerMetadata } from './metadata.ts';
import { PATHS } from './paths.ts';
import { createRegistrationEndpoint, type RegistrationOptions } from './registration-endpoint.ts';
import { readRefreshToken } from './refresh-token.ts';
import { introspect, revoke, type TokenLookup } from './revocation.ts';

/**
 * The authorization server: our own pages and documents, and in front of the engine the shims that let real clients
 * through and keep wrong requests from burning what they carry.
 *
 * The table below is the whole of it. A request that is not in it never reaches the engine, whose router would forgive
 * other spellings of its paths, and whose resume route would swallow our callback.
 */
export interface AuthorizationServerOptions extends InteractionOptions, RegistrationOptions {
  readonly keys: () => KeySet;
  readonly tokens: Omit<TokenLookup, 'limits' | 'mayFail'>;
  /** Whether an operator has made a service client. */
  readonly servicesKnown: () => boolean;
  readonly account: Omit<
    AccountOptions,
    'config' | 'store' | 'secrets' | 'neonpanel' | 'views' | 'limits'
  >;
}

interface Route {
  /** Documents and endpoints are for programs, from any origin; pages are for people, and carry cookies. */
  readonly kind: 'document' | 'endpoint' | 'page';
  /** There is nothing in it for programs. */
  readonly peopleOnly?: true;
  readonly serve: Partial<Record<'GET' | 'POST', (ctx: Context) => Promise<unknown> | unknown>>;
}

/** Clients put the resource's path behind the well-known name; all of them mean this one issuer. */
const METADATA_SUFFIXES = ['', '/mcp', '/sse'];

export function createAuthorizationServer(options: AuthorizationServerOptions): Middleware {
  const { config, limits, provider, tokens } = options;
  const interactions = createInteractions(options);
  const account = createAccount({ ...options, ...options.account });
  const registrationOpen = config.registration.mode !== 'closed';
  const metadata = () =>
    authorizationServerMetadata(config.publicUrl, {
      registrationOpen,
      documentsAccepted: config.registration.mode === 'open',
      servicesKnown: options.servicesKnown(),
    });
  const engine = (ctx: Context) => runEngine(provider(), ctx);
  const register = createRegistrationEndpoint(options, engine);
  const mayFail = createFailureLimit(limits.oauth);
  const lookup = { ...tokens, limits, mayFail };

  const document = (content: () => object): Route => ({
    kind: 'document',
    serve: {
      GET: (ctx) => {
        ctx.set('Cache-Control', 'public, max-age=300');
        ctx.body = content();
      },
    },
  });
  const endpoint = (POST: (ctx: Context) => Promise<unknown>): Route => ({
    kind: 'endpoint',
    serve: { POST },
  });
  const page = (serve: Route['serve']): Route => ({ kind: 'page', serve });
  const personal = (serve: Route['serve']): Route => ({ ...page(serve), peopleOnly: true });

  const routes: Record<string, Route> = {
    [PATHS.authorize]: page({ GET: authorize }),
    [PATHS.callback]: page({
      GET: (ctx) => (isOfAccount(ctx) ? account : interactions).callback(ctx),
    }),
    [PATHS.account]: personal({ GET: account.show }),
    // As many type it.
    [`${PATHS.account}/`]: personal({ GET: toAccount }),
    // Where a form was sent to somebody may come again, by the address bar.
    [PATHS.accountSignIn]: personal({ GET: toAccount, POST: account.signIn }),
    [PATHS.accountSignOut]: personal({ GET: toAccount, POST: account.signOut }),
    [PATHS.accountDisconnect]: personal({
      GET: (ctx) => account.confirm(ctx),
      POST: (ctx) => account.disconnect(ctx),
    }),
    [PATHS.token]: endpoint((ctx) => audited(ctx, 'token', token, succeeded)),
    [PATHS.revoke]: endpoint((ctx) => revoke(ctx, engine, lookup)),
    [PATHS.introspect]: endpoint((ctx) => introspect(ctx, engine, lookup)),
    ...(registrationOpen && {
      [PATHS.register]: endpoint((ctx) => audited(ctx, 'registration', register, succeeded)),
    }),
    [PATHS.jwks]: document(() => options.keys().jwks),
  };
  for (const suffix of METADATA_SUFFIXES) {
    routes[`/.well-known/oauth-authorization-server${suffix}`] = document(metadata);
    routes[`/.well-known/openid-configuration${suffix}`] = document(metadata);
  }

  return async function authorizationServer(ctx, next) {
    const route = routes[ctx.path] ?? routeWithId(ctx.path);
    if (!route) return next();
    if (route.kind !== 'page') {
      ctx.state.programsOnly = true;
      allowAnyOrigin(ctx);
      // The engine would draw a page for a browser-like Accept.
      ctx.req.headers.accept = 'application/json';
    }
    takeAddressTurn(ctx, route);
    await dispatch(ctx, route);
  };

  /** Pages whose address holds the id of an interaction, which is also that of the grant. */
  function routeWithId(path: string): Route | undefined {
    const [, where, uid] =
      /^(\/interaction|\/oauth2\/authorize|\/account\/disconnect)\/([\w-]{16,64})$/.exec(path) ??
      [];
    if (uid === undefined) return undefined;
    if (where === PATHS.accountDisconnect) {
      return personal({
        GET: (ctx) => account.confirm(ctx, uid),
        POST: (ctx) => account.disconnect(ctx, uid),
      });
    }
    if (where === PATHS.authorize) return page({ GET: engine });
    return page({
      GET: (ctx) => interactions.showConsent(ctx, uid),
      POST: (ctx) => interactions.decide(ctx, uid),
    });
  }

  async function authorize(ctx: Context): Promise<void> {
    const state = new URLSearchParams(ctx.querystring).get('state') ?? '';
    if (state.length > MAX_STATE_LENGTH) {
      const description = `state must not exceed ${MAX_STATE_LENGTH} characters.`;
      throw new Refusal('invalid_request', 400, description);
    }
    ctx.querystring = normaliseAuthorizationRequest(ctx.querystring, config.publicUrl);
    await engine(ctx);
  }

  async function token(ctx: Context): Promise<void> {
    const serve = async () => {
      refuseOversize(ctx, OAUTH_BODY_LIMIT_BYTES);
      // Of a body of unknown length the engine would leave the rest unread, and the connection hanging.
      if (ctx.req.headers['transfer-encoding'])
        replayBody(ctx, await readText(ctx, OAUTH_BODY_LIMIT_BYTES));
      await engine(ctx);
    };
    await mayFail(ctx, serve, () => bringsRefreshToken(ctx, tokens.secrets));
  }

  /** By the address, before anything else; endpoints count for themselves. @throws Refusal 429 */
  function takeAddressTurn(ctx: Context, { kind }: Route): void {
    const address = addressOf(ctx);
    if (kind !== 'page') {
      if (kind === 'document' || ctx.method !== 'POST') takeTurn(limits.public, address);
    } else if (ctx.path === PATHS.authorize) {
      takeTurnAmongAll([limits.authorize, limits.authorize_all], address);
    } else takeTurn(limits.pages, address);
  }
}

function toAccount(ctx: Context): void {
  pageHeaders(ctx);
  redirect(ctx, PATHS.account);
}

const succeeded = () => 'success' as const;

const isOfAccount = (ctx: Context): boolean =>
  isAccountState(new URLSearchParams(ctx.querystring).get('state') ?? '');

/** Reads the body, and leaves it to be read again. */
async function bringsRefreshToken(ctx: Context, secrets: Secrets): Promise<boolean> {
  const text = await readText(ctx, OAUTH_BODY_LIMIT_BYTES);
  replayBody(ctx, text);
  const token = new URLSearchParams(text).get('refresh_token') ?? '';
  return readRefreshToken(secrets, token) !== undefined;
}

async function dispatch(ctx: Context, route: Route): Promise<void> {
  const methods = Object.keys(route.serve);
  // A HEAD of a document is its GET without the body; a HEAD of a page would start what only a person should.
  if (route.kind === 'document') methods.push('HEAD');
  if (ctx.method === 'OPTIONS' && route.kind !== 'page') return answerOptions(ctx, methods);
  const method = route.kind === 'document' && ctx.method === 'HEAD' ? 'GET' : ctx.method;
  const serve = route.serve[method as 'GET' | 'POST'];
  if (!serve) {
    ctx.set('Allow', methods.join(', '));
    throw new Refusal('invalid_request', 405, `This address takes ${methods.join(' or ')}.`);
  }
  if (route.peopleOnly && !wantsPage(ctx)) {
    throw new Refusal('not_acceptable', 406, 'This page is for people: open it in a browser.');
  }
  // Endpoints do it themselves, where their line in the audit log is written.
  if (method === 'POST' && route.kind === 'page') refuseOversize(ctx, OAUTH_BODY_LIMIT_BYTES);
  await serve(ctx);
}
