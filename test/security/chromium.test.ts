import test, { type ExecutionContext } from 'ava';
import type { BrowserContext, Page } from 'playwright-core';
import { startConnector } from '../chromium/connector.ts';
import { nothingGranted, openConsent, storedKinds } from '../login-support.ts';
import { launchChromium } from '../support/chromium.ts';
import { startHarness } from '../support/harness.ts';
import {
  type Attempt,
  authorizationRequest,
  callTool,
  redeem,
  register,
} from '../support/oauth.ts';
import { selfSubmitting, startEvilSite } from './evil-site.ts';

/** Attacks on consent and login in real browsers: two of them, that share nothing, and pages of somebody else. */

/** Runs, as the engine's own does, and can be put forward. */
let aheadMs = 0;
const harness = await startHarness({
  now: () => Date.now() + aheadMs,
  sandbox: { host: '127.0.0.1' },
  env: { RATE_LIMIT_FACTOR: '0' },
});
const { url, sandbox } = harness;
const [ada, bruno] = sandbox.users as [(typeof sandbox.users)[0], (typeof sandbox.users)[0]];
const connector = await startConnector();
const evil = await startEvilSite();
const [first, second] = await Promise.all([launchChromium(), launchChromium()]);
test.after.always(() =>
  Promise.all([first, second, connector, evil, harness].map((each) => each.close())),
);
test.beforeEach(async () => {
  await Promise.all([first.context.clearCookies(), second.context.clearCookies()]);
});

const OVER = 'This sign-in can no longer be completed';
const FORGED = 'This request can’t be completed';
const isCallback = (to: URL) => to.href.startsWith(`${url}/oauth2/authorize/callback`);

async function tab(t: ExecutionContext, context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  t.teardown(() => page.close());
  return page;
}

async function newAttempt(
  parameters: Record<string, string> = {},
  metadata: Record<string, unknown> = {},
): Promise<Attempt> {
  const client = await register(url, { redirect_uris: [connector.redirectUri], ...metadata });
  return authorizationRequest(url, client.body, parameters);
}

/** Opens a request and waits for its consent page. @returns the interaction's id */
async function atConsent(page: Page, attempt: Attempt): Promise<string> {
  await page.goto(attempt.url.href);
  await page.waitForURL(`${url}/interaction/**`);
  return new URL(page.url()).pathname.split('/').at(-1)!;
}

/** Approves, and waits for NeonPanel's page. @returns its address */
async function approveIn(page: Page): Promise<string> {
  await page.click('button[value=approve]');
  await page.waitForURL((to) => to.origin === sandbox.url);
  return page.url();
}

async function signIn(page: Page, user = ada): Promise<void> {
  await page.fill('[name=email]', user.email);
  await page.fill('[name=password]', user.password);
  await page.click('button:has-text("Sign in")');
}

/** What the connector was sent in this tab. */
async function answerIn(page: Page): Promise<URLSearchParams> {
  const text = await page.locator('#result:not(:empty)').textContent();
  return new URLSearchParams(text ?? '');
}

/**
 * Takes the browser's way to our callback, a redirect, which Playwright's own routes don't see.
 * @param lead the address to ask instead, or undefined to stop there
 */
async function atCallback(page: Page, lead: (callback: URL) => string | undefined): Promise<void> {
  const devtools = await page.context().newCDPSession(page);
  devtools.on('Fetch.requestPaused', ({ requestId, request }) => {
    const to = lead(new URL(request.url));
    void (to === undefined
      ? devtools.send('Fetch.fulfillRequest', { requestId, responseCode: 200 })
      : devtools.send('Fetch.continueRequest', { requestId, url: to }));
  });
  await devtools.send('Fetch.enable', {
    patterns: [{ urlPattern: `${url}/oauth2/authorize/callback*` }],
  });
}

const heading = (page: Page) => page.textContent('h1');
const bindings = async (context: BrowserContext) =>
  (await context.cookies(url)).filter(({ name }) => name.includes('-login-'));
const codesSent = () =>
  connector.requests.filter((request) => request.url.searchParams.has('code')).length;

test.serial(
  '[T1] a sign-in begun in one browser and finished in another connects nobody, in either',
  async (t) => {
    const attacker = await tab(t, first.context);
    const victim = await tab(t, second.context);
    // The victim has used an app before, so NeonPanel knows the browser and asks nothing.
    await atConsent(victim, await newAttempt());
    await approveIn(victim);
    await signIn(victim, bruno);
    t.truthy((await answerIn(victim)).get('code'));

    const uid = await atConsent(attacker, await newAttempt({}, { client_name: 'Trap' }));
    const link = await approveIn(attacker);
    const sent = codesSent();
    await victim.goto(link);
    await victim.waitForURL(isCallback);
    t.is(await heading(victim), OVER);
    nothingGranted(t, harness, uid);
    await signIn(attacker, ada);
    await attacker.waitForURL(isCallback);
    t.is(await heading(attacker), OVER);
    nothingGranted(t, harness, uid);
    t.is(codesSent(), sent, 'no code went anywhere');
  },
);

for (const [where, origin] of [
  ['another site', evil.foreign],
  ['a neighbour on our host', evil.neighbour],
] as const) {
  test.serial(`[T2] a page of ${where} cannot answer the question for anybody`, async (t) => {
    const attacker = await openConsent(harness);
    const csrf = attacker.page.form().fields.get('csrf')!;
    const page = await tab(t, first.context);
    const uid = await atConsent(page, await newAttempt());
    const own = await page.inputValue('[name=csrf]');
    for (const [target, code] of [
      [attacker.uid, csrf],
      [attacker.uid, own],
      // As if the victim's own code had leaked: where the form comes from still tells.
      [uid, own],
      [uid, csrf],
    ] as const) {
      const form = selfSubmitting(`${url}/interaction/${target}`, {
        csrf: code,
        scope: 'neonpanel.write',
        decision: 'approve',
      });
      const refused = page.waitForResponse((answer) => answer.request().method() === 'POST');
      await page.goto(origin + evil.page(form));
      const answer = await refused;
      t.is(answer.status(), 403);
      await page.waitForURL(`${url}/interaction/${target}`);
      t.is(await heading(page), FORGED);
      t.deepEqual(await bindings(first.context), []);
    }
    // Nor can it read the question, or ask by script.
    await page.goto(origin + evil.page('<p>'));
    const read = await page.evaluate(
      async ({ to, body }) => {
        const options: RequestInit[] = [
          { credentials: 'include' },
          { credentials: 'include', method: 'POST', body, mode: 'no-cors' },
          { credentials: 'include', method: 'POST', body },
        ];
        const texts: string[] = [];
        for (const one of options) {
          texts.push(
            await fetch(to, {
              ...one,
              ...(one.body && { headers: { 'content-type': 'application/x-www-form-urlencoded' } }),
            }).then(
              (answer) => answer.text(),
              () => 'refused',
            ),
          );
        }
        return texts;
      },
      { to: `${url}/interaction/${uid}`, body: `csrf=${own}&decision=approve` },
    );
    t.deepEqual(read, ['refused', '', 'refused']);
    t.deepEqual(await bindings(first.context), []);
    t.deepEqual(storedKinds(harness, attacker.uid), ['interaction']);
    t.deepEqual(storedKinds(harness, uid), ['interaction']);
    // All of it cost the user nothing.
    await page.goto(`${url}/interaction/${uid}`);
    await approveIn(page);
  });
}

test.serial('[T3] no address leads on before the question was answered', async (t) => {
  const page = await tab(t, first.context);
  const uid = await atConsent(page, await newAttempt());
  for (const state of [uid, `${uid}.${'A'.repeat(43)}`]) {
    await page.goto(`${url}/oauth2/authorize/callback?code=stolen&state=${state}`);
    t.is(await heading(page), OVER);
  }
  await page.goto(`${url}/oauth2/authorize/${uid}`);
  t.regex((await heading(page))!, /^Let .* read your NeonPanel data/);
  t.not(new URL(page.url()).pathname, `/interaction/${uid}`);
  nothingGranted(t, harness, uid);
  t.deepEqual(await bindings(first.context), []);
});

async function approveTwice(page: Page): Promise<void> {
  const atNeonpanel = () => page.waitForURL((to) => to.origin === sandbox.url);
  await page.dblclick('button[value=approve]');
  // The second click may break off the navigation of the first, which ends the wait for it.
  await atNeonpanel().catch(atNeonpanel);
}

test.serial(
  '[T5] [T11] two clicks, two visits and two tabs of one question end in one code, and its form is worth nothing afterwards',
  async (t) => {
    const page = await tab(t, first.context);
    const twin = await tab(t, first.context);
    const attempt = await newAttempt();
    const uid = await atConsent(page, attempt);
    const csrf = await page.inputValue('[name=csrf]');
    await page.goto(page.url());
    await twin.goto(page.url());
    await approveTwice(twin);
    await approveTwice(page);
    const sent = codesSent();
    await signIn(page, ada);
    const code = (await answerIn(page)).get('code')!;
    // NeonPanel sends the other tab back with the older state.
    await signIn(twin, ada);
    await twin.waitForURL(isCallback);
    t.is(await heading(twin), OVER);
    t.is(codesSent(), sent + 1);
    t.is((await redeem(url, attempt, code)).status, 200);

    // The form once more, with everything right but the moment: reload, back, or somebody who kept it.
    const kinds = storedKinds(harness, uid);
    await twin.goto(`${url}/interaction/${uid}`);
    t.is(await heading(twin), OVER);
    for (const decision of ['approve', 'deny']) {
      const form = { csrf, decision, scope: 'neonpanel.write' };
      const { request } = first.context;
      const replayed = await request.post(`${url}/interaction/${uid}`, { form, maxRedirects: 0 });
      t.is(replayed.status(), 400, decision);
      t.is(replayed.headers()['set-cookie'], undefined);
    }
    t.deepEqual(storedKinds(harness, uid), kinds);
    t.is(codesSent(), sent + 1);
  },
);

test.serial(
  '[T11] a browser that has just connected an app is asked again, and prompt=none gets an error',
  async (t) => {
    const page = await tab(t, first.context);
    const attempt = await newAttempt({}, { client_name: 'Known app' });
    for (let i = 0; i < 2; i++) {
      await page.goto(attempt.url.href);
      await page.waitForURL(`${url}/interaction/**`);
      t.is(await heading(page), `Let ${new URL(connector.origin).host} read your NeonPanel data?`);
      t.regex((await page.textContent('main'))!, /Known app/);
      t.true(await page.isVisible('main > .warning'), 'the answer goes to this computer');
      await page.click('button[value=approve]');
      // NeonPanel asks only the first time.
      if (i === 0) await signIn(page, ada);
      t.truthy((await answerIn(page)).get('code'));
    }
    for (const scope of ['neonpanel.read', 'openid offline_access neonpanel.read']) {
      const silent = new URL(attempt.url);
      silent.searchParams.set('prompt', 'none');
      silent.searchParams.set('scope', scope);
      await page.goto(silent.href);
      const answer = await answerIn(page);
      t.regex(answer.get('error')!, /^(login|consent)_required$/);
      t.is(answer.get('code'), null);
      t.is(answer.get('iss'), url);
    }
  },
);

test.serial('[T13] what a client says about itself runs nothing and loads nothing', async (t) => {
  const page = await tab(t, first.context);
  const alarms: string[] = [];
  page.on('dialog', (dialog) => {
    alarms.push(dialog.message());
    void dialog.dismiss();
  });
  page.on('console', (message) => alarms.push(message.text()));
  page.on('request', (request) => {
    if (!request.url().startsWith(`${url}/`)) alarms.push(request.url());
  });
  const leak = `${evil.foreign}/leak`;
  for (const name of [
    `<script>alert(1)</script><script src=${leak}></script>`,
    `"><img src=${leak} onerror=alert(1)>`,
    `</q></p></main><iframe src=${leak}></iframe><base href=${evil.foreign}>`,
    `<svg onload=alert(1)><style>@import '${leak}'</style>`,
    `<meta http-equiv=refresh content="0;url=${leak}">`,
    `<form action=${leak}><button autofocus onfocus=alert(1)>`,
  ]) {
    const metadata = { client_name: name, client_uri: leak, logo_uri: leak, tos_uri: leak };
    await atConsent(page, await newAttempt({ login_hint: name, state: name }, metadata));
    t.is(await page.textContent('main q'), name.slice(0, 100).replaceAll('"', ''));
    t.is(await page.locator('form').count(), 1);
    await page.goto(`${url}/oauth2/authorize?client_id=${encodeURIComponent(name)}`);
  }
  // The browser itself says in its console that an error page was one.
  t.deepEqual(
    alarms.filter((alarm) => !/^Failed to load resource: .* 400 /.test(alarm)),
    [],
  );
  t.deepEqual(evil.leaks, []);
});

test.serial(
  '[T21] [T63] cookies that a neighbour plants are not kept, and those of other hosts never come',
  async (t) => {
    const page = await tab(t, first.context);
    const attempt = await newAttempt();
    const planted = 'p'.repeat(43);
    await page.goto(evil.neighbour + evil.page('<p>'));
    const kept = await page.evaluate((value) => {
      const forms = [
        `__Host-neonpanel-consent=${value}; Path=/; Secure`,
        `__Host-neonpanel-consent=${value}; Path=/interaction; Secure`,
        `__Host-neonpanel-consent=${value}; Path=/`,
        `__Host-neonpanel-consent=${value}; Path=/; Secure; Domain=localhost`,
        `__Secure-neonpanel-interaction=${value}; Path=/interaction; Secure`,
        `neonpanel-session=${value}; Path=/`,
        `_session=${value}; Path=/`,
      ];
      for (const cookie of forms) document.cookie = cookie;
      return document.cookie;
    }, planted);
    t.regex(kept, /neonpanel-session=/, 'the neighbour can plant at all');
    const uid = await atConsent(page, attempt);
    const held = (await first.context.cookies(url)).filter(
      ({ name }) => name === '__Host-neonpanel-consent',
    );
    t.is(held.length, 1);
    t.false(held[0]!.value.includes(planted), 'made anew');
    t.true(held[0]!.httpOnly && held[0]!.secure);
    t.is(held[0]!.sameSite, 'Lax');
    await approveIn(page);
    const [binding, ...more] = await bindings(first.context);
    t.deepEqual(more, []);
    t.like(binding, { path: '/', secure: true, httpOnly: true, sameSite: 'Lax' });
    // A script of the neighbour sees none of ours, and can write none of them over.
    const snoop = await tab(t, first.context);
    await snoop.goto(evil.neighbour + evil.page('<p>'));
    const seen = await snoop.evaluate((name) => {
      document.cookie = `${name}=overwritten; Path=/; Secure`;
      return document.cookie;
    }, binding!.name);
    t.notRegex(seen, /-login-/);
    t.is((await bindings(first.context))[0]!.value, binding!.value);
    await signIn(page, ada);
    const code = (await answerIn(page)).get('code')!;
    t.is((await redeem(url, attempt, code)).status, 200);
    t.true(storedKinds(harness, uid).includes('grant'));
  },
);

test.serial(
  '[T1] [T64] two tabs of one browser, two apps and two accounts: each app gets its own user’s data',
  async (t) => {
    const attempts = [await newAttempt(), await newAttempt()];
    const pages = [await tab(t, first.context), await tab(t, first.context)];
    for (const [i, page] of pages.entries()) await atConsent(page, attempts[i]!);
    for (const page of pages) await approveIn(page);
    t.is((await bindings(first.context)).length, 2);
    // The one that began last finishes first.
    const seen: string[][] = [];
    for (const [i, user] of [
      [1, bruno],
      [0, ada],
    ] as const) {
      await signIn(pages[i]!, user);
      const code = (await answerIn(pages[i]!)).get('code')!;
      const { body } = await redeem(url, attempts[i]!, code);
      const called = await callTool(url, body.access_token, 'listCompanies');
      const { data } = called.body.result.structuredContent;
      seen.push(data.map(({ id }: { id: number }) => String(id)));
    }
    t.deepEqual(seen, [['301'], ['201', '202', '203']]);
    t.deepEqual(await bindings(first.context), []);
  },
);

test.serial(
  '[T22] in one browser the codes and states of two sign-ins cannot be exchanged',
  async (t) => {
    const attempts = [await newAttempt(), await newAttempt()];
    const pages = [await tab(t, first.context), await tab(t, first.context)];
    const uids: string[] = [];
    for (const [i, page] of pages.entries()) uids.push(await atConsent(page, attempts[i]!));
    for (const page of pages) await approveIn(page);
    const callbacks: URL[] = [];
    let stopping = true;
    for (const [i, page] of pages.entries()) {
      await atCallback(page, (callback) => {
        if (!stopping) return callback.href;
        callbacks.push(callback);
        return undefined;
      });
      await signIn(page, [ada, bruno][i]);
      await page.waitForURL(isCallback);
    }
    stopping = false;
    const [mine, theirs] = callbacks as [URL, URL];
    const sent = codesSent();
    const swapped = [mine, theirs].map((to, i) => {
      const changed = new URL(to);
      changed.searchParams.set('code', [theirs, mine][i]!.searchParams.get('code')!);
      return changed;
    });
    for (const [i, page] of pages.entries()) {
      await page.goto(swapped[i]!.href);
      t.is(await heading(page), 'NeonPanel did not sign you in');
      // The state is spent, right code or not.
      await page.goto([mine, theirs][i]!.href);
      t.is(await heading(page), OVER);
      nothingGranted(t, harness, uids[i]!);
    }
    t.is(codesSent(), sent);
  },
);

test.serial('[T23] no parameter takes the browser to a site that has no part in it', async (t) => {
  const names = [
    ...['return_to', 'returnTo', 'return', 'next', 'redirect', 'redirect_to', 'redirectTo', 'url'],
    ...['continue', 'dest', 'destination', 'target', 'goto', 'r', 'u', 'back', 'callback'],
    ...['post_logout_redirect_uri', 'RelayState', 'forward'],
  ];
  const page = await tab(t, first.context);
  const origins = new Set<string>();
  page.on('request', (request) => origins.add(new URL(request.url()).origin));
  const withAll = (to: string, value: string): string => {
    const changed = new URL(to);
    for (const name of names) changed.searchParams.set(name, value);
    return changed.href;
  };
  let value = '';
  let callbacks = 0;
  await atCallback(page, (callback) => {
    callbacks++;
    return withAll(callback.href, value);
  });
  const sent = codesSent();
  const values = [evil.foreign, `//127.0.0.1:${new URL(evil.foreign).port}`, `\\\\${evil.foreign}`];
  for (const [i, each] of values.entries()) {
    value = each;
    const attempt = await newAttempt();
    await page.goto(withAll(attempt.url.href, value));
    await page.waitForURL(`${url}/interaction/**`);
    await page.goto(withAll(page.url(), value));
    await page.evaluate(
      (to) => {
        document.forms[0]!.action = to;
      },
      withAll(page.url(), value),
    );
    await page.click('button[value=approve]');
    if (i === 0) await signIn(page, ada);
    t.truthy((await answerIn(page)).get('code'), value);
    await page.goto(withAll(`${url}/nowhere`, value));
    await page.goto(withAll(`${url}/`, value));
  }
  t.is(codesSent(), sent + values.length);
  t.is(callbacks, values.length);
  t.deepEqual(
    [...origins].filter((origin) => ![url, sandbox.url, connector.origin].includes(origin)),
    [],
  );
});

test.serial(
  '[T22] a sign-in that took more than ten minutes, and a question left for fifteen, are over',
  async (t) => {
    const page = await tab(t, first.context);
    const late = await atConsent(page, await newAttempt());
    await approveIn(page);
    aheadMs += 601_000;
    await signIn(page, ada);
    await page.waitForURL(isCallback);
    t.is(await heading(page), OVER);
    nothingGranted(t, harness, late);

    const left = await atConsent(page, await newAttempt());
    aheadMs += 901_000;
    await page.click('button[value=approve]');
    await page.waitForURL(`${url}/interaction/${left}`);
    t.is(await heading(page), OVER);
    nothingGranted(t, harness, left);

    const fresh = await newAttempt();
    await atConsent(page, fresh);
    await page.click('button[value=approve]');
    if (new URL(page.url()).origin === sandbox.url) await signIn(page, ada);
    t.truthy((await answerIn(page)).get('code'), 'and a new start works');
  },
);
