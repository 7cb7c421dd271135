import type { Context, Middleware } from 'koa';

/** Headers every answer carries. Pages add their own policy with `pageHeaders`. */
export function securityHeaders(options: { https: boolean }): Middleware {
  return function headers(ctx, next) {
    ctx.set('X-Content-Type-Options', 'nosniff');
    ctx.set('Referrer-Policy', 'no-referrer');
    ctx.set('X-Robots-Tag', 'noindex');
    if (options.https) ctx.set('Strict-Transport-Security', 'max-age=31536000; includeSubDomains');
    return next();
  };
}

/**
 * Policy of our pages. There is no `form-action`: Chromium applies it to the whole redirect chain that follows a form,
 * which ends at the client. There is no Cross-Origin-Opener-Policy: clients open us in a popup and wait for it.
 *
 * @param options.script the page loads our own script; none where anything is decided
 */
export function pageHeaders(ctx: Context, options: { script?: boolean } = {}): void {
  const script = options.script ? "script-src 'self'; " : '';
  ctx.set(
    'Content-Security-Policy',
    `default-src 'none'; ${script}style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'`,
  );
  ctx.set('X-Frame-Options', 'DENY');
  ctx.set('Cache-Control', 'no-store');
}
