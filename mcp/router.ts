import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler } from '@modelcontextprotocol/server';
import type { Context, Middleware } from 'koa';
import { Refusal } from '../errors.ts';
import { requestId, requestLog } from '../http/context.ts';
import { answerOptions } from '../http/cors.ts';
import { ACCEPT_ALL, ACCEPT_JSON, asWanted } from './answers.ts';
import { type Bearer, createBearerReader } from './bearer.ts';
import { readMessages } from './body.ts';
import type { Caller } from './caller.ts';
import { METADATA_PATH, type ResourcePath } from './challenge.ts';
import { assertConnected, assertEntitled } from './entitlement.ts';
import { authInfoFor, type Exchange, exchangeOf } from './exchange.ts';
import { asMeant } from './odd-messages.ts';
import { CALL_DEADLINE_MS, type DirectOptions, type McpOptions } from './options.ts';
import { checkOrigin } from './origin.ts';
import { createPlainReader } from './plain-request.ts';
import { checkVersion, VERSIONS } from './protocol-version.ts';
import { renderRpc, RpcRefusal, Unauthorized } from './rpc-refusal.ts';
import { auditScopeMissing } from './scope-audit.ts';
import { takeStrangersTurn, takeTurns } from './turns.ts';

/** What pages may send; GET, HEAD and DELETE are refused with a challenge or 405, and clients read those. */
const SENDABLE = ['POST', 'GET', 'HEAD', 'DELETE'];
/** What the log says of a request whose client did not wait; nobody is sent it. */
const CLIENT_GONE = 499;
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
export function createMcp(options: McpOptions & DirectOptions): Middleware {
  const { publicUrl, credentials, lend, limits, room, direct, scopesByTool, now } = options;
  const bearerOf = createBearerReader(options);
  const sdk = createMcpHandler(({ era, authInfo }) => exchangeOf(authInfo).loan.take(era));
  const handle = toNodeHandler(asWanted(sdk));
  const plainRequest = createPlainReader();

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
    if (ctx.method === 'OPTIONS') {
      takeStrangersTurn(limits, ctx);
      return answerOptions(ctx, methodsOf(ctx), SENDABLE);
    }
    const bearer = await bearerOf(ctx);
    if (bearer.kind !== 'caller') takeStrangersTurn(limits, ctx);
    if (bearer.kind === 'invalid') throw new Unauthorized('a token');
    if (ctx.method !== 'POST') return refuseMethod(ctx, bearer);
    if (bearer.kind === 'anonymous' && !options.publicDiscovery) throw new Unauthorized('no token');
    const { body, messages } = asMeant(await readMessages(ctx));
    checkVersion(ctx, messages, VERSIONS);
    if (bearer.kind === 'caller') {
      takeTurns(limits, bearer.caller, messages);
      await assertEntitled(credentials, bearer.caller, messages, deadline);
    } else if (!messages.every(({ method }) => DISCOVERY.has(method))) {
      throw new Unauthorized('no token');
    }
    await exchange(ctx, { bearer, body, deadline, resourceMetadataUrl });
    const caller = bearer.kind === 'caller' ? bearer.caller : undefined;
    if (ctx.res.statusCode === 403) auditScopeMissing(ctx, caller, messages);
  }

  function mayCall(caller: Caller | undefined, toolName: string): boolean {
    const needed = scopesByTool.get(toolName);
    return needed?.every((scope) => caller?.scopes.has(scope)) ?? false;
  }

  /** Clients probe with GET and HEAD: without a token that works they are told how to get one. */
  async function refuseMethod(ctx: Context, bearer: Bearer): Promise<never> {
    if (bearer.kind !== 'caller') throw new Unauthorized('no token');
    takeTurns(limits, bearer.caller);
    await assertConnected(credentials, bearer.caller);
    ctx.set('Allow', 'POST, OPTIONS');
    throw new RpcRefusal(405, -32000, 'Method not allowed: this endpoint takes POST only.');
  }

  /** What is plain is answered at once; anything else goes to the SDK's transport, with a server of its own. */
  async function exchange(
    ctx: Context,
    request: { bearer: Bearer; body: unknown; deadline: number; resourceMetadataUrl: string },
  ): Promise<void> {
    const { bearer, body, deadline, resourceMetadataUrl } = request;
    const loan = lend();
    const answers = room.open();
    const gone = new AbortController();
    // Until its reader has taken the answer it is held, whichever way it is written; or until he has gone.
    const over = () => {
      answers.close();
      if (!ctx.res.writableFinished) gone.abort();
    };
    if (ctx.res.closed) over();
    else ctx.res.once('close', over);
    const exchange: Exchange = {
      caller: bearer.kind === 'caller' ? bearer.caller : undefined,
      loan,
      answers,
      deadline,
      signal: gone.signal,
      requestId: requestId(ctx),
      log: requestLog(ctx),
    };
    const auth = authInfoFor(bearer, exchange, resourceMetadataUrl);
    ctx.set('Cache-Control', 'no-store');
    try {
      const plain = plainRequest(ctx.req.headers, body, (name) => mayCall(exchange.caller, name));
      if (plain) {
        answerJson(ctx, await direct(plain, { authInfo: auth, signal: gone.signal }));
        return;
      }
      ctx.req.headers.accept = takesJsonOnly(ctx) ? ACCEPT_JSON : ACCEPT_ALL;
      ctx.respond = false;
      await handle(Object.assign(ctx.req, { auth }), ctx.res, body);
    } finally {
      await loan.giveBack();
    }
  }
}

/** @param json undefined if the client has gone */
function answerJson(ctx: Context, json: string | Buffer | undefined): void {
  if (json === undefined) return void (ctx.res.statusCode = CLIENT_GONE);
  ctx.set('Content-Type', 'application/json');
  ctx.body = json;
}

/** The bare origin is a page, too. */
const methodsOf = ({ path }: Context): string[] =>
  path === '/' ? ['POST', 'GET', 'HEAD'] : ['POST'];

/** Of a client that names neither, both are meant. */
const takesJsonOnly = (ctx: Context): boolean =>
  Boolean(ctx.accepts('application/json')) && !ctx.accepts('text/event-stream');

/** `/mcp` and its sloppy spelling; the bare origin for POST, and for GET by anyone who brings a token or wants a stream. */
function resourcePath(ctx: Context): ResourcePath | undefined {
  if (ctx.path === '/mcp' || ctx.path === '/mcp/') return '/mcp';
  if (ctx.path !== '/') return undefined;
  if (['POST', 'OPTIONS', 'DELETE'].includes(ctx.method)) return '';
  const streaming = ctx.get('Accept').includes('text/event-stream');
  const wantsStream = streaming && ctx.accepts('text/event-stream');
  return wantsStream || /^Bearer /i.test(ctx.get('Authorization')) ? '' : undefined;
}
