import test from 'ava';
import { createBrowser } from './browser.ts';
import { launchChromium } from './chromium.ts';
import { startTestServer, type ReceivedRequest, type TestServer } from './http-server.ts';

/**
 * The same journeys in our browser and in a real Chromium, compared by what the server was sent. This is what the
 * tests of consent, callback and cookies rest on.
 */

const COOKIES = [
  '__Host-lax=1; Path=/; Secure; HttpOnly; SameSite=Lax',
  '__Host-bad-path=1; Path=/x; Secure',
  '__Host-bad-insecure=1; Path=/',
  '__Secure-path=1; Path=/x; Secure; SameSite=Lax',
  'strict=1; Path=/; SameSite=Strict',
  'none=1; Path=/; SameSite=None; Secure',
];

/** `/set`, `/redirect?status=&to=`, and elsewhere a page with a form to `?action=` under the policy `?policy=`. */
function start(): Promise<TestServer> {
  return startTestServer(({ url }, response) => {
    const { searchParams: query, pathname } = url;
    if (pathname === '/set') response.setHeader('set-cookie', COOKIES);
    if (query.has('policy')) response.setHeader('referrer-policy', query.get('policy')!);
    if (pathname === '/redirect') {
      response.writeHead(Number(query.get('status')), { location: query.get('to')! });
      return response.end();
    }
    const action = new URL(query.get('action') ?? '/end', url).href.replaceAll('&', '&amp;');
    response.setHeader('content-type', 'text/html');
    return response.end(`<form method="${query.get('method') ?? 'post'}" action="${action}">
      <input type="hidden" name="a" value="x &amp; y"><input type="checkbox" name="c" value="1" checked>
      <input type="checkbox" name="c" value="2"><button name="d" value="no">-</button>
      <button name="d" value="yes">+</button></form>`);
  });
}

type Origins = { a: string; b: string };

const form = (origin: string, action: string, more = ''): string =>
  `${origin}/form?action=${encodeURIComponent(action)}${more}`;
const redirect = (origin: string, status: number, to: string): string =>
  `${origin}/redirect?status=${status}&to=${encodeURIComponent(to)}`;

const JOURNEYS: [title: string, pageWithForm: (o: Origins) => string][] = [
  ['a form below a path', ({ a }) => `${a}/x/form`],
  ['a foreign form', ({ a, b }) => form(b, `${a}/end`)],
  ['a foreign GET form', ({ a, b }) => form(b, `${a}/end`, '&method=get')],
  ['302', ({ a }) => form(a, redirect(a, 302, `${a}/end`))],
  ['307', ({ a }) => form(a, redirect(a, 307, `${a}/end`))],
  ['307 elsewhere', ({ a, b }) => form(a, redirect(a, 307, `${b}/end`))],
  ['303 elsewhere and back', ({ a, b }) => form(a, redirect(a, 303, redirect(b, 302, `${a}/end`)))],
];
for (const policy of ['no-referrer', 'same-origin', 'strict-origin'])
  JOURNEYS.push(
    [`a form under ${policy}`, ({ a }) => form(a, `${a}/end`, `&policy=${policy}`)],
    [`a foreign form under ${policy}`, ({ a, b }) => form(b, `${a}/end`, `&policy=${policy}`)],
  );

test('our browser sends what Chromium sends', async (t) => {
  const server = await start();
  t.teardown(server.close);
  const chromium = await launchChromium();
  t.teardown(chromium.close);
  const origins = { a: `http://localhost:${server.port}`, b: `http://127.0.0.1:${server.port}` };
  const seen = server.requests as ReceivedRequest[];

  for (const [title, pageWithForm] of JOURNEYS) {
    await chromium.context.clearCookies();
    const real = await chromium.context.newPage();
    for (const origin of Object.values(origins)) await real.goto(`${origin}/set`);
    await real.goto(pageWithForm(origins));
    await real.click('button[value=yes]');
    await real.waitForURL((url) => url.pathname === '/end', { timeout: 10_000 });
    await real.close();
    const expected = seen.splice(0).filter(notIcon);

    const browser = createBrowser();
    for (const origin of Object.values(origins)) await browser.goto(`${origin}/set`);
    const page = await browser.goto(pageWithForm(origins));
    await page.form().submit({ d: 'yes' });
    t.deepEqual(seen.splice(0).filter(notIcon).map(summary), expected.map(summary), title);
  }
});

/** Chromium asks for the icon when it likes, sometimes after its page was closed and our browser has begun. */
const notIcon = ({ url }: ReceivedRequest): boolean => url.pathname !== '/favicon.ico';

function summary({ method, url, headers, body }: ReceivedRequest): Record<string, unknown> {
  const compared = ['origin', 'referer', 'content-type', 'sec-fetch-site', 'sec-fetch-mode'];
  const cookies = headers.cookie?.split('; ').toSorted() ?? [];
  const picked = Object.fromEntries(compared.map((name) => [name, headers[name]]));
  return { method, url: url.href, body, cookies, ...picked };
}
