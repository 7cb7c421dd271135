import type { Middleware } from 'koa';
import { type RateLimit, takeTurn } from '../adapters/rate-limits.ts';
import { addressOf } from './address.ts';

/**
 * Counts requests by the address they come from.
 *
 * @param paths default: whatever comes as far as here
 */
export function limitByAddress(limit: RateLimit, paths?: readonly string[]): Middleware {
  return function limited(ctx, next) {
    if (!paths || paths.includes(ctx.path)) takeTurn(limit, addressOf(ctx));
    return next();
  };
}
