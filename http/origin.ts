import type { Middleware } from 'koa';
import { Refusal } from '../errors.ts';
import { closeAfterAnswer } from './body.ts';

/** Health checks come from balancers that know only an address. */
const EXEMPT = new Set(['/healthz', '/health', '/readyz']);
const LOOPBACK_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i;

/**
 * One canonical origin whatever the request claims: requests for another host are refused (DNS rebinding), and protocol
 * and host are pinned to the configuration before koa or the engine read them, so that no header ever shapes a URL.
 * Whoever stands in front of us may have read a refused request differently, so its connection ends.
 *
 * @param options.loopback PUBLIC_URL is loopback: any loopback Host is then accepted
 * @param options.trustedProxyHops proxies of ours; without one, X-Forwarded-For is only somebody's claim
 */
export function pinOrigin(options: {
  publicUrl: string;
  loopback: boolean;
  trustedProxyHops: number;
}): Middleware {
  const { publicUrl, loopback, trustedProxyHops } = options;
  const { protocol, host } = new URL(publicUrl);
  return function pinned(ctx, next) {
    // RFC 9112 §3.2; of two, Node would take the first and a proxy perhaps the last.
    if (hostHeaders(ctx.req.rawHeaders) > 1) {
      closeAfterAnswer(ctx);
      throw new Refusal('invalid_request', 400, 'A request has one Host header.');
    }
    const asked = ctx.req.headers.host ?? '';
    // A target in absolute form (RFC 9112 §3.2.2) names a host of its own, which koa would prefer.
    const relative = ctx.req.url?.startsWith('/') ?? false;
    const ours = asked.toLowerCase() === host || (loopback && LOOPBACK_HOST.test(asked));
    const known = relative && ours;
    const health = EXEMPT.has(ctx.req.url?.split('?', 1)[0] ?? '');
    ctx.req.headers.host = host;
    // koa reads these two because of `app.proxy`; whatever was sent in them is overwritten here.
    ctx.req.headers['x-forwarded-host'] = host;
    ctx.req.headers['x-forwarded-proto'] = protocol.slice(0, -1);
    if (trustedProxyHops === 0) delete ctx.req.headers['x-forwarded-for'];
    if (!known && !health) {
      closeAfterAnswer(ctx);
      throw new Refusal('invalid_request', 421, 'This server does not answer for that host.', {
        detail: `host ${asked.slice(0, 100)}`,
      });
    }
    return next();
  };
}

/** @param raw names and values in turn */
const hostHeaders = (raw: readonly string[]): number =>
  raw.filter((text, i) => i % 2 === 0 && text.toLowerCase() === 'host').length;
