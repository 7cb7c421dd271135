import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import Koa from 'koa';
import { createClients } from './adapters/clients.ts';
import { createConnections } from './adapters/connections.ts';
import { createFetchLimits } from './adapters/fetch-limits.ts';
import { createGuardedFetch, type ResolveName } from './adapters/guarded-fetch.ts';
import { createGrantEnding } from './adapters/grant-ending.ts';
import { createGrants } from './adapters/grants.ts';
import { createLeases } from './adapters/leases.ts';
import { loadMasterKeys } from './adapters/master-keys.ts';
import { listMissingConnections } from './adapters/missing-connections.ts';
import { connectNeonpanel } from './adapters/neonpanel/connect.ts';
import type { AnswerRoomLimits } from './adapters/neonpanel/answer-room.ts';
import { neonpanelOpenApi } from './adapters/neonpanel/openapi/document.ts';
import { openStore } from './adapters/open-store.ts';
import { watchOutages } from './adapters/outages.ts';
import { createSecrets } from './adapters/secrets.ts';
import { withPatience } from './adapters/patience.ts';
import { createRateLimits } from './adapters/rate-limits.ts';
import { watchServices } from './adapters/services.ts';
import { createVault } from './adapters/vault.ts';
import { createWaitingClients, type WaitingLimits } from './adapters/waiting-clients.ts';
import { createAuthorizationServer } from './auth/authorization-server.ts';
import { withClientDocuments } from './auth/cimd/clients.ts';
import { createEngine } from './auth/engine.ts';
import { authorizationErrorRenderer, drawRefusal } from './auth/pages.ts';
import { PATHS } from './auth/paths.ts';
import type { Config } from './config.ts';
import { requestContext } from './http/context.ts';
import { completeCookiesOnly } from './http/cookies.ts';
import { errorEdge } from './http/errors.ts';
import { type LoopLimits, watchEventLoop } from './http/event-loop.ts';
import { securityHeaders } from './http/headers.ts';
import { health, HEALTH_PATHS } from './http/health.ts';
import { readLogo } from './http/logo.ts';
import { limitByAddress } from './http/limits.ts';
import { listen, type Patience } from './http/listen.ts';
import { pinOrigin } from './http/origin.ts';
import { createSockets, type SocketLimits, socketLimits } from './http/sockets.ts';
import { site } from './http/site.ts';
import { limitTarget } from './http/target.ts';
import { createAccessTokenVerifier } from './keys/access-token.ts';
import { openKeyRing } from './keys/keystore.ts';
import { createRotation } from './keys/rotation.ts';
import { createSchedule } from './keys/schedule.ts';
import type { Log } from './log.ts';
import { resourceMetadata } from './mcp/metadata.ts';
import { createResourceServer } from './mcp/resource-server.ts';
import type { StreamLimits } from './mcp/sse/limits.ts';
import { tools } from './mcp/tools/index.ts';
import type { CensusTimes } from './metrics/census.ts';
import { startMetrics } from './metrics/metrics.ts';
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
 * @param options.answers how much of NeonPanel's answers is held; lowered by tests
 * @param options.patience with readers of answers; lowered by tests
 * @param options.sockets how many connections are held; lowered by tests
 * @param options.missingConnectionsEveryMs how often is looked whether it is time to complete the lists of connections;
 * lowered by tests
 * @param options.census when records are counted; lowered by tests
 * @param options.eventLoop when it counts as slow or stuck; lowered by tests
 * @param options.resolve names of hosts that strangers name; injected by tests
 * @throws what opening the store, reading the keys or binding the port throws
 */
export async function startApp(
  config: Config,
  options: {
    log: Log;
    now?: () => number;
    waitingClients?: Partial<WaitingLimits> | undefined;
    missingConnectionsEveryMs?: number | undefined;
    resolve?: ResolveName;
    streams?: Partial<StreamLimits> | undefined;
    sockets?: Partial<SocketLimits> | undefined;
    answers?: Partial<AnswerRoomLimits> | undefined;
    patience?: Partial<Patience> | undefined;
    census?: Partial<CensusTimes> | undefined;
    eventLoop?: Partial<LoopLimits> | undefined;
  },
): Promise<RunningApp> {
  const { now = Date.now } = options;
  const { publicUrl } = config;
  // Whatever is opened is put here, and closed in the opposite order: when the start fails at any point, and at the stop.
  await using closing = new AsyncDisposableStack();

  const views = createViews({
    brand: config.brand.name,
    color: config.brand.color,
    logo: config.brand.logo === undefined ? undefined : readLogo(config.brand.logo),
    sandbox: config.sandbox.enabled,
    supportUrl: config.supportUrl,
  });

  const metrics = await startMetrics({
    port: config.adminPort,
    log: options.log,
    tools: tools.map(({ name }) => name),
    census: options.census,
  });
  closing.defer(metrics.close);
  const { log } = metrics;

  const opened = await openStore(config.store, { log, now });
  closing.defer(opened.close);
  const { store, isSettled, isAway } = watchOutages(metrics.measured(opened));
  const limits = createRateLimits({
    factor: config.rateLimitFactor,
    shared: opened.shared,
    now,
  });
  closing.defer(limits.close);
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
  const neonpanel = connectNeonpanel({
    config,
    redirectUri,
    store,
    secrets,
    log,
    now,
    answers: options.answers,
  });
  closing.defer(neonpanel.close);
  const { login } = neonpanel;
  const connections = createConnections({
    store,
    log,
    grantLifetimeSeconds: Math.max(config.refreshTokenTtlSeconds, config.accessTokenTtlSeconds),
    now,
  });
  closing.defer(connections.close);
  const ending = createGrantEnding({ grants, vault, connections, login, log });
  closing.defer(ending.close);

  const rotation = createRotation({ store, secrets, times: config, now });
  const keepSchedule = createSchedule({
    rotation,
    days: config.keyRotationDays,
    times: config,
    log,
    now,
  });
  const keyRing = await openKeyRing({ store, secrets, log, now, keepSchedule });
  closing.defer(keyRing.close);
  const waitingClients = createWaitingClients({
    store,
    leases,
    log,
    now,
    limits: options.waitingClients,
  });
  closing.defer(waitingClients.close);
  const missingConnections = listMissingConnections({
    store,
    grants,
    connections,
    leases,
    log,
    now,
    lookEveryMs: options.missingConnectionsEveryMs,
  });
  closing.defer(missingConnections.close);
  const accessTokens = createAccessTokenVerifier({ keys: keyRing.current, publicUrl, now });

  const errorPage = drawRefusal(views);
  const engine = createEngine({
    config,
    keys: keyRing.current,
    store,
    grants,
    ending,
    connections,
    clients,
    secrets,
    limits,
    renderError: authorizationErrorRenderer(errorPage),
    now,
  });
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
    limits,
    keys: keyRing.current,
    provider: engine,
    account: { grants, clients, connections, ending, now },
    tokens: {
      grants,
      ending,
      secrets,
      accessTokens,
      freshenKeys: keyRing.freshen,
      publicUrl,
      refreshTokenTtlSeconds: config.refreshTokenTtlSeconds,
      now,
    },
  });

  const { mcp, sse, idle } = createResourceServer({
    config,
    version: VERSION,
    tools,
    store,
    isSettled,
    secrets,
    grants,
    ending,
    connections,
    vault,
    leases,
    neonpanel,
    accessTokens,
    freshenKeys: keyRing.freshen,
    limits,
    streams: options.streams,
    log,
    now,
  });

  const { loopback, trustedProxyHops } = config;
  const app = new Koa({
    proxy: true,
    maxIpsCount: trustedProxyHops,
    keys: [...secrets.cookieKeys],
  });
  app.silent = true;
  let stopping = false;
  if (metrics.requests) app.use(metrics.requests);
  app.use((_, next) => withPatience(next));
  app.use(requestContext(log));
  app.use(errorEdge(errorPage));
  app.use(securityHeaders({ https: publicUrl.startsWith('https:') }));
  app.use(pinOrigin({ publicUrl, loopback, trustedProxyHops }));
  app.use(limitTarget());
  const ready = async () => {
    await store.ping();
    await keyRing.refresh();
  };
  const eventLoop = watchEventLoop(options.eventLoop);
  closing.defer(eventLoop.close);
  const observed = { version: VERSION, ready, eventLoop: eventLoop.state };
  app.use(limitByAddress(limits.health, HEALTH_PATHS));
  app.use(health({ ...observed, stopping: () => stopping, neonpanel: neonpanel.state }));
  app.use(mcp);
  app.use(sse.middleware);
  // From here on there are cookies; reading those of a call would cost more than its token.
  app.use(completeCookiesOnly());
  app.use(authorizationServer);
  app.use(limitByAddress(limits.pages, ['/']));
  app.use(limitByAddress(limits.public));
  app.use(resourceMetadata(publicUrl));
  const { url, apiUrl } = config.neonpanel;
  const openApi = neonpanelOpenApi({ url, apiUrl, mcpUrl: `${publicUrl}/mcp`, version: VERSION });
  const { openaiAppsChallenge } = config;
  app.use(
    site({
      publicUrl,
      version: VERSION,
      views,
      ready,
      neonpanel: neonpanel.state,
      openApi,
      openaiAppsChallenge,
    }),
  );
  const census = metrics.watch({
    ...observed,
    store,
    masterKeys: secrets.masterKeyIds,
    storeIsAway: isAway,
    storeIsSettled: isSettled,
    signingKeys: keyRing.stages,
    streams: sse.open,
    idleServers: idle,
    upstream: neonpanel.api.connections,
    now,
  });

  closing.defer(census.close);

  engine.assertUsable();
  const isAlone = !loopback && trustedProxyHops === 0;
  const sockets = createSockets({ ...socketLimits({ isAlone }), ...options.sockets }, log);
  const listening = await listen(
    app.callback(),
    config.host,
    config.port,
    sockets,
    options.patience,
  );
  const rest = closing.move();
  return {
    port: listening.port,
    addresses: listening.addresses,
    async close(graceMs = 0) {
      stopping = true;
      const stopStreams = sleep(graceMs).then(() => sse.stop());
      // Whatever fails, all the others are closed.
      rest.defer(async () => void (await Promise.all([listening.close(graceMs), stopStreams])));
      await rest.disposeAsync();
    },
  };
}
