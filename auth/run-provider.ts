import type { Context } from 'koa';
import type { Provider } from 'oidc-provider';
import { COOKIE_NAMES } from './provider.ts';

/**
 * Runs the engine inside our own koa application, so that one request has one context, one error edge and one log.
 */
export async function runEngine(provider: Provider, ctx: Context): Promise<void> {
  for (const middleware of provider.middleware) await middleware(ctx as never, noNext);
  dropSessionCookie(ctx);
  // koa writes a page into redirects, with the address in it; browsers need none.
  if (ctx.status >= 300 && ctx.status < 400) ctx.body = '';
  // What failed on our side will be asked again, by a browser or a client that must still hold what it held.
  if (ctx.status >= 500) {
    ctx.remove('Set-Cookie');
    (ctx.state.undo as (() => void) | undefined)?.();
  }
}

const noNext = async () => {};

/** The engine's session is not kept anywhere (see adapters/oidc-models.ts); its cookie would only be noise. */
function dropSessionCookie(ctx: Context): void {
  const cookies = [ctx.response.get('Set-Cookie') as string | string[]].flat().filter(Boolean);
  if (cookies.length === 0) return;
  const kept = cookies.filter((cookie) => !cookie.startsWith(COOKIE_NAMES.session));
  if (kept.length > 0) ctx.set('Set-Cookie', kept);
  else ctx.remove('Set-Cookie');
}
