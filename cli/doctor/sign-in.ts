import { createServer, type Server } from 'node:http';
import { createHeadlessBrowser, type Page } from '../headless-browser.ts';
import { Unanswered } from './http.ts';
import { isLoopback } from './target.ts';

/** A way to get from an authorization request to the answer at the redirect URI. */
export interface SignIn {
  /** Where the client listens, or would. */
  readonly port: number;
  /** A person takes part, whose time does not count. */
  readonly byPerson: boolean;
  /**
   * @param fetch for what is fetched without a person
   * @returns the address that the answer came to
   * @throws Unanswered
   */
  answer(request: {
    url: URL;
    redirectUri: string;
    state: string;
    fetch: typeof globalThis.fetch;
  }): Promise<URL>;
  close(): Promise<void>;
}

export interface Credentials {
  readonly email: string;
  readonly password: string;
}

/** A port where nothing listens: the headless browser stops in front of it. */
const UNUSED_PORT = 54_321;
/** Consent, login, and what a login may ask in between. */
const MAX_PAGES = 6;
const PERSON_TIMEOUT_MS = 180_000;

/**
 * Fills in the forms itself: for the sandbox and for test accounts. It asks for nothing that a box must be ticked for, so
 * what it is granted can read only.
 */
export const signInHeadless = (credentials: Credentials): SignIn => ({
  port: UNUSED_PORT,
  byPerson: false,
  close: async () => {},
  async answer({ url, redirectUri, fetch }) {
    const browser = createHeadlessBrowser((to) => to.href.startsWith(redirectUri), fetch);
    let page = await browser.visit(url);
    let hasSignedIn = false;
    for (let pages = 0; page.status !== 0; pages++) {
      const isLogin = /<input\b[^>]*type="?password/i.test(page.html);
      const problem = deadEnd(page, isLogin, isLogin && hasSignedIn, pages);
      if (problem) throw new Unanswered(problem);
      hasSignedIn ||= isLogin;
      page = await browser.submit(page, isLogin ? loginAnswers(page, credentials) : approval(page));
    }
    return page.url;
  },
});

function deadEnd(page: Page, isLogin: boolean, isRepeated: boolean, pages: number) {
  const where = `${page.url.origin}${page.url.pathname}`.slice(0, 200);
  // Whatever status it has: the form is shown again to whoever was wrong.
  if (isRepeated) {
    return {
      cause: `the login at ${page.url.origin} does not take the e-mail address and password`,
      fix: 'Give those of a user of the sandbox, or use --browser.',
    };
  }
  if (page.status >= 400) {
    return {
      cause: `sign-in ends at ${where} with ${page.status}: ${textOf(page.html)}`,
      fix: 'See the log of the server for the request; a cookie that is lost on the way is a usual cause.',
    };
  }
  if (isLogin && page.url.protocol === 'http:' && !isLoopback(page.url)) {
    return {
      cause: `the login is at ${where}, without TLS; the password was not sent`,
      fix: 'Serve the login over https.',
    };
  }
  if (pages >= MAX_PAGES || !/<form\b/i.test(page.html)) {
    return {
      cause: `sign-in gets stuck at ${where}, where there is no form that doctor understands`,
      fix: 'Use --browser and sign in there yourself.',
    };
  }
  return undefined;
}

function loginAnswers(page: Page, { email, password }: Credentials): Record<string, string> {
  const nameOf = (kind: RegExp) =>
    [...page.html.matchAll(/<input\b[^>]*>/gi)]
      .map(([tag]) => tag)
      .filter((tag) => kind.test(tag))
      .map((tag) => /\bname="([^"]*)"/i.exec(tag)?.[1])
      .find(Boolean);
  const user = nameOf(/type="?email|name="[^"]*(email|user|login)/i) ?? 'email';
  return { [user]: email, [nameOf(/type="?password/i) ?? 'password']: password };
}

/** Whatever button says yes. */
function approval(page: Page): Record<string, string> {
  for (const [tag] of page.html.matchAll(/<(?:button|input)\b[^>]*>/gi)) {
    const value = /\bvalue="([^"]*)"/i.exec(tag)?.[1];
    const name = /\bname="([^"]*)"/i.exec(tag)?.[1];
    if (name && value && /approve|allow|accept|authori[sz]e|yes/i.test(value)) {
      return { [name]: value };
    }
  }
  return {};
}

const textOf = (html: string): string =>
  html
    .replace(/<(style|script)\b[\s\S]*?<\/\1>/gi, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 200);

/**
 * A person signs in, in a browser of theirs; the answer comes to a listener on loopback (RFC 8252 §7.3).
 *
 * @param show tells the person where to go
 * @throws Error if this machine has no port to listen on
 */
export async function signInByBrowser(
  show: (url: URL) => void,
  timeoutMs = PERSON_TIMEOUT_MS,
): Promise<SignIn> {
  let waiting: { redirectUri: string; state: string; done: (url: URL) => void } | undefined;
  const server = createServer((request, response) => {
    const url = URL.parse(request.url ?? '', waiting?.redirectUri);
    const isIt =
      !!waiting &&
      url?.pathname === new URL(waiting.redirectUri).pathname &&
      url.searchParams.get('state') === waiting.state;
    response.writeHead(isIt ? 200 : 404, {
      'content-type': 'text/plain; charset=utf-8',
      // The code in the address goes nowhere else.
      'referrer-policy': 'no-referrer',
      connection: 'close',
    });
    response.end(isIt ? 'Done. You can close this page.' : 'Nothing is expected here.');
    if (isIt) waiting?.done(url!);
  });
  const port = await listen(server);
  return {
    port,
    byPerson: true,
    async answer({ url, redirectUri, state }) {
      const { promise, resolve, reject } = Promise.withResolvers<URL>();
      waiting = { redirectUri, state, done: resolve };
      const timer = setTimeout(() => reject(new Unanswered(NOBODY_CAME)), timeoutMs);
      show(url);
      try {
        return await promise;
      } finally {
        clearTimeout(timer);
        waiting = undefined;
      }
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const NOBODY_CAME = {
  cause: 'nobody came back from the browser in time',
  fix: 'Open the printed address in a browser on this machine, and finish the sign-in there.',
};

/** `localhost` is what the redirect URI says, and what the browser makes of it differs. */
function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, 'localhost', () => {
      resolve((server.address() as { port: number }).port);
    });
  });
}
