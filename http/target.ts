import type { Middleware } from 'koa';
import { Refusal } from '../errors.ts';

/**
 * Path and query together, in bytes. Room for the longest state that is taken, all of it percent-encoded; beside it the
 * 16 KiB that Node allows for a whole head (431) must hold the other headers.
 */
const MAX_TARGET_LENGTH = 13 * 1024;

/** Of a query. Requests have a dozen; koa takes the square of their number to read them, while everybody waits. */
const MAX_PARAMETERS = 100;

/** @throws Refusal 400 for a query of more parameters than any request has, 414 (RFC 9110 §15.5.15) for a longer address than any client of ours needs */
export function limitTarget(): Middleware {
  return function targetLimited(ctx, next) {
    if ((ctx.req.url?.length ?? 0) > MAX_TARGET_LENGTH) {
      const description = `An address must not exceed ${MAX_TARGET_LENGTH} bytes.`;
      throw new Refusal('invalid_request', 414, description);
    }
    if ((ctx.req.url?.split('&', MAX_PARAMETERS + 1).length ?? 0) > MAX_PARAMETERS) {
      const description = `A query must not have more than ${MAX_PARAMETERS} parameters.`;
      throw new Refusal('invalid_request', 400, description);
    }
    return next();
  };
}
