import { parse, type HTMLElement } from 'node-html-parser';
import { CookieJar, type Cookie } from 'tough-cookie';
import { request } from 'undici';
import { formOf, type Form } from './browser-form.ts';
import { fetchMetadata, originAndReferer, sameSiteContext, type Trip } from './browser-headers.ts';

/**
 * A browser without scripts: cookies, redirects, forms and the headers by which a server tells where a request comes
 * from (Origin, Referer, Sec-Fetch-*), as Chromium sends them. Deterministic and quick, so most tests of pages use it;
 * chromium.ts is for what only a real browser can show.
 */
export interface Browser {
  /** Opens an address as if typed by the user. */
  goto(url: string | URL, options?: Visit): Promise<Page>;
  /**
   * Stops before following a redirect to such an address, e.g. the client's redirect_uri. Schemes other than http and
   * https always stop, because a browser hands them to another application.
   */
  stopAt(predicate: (url: URL) => boolean): void;
  /** Cookies that would be sent to this address. */
  cookies(url: string | URL): Cookie[];
  /** Plants a cookie, in the syntax of Set-Cookie. @returns whether the jar took it */
  setCookie(url: string | URL, cookie: string): boolean;
  /** Another browser with the same cookies from here on. */
  copy(): Browser;
}

export interface Visit {
  /** Default: GET, or POST when `form` is given. */
  readonly method?: string;
  /** Sent as application/x-www-form-urlencoded. */
  readonly form?: Readonly<Record<string, string>> | URLSearchParams;
  /** Added to, and stronger than, what the browser sends by itself. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The address of the page whose link or form leads here. Default: none, the user typed it. */
  readonly from?: string;
}

export interface Hop {
  readonly url: string;
  readonly status: number;
  readonly setCookie: readonly string[];
}

export interface Page {
  /** Where the last response came from. */
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly dom: HTMLElement;
  /** Every response on the way, this one included. */
  readonly history: readonly Hop[];
  /** The address that was not followed. */
  readonly stoppedAt: URL | undefined;
  /** The only form that matches. @throws when there is none or more than one */
  form(selector?: string): Form;
  /** Follows a link of this page. */
  follow(selector: string): Promise<Page>;
}

const MAX_REDIRECTS = 20;

const OWN_HEADERS = {
  accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'accept-language': 'en-US,en;q=0.9',
  'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) Chrome/150.0.0.0 Safari/537.36',
};

/** @param options.headers sent with every request */
export function createBrowser(options: { headers?: Record<string, string> } = {}): Browser {
  return build(new CookieJar(undefined, { prefixSecurity: 'silent' }), options.headers ?? {});
}

function build(
  jar: CookieJar,
  headers: Record<string, string>,
  stop: (url: URL) => boolean = () => false,
): Browser {
  let stopHere = stop;
  const browser: Browser = {
    goto: (url, visit = {}) => navigate(new URL(url), visit, undefined),
    stopAt(predicate) {
      stopHere = predicate;
    },
    cookies: (url) => jar.getCookiesSync(String(url)),
    setCookie: (url, cookie) =>
      jar.setCookieSync(cookie, String(url), { ignoreError: true }) !== undefined,
    copy: () => build(jar.cloneSync()!, headers, stopHere),
  };

  /** @param referrerPolicy of the page that leads here */
  async function navigate(
    start: URL,
    visit: Visit,
    referrerPolicy: string | undefined,
  ): Promise<Page> {
    const trip: Trip = {
      initiator: visit.from === undefined ? undefined : new URL(visit.from),
      referrerPolicy,
      chain: [start],
    };
    let method = visit.method ?? (visit.form ? 'POST' : 'GET');
    let body = visit.form ? new URLSearchParams(visit.form).toString() : undefined;
    const history: Hop[] = [];

    for (let url = start; ;) {
      const answer = await send(url, method, body, trip, visit.headers);
      const setCookie = answer.headers.getSetCookie();
      history.push({ url: url.href, status: answer.status, setCookie });
      for (const cookie of setCookie) jar.setCookieSync(cookie, url.href, { ignoreError: true });

      const next = redirectTarget(answer, url);
      const stopped = next && (!/^https?:$/.test(next.protocol) || stopHere(next));
      if (!next || stopped) return pageOf(url, answer, history, stopped ? next : undefined);
      if (history.length > MAX_REDIRECTS) throw new Error(`too many redirects at ${next.href}`);

      if (answer.status === 303 || (answer.status < 303 && method === 'POST')) {
        if (method !== 'HEAD') method = 'GET';
        body = undefined;
      }
      trip.referrerPolicy = answer.headers.get('referrer-policy') ?? trip.referrerPolicy;
      trip.chain.push(next);
      url = next;
    }
  }

  async function send(
    url: URL,
    method: string,
    body: string | undefined,
    trip: Trip,
    more: Visit['headers'],
  ): Promise<Answer> {
    const sameSite = sameSiteContext(trip, url, method);
    const cookie = jar.getCookieStringSync(url.href, { sameSiteContext: sameSite });
    const answer = await request(url, {
      method,
      body: body ?? null,
      headers: {
        ...OWN_HEADERS,
        ...fetchMetadata(trip),
        ...originAndReferer(trip, url, method),
        ...(body !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
        ...(cookie && { cookie }),
        ...headers,
        ...more,
      },
    });
    const received = new Headers();
    for (const [name, value] of Object.entries(answer.headers))
      for (const one of [value].flat()) if (one !== undefined) received.append(name, one);
    return { status: answer.statusCode, headers: received, text: await answer.body.text() };
  }

  function pageOf(
    url: URL,
    answer: Answer,
    history: readonly Hop[],
    stoppedAt: URL | undefined,
  ): Page {
    const dom = parse(answer.text);
    const policy = answer.headers.get('referrer-policy') ?? undefined;
    const lead = (to: URL, visit: Visit): Promise<Page> =>
      navigate(to, { from: url.href, ...visit }, policy);
    return {
      url: url.href,
      ...answer,
      dom,
      history,
      stoppedAt,
      form: (selector = 'form') => formOf(only(dom, selector, answer), url, lead),
      follow(selector) {
        const href = only(dom, selector, answer).getAttribute('href');
        if (href === undefined) throw new Error(`${selector} has no href`);
        return lead(new URL(href, url), {});
      },
    };
  }

  return browser;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

function redirectTarget(answer: Answer, url: URL): URL | undefined {
  const location = answer.headers.get('location');
  if (![301, 302, 303, 307, 308].includes(answer.status) || location === null) return undefined;
  const target = new URL(location, url);
  if (!target.hash) target.hash = url.hash;
  return target;
}

function only(dom: HTMLElement, selector: string, answer: Answer): HTMLElement {
  const found = dom.querySelectorAll(selector);
  if (found.length === 1) return found[0]!;
  throw new Error(
    `${found.length} elements match ${selector} in:\n${answer.status} ${answer.text}`,
  );
}
