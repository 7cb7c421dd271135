import type { Context } from 'koa';
import { isLanguage, type Language, LANGUAGE_CODES, lookUp } from '../views/languages.ts';
import { setHostCookie } from './cookies.ts';

/**
 * Which language somebody reads, most certain first: a link on our pages that was just followed (`?lang=`), or lately
 * (a cookie); what the app asks for in the request under way (`ui_locales`, OpenID Connect Core §3.1.2.1), or asked for
 * when this way began (the same cookie, marked); what the browser says (Accept-Language).
 *
 * The cookie lasts an hour: long enough for the way through NeonPanel and back, to pages whose address says nothing.
 */
const COOKIE = '__Host-neonpanel-language';
const COOKIE_TTL_SECONDS = 3_600;

/**
 * @param uiLocales of the authorization request that this is about, if it is not in the address itself
 */
export function languageOf(ctx: Context, uiLocales?: unknown): Language {
  const query = new URLSearchParams(ctx.querystring);
  const followed = query.get('lang');
  if (isLanguage(followed)) return remember(ctx, 'chosen', followed);
  const [how, remembered] = (ctx.cookies.get(COOKIE, { signed: false }) ?? '').split('-');
  if (how === 'chosen' && isLanguage(remembered)) return remembered;
  const asked = lookUp(String(uiLocales ?? query.get('ui_locales') ?? '').split(' '));
  if (asked) return remember(ctx, 'asked', asked);
  if (how === 'asked' && isLanguage(remembered)) return remembered;
  const accepted = ctx.acceptsLanguages(LANGUAGE_CODES);
  return isLanguage(accepted) ? accepted : LANGUAGE_CODES[0]!;
}

function remember(ctx: Context, how: 'chosen' | 'asked', language: Language): Language {
  setHostCookie(ctx, COOKIE, `${how}-${language}`, COOKIE_TTL_SECONDS);
  return language;
}

/** What the answer depends on, for caches, and the language it is in. */
export function describeLanguage(ctx: Context, language: Language): void {
  ctx.vary('Accept-Language');
  ctx.vary('Cookie');
  ctx.set('Content-Language', language);
}

/**
 * A link that only adds `lang` leads back to this page if nothing else in the address matters. An address that does matter
 * is not repeated on the page: it may hold a code, or what somebody wants to be seen there.
 */
export const canSwitchLanguage = (ctx: Context): boolean =>
  ctx.method === 'GET' &&
  [...new URLSearchParams(ctx.querystring).keys()].every((k) => k === 'lang');
