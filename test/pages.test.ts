import { readFileSync } from 'node:fs';
import test from 'ava';
import { nothingGranted, openConsent, refusedByPage } from './login-support.ts';
import { createBrowser, type Page } from './support/browser.ts';
import { startHarness } from './support/harness.ts';
import { answerConsent, authorizationRequest, register } from './support/oauth.ts';

const harness = await startHarness({
  env: {
    BRAND_NAME: 'Copper & Pine <b>',
    SUPPORT_URL: 'https://neonpanel.example/support?a=1&b=2',
    OPENAI_APPS_CHALLENGE: 'v1.kZq-7_ownership',
  },
});
const { url } = harness;
test.after.always(() => harness.close());

const HTML = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
const get = (path: string, accept?: string) =>
  fetch(url + path, { redirect: 'manual', headers: accept === undefined ? {} : { accept } });

/** One of each page we have. */
async function allPages(): Promise<[what: string, page: Page][]> {
  const { client_id } = (await register(url)).body;
  const browser = createBrowser();
  const consent = await openConsent(harness, {
    metadata: { client_name: 'Desk <i>app</i>', redirect_uris: ['http://127.0.0.1:1/cb'] },
  });
  const spoilt = await openConsent(harness);
  harness.sandbox.faults.set('html-500', { operation: 'metadata', times: 2 });
  const retry = await answerConsent(spoilt.page);
  return [
    ['home', await browser.goto(`${url}/`)],
    ['consent', consent.page],
    [
      'consent, reading only',
      (await openConsent(harness, { parameters: { scope: 'neonpanel.read' } })).page,
    ],
    ['nothing here', await browser.goto(`${url}/nowhere`)],
    ['unknown client', await browser.goto(`${url}/oauth2/authorize?client_id=nobody-here`)],
    [
      'foreign redirect',
      await browser.goto(
        `${url}/oauth2/authorize?client_id=${client_id}&redirect_uri=https://evil.example/`,
      ),
    ],
    ['over', await browser.goto(`${url}/interaction/aaaaaaaaaaaaaaaaaaaaa`)],
    ['bad callback', await browser.goto(`${url}/oauth2/authorize/callback`)],
    ['forged form', await browser.goto(consent.page.url, { form: { decision: 'approve' } })],
    ['wrong method', await browser.goto(`${url}/oauth2/authorize`, { form: { a: 'b' } })],
    ['long state', await browser.goto(`${url}/oauth2/authorize?state=${'x'.repeat(5_000)}`)],
    ['NeonPanel away', retry],
  ];
}

let pages: Awaited<ReturnType<typeof allPages>> = [];
test.before(async () => {
  pages = await allPages();
});
const isError = (what: string) => !what.startsWith('home') && !what.startsWith('consent');

test('[T32] [T31] [T28] [D21] every page carries the whole set of security headers, and no CORS', (t) => {
  for (const [what, { headers, status }] of pages) {
    const policy = headers.get('content-security-policy') ?? '';
    t.true(policy.startsWith("default-src 'none';"), `${what} ${status}`);
    t.false(/unsafe|form-action|https?:|\*|data:/.test(policy), what);
    t.regex(policy, /frame-ancestors 'none'/);
    t.is(headers.get('x-frame-options'), 'DENY', what);
    t.is(headers.get('referrer-policy'), 'no-referrer', what);
    t.is(headers.get('x-content-type-options'), 'nosniff', what);
    t.is(headers.get('x-robots-tag'), 'noindex', what);
    t.is(headers.get('cache-control'), 'no-store', what);
    t.is(headers.get('cross-origin-opener-policy'), null, what);
    t.is(headers.get('strict-transport-security'), null, 'http has none');
    t.false(
      [...headers.keys()].some((name) => name.startsWith('access-control-')),
      what,
    );
    t.is(headers.get('content-type'), 'text/html; charset=utf-8', what);
    t.is(headers.get('x-powered-by') ?? headers.get('server'), null, what);
  }
});

test('[T31] pages do not answer preflights, whatever the origin', async (t) => {
  for (const path of [
    '/oauth2/authorize',
    '/oauth2/authorize/callback',
    '/interaction/aaaaaaaaaaaaaaaaaaaaa',
  ]) {
    const answer = await fetch(url + path, {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    });
    t.is(answer.status, 405, path);
    t.false(
      [...answer.headers.keys()].some((name) => name.startsWith('access-control-')),
      path,
    );
  }
});

const COPY_SCRIPT =
  /^<script src="\/assets\/copy\.js\?v=[0-9a-f]{8}" data-copy="Copy" data-copied="Copied" defer><\/script>$/;

test('pages contain no script but the home page’s own, no inline style, no handler, and load nothing but our stylesheet and icon', (t) => {
  for (const [what, { dom, text }] of pages) {
    t.is(dom.querySelectorAll('style, iframe, object, embed, base, svg').length, 0, what);
    const scripts = dom.querySelectorAll('script').map((script) => script.outerHTML);
    const copies = what === 'home' ? [COPY_SCRIPT] : [];
    t.is(scripts.length, copies.length, what);
    for (const [i, script] of scripts.entries()) t.regex(script, copies[i]!);
    for (const element of dom.querySelectorAll('*')) {
      const handlers = Object.keys(element.attributes).filter((name) => /^on|^style$/i.test(name));
      t.deepEqual(handlers, [], `${what}: ${element.toString().slice(0, 80)}`);
      const source = element.getAttribute('src');
      t.true(source === undefined || source.startsWith('/assets/'), what);
    }
    const links = dom.querySelectorAll('link').map((link) => link.getAttribute('href'));
    t.deepEqual(
      links.map((link) => link?.replace(/\?v=[0-9a-f]{8}$/, '')),
      ['/assets/icon.svg', '/assets/style.css'],
      what,
    );
    t.false(/<meta[^>]+http-equiv/i.test(text), what);
    t.false(/\{\{|<%|undefined|\[object/.test(text), what);
  }
});

test('[D18] every error page shows the request id that is in the log, and a way to get help', (t) => {
  for (const [what, page] of pages.filter(([what]) => isError(what))) {
    refusedByPage(t, harness, page, page.status);
    t.true(page.status >= 400, what);
    const help = page.dom.querySelector('.fine a');
    t.is(help?.getAttribute('href'), 'https://neonpanel.example/support?a=1&b=2', what);
  }
});

test('[T58] [D18] no page shows a stack, a path, an address of the store, or a word of the engine', (t) => {
  for (const [what, { text }] of pages) {
    t.notRegex(
      text,
      /node_modules|\bat .*:\d+:\d+|Error:|sqlite|SessionNotFound|oidc|\/work|\/tmp/i,
      what,
    );
  }
});

test('people are told what to do next', (t) => {
  const texts = Object.fromEntries(
    pages.map(([what, { dom }]) => [what, dom.querySelector('main')!.text]),
  );
  t.regex(texts['unknown client']!, /add it again/);
  t.regex(texts['over']!, /Go back to your app and connect again/);
  t.regex(texts['bad callback']!, /connect again/);
  t.regex(texts['nothing here']!, /start from that app/);
  t.regex(texts['NeonPanel away']!, /Try again/);
  t.regex(texts['foreign redirect']!, /Go back to your app/);
});

test('statuses are right: what is refused is 4xx, what is away is 502', (t) => {
  const statuses = Object.fromEntries(pages.map(([what, { status }]) => [what, status]));
  t.deepEqual(statuses, {
    home: 200,
    consent: 200,
    'consent, reading only': 200,
    'nothing here': 404,
    'unknown client': 400,
    'foreign redirect': 400,
    over: 400,
    'bad callback': 400,
    'forged form': 403,
    'wrong method': 405,
    'long state': 400,
    'NeonPanel away': 502,
  });
});

test('[F36] [A13] unknown clients and foreign redirect URIs are answered here, without a Location', async (t) => {
  const { client_id } = (await register(url)).body;
  for (const query of [
    'client_id=nobody-here',
    `client_id=${client_id}`,
    `client_id=${client_id}&redirect_uri=https://client.example/callback/`,
    `client_id=${client_id}&redirect_uri=https://evil.example/&response_type=code`,
    '',
  ]) {
    for (const accept of [HTML, 'application/json']) {
      const answer = await get(`/oauth2/authorize?${query}`, accept);
      t.is(answer.status, 400, query);
      t.is(answer.headers.get('location'), null);
    }
  }
});

test('[D18] programs get errors as JSON, people as a page', async (t) => {
  const kinds: [accept: string | undefined, type: 'html' | 'json'][] = [
    [HTML, 'html'],
    ['text/html', 'html'],
    ['text/html;q=0.9, application/json;q=0.5', 'html'],
    ['application/json', 'json'],
    ['application/json, text/html;q=0.5', 'json'],
    ['*/*', 'json'],
    [undefined, 'json'],
    ['image/png', 'json'],
  ];
  for (const path of [
    '/nowhere',
    '/oauth2/authorize?client_id=nobody-here',
    '/oauth2/authorize/callback?state=x',
    '/interaction/aaaaaaaaaaaaaaaaaaaaa',
    '/oauth2/authorize/aaaaaaaaaaaaaaaaaaaaa',
  ]) {
    for (const [accept, type] of kinds) {
      const answer = await get(path, accept);
      const what = `${path} for ${accept}`;
      t.regex(answer.headers.get('content-type')!, new RegExp(`^(text|application)/${type}`), what);
      t.is(answer.headers.get('cache-control'), 'no-store', what);
      const body = await answer.text();
      const id = answer.headers.get('x-request-id')!;
      t.true(body.includes(id), what);
      if (type === 'json') {
        const { error, error_description, request_id } = JSON.parse(body);
        t.is(typeof error, 'string', what);
        t.is(typeof error_description, 'string', what);
        t.is(request_id, id);
      }
    }
  }
});

test('[N17] endpoints for programs answer JSON also to a browser', async (t) => {
  for (const [path, method] of [
    ['/oauth2/token', 'POST'],
    ['/oauth2/register', 'POST'],
    ['/oauth2/revoke', 'POST'],
    ['/oauth2/introspect', 'POST'],
    ['/oauth2/token', 'GET'],
    ['/mcp', 'POST'],
  ] as const) {
    const answer = await fetch(url + path, { method, headers: { accept: HTML } });
    t.true(answer.status >= 400, path);
    t.regex(answer.headers.get('content-type')!, /^application\/json/, path);
    await answer.json();
  }
});

test('the front door is a page for people and JSON for programs', async (t) => {
  const page = await get('/', HTML);
  t.is(page.status, 200);
  t.regex(page.headers.get('vary')!, /accept/i);
  t.true((await page.text()).includes(`<code>${url}/mcp</code>`));
  const data = await get('/', 'application/json');
  t.is(data.status, 200);
  t.like(await data.json(), { name: 'neonpanel-mcp', mcp_endpoint: `${url}/mcp`, issuer: url });
  t.like(await (await get('/')).json(), { mcp_endpoint: `${url}/mcp` });
});

test('the stylesheet is served as such, may be kept, and asks for nothing else', async (t) => {
  const answer = await get('/assets/style.css', 'text/css,*/*;q=0.1');
  t.is(answer.status, 200);
  t.is(answer.headers.get('content-type'), 'text/css; charset=utf-8');
  t.is(answer.headers.get('x-content-type-options'), 'nosniff');
  t.regex(answer.headers.get('cache-control')!, /^public, max-age=\d+$/);
  const css = await answer.text();
  t.is(css, readFileSync(new URL('../views/style.css', import.meta.url), 'utf8'));
  t.notRegex(css, /url\(|@import|https?:/);
});

test('the icon is served as such, and is a picture without script', async (t) => {
  const answer = await get('/assets/icon.svg', 'image/*');
  t.is(answer.status, 200);
  t.regex(answer.headers.get('content-type')!, /^image\/svg\+xml/);
  t.notRegex(await answer.text(), /script|href|\bon\w+=/);
});

test('[N43] robots are kept out', async (t) => {
  t.is(await (await get('/robots.txt')).text(), 'User-agent: *\nDisallow: /\n');
  t.is((await get('/robots.txt')).headers.get('x-robots-tag'), 'noindex');
});

test('[F6] OpenAI finds the word of OPENAI_APPS_CHALLENGE and nothing else, whatever it accepts', async (t) => {
  const path = '/.well-known/openai-apps-challenge';
  for (const accept of [undefined, '*/*', 'text/plain', 'application/json', HTML]) {
    const { status, headers, ...answer } = await get(path, accept).then(async (response) => ({
      status: response.status,
      headers: response.headers,
      text: await response.text(),
    }));
    t.is(status, 200);
    t.is(headers.get('content-type'), 'text/plain; charset=utf-8');
    t.is(answer.text, 'v1.kZq-7_ownership');
  }
  const head = await fetch(url + path, { method: 'HEAD' });
  t.is(head.status, 200);
  const other = await get(`${path}/more`);
  t.is(other.status, 404);
  t.regex(other.headers.get('content-type')!, /^application\/json/);
});

test('pages name their language and title, every field has a label, and headings go in order', (t) => {
  const titles = new Set<string>();
  for (const [what, { dom, text }] of pages) {
    t.regex(text, /^<!doctype html>\n<html lang="en">/, what);
    t.is(dom.querySelectorAll('main').length, 1, what);
    t.is(dom.querySelectorAll('h1').length, 1, what);
    t.truthy(dom.querySelector('meta[name=viewport]'), what);
    const title = dom.querySelector('title')!.text;
    t.true(title.endsWith(' – Copper & Pine <b>'), title);
    titles.add(title);
    const levels = dom.querySelectorAll('h1, h2, h3').map((h) => Number(h.rawTagName.slice(1)));
    t.true(
      levels.every((level, i) => i === 0 || level <= levels[i - 1]! + 1),
      what,
    );
    for (const field of dom.querySelectorAll('input:not([type=hidden]), select, textarea')) {
      t.truthy(field.closest('label')?.text.trim(), `${what}: ${field.toString()}`);
    }
    for (const button of dom.querySelectorAll('button, a')) t.truthy(button.text.trim(), what);
  }
  t.true(titles.size >= 6);
});

test('[T13] the brand and the name of an app are text, whatever is in them', (t) => {
  for (const [what, { dom }] of pages) {
    t.is(dom.querySelector('.brand')?.text, 'Copper & Pine <b>', what);
    t.is(dom.querySelectorAll('b, i').length, 0, what);
  }
});

test('[T59] pages are not started by HEAD, and other methods are told what is allowed', async (t) => {
  const client = (await register(url)).body;
  const { pathname, search } = authorizationRequest(url, client).url;
  const { page, uid, browser } = await openConsent(harness);
  const cookie = browser.cookies(page.url).join('; ');
  const targets: [path: string, allowed: string][] = [
    [pathname + search, 'GET'],
    [new URL(page.url).pathname, 'GET, POST'],
    ['/oauth2/authorize/callback?state=x', 'GET'],
  ];
  for (const [path, allowed] of targets) {
    for (const method of ['HEAD', 'PUT', 'DELETE', 'PATCH']) {
      const answer = await fetch(url + path, { method, headers: { cookie }, redirect: 'manual' });
      t.is(answer.status, 405, `${method} ${path}`);
      t.is(answer.headers.get('allow'), allowed);
      t.deepEqual(answer.headers.getSetCookie(), []);
    }
    const override = await fetch(`${url}${path}`, {
      headers: { cookie, 'x-http-method-override': 'DELETE', accept: HTML },
      redirect: 'manual',
    });
    t.not(override.status, 405);
  }
  nothingGranted(t, harness, uid);
});
