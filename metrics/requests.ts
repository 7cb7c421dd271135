import type { Context, Middleware } from 'koa';
import { Counter, Histogram, type Registry } from 'prom-client';
import type { Facts } from '../facts.ts';
import { methodOf, routeOf } from './routes.ts';

/** Up to the 25 s that a tool call may take. */
export const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25];

/**
 * Counts what comes in, and how long its answer took, whoever gave it. What was never read as a request has the route
 * `unread`.
 */
export function countRequests(registers: Registry[]): {
  readonly middleware: Middleware;
  readonly unread: (about: Facts['unread']) => void;
} {
  const requests = new Counter({
    name: 'neonpanel_mcp_http_requests_total',
    help: 'Requests by what they asked for, and the status of the answer; "aborted" if its reader left before the end.',
    labelNames: ['route', 'method', 'status'],
    registers,
  });
  const seconds = new Histogram({
    name: 'neonpanel_mcp_http_request_duration_seconds',
    help: 'Time from the head of a request to the last byte of its answer; event streams of old clients are left out.',
    labelNames: ['route'],
    buckets: SECONDS,
    registers,
  });
  function counted(ctx: Context, next: () => Promise<unknown>) {
    const started = performance.now();
    const { res } = ctx;
    const route = routeOf(ctx.method, ctx.path);
    const method = methodOf(ctx.method);
    res.once('close', () => {
      const isStream = route === 'sse' && res.statusCode === 200;
      requests.inc({ route, method, status: isStream ? '200' : statusOf(ctx) });
      if (!isStream) seconds.observe({ route }, (performance.now() - started) / 1_000);
    });
    return next();
  }
  return {
    middleware: counted,
    unread: ({ status }) =>
      requests.inc({ route: 'unread', method: 'other', status: String(status) }),
  };
}

/** We choose it, so there are few. */
const statusOf = ({ res }: Context): string =>
  res.writableFinished ? String(res.statusCode) : 'aborted';
