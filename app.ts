import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import Koa from 'koa';
import { createClients } from './adapters/clients.ts';
import { createFetchLimits } from './adapters/fetch-limits.ts';
import { createGuardedFetch, type ResolveName } from './adapters/guarded-fetch.ts';
import { createGrantEnding } from './adapters/grant-ending.ts';
import { createGrants } from './adapters/grants.ts';
import { createGuessLimit } from './adapters/guess-limit.ts';
import { createLeases } from './adapters/leases.ts';
import { loadMasterKeys } from './adapters/master-keys.ts';
import { connectNeonpanel } from './adapters/neonpanel/connect.ts';
import { neonpanelOpenApi } from './adapters/neonpanel/openapi/document.ts';
import { openStore } from './adapters/open-store.ts';
import { watchOutages } from './adapters/outages.ts';
import { createSecrets } from './adapters/secrets.ts';
import { withPatience } from './adapters/patience.ts';
import { createRateLimit } from './adapters/rate-limits.ts';
import { watchServices } from './adapters/services.ts';
import { createVault } from './adapters/vault.ts';
import { createWaitingClients, type WaitingLimits } from './adapters/waiting-clients.ts';
import { createAuthorizationServer } from './auth/authorization-server.ts';
import { withClientDocuments } from './auth/cimd/clients.ts';
import { REGISTRATION_LIMIT, TOKEN_GUESS_LIMIT } from './auth/registration-endpoint.ts';
import { authorizationErrorRenderer, drawRefusal } from './auth/pages.ts';
import { PATHS } from './auth/paths.ts';
import { createProvider } from './auth/provider.ts';
import type { Config } from './config.ts';
import { StoreUnavailable } from './errors.ts';
import { requestContext } from './http/context.ts';
import { completeCookiesOnly } from './http/cookies.ts';
import { errorEdge } from './http/errors.ts';
import { securityHeaders } from './http/headers.ts';
import { health } from './http/health.ts';
import { readLogo } from './http/logo.ts';
import { listen, type Listening } from './http/listen.ts';
import { pinOrigin } from './http/origin.ts';
import { site } from './http/site.ts';
import { limitTarget } from './http/target.ts';
import { createAccessTokenVerifier } from './keys/access-token.ts';
import type { KeySet } from './keys/key-set.ts';
import { openKeyRing } from './keys/keystore.ts';
import { createRotation } from './keys/rotation.ts';
import { createSchedule } from './keys/schedule.ts';
import type { Log } from './log.ts';
import { createAttempts } from './mcp/attempts.ts';
import { createCredentials } from './mcp/credentials.ts';
import { createDirect } from './mcp/direct.ts';
import { createIdempotency } from './mcp/idempotency.ts';
import { resourceMetadata } from './mcp/metadata.ts';
import { createPool } from './mcp/pool.ts';
import { createMcp } from './mcp/router.ts';
import { createServerFactory } from './mcp/server.ts';
import { createSse } from './mcp/sse/endpoints.ts';
import type { StreamLimits } from './mcp/sse/limits.ts';
import { createToolContexts } from './mcp/tool-context.ts';
import { scopesOf } from './mcp/tools/definitions.ts';
import { tools } from './mcp/tools/index.ts';
import { createUnsavedCredentials } from './mcp/unsaved-credentials.ts';
import { createViews } from './views/render.ts';

export interface RunningApp {
  readonly port: number;
  /** What is really bound: of `localhost` one address may be missing. */
  readonly addresses: readonly string[];
  /** @param graceMs goes on accepting for so long, while /readyz and every answer say that it is about to stop */
  close(graceMs?: number): Promise<void>;
}

const VERSION = (
  JSON.parse(readFileSync(`${import.meta.dirname}/package.json`, 'utf8')) as { version: string }
).version;

/**
 * Starts one instance: the one place where everything is wired to everything else. Reads top to bottom as the layers
 * do: store and secrets, NeonPanel, keys, the two halves, HTTP.
 *
 * @param options.now epoch milliseconds; injected by tests
 * @param options.waitingClients how many clients may wait for their first login; lowered by tests
 * @param options.streams what legacy streams may take; lowered by tests
 * @param options.resolve names of hosts that strangers name; injected by tests
 * @throws what opening the store, reading the keys or binding the port throws
 */
export async function startApp(
  config: Config,
  options: {
    log: Log;
    now?: () => number;
    waitingClients?: Partial<WaitingLimits> | undefined;
    resolve?: ResolveName;
    streams?: Partial<StreamLimits> | undefined;
  },
): Promise<RunningApp> {
  const { log, now = Date.now } = options;
  const { publicUrl } = config;

  const views = createViews({
    brand: config.brand.name,
    color: config.brand.color,
    logo: config.brand.logo === undefined ? undefined : readLogo(config.brand.logo),
    sandbox: config.sandbox.enabled,
    supportUrl: config.supportUrl,
  });

  const { store, isSettled } = watchOutages(await openStore(config.store, { log, now }));
  const secrets = createSecrets(loadMasterKeys(config.masterKeys, config.dataDir));
  const grants = createGrants(store);
  const leases = createLeases({ store, isSettled, now });
  const clients = withClientDocuments({
    registered: createClients({ store, secrets, now }),
    config,
    fetch: createGuardedFetch({
      timeoutMs: 2_500,
      resolve: options.resolve,
      exemptOrigin: config.cimdTestOrigin,
    }),
    limits: createFetchLimits({ factor: config.rateLimitFactor, now }),
    log,
    now,
  });
  const vault = createVault({ store, secrets });

  const redirectUri = publicUrl + PATHS.callback;
  const neonpanel = connectNeonpanel({ config, redirectUri, store, secrets, log, now });
  const { api, login } = neonpanel;
  const ending = createGrantEnding({ grants, vault, login, log });

  const rotation = createRotation({ store, secrets, times: config, now });
  const keepSchedule = createSchedule({
    rotation,
    days: config.keyRotationDays,
    times: config,
    log,
    now,
  });
  const keyRing = await openKeyRing({ store, secrets, log, now, keepSchedule }).catch(
    async (error) => {
      await store.close();
      throw error;
    },
  );
  const waitingClients = createWaitingClients({
    store,
    leases,
    log,
    now,
    limits: options.waitingClients,
  });
  const accessTokens = createAccessTokenVerifier({ keys: keyRing.current, publicUrl, now });

  const errorPage = drawRefusal(views);
  const renderError = authorizationErrorRenderer(errorPage);
  const providerFor = (keys: KeySet) =>
    createProvider({ config, keys, store, grants, ending, clients, secrets, renderError, now });
  const { refreshTokenTtlSeconds } = config;
  const provider = onePerKeySet(keyRing.current, providerFor);
  const authorizationServer = createAuthorizationServer({
    config,
    store,
    secrets,
    vault,
    neonpanel: login,
    servicesKnown: watchServices({ store, now }),
    views,
    now,
    waitingClients,
    registrationLimit: createRateLimit({ ...REGISTRATION_LIMIT, factor: config.rateLimitFactor }),
    tokenGuesses: createGuessLimit({
      perAddress: TOKEN_GUESS_LIMIT,
      factor: config.rateLimitFactor,
      now,
    }),
    keys: keyRing.current,
    provider,
    tokens: {
      grants,
      ending,
      secrets,
      accessTokens,
      freshenKeys: keyRing.freshen,
      publicUrl,
      refreshTokenTtlSeconds,
      now,
    },
  });

  const credentials = createCredentials({
    grants,
    vault,
    leases,
    unsaved: createUnsavedCredentials(log),
    login,
    log,
    now,
  });
  const attempts = createAttempts({ store, secrets, log });
  const idempotency = createIdempotency({ attempts, isSettled, now });
  const buildServer = createServerFactory({
    version: VERSION,
    tools,
    publicUrl,
    logoUrl: `${publicUrl}/assets/icon.svg`,
    log,
    contextFor: createToolContexts({
      api,
      credentials,
      idempotency,
      neonpanelUrl: config.neonpanel.url,
    }),
  });
  const { allowedOrigins, publicDiscovery } = config;
  const resourceServer = {
    publicUrl,
    allowedOrigins,
    accessTokens,
    freshenKeys: keyRing.freshen,
    credentials,
    lend: createPool(buildServer),
    now,
  };
  const mcp = createMcp({
    ...resourceServer,
    publicDiscovery,
    direct: createDirect(buildServer),
    scopesByTool: new Map(tools.map((tool) => [tool.name, scopesOf(tool)])),
  });
  const sse = createSse({ ...resourceServer, limits: options.streams });

  const { loopback, trustedProxyHops } = config;
  const app = new Koa({
    proxy: true,
    maxIpsCount: trustedProxyHops,
    keys: [...secrets.cookieKeys],
  });
  app.silent = true;
  let stopping = false;
  app.use((_, next) => withPatience(next));
  app.use(requestContext(log));
  app.use(errorEdge(errorPage));
  app.use(securityHeaders({ https: publicUrl.startsWith('https:') }));
  app.use(pinOrigin({ publicUrl, loopback, trustedProxyHops }));
  app.use(limitTarget());
  app.use(completeCookiesOnly());
  const ready = async () => {
    await store.ping();
    await keyRing.refresh();
  };
  app.use(health({ version: VERSION, ready, stopping: () => stopping }));
  app.use(resourceMetadata(publicUrl));
  app.use(mcp);
  app.use(sse.middleware);
  app.use(authorizationServer);
  const { url, apiUrl } = config.neonpanel;
  const openApi = neonpanelOpenApi({ url, apiUrl, mcpUrl: `${publicUrl}/mcp`, version: VERSION });
  const { openaiAppsChallenge } = config;
  app.use(site({ publicUrl, version: VERSION, views, ready, openApi, openaiAppsChallenge }));

  let listening: Listening;
  try {
    makeNow(provider);
    listening = await listen(app.callback(), config.host, config.port);
  } catch (error) {
    keyRing.close();
    await waitingClients.close();
    await store.close();
    throw error;
  }
  return {
    port: listening.port,
    addresses: listening.addresses,
    async close(graceMs = 0) {
      stopping = true;
      const stopStreams = sleep(graceMs).then(() => sse.stop());
      await Promise.all([listening.close(graceMs), stopStreams]);
      keyRing.close();
      await waitingClients.close();
      await ending.close();
      await Promise.all([store.close(), neonpanel.close()]);
    },
  };
}

/** An engine that must not be used is found at start, not by the first request. Without keys there is none yet. */
function makeNow(engine: () => unknown): void {
  try {
    engine();
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
  }
}

/** An engine is made for one key set. When the keys change, the next request gets a new one; the others finish. */
function onePerKeySet<T>(current: () => KeySet, make: (keys: KeySet) => T): () => T {
  let made: { keys: KeySet; value: T } | undefined;
  return () => {
    const keys = current();
    if (made?.keys !== keys) made = { keys, value: make(keys) };
    return made.value;
  };
}
