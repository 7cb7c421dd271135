import { randomBytes } from 'node:crypto';
import type { Context } from 'koa';
import type { Secrets } from '../adapters/secrets.ts';
import { setHostCookie } from '../http/cookies.ts';
import { INTERACTION_TTL_SECONDS } from './lifetimes.ts';
import { forged } from './page-refusals.ts';

/**
 * The consent form's guard against forged submissions: a double submit. The browser that was shown the page holds a
 * cookie, and the form holds a code made from that cookie and the interaction; both must come back together. The cookie
 * stays the same for a while, so reloading the page or opening it twice does no harm. It is signed (with every master
 * key, so they rotate): one that somebody else made up is replaced.
 */
const COOKIE = '__Host-neonpanel-consent';

/** Makes sure this browser has the cookie. @returns the form's hidden value */
export function consentCode(ctx: Context, secrets: Secrets, uid: string): string {
  const held = ctx.cookies.get(COOKIE, { signed: false });
  const browser = held && isSigned(secrets, held) ? held : newBrowser(secrets);
  setHostCookie(ctx, COOKIE, browser, INTERACTION_TTL_SECONDS);
  return secrets.mac('consent', `${uid} ${browser}`);
}

/** Whether this browser holds a cookie of ours: it goes a quarter of an hour after the last page with a form. */
export function hasConsentCookie(ctx: Context, secrets: Secrets): boolean {
  const held = ctx.cookies.get(COOKIE, { signed: false });
  return held !== undefined && isSigned(secrets, held);
}

/**
 * @param ownOrigin the origin of our pages
 * @throws Refusal 403 if the submission did not come from our page in this very browser
 */
export function checkConsentSubmission(
  ctx: Context,
  secrets: Secrets,
  options: { uid: string; code: string; ownOrigin: string },
): void {
  const problem = submissionProblem(ctx, secrets, options);
  if (problem !== undefined) throw forged(problem);
}

/** @returns what is wrong with the submission of a form that `consentCode` was put into; undefined if nothing is */
export function submissionProblem(
  ctx: Context,
  secrets: Secrets,
  options: { uid: string; code: string; ownOrigin: string },
): string | undefined {
  const foreign = foreignOrigin(ctx, options.ownOrigin);
  if (foreign !== undefined) return foreign;
  const held = ctx.cookies.get(COOKIE, { signed: false });
  const isOurs =
    held &&
    isSigned(secrets, held) &&
    secrets.verifyMac('consent', `${options.uid} ${held}`, options.code);
  return isOurs ? undefined : 'consent code does not match this browser';
}

/** @returns from where a form was submitted, if that was not a page of ours (as far as the browser says) */
export function foreignOrigin(ctx: Context, ownOrigin: string): string | undefined {
  const site = ctx.get('Sec-Fetch-Site');
  const origin = ctx.get('Origin');
  // `null`: our pages send no referrer, and browsers then hide the origin of the form as well.
  const isForeign =
    (site !== '' && site !== 'same-origin' && site !== 'none') ||
    (origin !== '' && origin !== 'null' && origin !== ownOrigin);
  return isForeign ? `submitted from ${origin || 'elsewhere'} (${site})` : undefined;
}

function newBrowser(secrets: Secrets): string {
  const random = randomBytes(32).toString('base64url');
  return `${random}.${secrets.mac('browser', random)}`;
}

function isSigned(secrets: Secrets, cookie: string): boolean {
  const [, random, code] = /^([\w-]{43})\.([\w-]{43})$/.exec(cookie) ?? [];
  return random !== undefined && secrets.verifyMac('browser', random, code!);
}
