import type { Middleware } from 'koa';
import type { Connections } from '../adapters/connections.ts';
import type { GrantEnding } from '../adapters/grant-ending.ts';
import type { Grants } from '../adapters/grants.ts';
import type { Leases } from '../adapters/leases.ts';
import type { Neonpanel } from '../adapters/neonpanel/connect.ts';
import type { RateLimits } from '../adapters/rate-limits.ts';
import type { Secrets } from '../adapters/secrets.ts';
import type { Store } from '../adapters/store.ts';
import type { Vault } from '../adapters/vault.ts';
import type { Config } from '../config.ts';
import type { AccessTokenVerifier } from '../keys/access-token.ts';
import type { Log } from '../log.ts';
import { createAttempts } from './attempts.ts';
import { createCredentials } from './credentials.ts';
import { createDirect } from './direct.ts';
import { createIdempotency } from './idempotency.ts';
import { createPool } from './pool.ts';
import { createMcp } from './router.ts';
import { createServerFactory } from './server.ts';
import { createSse, type Sse } from './sse/endpoints.ts';
import type { StreamLimits } from './sse/limits.ts';
import { createToolContexts } from './tool-context.ts';
import { scopesOf } from './tools/definitions.ts';
import type { Tool } from './tools/tool.ts';
import { createUnsavedCredentials } from './unsaved-credentials.ts';

export interface ResourceServer {
  /** POST /mcp, and the bare origin. */
  readonly mcp: Middleware;
  /** GET /sse and POST /messages. */
  readonly sse: Sse;
  /** How many MCP servers wait to be used again: by way, of each era. */
  readonly idle: Readonly<Record<'lent' | 'direct', () => Readonly<Record<string, number>>>>;
}

/**
 * The resource server: from our access token to the NeonPanel credential of the same user, and the tools that use it.
 *
 * @param options.isSettled whether what the store says is the latest (adapters/outages.ts)
 * @param options.freshenKeys looks whether the signing keys are still the same, if that was not done for 800 ms
 * @param options.streams what legacy streams may take; lowered by tests
 * @param options.now epoch milliseconds
 */
export function createResourceServer(options: {
  config: Config;
  version: string;
  tools: readonly Tool[];
  store: Store;
  isSettled: () => boolean;
  secrets: Secrets;
  grants: Grants;
  ending: GrantEnding;
  connections: Connections;
  vault: Vault;
  leases: Leases;
  neonpanel: Pick<Neonpanel, 'api' | 'login' | 'room'>;
  accessTokens: AccessTokenVerifier;
  freshenKeys: () => Promise<boolean>;
  limits: RateLimits;
  streams?: Partial<StreamLimits> | undefined;
  log: Log;
  now: () => number;
}): ResourceServer {
  const { config, tools, neonpanel, connections, log } = options;
  const { publicUrl, allowedOrigins, publicDiscovery } = config;
  const { api, login, room } = neonpanel;

  const unsaved = createUnsavedCredentials(log);
  const credentials = createCredentials({ ...options, unsaved, login });
  const idempotency = createIdempotency({ ...options, attempts: createAttempts(options) });
  const neonpanelUrl = config.neonpanel.url;
  const buildServer = createServerFactory({
    version: options.version,
    tools,
    publicUrl,
    logoUrl: `${publicUrl}/assets/icon.svg`,
    called: connections.called,
    contextFor: createToolContexts({ api, credentials, idempotency, neonpanelUrl }),
    log,
  });
  const lend = createPool(buildServer);
  const direct = createDirect(buildServer);
  const scopesByTool = new Map(tools.map((tool) => [tool.name, scopesOf(tool)]));

  const { accessTokens, freshenKeys, limits, now } = options;
  const common = { accessTokens, freshenKeys, limits, now, publicUrl, allowedOrigins };
  const transport = { ...common, credentials, lend, room };
  return {
    mcp: createMcp({ ...transport, publicDiscovery, direct, scopesByTool }),
    sse: createSse({ ...transport, streamLimits: options.streams }),
    idle: { lent: lend.idle, direct: direct.idle },
  };
}
