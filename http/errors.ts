import type { Context, Middleware } from 'koa';
import { Refusal } from '../errors.ts';
import { requestId, requestLog } from './context.ts';

/** Draws an error page; given by whoever owns the pages. */
export type ErrorPage = (ctx: Context, refusal: Refusal) => void;

/**
 * The edge where errors become answers: JSON for programs, a page for people. What is not a Refusal is a fault of
 * ours: it is logged with its stack, and the reader gets a 500 that says nothing but where to find it in the log.
 */
export function errorEdge(page: ErrorPage): Middleware {
  return async function edge(ctx, next) {
    try {
      await next();
      if (ctx.status === 404 && ctx.body == null && ctx.respond !== false) throw notFound();
    } catch (error) {
      const refusal = asRefusal(error);
      logRefusal(ctx, refusal);
      if (ctx.headerSent || ctx.respond === false) return void ctx.res.destroy();
      render(ctx, refusal, page);
    }
    // Errors the engine rendered itself.
    if (ctx.status === 503 && !ctx.response.get('Retry-After')) ctx.set('Retry-After', '1');
    if (ctx.status < 400) return;
    if (!ctx.response.get('Cache-Control')) ctx.set('Cache-Control', 'no-store');
    addRequestId(ctx);
  };
}

/** True if the reader prefers a page to data: browsers say so, programs don't. */
export const wantsPage = (ctx: Context): boolean => ctx.accepts('json', 'html') === 'html';

function render(ctx: Context, refusal: Refusal, page: ErrorPage): void {
  ctx.status = refusal.status;
  ctx.set('Cache-Control', 'no-store');
  if (refusal.retryAfterSeconds) ctx.set('Retry-After', String(refusal.retryAfterSeconds));
  if (wantsPage(ctx) && !ctx.state.programsOnly) return page(ctx, refusal);
  ctx.body = { error: refusal.code, error_description: refusal.description };
}

function addRequestId(ctx: Context): void {
  const body: unknown = ctx.body;
  if (typeof body !== 'object' || body === null || !('error' in body) || 'jsonrpc' in body) return;
  ctx.body = { ...body, request_id: requestId(ctx) };
}

/** One line with the distinct cause of a refusal; what failed on our side comes with its stack. */
export function logRefusal(ctx: Context, refusal: Refusal): void {
  const { code: error, status, detail } = refusal;
  const line = { event: 'refused', error, status, detail };
  if (status < 500) requestLog(ctx).info(line);
  else requestLog(ctx).error({ ...line, err: refusal.cause ?? refusal });
}

interface ExposedError {
  expose: boolean;
  status: number;
  error: string;
  error_description: string;
}

const notFound = () => new Refusal('not_found', 404, 'There is nothing at this address.');

function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  // koa's and the engine's errors say themselves whether they may be shown.
  const { expose, status, error: code, error_description } = error as Partial<ExposedError>;
  if (!expose || !status || status >= 500) {
    return new Refusal('server_error', 500, 'Something went wrong on our side.', { cause: error });
  }
  const description = error_description ?? 'The request is not valid.';
  return new Refusal(code ?? 'invalid_request', status, description, { cause: error });
}
