import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import test, { type ExecutionContext } from 'ava';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';
import { startDocumentHost } from '../cimd/host.ts';
import { launchChromium } from '../support/chromium.ts';
import { startHarness } from '../support/harness.ts';
import { grantOf, openAccount, SESSION_COOKIE, sessionIn } from '../account/support.ts';
import { authorizationRequest, connect, redeem, register } from '../support/oauth.ts';
import { type Language, LANGUAGE_CODES } from '../../views/languages.ts';
import { createViews, type Message } from '../../views/render.ts';
import { fill, type MessageKey, TEXTS } from '../../views/texts/texts.ts';
import { startConnector } from './connector.ts';

/** Every page as a browser paints it and as it is read to somebody who doesn't see it. */

const connector = await startConnector();
const maker = await startDocumentHost();
const chromium = await launchChromium();
const harness = await startHarness({
  sandbox: { host: '127.0.0.1' },
  env: { SUPPORT_URL: 'https://support.example/', CIMD_TEST_ORIGIN: maker.origin },
});
const { url, sandbox } = harness;
const { context } = chromium;
test.after.always(() =>
  Promise.all([chromium, connector, harness, maker].map((each) => each.close())),
);
test.beforeEach(() => context.clearCookies());

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const clients = new Map<string, Promise<string>>();
/** The consent page's address for an app that redirects there. */
async function requestOf(redirectUri: string, name: string, parameters = {}): Promise<string> {
  const metadata = { client_name: name, redirect_uris: [redirectUri] };
  const id = clients.get(redirectUri) ?? register(url, metadata).then(({ body }) => body.client_id);
  clients.set(redirectUri, id);
  const client = { client_id: await id, redirect_uris: [redirectUri] };
  return authorizationRequest(url, client as never, parameters).url.href;
}

/** How to come to each page. */
const PAGES: Record<string, (page: Page) => Promise<unknown>> = {
  home: (page) => page.goto(`${url}/`),
  'consent, verified': async (page) =>
    page.goto(await requestOf('https://chatgpt.com/connector_platform_oauth_redirect', 'ChatGPT')),
  'consent, false name': async (page) =>
    page.goto(await requestOf('https://client.example/cb', 'Claude')),
  'consent, this computer': async (page) =>
    page.goto(await requestOf('http://localhost:4711/cb', 'Claude Code')),
  'consent, an app’s links, reading only': async (page) =>
    page.goto(await requestOf('cursor://host/cb', 'Cursor', { scope: 'neonpanel.read' })),
  'consent without a decision': async (page) => {
    await PAGES['consent, verified']!(page);
    const answered = page.waitForResponse((answer) => answer.request().method() === 'POST');
    await page.evaluate(() => document.forms[0]!.submit());
    await answered;
    await page.waitForSelector('[role=alert]');
  },
  'nothing here': (page) => page.goto(`${url}/nowhere`),
  'unknown client': (page) => page.goto(`${url}/oauth2/authorize?client_id=nobody-here`),
  'bad request': async (page) => {
    const request = new URL(await requestOf('https://client.example/cb', 'Claude'));
    request.searchParams.set('redirect_uri', 'https://elsewhere.example/');
    await page.goto(request.href);
  },
  'request over': (page) => page.goto(`${url}/interaction/aaaaaaaaaaaaaaaaaaaaa`),
  'account, signed out': (page) => page.goto(`${url}/account`),
  'account, over': async (page) => {
    await beSignedIn('o'.repeat(43));
    await page.goto(`${url}/account`);
    await context.clearCookies({ name: SESSION_COOKIE });
  },
  account: async (page) => {
    await beSignedIn((await account).id);
    await page.goto(`${url}/account`);
  },
  'account, one to disconnect': async (page) => {
    await PAGES.account!(page);
    await page.click('.connection a >> nth=0');
  },
  'account, all to disconnect': async (page) => {
    await PAGES.account!(page);
    await page.click('a[href="/account/disconnect"]');
  },
  'account, nothing connected': async (page) => {
    await beSignedIn((await nobody).id);
    await page.goto(`${url}/account`);
    await context.clearCookies({ name: SESSION_COOKIE });
  },
  'account, sign-in over': (page) =>
    page.goto(`${url}/oauth2/authorize/callback?state=account-over.x`),
};

/** Somebody who signed in, in a browser that does without what this one looks at. */
const account = (async () => {
  for (const [client_name, uri] of [
    ['ChatGPT', 'https://chatgpt.com/connector_platform_oauth_redirect'],
    ['Claude Code', 'http://localhost:54545/callback'],
    ['Cursor', 'cursor://anysphere.cursor-mcp/oauth/callback'],
  ] as const)
    await connect(harness, { metadata: { client_name, redirect_uris: [uri] } });
  const gone = await connect(harness, { metadata: { client_name: 'Gone' } });
  const { browser } = await openAccount(harness, sandbox.users[0]!);
  const id = sessionIn(browser, url)!;
  const question = await browser.goto(`${url}/account/disconnect/${grantOf(gone.tokens)}`);
  await question.form().submit();
  return { id };
})();
const nobody = openAccount(harness, sandbox.users[1]!).then(({ browser }) => ({
  id: sessionIn(browser, url)!,
}));

const beSignedIn = (value: string) =>
  context.addCookies([
    { name: SESSION_COOKIE, value, domain: 'localhost', path: '/', secure: true, httpOnly: true },
  ]);

/** A page that watches what the browser complains of, and whom it asks. */
async function open(t: ExecutionContext, language: Language = 'en') {
  const page = await context.newPage();
  t.teardown(() => page.close());
  page.setDefaultTimeout(20_000);
  await page.setExtraHTTPHeaders({ 'accept-language': language });
  const complaints: string[] = [];
  page.on('console', (message) => {
    // That an error page was one.
    if (!/^Failed to load resource: .* 4\d\d /.test(message.text()))
      complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    if (!request.url().startsWith(`${url}/`)) complaints.push(`asked ${request.url()}`);
  });
  return { page, complaints };
}

/** @returns each violation in a line; also the doubts that axe leaves to people, but for what it can't see */
async function violations(page: Page, rules?: string[]): Promise<string[]> {
  await page.evaluate(AXE);
  const { violations: found } = (await page.evaluate(
    (only) =>
      (globalThis as any).axe.run(
        document,
        only ? { runOnly: { type: 'rule', values: only } } : {},
      ),
    rules,
  )) as AxeResults;
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

const languages: readonly Language[] = process.env.LONG_TESTS ? LANGUAGE_CODES : ['en', 'ja'];
for (const language of languages) {
  test.serial(`axe finds nothing on any page, in light and dark, in ${language}`, async (t) => {
    const { page, complaints } = await open(t, language);
    for (const [what, go] of Object.entries(PAGES)) {
      await page.emulateMedia({ colorScheme: 'light' });
      await go(page);
      t.is(await page.getAttribute('html', 'lang'), language, what);
      t.deepEqual(await violations(page), [], `${what}, light`);
      await page.emulateMedia({ colorScheme: 'dark' });
      t.deepEqual(
        await violations(page, ['color-contrast', 'link-in-text-block']),
        [],
        `${what}, dark`,
      );
    }
    t.deepEqual(complaints, [], 'no word in the console, and nobody else asked');
  });
}

/** Messages that something did not work: how to come to each. */
const TROUBLES: Partial<Record<MessageKey, (page: Page) => Promise<unknown>>> = {
  notFound: PAGES['nothing here']!,
  unknownClient: PAGES['unknown client']!,
  unknownClientOf: (page) =>
    page.goto(`${url}/oauth2/authorize?client_id=nobody-here&redirect_uri=https://claude.ai/cb`),
  notPossible: PAGES['bad request']!,
  expired: PAGES['request over']!,
  over: (page) => page.goto(`${url}/oauth2/authorize/callback?state=over`),
  accountOver: PAGES['account, sign-in over']!,
  descriptionAway: (page) => {
    const answer: RequestListener = (_, response) => response.writeHead(503).end();
    return page.goto(`${url}/oauth2/authorize?client_id=${maker.serve('/away.json', answer)}`);
  },
  descriptionInvalid: (page) =>
    page.goto(`${url}/oauth2/authorize?client_id=${maker.serve('/bad.json', { client_id: 'x' })}`),
  neonpanelRefused: async (page) => {
    await page.goto(await requestOf(connector.redirectUri, 'Refused'));
    await page.click('button[value=approve]');
    await refuse(page, 'invalid_scope');
  },
  accountNotPossible: async (page) => {
    await page.goto(`${url}/account`);
    await submitWith(page, (form) => (form.enctype = 'text/plain'));
  },
  notAnAddress: (page) => page.goto(`${url}/oauth2/authorize?client_id=https:nowhere`),
  forged: async (page) => {
    await PAGES['consent, verified']!(page);
    await submitForged(page);
  },
  accountForged: async (page) => {
    await page.goto(`${url}/account`);
    await submitForged(page);
  },
  declined: async (page) => {
    await page.goto(await requestOf(connector.redirectUri, 'Declined'));
    const asked = page.url();
    await page.click('button[value=deny]');
    await page.waitForURL((to) => to.href.startsWith(connector.redirectUri));
    await page.goto(asked);
  },
  neonpanelAway: async (page) => {
    await page.goto(await requestOf(connector.redirectUri, 'Away'));
    await page.click('button[value=approve]');
    sandbox.faults.set('html-500', { path: '/oauth2/token', times: 1 });
    await signIn(page);
  },
  used: async (page) => {
    await page.goto(await requestOf(connector.redirectUri, 'Used'));
    const asked = page.url();
    await page.click('button[value=approve]');
    await signIn(page);
    await page.waitForURL((to) => to.href.startsWith(connector.redirectUri));
    await page.goto(asked);
  },
  otherBrowser: async (page) => {
    const request = await requestOf(connector.redirectUri, 'Elsewhere');
    const elsewhere = await fetch(request, { redirect: 'manual' });
    await page.goto(new URL(elsewhere.headers.get('location')!, url).href);
  },
  accountDenied: async (page) => {
    await page.goto(`${url}/account`);
    await page.click('main button');
    await refuse(page, 'access_denied');
  },
  accountAway: async (page) => {
    await page.goto(`${url}/account`);
    await page.click('main button');
    sandbox.faults.set('html-500', { path: '/oauth2/token', times: 1 });
    await signIn(page);
  },
};

/** A form that something in the browser has changed. */
const submitWith = (page: Page, change: (form: HTMLFormElement) => unknown) =>
  Promise.all([
    page.waitForResponse((answer) => answer.request().method() === 'POST'),
    page.waitForEvent('load'),
    page.evaluate(`{
      const form = document.forms[0];
      (${change})(form);
      form.submit();
    }`),
  ]);
const submitForged = (page: Page) =>
  submitWith(page, (form) => {
    (form.elements.namedItem('csrf') as HTMLInputElement).value = 'x';
  });

/** What NeonPanel's login sends back if it signs nobody in. */
async function refuse(page: Page, error: string): Promise<void> {
  const { searchParams } = new URL(page.url());
  const back = new URL(searchParams.get('redirect_uri')!);
  back.search = String(new URLSearchParams({ state: searchParams.get('state')!, error }));
  await page.goto(back.href);
}

/** Told only if something breaks in the middle of an answer, or of ours: the page itself is put into the browser. */
const BREAKS: readonly Message[] = [
  { key: 'busy' },
  { key: 'accountPartly' },
  { key: 'serverError' },
];
async function putIn(page: Page, message: Message, language: Language): Promise<void> {
  const views = createViews({ brand: 'NeonPanel', sandbox: true, supportUrl: '/help' });
  const shown = { message, supportCode: 'c0de', retryAt: '/again' };
  const body = views.message({ language, canSwitch: false }, shown);
  const address = `${url}/breaks`;
  await page.route(address, (route) => route.fulfill({ body, contentType: 'text/html' }));
  await page.goto(address);
  await page.unroute(address);
}

async function signIn(page: Page): Promise<void> {
  await page.waitForURL((to) => to.origin === sandbox.url);
  const [ada] = sandbox.users as [(typeof sandbox.users)[0]];
  await page.fill('[name=email]', ada.email);
  await page.fill('[name=password]', ada.password);
  await page.press('[name=password]', 'Enter');
  await page.waitForURL((to) => to.origin !== sandbox.url);
}

const troubleLanguages: readonly Language[] = process.env.LONG_TESTS ? LANGUAGE_CODES : ['en'];
for (const language of troubleLanguages) {
  test.serial(`axe finds nothing on what tells people of trouble, in ${language}`, async (t) => {
    const { page } = await open(t, language);
    const seen = new Set<MessageKey>();
    const isFine = async (key: MessageKey) => {
      seen.add(key);
      const { title, text } = TEXTS[language].messages[key];
      const values = { app: 'Claude', host: new URL(maker.origin).host };
      t.is(await page.textContent('h1'), fill(title, values), key);
      t.is(await page.textContent('main > p'), fill(text, values), key);
      t.deepEqual(await violations(page), [], key);
      if (!process.env.LONG_TESTS) return;
      await page.emulateMedia({ colorScheme: 'dark' });
      t.deepEqual(await violations(page, ['color-contrast', 'link-in-text-block']), [], key);
      await page.emulateMedia({ colorScheme: 'light' });
    };
    for (const [key, go] of Object.entries(TROUBLES)) {
      await context.clearCookies();
      await go(page);
      await isFine(key as MessageKey);
    }
    for (const message of BREAKS) {
      await putIn(page, message, language);
      await isFine(message.key);
    }
    // One sign-in in a minute, no app that is new, and then no store.
    const poor = await startHarness({
      store: 'redis',
      env: { RATE_LIMIT_FACTOR: '0.05', REGISTRATION: 'closed' },
    });
    t.teardown(() => poor.close());
    await page.goto(`${poor.url}/oauth2/authorize?client_id=https://app.example/client.json`);
    await isFine('notOpen');
    for (let i = 0; i < 2; i++) {
      await page.goto(`${poor.url}/account`);
      await page.click('main button');
    }
    await isFine('tooMany');
    await page.goto(`${poor.url}/account`);
    await poor.redis!.kill();
    await beSignedIn('o'.repeat(43));
    await submitWith(page, (form) => (form.action = '/account/sign-out'));
    await isFine('accountBusy');
    await page.goto(`${poor.url}/interaction/aaaaaaaaaaaaaaaaaaaaa`);
    await isFine('tryLater');
    t.deepEqual([...seen].sort(), Object.keys(TEXTS.en.messages).sort(), 'every message was seen');
  });
}

test.serial('axe does find what is wrong', async (t) => {
  const { page } = await open(t);
  await page.goto(`${url}/nowhere`);
  await page.evaluate(() => {
    document.querySelector('h1')!.style.color = '#999';
    document.querySelector('a')!.textContent = '';
  });
  const found = (await violations(page)).map((line) => line.split(':')[0]);
  t.deepEqual(found.sort(), ['color-contrast', 'link-name']);
});

test.serial(
  'every page fits 320 pixels, also with its text twice as large, and nothing on it moves',
  async (t) => {
    for (const language of ['en', 'de'] as const) {
      const { page } = await open(t, language);
      await page.emulateMedia({ reducedMotion: 'reduce' });
      for (const [what, go] of Object.entries(PAGES)) {
        await page.setViewportSize({ width: 320, height: 640 });
        await go(page);
        for (const size of ['100%', '200%']) {
          const wide = await page.evaluate((fontSize) => {
            document.documentElement.style.fontSize = fontSize;
            return document.documentElement.scrollWidth;
          }, size);
          t.true(wide <= 320, `${what} at ${size} in ${language} is ${wide} wide`);
        }
        const moving = await page.evaluate(
          () =>
            [...document.querySelectorAll('*')].filter((element) => {
              const { animationName, transitionDuration, scrollBehavior } =
                getComputedStyle(element);
              return `${animationName} ${transitionDuration} ${scrollBehavior}` !== 'none 0s auto';
            }).length,
        );
        t.is(moving, 0, what);
      }
    }
  },
);

test.serial(
  'what can be pressed is large enough, and seen where colours are the system’s',
  async (t) => {
    const { page } = await open(t);
    await page.setViewportSize({ width: 360, height: 640 });
    for (const go of [PAGES.home!, PAGES['consent, verified']!, PAGES.account!]) {
      await page.emulateMedia({ forcedColors: 'active' });
      await go(page);
      const targets = await page.locator('button, a, input:not([type=hidden])').evaluateAll((all) =>
        all.map((element) => {
          const target = element.closest('label') ?? element;
          const { width, height } = target.getBoundingClientRect();
          const { borderTopWidth, borderTopColor, backgroundColor } = getComputedStyle(element);
          const bordered = borderTopWidth !== '0px' && borderTopColor !== backgroundColor;
          return { name: element.outerHTML.slice(0, 60), width, height, bordered };
        }),
      );
      t.true(targets.length >= 6);
      for (const { name, width, height, bordered } of targets) {
        // WCAG 2.2, 2.5.8
        t.true(width >= 24 && height >= 24, `${name} is ${width} by ${height}`);
        if (name.startsWith('<button')) t.true(bordered, name);
      }
    }
  },
);

/** The page as it is read aloud. */
const read = (page: Page): Promise<string> => page.locator('body').ariaSnapshot();
const inOrder = (t: ExecutionContext, text: string, parts: readonly string[]): void => {
  let at = -1;
  for (const part of parts) {
    const next = text.indexOf(part, at + 1);
    t.true(next > at, `${part} in its place in\n${text}`);
    at = next;
  }
};

test.serial(
  'the consent page is read in order: whose address, what for, what next, the two answers',
  async (t) => {
    for (const language of ['en', 'de'] as const) {
      const { page } = await open(t, language);
      const { consent, layout } = TEXTS[language];
      await PAGES['consent, verified']!(page);
      inOrder(t, await read(page), [
        '- banner:',
        '- main:',
        `- heading "${fill(consent.heading, { target: 'chatgpt.com' })}" [level=1]`,
        fill(consent.verified, { app: 'ChatGPT' }),
        `- heading "${consent.allows}" [level=2]`,
        '- list:',
        consent.readAllows,
        consent.readForbids,
        `- checkbox "${consent.write} ${consent.writeAllows}"`,
        `- heading "${consent.next}" [level=2]`,
        `- button "${consent.approve}"`,
        `- button "${consent.deny}"`,
        '- contentinfo:',
        `- navigation "${layout.languages}":`,
      ]);
      const described = await page.locator('input[type=checkbox]').getAttribute('aria-describedby');
      t.is(await page.textContent(`#${described}`), consent.writeHint);
    }
  },
);

test.serial(
  'an answer that is missing is announced on top, and its link leads to the buttons',
  async (t) => {
    const { page } = await open(t);
    await PAGES['consent without a decision']!(page);
    const { consent } = TEXTS.en;
    inOrder(t, await read(page), [
      `- alert "${consent.problem}":`,
      `- heading "${consent.problem}" [level=2]`,
      `- link "${consent.problemChoose}"`,
      '- heading "Let chatgpt.com read your NeonPanel data?" [level=1]',
    ]);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    t.is(await page.evaluate(() => document.activeElement!.getAttribute('value')), 'approve');
  },
);

test.serial(
  'the page of connected apps is read app by app: whose address, what it may do, how it is used, how to end it',
  async (t) => {
    const { page } = await open(t);
    await PAGES.account!(page);
    const { account: says, consent } = TEXTS.en;
    const text = await read(page);
    const app = text.slice(text.indexOf('- region "chatgpt.com"'));
    inOrder(t, app, [
      '- heading "chatgpt.com" [level=2]',
      fill(consent.verified, { app: 'ChatGPT' }),
      '- list:',
      says.mayRead,
      says.mayWrite,
      `- term: ${says.first}`,
      '- definition:',
      '- time:',
      `- term: ${says.calls}`,
      `- link "${says.disconnect} chatgpt.com, connected `,
    ]);
    inOrder(t, text, [
      `- heading "${says.title}" [level=1]`,
      `- button "${says.signOut}"`,
      '- region "',
      `- link "${says.disconnectAll}"`,
      `- heading "${says.ended}" [level=2]`,
      says.why.person,
      says.again,
    ]);
  },
);

test.serial(
  '[D5] an app is disconnected by keyboard alone, from the front door through NeonPanel, and back brings nothing back',
  async (t) => {
    const { tokens } = await connect(harness, { metadata: { client_name: 'Keyboard' } });
    const { page, complaints } = await open(t);
    const { account: says } = TEXTS.en;
    const press = async (...keys: string[]) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    const tabTo = async (href: string) => {
      for (let tabs = 0; tabs < 40; tabs++) {
        await press('Tab');
        const focused = await page.evaluate(() => document.activeElement?.getAttribute('href'));
        if (focused === href) return;
      }
      t.fail(`${href} can't be reached`);
    };
    await page.goto(`${url}/`);
    await tabTo('/account');
    await press('Enter');
    await page.waitForURL(`${url}/account`);
    await press('Tab', 'Enter');
    await page.waitForURL((to) => to.origin === sandbox.url);
    const [ada] = sandbox.users as [(typeof sandbox.users)[0]];
    await page.focus('body');
    await press('Tab');
    await page.keyboard.type(ada.email);
    await press('Tab');
    await page.keyboard.type(ada.password);
    await press('Enter');
    await page.waitForURL(`${url}/account`);
    const path = `/account/disconnect/${grantOf(tokens)}`;
    await tabTo(path);
    await press('Enter');
    await page.waitForURL(url + path);
    t.is(await page.textContent('h1'), 'Disconnect client.example?');
    await press('Tab', 'Enter');
    await page.waitForURL(`${url}/account`);
    t.regex(await read(page), new RegExp(`Keyboard[^]*${says.why.person}`));
    t.is(await page.locator(`a[href="${path}"]`).count(), 0);
    await page.goBack();
    await page.waitForURL(`${url}/account`);
    t.is(await page.locator(`a[href="${path}"]`).count(), 0);

    await page.getByRole('button', { name: says.signOut }).focus();
    await press('Enter');
    await page.waitForSelector('form[action="/account/sign-in"]');
    await page.goBack();
    await page.waitForSelector('form[action="/account/sign-in"]');
    t.is(await page.locator('.connection').count(), 0);
    t.deepEqual(
      complaints.filter((each) => !each.startsWith(`asked ${sandbox.url}/`)),
      [],
      'no word in the console, and nobody but NeonPanel asked',
    );
  },
);

test.serial(
  'an error is read in order: what happened, what to do now, the code for support',
  async (t) => {
    const { page } = await open(t);
    await PAGES['unknown client']!(page);
    const { message, messages } = TEXTS.en;
    inOrder(t, await read(page), [
      '- main:',
      `- heading "${messages.unknownClient.title}" [level=1]`,
      messages.unknownClient.text,
      `- heading "${message.next}" [level=2]`,
      messages.unknownClient.todo,
      message.supportCode,
      '- code:',
      '- link "Help"',
    ]);
  },
);

test.serial('the address and each command can be copied, and that is announced', async (t) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: url });
  const { page, complaints } = await open(t, 'fr');
  await page.goto(`${url}/`);
  const { home } = TEXTS.fr;
  t.is(await page.locator('button.copy').count(), 5);
  const button = page.getByRole('button', {
    name: `${home.copy} : ${home.address}`.replace(' :', ':'),
  });
  await button.focus();
  await page.keyboard.press('Enter');
  await page.locator('[role=status]', { hasText: home.copied }).waitFor({ state: 'attached' });
  t.is(await page.evaluate(() => navigator.clipboard.readText()), `${url}/mcp`);
  t.deepEqual(complaints, []);
});

test.serial(
  '[F20] a connection is made by keyboard alone, from the app’s page and back',
  async (t) => {
    const { page } = await open(t);
    const metadata = { client_name: 'Keyboard', redirect_uris: [connector.redirectUri] };
    const attempt = authorizationRequest(url, (await register(url, metadata)).body);
    await page.goto(connector.pageFor(attempt));
    const press = async (...keys: string[]) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    await press('Tab', 'Enter');
    await page.waitForURL(`${url}/interaction/**`);
    // Past the question to the languages, and back into it in another one.
    await press('Tab', 'Tab', 'Tab', 'Tab', 'Tab', 'Enter');
    await page.waitForURL(`${url}/interaction/**?lang=de`);
    t.is(await page.getAttribute('html', 'lang'), 'de');
    await press('Tab', 'Space', 'Tab', 'Enter');
    await page.waitForURL((to) => to.origin === sandbox.url);
    const [ada] = sandbox.users as [(typeof sandbox.users)[0]];
    await page.focus('body');
    await press('Tab');
    await page.keyboard.type(ada.email);
    await press('Tab');
    await page.keyboard.type(ada.password);
    await press('Enter');
    const answer = new URLSearchParams(
      (await page.locator('#result:not(:empty)').textContent()) ?? '',
    );
    const { body } = await redeem(url, attempt, answer.get('code')!);
    t.is(body.scope, 'neonpanel.read neonpanel.write');
  },
);

test.serial(
  '[F20] a window that the app opened still knows its opener after the language was switched',
  async (t) => {
    const { page } = await open(t);
    const metadata = { client_name: 'Popup', redirect_uris: [connector.redirectUri] };
    const attempt = authorizationRequest(url, (await register(url, metadata)).body);
    await page.goto(connector.pageFor(attempt));
    const [popup] = await Promise.all([page.waitForEvent('popup'), page.click('#popup')]);
    await popup.waitForURL(`${url}/interaction/**`);
    await popup.click('nav a[lang=es]');
    await popup.waitForURL(`${url}/interaction/**?lang=es`);
    await popup.click('button[value=deny]');
    const answer = await page.locator('#result:not(:empty)').textContent();
    t.is(new URLSearchParams(answer ?? '').get('error'), 'access_denied');
  },
);
