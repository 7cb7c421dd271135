import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { KNOWN_APPS, verifiedApp } from '../auth/known-apps.ts';
import { startApp } from '../app.ts';
import { ConfigError, isLoopbackHostname, loadConfig } from '../config.ts';
import { createLog } from '../log.ts';
import { accentsOf, contrast, parse } from '../views/accent.ts';
import { TEXTS } from '../views/texts/texts.ts';
import { approve, openConsent, refusedByPage, stopAtClient, storedKinds } from './login-support.ts';
import { createBrowser, type Page } from './support/browser.ts';
import { startHarness } from './support/harness.ts';
import { answerConsent, answerLogin, redeem } from './support/oauth.ts';

/** What the consent page tells about who asks, how requests end, and how a brand looks. */

let aheadMs = 0;
const harness = await startHarness({ now: () => Date.now() + aheadMs });
const { url, sandbox } = harness;
const [ada] = sandbox.users as [(typeof sandbox.users)[0]];
test.after.always(() => harness.close());

const { consent: says, messages } = TEXTS.en;
const shown = (page: Page, selector: string) => page.dom.querySelector(selector)?.text;
const tellsThat = (t: ExecutionContext, page: Page, key: keyof typeof messages): void => {
  t.is(shown(page, 'h1'), messages[key].title);
  t.is(shown(page, 'main > p'), messages[key].text);
};

const redirectingTo = (uri: string, name = 'Some app') =>
  openConsent(harness, { metadata: { client_name: name, redirect_uris: [uri] } });

// ---------------------------------------------------------------------- who asks

test('[A12] the list of known apps has exact hosts, none of them local, each once', (t) => {
  const hosts = KNOWN_APPS.flatMap((one) => one.hosts);
  t.is(new Set(hosts).size, hosts.length);
  for (const host of hosts) {
    t.is(new URL(`https://${host}/`).host, host, 'in canonical spelling, without a port');
    t.regex(host, /^[a-z0-9-]+(\.[a-z0-9-]+)+$/);
    t.false(isLoopbackHostname(host));
  }
  for (const { app, names } of KNOWN_APPS) t.regex(app, names);
});

for (const { app, hosts } of KNOWN_APPS) {
  for (const host of hosts) {
    test(`[A12] an answer that goes to ${host} is marked as going to ${app}, and what that means is said`, async (t) => {
      const { page } = await redirectingTo(`https://${host}/callback`, app);
      t.is(shown(page, 'h1'), `Let ${host} read your NeonPanel data?`);
      t.is(shown(page, '.verified'), `Verified address of ${app}`);
      t.regex(shown(page, 'main')!, /Verified means: according to the list we keep/);
      t.is(page.dom.querySelector('.warning'), null);
    });
  }
}

for (const uri of [
  'https://chatgpt.com.client.example/callback',
  'https://notchatgpt.com/callback',
  'https://chatgpt.com:8443/callback',
  'https://client.example/chatgpt.com',
  'https://chatgpt.co/callback',
  'https://xn--chtgpt-3ve.com/callback',
]) {
  test(`[A12] [T11] ${uri} is not marked, and warned of if it calls itself ChatGPT`, async (t) => {
    const { page } = await redirectingTo(uri, 'ChatGPT');
    t.is(page.dom.querySelector('.verified'), null);
    t.is(shown(page, '.host'), new URL(uri).host);
    const [warning, ...more] = page.dom.querySelectorAll('main > .warning');
    t.regex(warning!.text, /calls itself ChatGPT, but this address is not one that we know/);
    t.deepEqual(more, []);
  });
}

for (const uri of [
  'http://localhost:33418/',
  'http://127.0.0.1:33418/',
  'http://[::1]:5000/cb',
  'cursor://anysphere.cursor-mcp/oauth/callback',
  'vscode://vscode.github/callback',
  'claude://claude.ai/callback',
]) {
  test(`[A12] [T11] ${uri} is never marked, whatever the app is called`, async (t) => {
    t.is(verifiedApp(uri), undefined);
    const { page } = await redirectingTo(uri, 'Claude');
    t.is(page.dom.querySelector('.verified'), null);
    t.is(page.dom.querySelectorAll('main > .warning').length, 1);
  });
}

for (const name of [
  'CHAT_GPT',
  'Chat-GPT 5',
  'Ｃｈａｔ ＧＰＴ',
  'c l a u d e',
  'Claude2',
  'Сһаt GРТ',
  'Çlàudé',
  'Сursоr',
  'Nеоn Раnеl',
  'NeonPanel',
  'neon-panel',
]) {
  test(`[A12] [T11] an app elsewhere that calls itself ${name} is warned of`, async (t) => {
    const { page } = await redirectingTo('https://client.example/callback', name);
    t.is(page.dom.querySelectorAll('main > .warning').length, 1);
  });
}

test('[A12] an app of a verified address may name others beside itself', async (t) => {
  const { page } = await redirectingTo('https://claude.ai/api/cb', 'ChatGPT tools for Claude');
  t.is(page.dom.querySelector('.warning'), null);
  const other = await redirectingTo('https://claude.ai/api/cb', 'ChatGPT');
  t.truthy(other.page.dom.querySelector('.warning'));
});

test('an app with a name of its own gets neither mark nor warning', async (t) => {
  for (const name of [
    'Ledger desk',
    'Precursor',
    'Claudette',
    'Metadata maid',
    'Склад',
    'Λογιστής',
  ]) {
    const { page } = await redirectingTo('https://client.example/callback', name);
    t.is(page.dom.querySelector('.verified, .warning'), null, name);
    t.is(shown(page, 'main q'), name);
  }
});

test('[D14] the page says what is allowed and what is not, and what happens next', async (t) => {
  const { page } = await openConsent(harness);
  const text = shown(page, 'main')!.replaceAll(/\s+/g, ' ');
  const neonpanel = new URL(sandbox.url).host;
  for (const told of [
    `${says.read} ${says.readAllows}`,
    says.readForbids,
    `${says.write} ${says.writeAllows}`,
    'It can’t create, change or delete anything',
    `You sign in at NeonPanel, at ${neonpanel}.`,
    'You are sent back to client.example',
    `You can end the connection at any time, at ${new URL(harness.url).host}/account.`,
  ])
    t.true(text.includes(told), told);
  t.regex(text, /This request expires in 1[45] minutes, at \d\d:\d\d UTC\./);
  const buttons = page.dom.querySelectorAll('.buttons > button');
  t.deepEqual(
    buttons.map((button) => [button.getAttribute('name'), button.getAttribute('value')]),
    [
      ['decision', 'approve'],
      ['decision', 'deny'],
    ],
  );
  const reading = await openConsent(harness, { parameters: { scope: 'neonpanel.read' } });
  t.false(shown(reading.page, 'main')!.includes(says.write));
});

test('a form without a decision brings the page back with what is wrong on top, and can be sent then', async (t) => {
  const { page, browser, attempt } = await openConsent(harness);
  const form = { csrf: page.form().fields.get('csrf')!, scope: 'neonpanel.write' };
  const again = await browser.goto(page.url, { form, from: page.url });
  refusedByPage(t, harness, again, 400);
  const summary = again.dom.querySelector('[role=alert]')!;
  t.is(summary.querySelector('h2')?.text, says.problem);
  const link = summary.querySelector('a')!;
  t.is(link.text, says.problemChoose);
  t.truthy(again.dom.querySelector(link.getAttribute('href')!)?.querySelector('button'));
  t.true(shown(again, 'title')!.startsWith(`${says.problem} – `));
  t.false(again.dom.querySelector('input[type=checkbox]')!.hasAttribute('checked'));
  t.regex((await approve(harness, { page: again, browser, attempt })).href, /authorize/);
  const json = await browser.goto(page.url, { form, headers: { accept: 'application/json' } });
  t.is(json.status, 400);
  t.is(JSON.parse(json.text).error, 'invalid_request');
});

// ---------------------------------------------------------------------- how it ends

// These two change what the others would see too. In the first, nothing is remembered yet of what NeonPanel says.
test.serial(
  '[D18] when NeonPanel can’t be reached, trying again takes up the same request',
  async (t) => {
    const { page, browser, attempt, uid } = await openConsent(harness);
    sandbox.faults.set('html-500', { operation: 'metadata', times: 2 });
    const away = await answerConsent(page, { write: true });
    refusedByPage(t, harness, away, 502);
    tellsThat(t, away, 'neonpanelAway');
    t.deepEqual(storedKinds(harness, uid), ['interaction', 'login']);
    const again = await away.follow('a.button');
    t.is(again.url, page.url);
    const login = await answerConsent(again, { write: false });
    const { stoppedAt } = await answerLogin(login, ada);
    t.truthy(stoppedAt, login.text);
    const { body } = await redeem(url, attempt, stoppedAt!.searchParams.get('code')!);
    t.is(body.scope, 'neonpanel.read');
    t.is((await browser.goto(page.url)).status, 400);
  },
);

test.serial(
  '[X14] people are told which way a request ended: used, cancelled, another browser, too late',
  async (t) => {
    const used = await openConsent(harness);
    const login = await answerConsent(used.page);
    const back = (await answerLogin(login, ada)).history.find((hop) =>
      hop.url.includes('/callback'),
    )!;
    tellsThat(t, await used.browser.goto(used.page.url), 'used');
    tellsThat(t, await used.browser.goto(back.url), 'used');
    tellsThat(t, await createBrowser().goto(used.page.url), 'used');

    const declined = await openConsent(harness);
    await answerConsent(declined.page, { decision: 'deny' });
    tellsThat(t, await declined.browser.goto(declined.page.url), 'declined');

    const elsewhere = await openConsent(harness);
    tellsThat(t, await createBrowser().goto(elsewhere.page.url), 'otherBrowser');
    const upstream = await approve(harness, elsewhere);
    const stranger = createBrowser();
    tellsThat(t, await answerLogin(await stranger.goto(upstream), ada), 'otherBrowser');

    t.teardown(() => {
      aheadMs = 0;
    });
    const late = await openConsent(harness);
    const started = await approve(harness, late);
    stopAtClient(late.browser, late.attempt);
    aheadMs += 601_000;
    tellsThat(t, await answerLogin(await late.browser.goto(started), ada), 'expired');
    aheadMs += 300_000;
    tellsThat(t, await late.browser.goto(late.page.url), 'expired');
  },
);

test('an app that is gone is named, if the address it is at is a known one', async (t) => {
  const removed = `${url}/oauth2/authorize?response_type=code&client_id=gone-long-ago&redirect_uri=`;
  for (const [redirectUri, app] of [
    ['https://chatgpt.com/connector_platform_oauth_redirect', 'ChatGPT'],
    ['https://claude.ai/api/mcp/auth_callback', 'Claude'],
    ['cursor://anysphere.cursor-mcp/oauth/callback', 'Cursor'],
  ] as const) {
    const page = await createBrowser().goto(removed + encodeURIComponent(redirectUri));
    refusedByPage(t, harness, page, 400);
    t.is(shown(page, 'h1'), `${app} is not known here any more`);
    t.regex(
      shown(page, 'main')!,
      new RegExp(`Remove the NeonPanel connector in ${app} and add it`),
    );
  }
  for (const redirectUri of ['https://evil.example/<b>ChatGPT', 'http://localhost:1/', '%', '']) {
    const page = await createBrowser().goto(removed + encodeURIComponent(redirectUri));
    t.is(shown(page, 'h1'), messages.unknownClient.title, redirectUri);
    t.false(page.text.includes('evil.example'));
  }
});

// ---------------------------------------------------------------------- the front door and the brand

test('the front door has the address, a guide for each app and its own state, and its script is ours', async (t) => {
  const page = await createBrowser().goto(`${url}/`);
  const guides = page.dom.querySelectorAll('.guides h3').map((heading) => heading.text);
  t.deepEqual(guides, ['ChatGPT', 'Claude', 'Claude Code', 'Cursor', 'VS Code', 'Other apps']);
  const codes = page.dom.querySelectorAll('.copyable code').map((code) => code.text);
  t.is(codes.length, 5);
  t.true(codes.every((code) => code.includes(`${url}/mcp`)));
  t.is(shown(page, '.status'), TEXTS.en.home.statusUp);
  t.is(page.dom.querySelector('button'), null, 'no button that does nothing without a script');
  const policy = page.headers.get('content-security-policy')!;
  t.regex(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
  const script = page.dom.querySelector('script')!.getAttribute('src')!;
  const answer = await fetch(url + script);
  t.is(answer.headers.get('content-type'), 'text/javascript; charset=utf-8');
  t.notRegex(await answer.text(), /https?:|import|eval|innerHTML/);
});

test('the front door says so when the store is away', async (t) => {
  const other = await startHarness({ store: 'redis' });
  t.teardown(() => other.close());
  await other.redis!.kill();
  const page = await createBrowser().goto(`${other.url}/`);
  t.is(page.status, 200);
  t.is(shown(page, '.status'), TEXTS.en.home.statusDown);
});

const SVG =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><script>alert(1)</script></svg>';
const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');

test('a brand has its name, logo, colour and help on every page, all served from here', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'neonpanel-mcp-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const logo = join(folder, 'logo.svg');
  writeFileSync(logo, `<?xml version="1.0"?>\n<!-- ours -->\n${SVG}`);
  const env = { BRAND_NAME: 'Copper', BRAND_COLOR: '#ffe600', BRAND_LOGO: logo };
  const branded = await startHarness({
    env: { ...env, SUPPORT_URL: 'mailto:help@copper.example' },
  });
  t.teardown(() => branded.close());
  const { page } = await openConsent(branded);
  const error = await createBrowser().goto(`${branded.url}/nowhere`);
  for (const one of [page, error, await createBrowser().goto(`${branded.url}/`)]) {
    t.is(shown(one, '.brand'), 'Copper');
    const src = one.dom.querySelector('.brand img')!.getAttribute('src')!;
    t.regex(src, /^\/assets\/logo\.svg\?v=[0-9a-f]{8}$/);
    const answer = await fetch(branded.url + src);
    t.is(answer.headers.get('content-type'), 'image/svg+xml');
    t.regex(answer.headers.get('content-security-policy')!, /^default-src 'none';.* sandbox$/);
    t.is(await answer.text(), `<?xml version="1.0"?>\n<!-- ours -->\n${SVG}`);
    const help = one.dom.querySelectorAll('a[href="mailto:help@copper.example"]');
    t.is(help.length, 1, 'one way to get help');
  }
  const href = page.dom.querySelector('link[rel=stylesheet]')!.getAttribute('href')!;
  const css = await (await fetch(branded.url + href)).text();
  const { light, dark } = accentsOf('#ffe600');
  t.true(css.includes(`--accent: ${light.accent}; --accent-text: ${light.text};`));
  t.true(css.includes(`--accent: ${dark.accent}; --accent-text: ${dark.text};`));
  t.not(light.accent, '#ffe600', 'yellow on white can’t be read');
  t.is(dark.accent, '#ffe600');
  const own = await openConsent(harness);
  const ownHref = own.page.dom.querySelector('link[rel=stylesheet]')!.getAttribute('href');
  t.not(href, ownHref, 'another stylesheet has another address');
});

test('a logo that is not what its name says, too large or not there stops the start', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'neonpanel-mcp-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const files: [name: string, content: string | Buffer | undefined][] = [
    ['a.png', SVG],
    ['b.svg', PNG],
    ['c.svg', '<html><svg></svg></html>'],
    ['d.png', Buffer.concat([PNG, Buffer.alloc(200 * 1024)])],
    ['e.svg', undefined],
  ];
  const start = (path: string) =>
    startApp(loadConfig({ BRAND_LOGO: path, DATA_DIR: folder }), { log: createLog('silent') });
  for (const [name, content] of files) {
    const path = join(folder, name);
    if (content !== undefined) writeFileSync(path, content);
    const error = await t.throwsAsync(start(path), {
      instanceOf: ConfigError,
    });
    t.regex(
      error!.message,
      /BRAND_LOGO: names a file .*; expected an SVG or PNG of at most 200 KiB/,
    );
  }
});

test('a brand’s colour, whatever it is, can be read on light and dark grounds, and text on it', (t) => {
  const grounds = { light: ['#ffffff', '#f3f5f8'], dark: ['#0e1217', '#171c23', '#1f2630'] };
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffff }), (number) => {
      const color = `#${number.toString(16).padStart(6, '0')}`;
      const accents = accentsOf(color);
      return (['light', 'dark'] as const).every((scheme) => {
        const { accent, text } = accents[scheme];
        const ratios = [text, ...grounds[scheme]].map((one) => contrast(parse(accent), parse(one)));
        return ratios.every((ratio) => ratio >= 4.5);
      });
    }),
    { numRuns: process.env.LONG_TESTS ? 100_000 : 2_000 },
  );
  t.pass();
});
