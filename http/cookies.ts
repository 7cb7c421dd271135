import type { Context } from 'koa';

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
