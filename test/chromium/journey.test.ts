import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Page } from 'playwright-core';
import { launchChromium } from '../support/chromium.ts';
import { type Harness, startHarness } from '../support/harness.ts';
import {
  type Attempt,
  authorizationRequest,
  callTool,
  redeem,
  register,
} from '../support/oauth.ts';
import { createStoreTest } from '../support/stores.ts';
import { startConnector } from './connector.ts';

/**
 * What only a real browser shows: that it takes our cookies, follows the whole chain of redirects under our policy, and
 * keeps quiet in its console. Three sites take part: the connector and NeonPanel on 127.0.0.1, we on localhost.
 */
const connector = await startConnector();
const chromium = await launchChromium();
const screenshots = join(tmpdir(), 'neonpanel-mcp-screenshots');
// What only looks at pages has nothing to do with where the records are: one store is enough for it.
const storeTest = await createStoreTest((store) =>
  startHarness({ store, sandbox: { host: '127.0.0.1' } }),
);
test.after.always(async () => {
  await chromium.close();
  await connector.close();
});

interface Watched {
  readonly page: Page;
  readonly attempt: Attempt;
  /** Everything the browser complained of, in this page and the windows it opens. */
  readonly complaints: string[];
  readonly origins: Set<string>;
}

/** The connector's page for a new authorization request, in a browser that knows nobody. */
async function open(
  t: ExecutionContext,
  { url }: Harness,
  parameters: Record<string, string> = {},
): Promise<Watched> {
  const { context } = chromium;
  await context.clearCookies();
  const metadata = { client_name: 'ChatGPT', redirect_uris: [connector.redirectUri] };
  const attempt = authorizationRequest(url, (await register(url, metadata)).body, parameters);
  const complaints: string[] = [];
  const origins = new Set<string>();
  const watch = (page: Page): void => {
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type()))
        complaints.push(`${message.text()} ${message.location().url}`);
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => origins.add(new URL(request.url()).origin));
    page.on('requestfailed', (request) => complaints.push(`failed: ${request.url()}`));
    page.on('popup', watch);
  };
  const page = await context.newPage();
  watch(page);
  t.teardown(() => page.close());
  page.setDefaultTimeout(15_000);
  await page.goto(connector.pageFor(attempt));
  return { page, attempt, complaints, origins };
}

async function signIn(page: Page, { sandbox }: Harness): Promise<void> {
  const [ada] = sandbox.users as [(typeof sandbox.users)[0]];
  await page.waitForURL((to) => to.origin === sandbox.url);
  await page.fill('[name=email]', ada.email);
  await page.fill('[name=password]', ada.password);
  await page.click('button:has-text("Sign in")');
}

/** What the connector was sent. */
async function answerOf(page: Page): Promise<URLSearchParams> {
  const result = page.locator('#result:not(:empty)');
  return new URLSearchParams((await result.textContent()) ?? '');
}

function onlyExpectedOrigins(
  t: ExecutionContext,
  { url, sandbox }: Harness,
  { origins }: Watched,
): void {
  const expected = [connector.origin, url, sandbox.url];
  t.deepEqual(
    [...origins].filter((origin) => !expected.includes(origin) && origin !== 'null'),
    [],
  );
}

storeTest(
  '[F20] [D20] a connection by redirect goes through, without a word in the console',
  async (t, harness) => {
    const { url, sandbox } = harness;
    const watched = await open(t, harness);
    const { page, attempt, complaints } = watched;
    await page.click('#redirect');
    await page.waitForURL(`${url}/interaction/**`);
    t.is(
      await page.textContent('h1'),
      `Let ${new URL(connector.origin).host} read your NeonPanel data?`,
    );
    t.true(await page.isVisible('h1 .host'));
    t.regex((await page.textContent('main'))!, /The app says it is called\s+ChatGPT/);
    t.false(await page.isChecked('input[type=checkbox]'));

    const consentCookies = await chromium.context.cookies();
    t.true(consentCookies.some(({ name }) => name === '__Host-neonpanel-consent'));
    await page.check('input[type=checkbox]');
    await page.click('button[value=approve]');
    await page.waitForURL((to) => to.origin === sandbox.url);
    const cookies = (await chromium.context.cookies()).filter((c) => c.name.includes('neonpanel'));
    const binding = cookies.find(({ name }) => name.startsWith('__Host-neonpanel-login-'));
    t.like(binding, {
      domain: 'localhost',
      path: '/',
      secure: true,
      httpOnly: true,
      sameSite: 'Lax',
    });
    t.true(cookies.filter((c) => c.domain === 'localhost').every((c) => c.secure && c.httpOnly));

    await signIn(page, harness);
    await page.waitForURL(`${connector.redirectUri}?**`);
    const answer = await answerOf(page);
    t.is(answer.get('state'), attempt.state);
    t.is(answer.get('iss'), url);
    const { status, body } = await redeem(url, attempt, answer.get('code')!);
    t.is(status, 200);
    t.is(body.scope, 'neonpanel.read neonpanel.write');
    t.is((await callTool(url, body.access_token, 'listCompanies')).status, 200);
    t.deepEqual(complaints, []);
    onlyExpectedOrigins(t, harness, watched);
    t.false((await chromium.context.cookies()).some(({ name }) => name.includes('-login-')));
    // Where the answer came from is not told to the connector.
    const callback = connector.requests.findLast(
      (request) => request.url.pathname === '/callback',
    )!;
    t.is(callback.headers.referer, undefined);
  },
);

storeTest(
  '[F20] [T13] a connection in a window that the connector opens and waits for goes through',
  async (t, harness) => {
    const { url } = harness;
    const watched = await open(t, harness);
    const { page, attempt, complaints } = watched;
    const [popup] = await Promise.all([page.waitForEvent('popup'), page.click('#popup')]);
    await popup.waitForURL(`${url}/interaction/**`);
    await popup.click('button[value=approve]');
    const closed = popup.waitForEvent('close');
    await signIn(popup, harness);
    await closed;
    const answer = await answerOf(page);
    t.is(answer.get('state'), attempt.state);
    const { status, body } = await redeem(url, attempt, answer.get('code')!);
    t.is(status, 200);
    t.is(body.scope, 'neonpanel.read');
    t.deepEqual(complaints, []);
    onlyExpectedOrigins(t, harness, watched);
  },
);

storeTest(
  'cancelling on the consent page brings the user back with access_denied',
  async (t, harness) => {
    const { url } = harness;
    const { page, attempt, complaints } = await open(t, harness);
    await page.click('#redirect');
    await page.click('button[value=deny]');
    const answer = await answerOf(page);
    t.is(answer.get('error'), 'access_denied');
    t.is(answer.get('state'), attempt.state);
    t.is(answer.get('iss'), url);
    t.is(answer.get('code'), null);
    t.deepEqual(complaints, []);
  },
);

storeTest(
  '[X14] reload and back on the consent page are safe, and back after the end is a friendly page',
  async (t, harness) => {
    const { url, sandbox } = harness;
    const { page, attempt } = await open(t, harness);
    await page.click('#redirect');
    await page.waitForURL(`${url}/interaction/**`);
    await page.reload();
    await page.reload();
    await page.check('input[type=checkbox]');
    await page.click('button[value=approve]');
    await page.waitForURL((to) => to.origin === sandbox.url);
    await page.goBack();
    await page.waitForURL(`${url}/interaction/**`);
    t.is(
      await page.textContent('h1'),
      `Let ${new URL(connector.origin).host} read your NeonPanel data?`,
    );
    t.false(await page.isChecked('input[type=checkbox]'), 'asked anew');
    await page.click('button[value=approve]');
    await signIn(page, harness);
    const answer = await answerOf(page);
    t.is((await redeem(url, attempt, answer.get('code')!)).body.scope, 'neonpanel.read');

    // The login page is asked again, knows the user, and sends the browser on to a callback that is over.
    await page.goBack();
    await page.waitForURL(`${url}/oauth2/authorize/callback?**`);
    t.is(await page.textContent('h1'), 'This sign-in can no longer be completed');
    await page.goBack();
    await page.waitForURL(`${url}/interaction/**`);
    t.is(await page.textContent('h1'), 'This sign-in can no longer be completed');
  },
);

storeTest.sqlite(
  'the consent page can be answered by keyboard alone, in the order of the page',
  async (t, harness) => {
    const { url } = harness;
    const { page, attempt } = await open(t, harness);
    await page.click('#redirect');
    await page.waitForURL(`${url}/interaction/**`);
    const focused = () =>
      page.evaluate(() => {
        const { activeElement: element } = document;
        const { outlineStyle, outlineWidth } = getComputedStyle(element!);
        const name = element!.getAttribute('value') ?? element!.tagName;
        return { name, visible: outlineStyle !== 'none' && outlineWidth !== '0px' };
      });
    const order: string[] = [];
    for (let i = 0; i < 3; i++) {
      await page.keyboard.press('Tab');
      const { name, visible } = await focused();
      order.push(name);
      t.true(visible, `${name} shows its focus`);
      if (name === 'neonpanel.write') await page.keyboard.press('Space');
    }
    t.deepEqual(order, ['neonpanel.write', 'approve', 'deny']);
    t.true(await page.isChecked('input[type=checkbox]'));
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Enter');
    await signIn(page, harness);
    const answer = await answerOf(page);
    const { body } = await redeem(url, attempt, answer.get('code')!);
    t.is(body.scope, 'neonpanel.read neonpanel.write');
  },
);

storeTest.sqlite(
  '[T32] our pages do not show inside a frame of another site',
  async (t, harness) => {
    const { page, attempt } = await open(t, harness);
    await page.evaluate((src) => {
      const frame = document.createElement('iframe');
      frame.src = src;
      document.body.append(frame);
      return new Promise((resolve) => frame.addEventListener('load', resolve));
    }, attempt.url.href);
    for (const frame of page.frames().slice(1)) {
      t.is(await frame.locator('button[value=approve]').count(), 0);
    }
  },
);

storeTest.sqlite(
  'pages fit a narrow screen, in light and dark, and text stands out from its ground',
  async (t, harness) => {
    const { url } = harness;
    mkdirSync(screenshots, { recursive: true });
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page } = await open(t, harness);
      await page.emulateMedia({ colorScheme });
      await page.click('#redirect');
      await page.waitForURL(`${url}/interaction/**`);
      const shots: [name: string, to: string][] = [
        ['consent', page.url()],
        ['error', `${url}/oauth2/authorize?client_id=nobody-here`],
        ['home', `${url}/`],
      ];
      for (const [name, to] of shots) {
        await page.goto(to);
        for (const width of [320, 900]) {
          await page.setViewportSize({ width, height: 900 });
          const path = join(screenshots, `${name}-${colorScheme}-${width}.png`);
          await page.screenshot({ path, fullPage: true });
          const wide = await page.evaluate(() => document.documentElement.scrollWidth);
          t.true(wide <= width, `${name} is ${wide} wide on a screen of ${width}`);
        }
        for (const { text, ratio } of await page.evaluate(contrasts)) {
          t.true(ratio >= 4.5, `${name} ${colorScheme}: “${text}” has a contrast of ${ratio}`);
        }
      }
    }
  },
);

/** Contrast of every text with what is painted behind it (WCAG 2.2, 1.4.3). Runs in the browser. */
function contrasts(): { text: string; ratio: number }[] {
  const parse = (color: string) => (color.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = (color: string): number => {
    const [r = 0, g = 0, b = 0] = parse(color).map((c) => {
      const part = c / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element: Element | null): string => {
    for (let e = element; e; e = e.parentElement) {
      const { backgroundColor } = getComputedStyle(e);
      if (parse(backgroundColor)[3] !== 0) return backgroundColor;
    }
    return 'rgb(255, 255, 255)';
  };
  return [...document.querySelectorAll('main *')]
    .filter((element) =>
      [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent!.trim()),
    )
    .map((element) => {
      const [a, b] = [getComputedStyle(element).color, ground(element)].map(luminance) as [
        number,
        number,
      ];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      return { text: element.textContent!.trim().slice(0, 30), ratio: Math.round(ratio * 10) / 10 };
    });
}
