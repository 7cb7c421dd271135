import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { grantOf, openAccount, SESSION_COOKIE, sessionIn } from './account/support.ts';
import { launchChromium } from './support/chromium.ts';
import { startHarness } from './support/harness.ts';
import { authorizationRequest, callTool, connect, register } from './support/oauth.ts';

/** `npm run screenshots`: pictures of the pages for README and docs, made by the server itself. */
const PLACE = join(import.meta.dirname, '../docs/screenshots');
/** A page of documentation should not take longer than a page of ours. */
const MAX_BYTES = 150 * 1024;

const CHATGPT = 'https://chatgpt.com/connector_platform_oauth_redirect';
const DESKTOP = { width: 760, height: 600 };
const PHONE = { width: 360, height: 640 };

// Nobody is there: the error page says so.
const harness = await startHarness({
  neonpanelUrl: 'https://my.neonpanel.example',
  env: { SUPPORT_URL: 'https://support.example/' },
});
const chromium = await launchChromium();
try {
  mkdirSync(PLACE, { recursive: true });
  const page = await chromium.context.newPage();
  await consent(page, 'ChatGPT', CHATGPT);
  await shoot(page, 'consent', DESKTOP);
  await shoot(page, 'consent-dark', DESKTOP, 'dark');
  await shoot(page, 'consent-phone', PHONE);
  await consent(page, 'ChatGPT', CHATGPT, 'ja');
  await shoot(page, 'consent-ja', PHONE);
  await chromium.context.clearCookies();
  await consent(page, 'Claude Code', 'http://localhost:54545/callback');
  await shoot(page, 'consent-loopback', DESKTOP);
  await consent(page, 'ChatGPT', 'https://chatgpt.example.net/callback');
  await shoot(page, 'consent-claimed', DESKTOP);
  await page.click('button[value=approve]');
  await shoot(page, 'error', DESKTOP);
  await page.goto(`${harness.url}/`);
  await publish(page);
  await shoot(page, 'home', { width: 760, height: 1_000 });
  await shoot(page, 'home-phone-dark', { width: 360, height: 1_000 }, 'dark');
  await account(page);
} finally {
  await chromium.close();
  await harness.close();
}

async function consent(page: Page, name: string, redirectUri: string, locales?: string) {
  const metadata = { client_name: name, redirect_uris: [redirectUri] };
  const client = (await register(harness.url, metadata)).body;
  const request = authorizationRequest(harness.url, client, { ui_locales: locales });
  await page.goto(request.url.href);
  await publish(page);
}

/** Shows addresses as they are behind a public one. */
async function publish(page: Page, own = harness.url, neonpanel?: string) {
  await page.evaluate(
    ([own, neonpanel]) => {
      for (const element of document.querySelectorAll('code, strong:not(.host)')) {
        element.textContent = element
          .textContent!.replace(own!, 'https://mcp.neonpanel.com')
          .replace(new URL(own!).host, 'mcp.neonpanel.com');
        if (neonpanel)
          element.textContent = element.textContent.replace(neonpanel, 'my.neonpanel.example');
      }
    },
    [own, neonpanel && new URL(neonpanel).host],
  );
}

/** Of somebody who connected two apps, and a third that is over. Here NeonPanel is there. */
async function account(page: Page) {
  const world = await startHarness();
  try {
    const make = async (client_name: string, uri: string, write = false) => {
      const metadata = { client_name, redirect_uris: [uri] };
      return (await connect(world, { metadata, write })).tokens;
    };
    const gone = await make('Ledger desk', 'https://ledger.example/callback');
    await make('Claude Code', 'http://localhost:54545/callback');
    const { access_token } = await make('ChatGPT', CHATGPT, true);
    for (let i = 0; i < 12; i++) await callTool(world.url, access_token, 'listCompanies');
    const { browser } = await openAccount(world, world.sandbox.users[0]!);
    const ended = `${world.url}/account/disconnect/${grantOf(gone)}`;
    // What was counted is written along.
    await (await browser.goto(ended)).form().submit();
    await page.goto(`${world.url}/account`);
    await publish(page, world.url, world.sandbox.url);
    await shoot(page, 'account-sign-in', DESKTOP);
    const value = sessionIn(browser, world.url)!;
    const at = { domain: 'localhost', path: '/', secure: true };
    await page.context().addCookies([{ name: SESSION_COOKIE, value, ...at }]);
    await page.reload();
    await publish(page, world.url, world.sandbox.url);
    await shoot(page, 'account', DESKTOP);
    await shoot(page, 'account-dark', DESKTOP, 'dark');
    await shoot(page, 'account-phone', PHONE);
    await page.click('.connection a >> nth=0');
    await shoot(page, 'account-disconnect', DESKTOP);
  } finally {
    await world.close();
  }
}

async function shoot(
  page: Page,
  name: string,
  viewport: { width: number; height: number },
  colorScheme: 'light' | 'dark' = 'light',
): Promise<void> {
  await page.setViewportSize(viewport);
  await page.emulateMedia({ colorScheme });
  const path = join(PLACE, `${name}.png`);
  await page.screenshot({ path, fullPage: !name.startsWith('home') });
  const { size } = statSync(path);
  if (size > MAX_BYTES) throw new Error(`${path} has ${size} bytes`);
  process.stdout.write(`${name}.png ${Math.round(size / 1024)} kB\n`);
}
