import { randomUUID } from 'node:crypto';
import type { Context, Middleware } from 'koa';
import type { Log } from '../log.ts';

/**
 * Gives every request an id that is in the log, in the answer's X-Request-Id and in every error body, and writes one
 * line per request: method, path without query (it may hold codes and states), status, duration.
 */
export function requestContext(log: Log): Middleware {
  return async function withRequestId(ctx, next) {
    const requestId = randomUUID();
    const started = performance.now();
    ctx.state.requestId = requestId;
    ctx.state.log = log.child({ request_id: requestId });
    ctx.set('X-Request-Id', requestId);
    const done = () =>
      ctx.state.log.info({
        event: 'request',
        method: ctx.method,
        path: ctx.path.slice(0, 200),
        status: ctx.res.statusCode,
        ms: Math.round(performance.now() - started),
      });
    ctx.res.once('close', done);
    await next();
  };
}

export const requestId = (ctx: Context): string => ctx.state.requestId as string;

/** The request's own logger: every line carries the request id. */
export const requestLog = (ctx: Context): Log => ctx.state.log as Log;
