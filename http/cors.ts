import type { Context } from 'koa';

/**
 * Cross-origin access without credentials (Fetch standard). Browser-based clients read discovery, register, exchange
 * codes and call /mcp; none of these endpoints ever looks at a cookie, so `*` gives nothing away.
 */
const ALLOWED_HEADERS = [
  'authorization',
  'content-type',
  'accept',
  'mcp-protocol-version',
  'mcp-method',
  'mcp-name',
  'mcp-session-id',
  'last-event-id',
].join(', ');
const EXPOSED_HEADERS =
  'WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, X-Request-Id, Retry-After';
const PREFLIGHT_MAX_AGE_SECONDS = 3_600;

/** Lets any origin read the answer. */
export function allowAnyOrigin(ctx: Context): void {
  ctx.set('Access-Control-Allow-Origin', '*');
  ctx.set('Access-Control-Expose-Headers', EXPOSED_HEADERS);
}

/** Lets one origin, checked by the caller, read the answer. */
export function allowOrigin(ctx: Context, origin: string): void {
  ctx.set('Access-Control-Allow-Origin', origin);
  ctx.vary('Origin');
  ctx.set('Access-Control-Expose-Headers', EXPOSED_HEADERS);
}

/**
 * Answers OPTIONS: a preflight, or a plain question for the methods.
 *
 * @param methods that are taken
 * @param sendable methods that a page may send, if they are more: it can read a refusal only of what it could send
 */
export function answerOptions(
  ctx: Context,
  methods: readonly string[],
  sendable: readonly string[] = methods,
): void {
  ctx.status = 204;
  ctx.set('Allow', [...methods, 'OPTIONS'].join(', '));
  ctx.set('Access-Control-Allow-Methods', sendable.join(', '));
  ctx.set('Access-Control-Allow-Headers', ALLOWED_HEADERS);
  ctx.set('Access-Control-Max-Age', String(PREFLIGHT_MAX_AGE_SECONDS));
}
