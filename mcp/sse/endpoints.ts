import { parseJSONRPCMessage } from '@modelcontextprotocol/server';
import type { Context, Middleware } from 'koa';
import { Refusal } from '../../errors.ts';
import { answerOptions } from '../../http/cors.ts';
import { type Bearer, createBearerReader } from '../bearer.ts';
import { type JsonRpcMessage, readMessages } from '../body.ts';
import { METADATA_PATH } from '../challenge.ts';
import { assertConnected, assertEntitled } from '../entitlement.ts';
import { messageEvent } from '../event-stream.ts';
import { asMeant } from '../odd-messages.ts';
import { CALL_DEADLINE_MS, type McpOptions } from '../options.ts';
import { checkOrigin } from '../origin.ts';
import { checkVersion, LEGACY_VERSIONS } from '../protocol-version.ts';
import { renderRpc, RpcRefusal, Unauthorized } from '../rpc-refusal.ts';
import { auditScopeMissing } from '../scope-audit.ts';
import { createDelivery } from './delivery.ts';
import { STREAM_LIMITS, type StreamLimits } from './limits.ts';
import { createStreams } from './streams.ts';

export interface Sse {
  readonly middleware: Middleware;
  /** Ends the streams, each when it has given the answers it owes, and opens no more. */
  stop(): void;
}

const STREAM_METHODS = ['GET', 'HEAD'];

/**
 * The transport of MCP 2024-11-05, for old clients: `GET /sse` opens a stream whose first event names the address for
 * messages, and what a POST there asks is answered on the stream. Each POST is settled like one to /mcp, in the same
 * order and with its own token, and served by the same stateless transport; only its answer goes another way. So with a
 * stream nothing is lost but what is under way, and a scope that is missing is a 403 with a challenge here too.
 *
 * @param options.limits lowered by tests
 */
export function createSse(
  options: Omit<McpOptions, 'publicDiscovery'> & { limits?: Partial<StreamLimits> | undefined },
): Sse {
  const { publicUrl, credentials, lend, now } = options;
  const bearerOf = createBearerReader(options);
  const resourceMetadataUrl = `${publicUrl}${METADATA_PATH}/sse`;
  const streams = createStreams({ credentials, limits: { ...STREAM_LIMITS, ...options.limits } });
  const deliver = createDelivery({ lend, streams, resourceMetadataUrl });

  return {
    stop: () => streams.stop(),
    async middleware(ctx, next) {
      const serve = serverOf(ctx.path);
      if (!serve) return next();
      ctx.state.programsOnly = true;
      try {
        checkOrigin(ctx, options.allowedOrigins);
        await serve(ctx);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        renderRpc(ctx, error, resourceMetadataUrl);
        if (serve === serveStream && wantsStream(ctx)) renderAsStream(ctx);
      }
    },
  };

  function serverOf(path: string): ((ctx: Context) => Promise<void>) | undefined {
    if (path === '/sse' || path === '/sse/') return serveStream;
    return path === '/messages' || path === '/messages/' ? serveMessage : undefined;
  }

  async function serveStream(ctx: Context): Promise<void> {
    if (ctx.method === 'OPTIONS') return answerOptions(ctx, STREAM_METHODS);
    const { caller } = await callerOf(ctx);
    await assertConnected(credentials, caller);
    // Newer clients try POST first, and turn to GET when they are told so.
    if (!STREAM_METHODS.includes(ctx.method)) refuseMethod(ctx, STREAM_METHODS);
    if (ctx.method === 'GET') return streams.open(ctx, caller);
    ctx.status = 200;
    ctx.set('Content-Type', 'text/event-stream');
    ctx.set('Cache-Control', 'no-store');
  }

  async function serveMessage(ctx: Context): Promise<void> {
    const deadline = now() + CALL_DEADLINE_MS;
    if (ctx.method === 'OPTIONS') return answerOptions(ctx, ['POST']);
    if (ctx.method !== 'POST') refuseMethod(ctx, ['POST']);
    const bearer = await callerOf(ctx);
    const { caller } = bearer;
    const sessionId = sessionIdOf(ctx);
    const { body, messages } = asMeant(await readMessages(ctx));
    assertReadable(body, messages);
    checkVersion(ctx, messages, LEGACY_VERSIONS);
    // Before the stream is looked for: whoever has to sign in again must hear that, and not that a stream is gone.
    await assertEntitled(credentials, caller, messages, deadline);
    const stream = streams.find(sessionId, caller);
    if (!stream) throw new RpcRefusal(404, -32001, 'No such stream is open. Open one at /sse.');
    const answer = await deliver(ctx, { bearer, body, messages, deadline, stream });
    if (answer.status === 403) auditScopeMissing(ctx, caller, messages);
    await copy(ctx, answer);
  }

  /** Both addresses are for people who have signed in, whatever PUBLIC_DISCOVERY says. @throws Unauthorized */
  async function callerOf(ctx: Context): Promise<Extract<Bearer, { kind: 'caller' }>> {
    const bearer = await bearerOf(ctx);
    if (bearer.kind === 'caller') return bearer;
    throw new Unauthorized(bearer.kind === 'invalid' ? 'a token' : 'no token');
  }
}

/** As at /mcp. This transport would call it a parse error, and forget whose. @throws RpcRefusal -32600 */
function assertReadable(body: unknown, messages: readonly JsonRpcMessage[]): void {
  try {
    messages.forEach(parseJSONRPCMessage);
  } catch {
    const { id } = Object(body) as { id?: unknown };
    const known = typeof id === 'string' || typeof id === 'number' ? id : null;
    throw new RpcRefusal(400, -32600, 'The body is not a valid JSON-RPC message.', known);
  }
}

function refuseMethod(ctx: Context, methods: readonly string[]): never {
  ctx.set('Allow', [...methods, 'OPTIONS'].join(', '));
  throw new RpcRefusal(405, -32000, `Method not allowed: this address takes ${methods[0]} only.`);
}

/** @throws RpcRefusal 400 unless there is exactly one */
function sessionIdOf(ctx: Context): string {
  const [id, ...others] = ctx.URL.searchParams.getAll('sessionId');
  if (id && others.length === 0) return id;
  throw new RpcRefusal(400, -32600, 'Use the address that the stream named: one sessionId.');
}

async function copy(ctx: Context, answer: Response): Promise<void> {
  ctx.status = answer.status;
  ctx.body = await answer.text();
  ctx.remove('Content-Type');
  answer.headers.forEach((value, name) => ctx.set(name, value));
  ctx.set('Cache-Control', 'no-store');
}

/** Old clients accept nothing but a stream, and complain about any other type before they look at the status. */
const wantsStream = (ctx: Context): boolean =>
  ctx.accepts('json', 'text/event-stream') === 'text/event-stream';

/** The same refusal as one JSON-RPC message; status and challenge stay. */
function renderAsStream(ctx: Context): void {
  const body = ctx.body as { jsonrpc: string } | OAuthBody;
  const message = 'jsonrpc' in body ? body : asRpc(body);
  ctx.body = messageEvent(JSON.stringify(message));
  ctx.set('Content-Type', 'text/event-stream');
}

interface OAuthBody {
  readonly error: string;
  readonly error_description: string;
  readonly request_id: string;
}

const asRpc = ({ error, error_description: message, request_id }: OAuthBody) => ({
  jsonrpc: '2.0',
  id: null,
  error: { code: -32000, message, data: { error, request_id } },
});
