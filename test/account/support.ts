import { decodeJwt } from 'jose';
import { type Browser, createBrowser, type Page } from '../support/browser.ts';
import type { Harness } from '../support/harness.ts';
import { answerLogin, type Tokens } from '../support/oauth.ts';

export interface User {
  readonly email: string;
  readonly password: string;
}

export interface SignedIn {
  readonly browser: Browser;
  /** The page of connected apps. */
  readonly page: Page;
}

/** Opens the page of connected apps and signs in there. @param base which instance */
export async function openAccount(
  harness: Pick<Harness, 'url'>,
  user: User,
  { browser = createBrowser(), base = harness.url }: { browser?: Browser; base?: string } = {},
): Promise<SignedIn> {
  const door = await browser.goto(`${base}/account`);
  const there = await door.form('form[action="/account/sign-in"]').submit();
  const page = there.url.endsWith('/account') ? there : await answerLogin(there, user);
  if (!page.url.endsWith('/account')) throw new Error(`${page.status} ${page.url} ${page.text}`);
  // NeonPanel sends the browser back to the first instance.
  return { browser, page: base === harness.url ? page : await browser.goto(`${base}/account`) };
}

export const SESSION_COOKIE = '__Host-neonpanel-account';
export const sessionIn = (browser: Browser, url: string): string | undefined =>
  browser.cookies(`${url}/account`).find(({ key }) => key === SESSION_COOKIE)?.value;

export const grantOf = ({ access_token }: Pick<Tokens, 'access_token'>): string =>
  decodeJwt(access_token).grant_id as string;

/** The grants that a page offers to disconnect. */
export const listed = ({ dom }: Page): string[] =>
  dom
    .querySelectorAll('.connection a')
    .map((link) => link.getAttribute('href')!.split('/').at(-1)!)
    .sort();

/** What is said about one of them: `Number of calls` → `3`. */
export function factsOf({ dom }: Page, grantId: string): Record<string, string> {
  const row = dom
    .querySelectorAll('.connection')
    .find((each) => each.toString().includes(`/${grantId}"`));
  if (!row) throw new Error(`${grantId} is not listed in ${dom.toString()}`);
  const pairs = row.querySelectorAll('dl div');
  return Object.fromEntries(
    pairs.map((pair) => [pair.querySelector('dt')!.text, pair.querySelector('dd')!.text]),
  );
}

export const endedOn = ({ dom }: Page): string[] =>
  dom.querySelectorAll('.ended li').map((each) => each.text.replaceAll(/\s+/g, ' '));

/** Whether it is the page before signing in. */
export const isDoor = (page: Page): boolean =>
  page.status === 200 && page.dom.querySelector('form[action="/account/sign-in"]') !== null;
