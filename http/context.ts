import { randomUUID } from 'node:crypto';
import type { Context, Middleware } from 'koa';
import { audit, type AuditEvent, type AuditFacts } from '../audit.ts';
import { type Log, withRequestLog } from '../log.ts';
import { withoutSecrets } from '../redaction.ts';

/**
 * Gives every request an id that is in the log, in the answer's X-Request-Id and in every error body, and writes one
 * line per request: method, path without query (it may hold codes and states), status, duration.
 */
export function requestContext(log: Log): Middleware {
  return function withRequestId(ctx, next) {
    const requestId = randomUUID();
    ctx.state.requestId = requestId;
    ctx.state.started = performance.now();
    ctx.state.log = log.child({ request_id: requestId });
    ctx.set('X-Request-Id', requestId);
    const { method, path } = ctx;
    const done = () =>
      requestLog(ctx).info({
        event: 'request',
        method,
        path: withoutSecrets(path, 200),
        status: ctx.res.statusCode,
        ms: elapsedMs(ctx),
      });
    ctx.res.once('close', done);
    return withRequestLog(requestLog(ctx), next);
  };
}

export const requestId = (ctx: Context): string => ctx.state.requestId as string;

/** The request's own logger: every line carries the request id. */
export const requestLog = (ctx: Context): Log => ctx.state.log as Log;

/** One line of the audit log about what this request did, with the time since it began. */
export function auditRequest<E extends AuditEvent>(
  ctx: Context,
  event: E,
  facts: AuditFacts<E>,
): void {
  audit(requestLog(ctx), event, { ...facts, ms: elapsedMs(ctx) });
}

const elapsedMs = (ctx: Context): number =>
  Math.round(performance.now() - (ctx.state.started as number));
