import type { Context } from 'koa';
import { digest } from '../adapters/secrets.ts';
import { setHostCookie } from '../http/cookies.ts';
import { LOGIN_TTL_SECONDS } from './lifetimes.ts';

/**
 * Ties a login transaction to the browser that approved it. One cookie per transaction, so that tabs don't disturb each
 * other; host-only (`__Host-`), HttpOnly, Lax because NeonPanel sends the browser back by a top-level GET.
 */
const PREFIX = '__Host-neonpanel-login-';
/** A browser with this many unfinished logins loses the oldest ones, before the header grows too large. */
const MAX_COOKIES = 20;

export function setBinding(ctx: Context, uid: string, nonce: string, now: number): void {
  const names = bindings(ctx);
  for (const { name } of names.slice(MAX_COOKIES - 1)) clear(ctx, name);
  setHostCookie(ctx, cookieName(uid), `${now.toString(36)}.${nonce}`, LOGIN_TTL_SECONDS);
}

export function readBinding(ctx: Context, uid: string): string | undefined {
  // Not by koa's cookies, which keep a pattern for every name that was ever asked for, and each login has its own.
  const own = bindings(ctx).find(({ name }) => name === cookieName(uid));
  return own?.nonce;
}

export function clearBinding(ctx: Context, uid: string): void {
  clear(ctx, cookieName(uid));
}

/** This browser's bindings, the newest first. */
function bindings(ctx: Context): { name: string; since: number; nonce: string | undefined }[] {
  return (ctx.req.headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim().split('='))
    .filter(([name]) => name?.startsWith(PREFIX))
    .map(([name, value = '']) => {
      const [since = '', nonce] = value.split('.');
      return { name: name!, since: parseInt(since, 36) || 0, nonce };
    })
    .sort((a, b) => b.since - a.since);
}

function clear(ctx: Context, name: string): void {
  setHostCookie(ctx, name, '', 0);
}

const cookieName = (uid: string) => PREFIX + digest(uid).slice(0, 16);
