import type { Middleware } from 'koa';

export const HEALTH_PATHS = ['/healthz', '/health', '/readyz'];

/**
 * `/healthz` and `/health`: the process is alive. `/readyz`: it can serve, which needs the store; no addresses in it.
 *
 * @param options.ready resolves if the store answers
 * @param options.stopping told to stop: alive, but no more requests, please
 */
export function health(options: {
  version: string;
  ready: () => Promise<void>;
  stopping: () => boolean;
}): Middleware {
  const started = Date.now();
  return async function healthChecks(ctx, next) {
    const alive = ctx.path === '/healthz' || ctx.path === '/health';
    if (!alive && ctx.path !== '/readyz') return next();
    ctx.set('Cache-Control', 'no-store');
    if (ctx.method !== 'GET' && ctx.method !== 'HEAD') {
      ctx.set('Allow', 'GET, HEAD');
      ctx.status = 405;
      ctx.body = { error: 'invalid_request', error_description: 'Use GET.' };
      return;
    }
    if (alive) {
      const uptimeSeconds = Math.round((Date.now() - started) / 1000);
      const timestamp = new Date().toISOString();
      ctx.body = {
        status: 'ok',
        service: 'neonpanel-mcp',
        version: options.version,
        timestamp,
        uptimeSeconds,
      };
      return;
    }
    if (options.stopping()) {
      ctx.status = 503;
      ctx.body = { status: 'stopping' };
      return;
    }
    try {
      await options.ready();
      ctx.body = { status: 'ready', store: 'ok' };
    } catch {
      ctx.status = 503;
      ctx.body = { status: 'not ready', store: 'unavailable' };
    }
  };
}
