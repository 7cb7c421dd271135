import type { Context, Middleware } from 'koa';
import type { NeonpanelState } from '../adapters/neonpanel/watch.ts';
import type { LoopState } from './event-loop.ts';

export interface HealthOptions {
  readonly version: string;
  /** Resolves if store and keys can be used. */
  readonly ready: () => Promise<void>;
  /** Told to stop: alive, but no more requests, please. */
  readonly stopping: () => boolean;
  /** Whether NeonPanel answers, as far as is known; it is told, not required. */
  readonly neonpanel: () => NeonpanelState;
  readonly eventLoop: () => LoopState;
}

export const HEALTH_PATHS = ['/healthz', '/health', '/readyz'];

/**
 * `/healthz` and `/health`: the process is alive. `/readyz`: it can serve, which needs the store, the keys, and an event
 * loop that is not stuck (event-loop.ts). No addresses in either.
 */
export function health(options: HealthOptions): Middleware {
  const { version } = options;
  const started = Date.now();
  return function healthChecks(ctx, next) {
    const alive = ctx.path === '/healthz' || ctx.path === '/health';
    if (!alive && ctx.path !== '/readyz') return next();
    ctx.set('Cache-Control', 'no-store');
    if (ctx.method !== 'GET' && ctx.method !== 'HEAD') {
      ctx.set('Allow', 'GET, HEAD');
      ctx.status = 405;
      ctx.body = { error: 'invalid_request', error_description: 'Use GET.' };
      return;
    }
    if (!alive) return answerReadiness(ctx, options);
    const uptimeSeconds = Math.round((Date.now() - started) / 1000);
    const timestamp = new Date().toISOString();
    ctx.body = { status: 'ok', service: 'neonpanel-mcp', version, timestamp, uptimeSeconds };
  };
}

async function answerReadiness(ctx: Context, options: HealthOptions): Promise<void> {
  if (options.stopping()) {
    ctx.status = 503;
    ctx.body = { status: 'stopping' };
    return;
  }
  const isStored = await options.ready().then(
    () => true,
    () => false,
  );
  const eventLoop = options.eventLoop();
  const isReady = isStored && eventLoop !== 'stuck';
  ctx.status = isReady ? 200 : 503;
  ctx.body = {
    status: isReady ? 'ready' : 'not ready',
    store: isStored ? 'ok' : 'unavailable',
    neonpanel: options.neonpanel(),
    event_loop: eventLoop,
  };
}
