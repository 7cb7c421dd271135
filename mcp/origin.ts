import type { Context } from 'koa';
import { allowOrigin } from '../http/cors.ts';
import { RpcRefusal } from './rpc-refusal.ts';

const LOOPBACK_HOSTS = ['localhost', '127.0.0.1', '[::1]'];

/**
 * Browsers say which page is calling; only pages of the listed origins may (MCP, Streamable HTTP; DNS rebinding).
 * Programs send no Origin and are not concerned.
 *
 * @param allowed origins; the entry `loopback` stands for every loopback origin
 * @throws RpcRefusal 403
 */
export function checkOrigin(ctx: Context, allowed: readonly string[]): void {
  const origin = ctx.get('Origin');
  if (origin === '') return;
  if (!isAllowed(origin, allowed)) {
    throw new RpcRefusal(403, -32000, 'This origin may not call the server.');
  }
  allowOrigin(ctx, origin);
}

function isAllowed(origin: string, allowed: readonly string[]): boolean {
  if (allowed.includes(origin)) return true;
  if (!allowed.includes('loopback')) return false;
  const url = URL.parse(origin);
  return url !== null && LOOPBACK_HOSTS.includes(url.hostname) && url.origin === origin;
}
