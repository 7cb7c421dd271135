import { createMcpHandler, type McpServer } from '@modelcontextprotocol/server';
import { toNodeHandler } from '@modelcontextprotocol/node';
import type { Context, Middleware } from 'koa';
import { NeonpanelError } from '../adapters/neonpanel.ts';
import { Refusal } from '../errors.ts';
import { requestId, requestLog } from '../http/context.ts';
import { allowAnyOrigin, allowOrigin, answerOptions } from '../http/cors.ts';
import type { AccessTokenVerifier } from '../keys/access-token.ts';
import { type Bearer, readBearer } from './bearer.ts';
import { type JsonRpcMessage, readMessages } from './body.ts';
import {
  challengeHeader,
  METADATA_PATH,
  protectedResourceMetadata,
  RESOURCE_PATHS,
  type ResourcePath,
} from './challenge.ts';
import { type Credentials, GrantEnded } from './credentials.ts';
import { createPool } from './pool.ts';
import { renderRpc, RpcRefusal } from './rpc-refusal.ts';
import { authInfoOf } from './scope.ts';

/**
 * The MCP endpoint. A request is settled in this order: origin, bearer, grant alive and credential ready, and only then
 * the transport takes over: a tool handler can no longer answer 401.
 */
export interface McpOptions {
  readonly publicUrl: string;
  /** Origins whose pages may call; `loopback` stands for every loopback origin. */
  readonly allowedOrigins: readonly string[];
  readonly publicDiscovery: boolean;
  readonly accessTokens: AccessTokenVerifier;
  readonly credentials: Credentials;
  readonly buildServer: () => McpServer;
  readonly now: () => number;
}

/** Everything about a call ends within this; clients give up at about 60 s. */
const CALL_DEADLINE_MS = 25_000;
const METHODS = ['POST', 'GET', 'HEAD', 'DELETE'];
/** What PUBLIC_DISCOVERY lets anyone ask. */
const DISCOVERY = new Set([
  'initialize',
  'notifications/initialized',
  'server/discover',
  'tools/list',
  'ping',
]);

export function createMcp(options: McpOptions): Middleware {
  const { publicUrl, accessTokens, credentials, now } = options;
  const lend = createPool(options.buildServer);
  const handler = createMcpHandler(({ era, authInfo }) => loanOf(authInfo).take(era), {});
  const handle = toNodeHandler(handler);

  return async function mcp(ctx, next) {
    if (ctx.path.startsWith(METADATA_PATH)) return metadata(ctx, next);
    const path = resourcePath(ctx);
    if (path === undefined) return next();
    ctx.state.programsOnly = true;
    try {
      await serve(ctx, path);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      renderRpc(ctx, error);
    }
  };

  async function serve(ctx: Context, path: ResourcePath): Promise<void> {
    const deadline = now() + CALL_DEADLINE_MS;
    checkOrigin(ctx);
    if (ctx.method === 'OPTIONS') return answerOptions(ctx, METHODS);
    const bearer = readBearer(ctx.get('Authorization') || undefined, accessTokens);
    if (ctx.method !== 'POST') {
      if (!(await isAlive(bearer))) return challenge(ctx, path, bearer);
      ctx.set('Allow', 'POST, OPTIONS');
      throw new RpcRefusal(405, -32000, 'Method not allowed: this endpoint takes POST only.');
    }
    if (bearer.kind === 'invalid') return challenge(ctx, path, bearer);
    if (bearer.kind === 'anonymous' && !options.publicDiscovery)
      return challenge(ctx, path, bearer);
    const { body, messages } = await readMessages(ctx);
    if (bearer.kind === 'anonymous') {
      if (!messages.every(({ method }) => DISCOVERY.has(method as string))) {
        return challenge(ctx, path, bearer);
      }
    } else if (!(await isReady(bearer, messages))) {
      return challenge(ctx, path, { kind: 'invalid' });
    }
    await exchange(ctx, path, { bearer, body, deadline });
  }

  /** Hands the request to the SDK's transport, with a server of its own. */
  async function exchange(
    ctx: Context,
    path: ResourcePath,
    { bearer, body, deadline }: { bearer: Bearer; body: unknown; deadline: number },
  ): Promise<void> {
    const loan = lend();
    const gone = new AbortController();
    ctx.res.once('close', () => gone.abort());
    const authInfo = authInfoOf(bearer, {
      loan,
      deadline,
      signal: gone.signal,
      requestId: requestId(ctx),
      log: requestLog(ctx),
      resourceMetadataUrl: `${publicUrl}${METADATA_PATH}${path}`,
    });
    // The transport insists on both types; clients send less, and mean both.
    ctx.req.headers.accept = 'application/json, text/event-stream';
    ctx.set('Cache-Control', 'no-store');
    ctx.respond = false;
    try {
      await handle(Object.assign(ctx.req, { auth: authInfo }), ctx.res, body);
    } finally {
      await loan.giveBack();
    }
  }

  async function isAlive(bearer: Bearer): Promise<boolean> {
    if (bearer.kind !== 'caller') return false;
    return unlessEnded(() => credentials.assertAlive(bearer.caller));
  }

  /** A tool call needs a credential that works; a list needs only a living grant. */
  async function isReady(
    bearer: Extract<Bearer, { kind: 'caller' }>,
    messages: JsonRpcMessage[],
  ): Promise<boolean> {
    if (!messages.some(({ method }) => method === 'tools/call')) return isAlive(bearer);
    return unlessEnded(() => credentials.accessToken(bearer.caller));
  }

  function challenge(ctx: Context, path: ResourcePath, bearer: Bearer): void {
    const invalid = bearer.kind === 'invalid';
    const description = invalid
      ? 'The access token is invalid, expired or revoked.'
      : 'Sign in to use this server.';
    requestLog(ctx).info({ event: 'challenge', bearer: bearer.kind });
    ctx.status = 401;
    ctx.set('Cache-Control', 'no-store');
    ctx.set(
      'WWW-Authenticate',
      challengeHeader(publicUrl, path, invalid ? { error: 'invalid_token', description } : {}),
    );
    ctx.body = {
      error: 'invalid_token',
      error_description: description,
      request_id: requestId(ctx),
    };
  }

  function checkOrigin(ctx: Context): void {
    const origin = ctx.get('Origin');
    if (origin === '') return;
    if (!isAllowedOrigin(origin, options.allowedOrigins)) {
      throw new RpcRefusal(403, -32000, 'This origin may not call the server.');
    }
    allowOrigin(ctx, origin);
  }

  async function metadata(ctx: Context, next: () => Promise<unknown>): Promise<unknown> {
    const suffix = ctx.path.slice(METADATA_PATH.length) as ResourcePath;
    if (!RESOURCE_PATHS.includes(suffix)) return next();
    ctx.state.programsOnly = true;
    allowAnyOrigin(ctx);
    if (ctx.method === 'OPTIONS') return answerOptions(ctx, ['GET', 'HEAD']);
    if (ctx.method !== 'GET' && ctx.method !== 'HEAD') {
      ctx.set('Allow', 'GET, HEAD, OPTIONS');
      throw new Refusal('invalid_request', 405, 'Use GET.');
    }
    ctx.set('Cache-Control', 'public, max-age=300');
    ctx.body = protectedResourceMetadata(publicUrl, suffix);
  }
}

/** The loan travels with the request's own authInfo, so that the factory can't hand out anyone else's server. */
const loanOf = (authInfo: unknown) =>
  (authInfo as { extra: { loan: { take(era: string): McpServer } } }).extra.loan;

/** `/mcp` and its sloppy spelling; the bare origin for POST, and for GET by anyone who brings a token or wants a stream. */
function resourcePath(ctx: Context): ResourcePath | undefined {
  if (ctx.path === '/mcp' || ctx.path === '/mcp/') return '/mcp';
  if (ctx.path !== '/') return undefined;
  if (ctx.method === 'POST' || ctx.method === 'OPTIONS' || ctx.method === 'DELETE') return '';
  const streaming = ctx.get('Accept').includes('text/event-stream');
  return streaming || /^Bearer /i.test(ctx.get('Authorization')) ? '' : undefined;
}

export function isAllowedOrigin(origin: string, allowed: readonly string[]): boolean {
  if (allowed.includes(origin)) return true;
  if (!allowed.includes('loopback')) return false;
  const url = URL.parse(origin);
  const loopback = ['localhost', '127.0.0.1', '[::1]'].includes(url?.hostname ?? '');
  return loopback && url!.origin === origin;
}

/** False if the grant has ended. NeonPanel being away is no reason for a 401: the tool will say so. */
async function unlessEnded(check: () => Promise<unknown>): Promise<boolean> {
  try {
    await check();
    return true;
  } catch (error) {
    if (error instanceof GrantEnded) return false;
    if (error instanceof NeonpanelError) return true;
    throw error;
  }
}
