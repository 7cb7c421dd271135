import test from 'ava';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import type { Page } from './support/browser.ts';
import { createClock } from './support/clock.ts';
import { type Harness, startHarness } from './support/harness.ts';
import {
  answerConsent,
  answerLogin,
  authorizationRequest,
  callTool,
  callMcp,
  clientParameters,
  connect,
  postForm,
  register,
  userBrowser,
} from './support/oauth.ts';

/** Signs in where NeonPanel takes so long for its tokens; it was asked for them when this returns. */
async function beginSignIn({ sandbox }: Harness, login: Page, ms: number) {
  sandbox.faults.set('slow', { path: '/oauth2/token', ms, times: 1 });
  const end = answerLogin(login, sandbox.users[0]!);
  while (!sandbox.recorder.requests().some(({ path }) => path === '/oauth2/token')) await wait(10);
  return { end };
}

/** Another process that holds the store's write lock. */
async function holdStore(harness: Harness, ms: number): Promise<void> {
  const db = new DatabaseSync(`${harness.dataDir}/neonpanel-mcp.db`);
  db.exec('PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE');
  await wait(ms);
  db.exec('ROLLBACK');
  db.close();
}

test.serial(
  '[X2] [D10] a credential that NeonPanel renewed while the store was away is not lost',
  async (t) => {
    const harness = await startHarness();
    t.teardown(() => harness.close());
    harness.sandbox.faults.set('token-lifetime', { seconds: 2 });
    const { tokens } = await connect(harness);
    harness.sandbox.faults.clear();
    await wait(2_100);
    harness.sandbox.faults.set('slow', { path: '/oauth2/token', ms: 800, times: 1 });
    const call = callTool(harness.url, tokens.access_token, 'listCompanies');
    await wait(400);
    await holdStore(harness, 3_500);
    const during = await call;
    t.true([200, 503].includes(during.status), String(during.status));
    await wait(800);
    const after = await callTool(harness.url, tokens.access_token, 'listCompanies');
    t.is(after.status, 200);
    t.falsy(after.body.result.isError, JSON.stringify(after.body));
  },
);

test.serial(
  '[T36] [X29] a clock that is set back does not keep a revoked grant alive',
  async (t) => {
    const clock = createClock();
    const harness = await startHarness({ now: clock.now });
    t.teardown(() => harness.close());
    const { client, tokens } = await connect(harness);
    const status = async () =>
      (await callMcp(harness.url, tokens.access_token, 'tools/list')).status;
    t.is(await status(), 200);
    clock.advance(-10_000);
    await postForm(`${harness.url}/oauth2/revoke`, {
      token: tokens.refresh_token,
      ...clientParameters(client),
    });
    t.is(await status(), 401);
  },
);

test.serial(
  '[T3] a cancellation is not taken back by a sign-in that is under way in another tab',
  async (t) => {
    const harness = await startHarness();
    t.teardown(() => harness.close());
    const attempt = authorizationRequest(harness.url, (await register(harness.url)).body);
    const browser = userBrowser(attempt);
    const consent = await browser.goto(attempt.url);
    const otherTab = await browser.goto(consent.url);
    const login = await answerConsent(consent);
    const signIn = await beginSignIn(harness, login, 3_000);
    const cancelled = await answerConsent(otherTab, { decision: 'deny', write: false });
    t.is(cancelled.stoppedAt?.searchParams.get('error'), 'access_denied');
    const late = await signIn.end;
    t.is(late.stoppedAt, undefined);
    t.is(late.status, 400);
    const db = new DatabaseSync(`${harness.dataDir}/neonpanel-mcp.db`, { readOnly: true });
    const kinds = db.prepare('SELECT kind FROM records').all() as { kind: string }[];
    db.close();
    t.false(kinds.some(({ kind }) => ['code', 'credential', 'grant'].includes(kind)));
  },
);

test.serial(
  '[X2] when the store is away at the end of a sign-in, the page offers a way on that works',
  async (t) => {
    const harness = await startHarness();
    t.teardown(() => harness.close());
    const attempt = authorizationRequest(harness.url, (await register(harness.url)).body);
    const browser = userBrowser(attempt);
    const login = await answerConsent(await browser.goto(attempt.url));
    const signIn = await beginSignIn(harness, login, 1_000);
    await holdStore(harness, 5_000);
    const page = await signIn.end;
    t.is(page.status, 503);
    t.is(page.headers.get('retry-after'), '1');
    const again = await answerConsent(await page.follow('a.button'));
    t.truthy(again.stoppedAt?.searchParams.get('code'), again.text);
  },
);
