import type { Context, Middleware } from 'koa';

/**
 * Sets a cookie that belongs to this host alone (RFC 6265bis, `__Host-`): Secure, HttpOnly, Path=/, and Lax because
 * NeonPanel sends the browser back by a top-level GET. Its life is given as Max-Age, which, unlike a date, does not
 * depend on the browser's clock.
 *
 * @param name begins with `__Host-`
 * @param maxAgeSeconds 0 removes it
 */
export function setHostCookie(
  ctx: Context,
  name: string,
  value: string,
  maxAgeSeconds: number,
): void {
  const attributes = `Path=/; Max-Age=${maxAgeSeconds}; Secure; HttpOnly; SameSite=Lax`;
  ctx.append('Set-Cookie', `${name}=${value}; ${attributes}`);
}

/**
 * No cookie leaves without the attributes that all of ours have. The library behind koa and the engine "repairs" a
 * signature that does not match, or was made with an older key, by a cookie on / without them.
 */
export function completeCookiesOnly(): Middleware {
  return async function cookiesChecked(ctx, next) {
    // Ours are Secure on http://localhost too, where browsers take them.
    ctx.cookies.secure = true;
    try {
      await next();
    } finally {
      if (!ctx.headerSent) keepComplete(ctx);
    }
  };
}

function keepComplete(ctx: Context): void {
  const cookies = [ctx.response.get('Set-Cookie') as string | string[]].flat().filter(Boolean);
  const complete = cookies.filter((cookie) => ATTRIBUTES.every((one) => one.test(cookie)));
  if (complete.length === cookies.length) return;
  if (complete.length > 0) ctx.set('Set-Cookie', complete);
  else ctx.remove('Set-Cookie');
}

const ATTRIBUTES = [/; *secure/i, /; *httponly/i, /; *samesite=lax/i];
