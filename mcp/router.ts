import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, type McpServer } from '@modelcontextprotocol/server';
import type { Context, Middleware } from 'koa';
import { NeonpanelError } from '../adapters/neonpanel/neonpanel.ts';
import { Refusal } from '../errors.ts';
import { auditRequest, requestId, requestLog } from '../http/context.ts';
import { answerOptions } from '../http/cors.ts';
import type { AccessTokenVerifier } from '../keys/access-token.ts';
import { type Bearer, readBearer } from './bearer.ts';
import { type JsonRpcMessage, readMessages } from './body.ts';
import { METADATA_PATH, type ResourcePath } from './challenge.ts';
import { type Credentials, GrantEnded } from './credentials.ts';
import { authInfoFor, type Exchange, exchangeOf } from './exchange.ts';
import { checkOrigin } from './origin.ts';
import { createPool } from './pool.ts';
import { withRequestIds } from './request-ids.ts';
import { renderRpc, RpcRefusal, Unauthorized } from './rpc-refusal.ts';

export interface McpOptions {
  readonly publicUrl: string;
  /** Origins whose pages may call; `loopback` stands for every loopback origin. */
  readonly allowedOrigins: readonly string[];
  /** Anyone may initialize and list the tools. */
  readonly publicDiscovery: boolean;
  readonly accessTokens: AccessTokenVerifier;
  /** Looks whether the keys are still the same, if that was not done for 800 ms; true if it had to look. */
  readonly freshenKeys: () => Promise<boolean>;
  readonly credentials: Credentials;
  readonly buildServer: () => McpServer;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** Everything about a call ends within this; clients give up at about 60 s. */
const CALL_DEADLINE_MS = 25_000;
const METHODS = ['POST', 'GET', 'HEAD', 'DELETE'];
const DISCOVERY = new Set<unknown>([
  'initialize',
  'notifications/initialized',
  'server/discover',
  'tools/list',
  'ping',
]);

/**
 * The MCP endpoint. A request is settled in the order of `serve`: origin, bearer, message, grant and credential; only
 * then the transport takes over, because a tool handler can no longer answer 401.
 */
export function createMcp(options: McpOptions): Middleware {
  const { publicUrl, accessTokens, credentials, now } = options;
  const lend = createPool(options.buildServer);
  const sdk = createMcpHandler(({ era, authInfo }) => exchangeOf(authInfo).loan.take(era));
  const handle = toNodeHandler(withRequestIds(sdk));

  return async function mcp(ctx, next) {
    const path = resourcePath(ctx);
    if (path === undefined) return next();
    ctx.state.programsOnly = true;
    const resourceMetadataUrl = `${publicUrl}${METADATA_PATH}${path}`;
    try {
      await serve(ctx, resourceMetadataUrl);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      renderRpc(ctx, error, resourceMetadataUrl);
    }
  };

  async function serve(ctx: Context, resourceMetadataUrl: string): Promise<void> {
    const deadline = now() + CALL_DEADLINE_MS;
    checkOrigin(ctx, options.allowedOrigins);
    if (ctx.method === 'OPTIONS') return answerOptions(ctx, METHODS);
    const bearer = await freshBearer(ctx.get('Authorization') || undefined);
    if (bearer.kind === 'invalid') throw new Unauthorized('a token');
    if (ctx.method !== 'POST') return refuseMethod(ctx, bearer);
    if (bearer.kind === 'anonymous' && !options.publicDiscovery) throw new Unauthorized('no token');
    const { body, messages } = await readMessages(ctx);
    await assertEntitled(bearer, messages, deadline);
    await exchange(ctx, { bearer, body, deadline, resourceMetadataUrl });
    if (ctx.res.statusCode === 403) auditScopeMissing(ctx, bearer, messages);
  }

  /** Whoever is about to be believed is, by keys that are still in force: also if this process was held up. */
  async function freshBearer(header: string | undefined): Promise<Bearer> {
    const bearer = readBearer(header, accessTokens);
    const isStale = bearer.kind === 'caller' && (await options.freshenKeys());
    return isStale ? readBearer(header, accessTokens) : bearer;
  }

  /** Clients probe with GET and HEAD: without a token that works they are told how to get one. */
  async function refuseMethod(ctx: Context, bearer: Bearer): Promise<never> {
    if (bearer.kind !== 'caller') throw new Unauthorized('no token');
    await unlessEnded(() => credentials.assertAlive(bearer.caller));
    ctx.set('Allow', 'POST, OPTIONS');
    throw new RpcRefusal(405, -32000, 'Method not allowed: this endpoint takes POST only.');
  }

  /** A tool call needs a credential that works, anything else only a living grant. @throws Unauthorized */
  async function assertEntitled(
    bearer: Bearer,
    messages: readonly JsonRpcMessage[],
    deadline: number,
  ): Promise<void> {
    if (bearer.kind !== 'caller') {
      if (messages.every(({ method }) => DISCOVERY.has(method))) return;
      throw new Unauthorized('no token');
    }
    const { caller } = bearer;
    const calls = messages.some(({ method }) => method === 'tools/call');
    await unlessEnded(() =>
      calls ? credentials.accessToken(caller, deadline) : credentials.assertAlive(caller),
    );
  }

  /** Hands the request to the SDK's transport, with a server of its own. */
  async function exchange(
    ctx: Context,
    request: { bearer: Bearer; body: unknown; deadline: number; resourceMetadataUrl: string },
  ): Promise<void> {
    const { bearer, body, deadline, resourceMetadataUrl } = request;
    const loan = lend();
    const gone = new AbortController();
    ctx.res.once('close', () => gone.abort());
    const exchange: Exchange = {
      caller: bearer.kind === 'caller' ? bearer.caller : undefined,
      loan,
      deadline,
      signal: gone.signal,
      requestId: requestId(ctx),
      log: requestLog(ctx),
    };
    const auth = authInfoFor(bearer, exchange, resourceMetadataUrl);
    // The transport insists on both types; clients send less, and mean both.
    ctx.req.headers.accept = 'application/json, text/event-stream';
    ctx.set('Cache-Control', 'no-store');
    ctx.respond = false;
    try {
      await handle(Object.assign(ctx.req, { auth }), ctx.res, body);
    } finally {
      await loan.giveBack();
    }
  }
}

/** The transport's own answer to a call whose scope was not granted: no tool was asked. */
function auditScopeMissing(
  ctx: Context,
  bearer: Bearer,
  messages: readonly JsonRpcMessage[],
): void {
  const { clientId, grantId, accountId } = (bearer.kind === 'caller' && bearer.caller) || {};
  for (const { method, params } of messages) {
    if (method !== 'tools/call') continue;
    auditRequest(ctx, 'tool.call', {
      outcome: 'refused',
      error: 'insufficient_scope',
      tool: String((params as { name?: unknown } | undefined)?.name),
      client_id: clientId,
      grant: grantId,
      subject: accountId,
    });
  }
}

/** `/mcp` and its sloppy spelling; the bare origin for POST, and for GET by anyone who brings a token or wants a stream. */
function resourcePath(ctx: Context): ResourcePath | undefined {
  if (ctx.path === '/mcp' || ctx.path === '/mcp/') return '/mcp';
  if (ctx.path !== '/') return undefined;
  if (['POST', 'OPTIONS', 'DELETE'].includes(ctx.method)) return '';
  const streaming = ctx.get('Accept').includes('text/event-stream');
  return streaming || /^Bearer /i.test(ctx.get('Authorization')) ? '' : undefined;
}

/** NeonPanel being away is no reason for a 401: the tool will say so. @throws Unauthorized if the grant has ended */
async function unlessEnded(check: () => Promise<unknown>): Promise<void> {
  try {
    await check();
  } catch (error) {
    if (error instanceof GrantEnded) throw new Unauthorized('a token', error.message);
    if (!(error instanceof NeonpanelError)) throw error;
  }
}
