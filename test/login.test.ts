import { randomBytes } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { createBrowser, type Page } from './support/browser.ts';
import { createClock } from './support/clock.ts';
import { startHarness } from './support/harness.ts';
import {
  answerConsent,
  answerLogin,
  authorizationRequest,
  callTool,
  redeem,
  REDIRECT_URI,
  register,
  signIn,
  type TestClient,
  userBrowser,
} from './support/oauth.ts';
import {
  approve,
  type AtConsent,
  isCallback,
  isResume,
  nothingGranted,
  openConsent,
  refusedByPage,
  stopAtClient,
  storedKinds,
  storedRecords,
} from './login-support.ts';

const harness = await startHarness({ instances: 2 });
const { url, instances, sandbox } = harness;
const [ada, bruno] = sandbox.users as [(typeof sandbox.users)[0], (typeof sandbox.users)[0]];
test.after.always(() => harness.close());

/** Signs in at NeonPanel, and stops before the browser comes back to us. @returns the address of our callback */
async function callbackOf(started: AtConsent, user = ada): Promise<URL> {
  const upstream = await approve(harness, started);
  started.browser.stopAt(isCallback);
  const login = await started.browser.goto(upstream);
  const { stoppedAt } = login.stoppedAt ? login : await answerLogin(login, user);
  stopAtClient(started.browser, started.attempt);
  return stoppedAt!;
}

/** Takes the store's write lock, as another process may. @returns gives it back */
function holdWrites({ dataDir }: { dataDir: string }): () => void {
  const db = new DatabaseSync(`${dataDir}/neonpanel-mcp.db`, { timeout: 1_000 });
  db.exec('BEGIN IMMEDIATE');
  return () => {
    db.exec('ROLLBACK');
    db.close();
  };
}

const codeIn = (page: Page): string | null => page.stoppedAt?.searchParams.get('code') ?? null;

test.serial(
  '[N1] [D5] NeonPanel is sent our own client, callback, state and PKCE, nothing of the client’s',
  async (t) => {
    const started = await openConsent(harness);
    const upstream = await approve(harness, started);
    const sent = Object.fromEntries(upstream.searchParams);
    const { client, state, url: asked } = started.attempt;
    t.is(upstream.origin + upstream.pathname, `${sandbox.url}/oauth2/authorize`);
    t.like(sent, {
      response_type: 'code',
      redirect_uri: `${url}/oauth2/authorize/callback`,
      scope: 'openid',
      code_challenge_method: 'S256',
    });
    t.deepEqual(Object.keys(sent).sort(), [
      'client_id',
      'code_challenge',
      'code_challenge_method',
      'redirect_uri',
      'response_type',
      'scope',
      'state',
    ]);
    const theirs = [
      client.client_id,
      state,
      asked.searchParams.get('code_challenge')!,
      REDIRECT_URI,
    ];
    for (const value of theirs) t.false(decodeURIComponent(upstream.href).includes(value), value);
  },
);

test.serial(
  '[T1] a sign-in that another browser finishes ends in an error there, and afterwards for the first one too',
  async (t) => {
    const attacker = await openConsent(harness);
    const upstream = await approve(harness, attacker);
    const victim = await openConsent(harness);
    await approve(harness, victim);

    for (const browser of [createBrowser(), victim.browser]) {
      browser.stopAt((to) => to.href.startsWith(REDIRECT_URI));
      const login = await browser.goto(upstream);
      const end = await answerLogin(login, bruno);
      t.true(isCallback(new URL(end.url)));
      refusedByPage(t, harness, end, 400);
      t.false(end.history.some((hop) => isResume(new URL(hop.url))));
      nothingGranted(t, harness, attacker.uid);
    }

    const own = await answerLogin(await attacker.browser.goto(upstream), ada);
    refusedByPage(t, harness, own, 400);
    t.is(codeIn(own), null);
    nothingGranted(t, harness, attacker.uid);
    nothingGranted(t, harness, victim.uid);
  },
);

test.serial(
  '[T1] the address at which the engine resumes is worth nothing in another browser',
  async (t) => {
    const started = await openConsent(harness);
    const callback = await callbackOf(started);
    started.browser.stopAt(isResume);
    const resume = (await started.browser.goto(callback)).stoppedAt!;
    t.true(isResume(resume));
    const stranger = createBrowser();
    refusedByPage(t, harness, await stranger.goto(resume), 400);
    stopAtClient(started.browser, started.attempt);
    t.truthy(codeIn(await started.browser.goto(resume)));
  },
);

test.serial(
  '[T3] [F34] before approval there is no state, and a callback or resume goes nowhere',
  async (t) => {
    const started = await openConsent(harness);
    const { browser, uid } = started;
    t.deepEqual(storedKinds(harness, uid), ['interaction']);
    const guesses = [uid, `${uid}.`, `${uid}.${randomBytes(32).toString('base64url')}`, ''];
    for (const state of guesses) {
      for (const answer of ['code=stolen', 'error=access_denied']) {
        const callback = `${url}/oauth2/authorize/callback?${answer}&state=${state}`;
        refusedByPage(t, harness, await browser.goto(callback), 400);
      }
    }
    t.deepEqual(storedKinds(harness, uid), ['interaction']);
    // Our page is still where it was: a guess destroyed nothing.
    const upstream = await approve(harness, started);
    for (const state of guesses) {
      await browser.goto(`${url}/oauth2/authorize/callback?code=stolen&state=${state}`);
    }
    t.truthy(codeIn(await answerLogin(await browser.goto(upstream), ada)));
  },
);

test.serial('[T3] resuming before approval gives no code, only the question again', async (t) => {
  const { browser, uid, attempt } = await openConsent(harness);
  const resumed = await browser.goto(`${url}/oauth2/authorize/${uid}`);
  t.is(resumed.stoppedAt, undefined);
  t.is(codeIn(resumed), null);
  // The engine asks again, under a new id.
  t.is(resumed.dom.querySelector('h1')?.text, 'Let client.example read your NeonPanel data?');
  nothingGranted(t, harness, uid);
  t.is((await redeem(url, attempt, `${uid}.x`)).status, 400);
});

test.serial('[T5] [D9] twenty parallel resumes on two instances give one code', async (t) => {
  const client = (await register(url)).body;
  const browser = createBrowser();
  for (let round = 0; round < 30; round++) {
    const attempt = authorizationRequest(url, client);
    browser.stopAt(isResume);
    const page = await browser.goto(attempt.url);
    const login = await answerConsent(page);
    const { stoppedAt: resume } = login.stoppedAt ? login : await answerLogin(login, ada);
    const cookie = browser.cookies(resume!).join('; ');
    // In some rounds nobody can write for a moment: all twenty then read the same state before the first one changes it.
    const release = round % 3 === 0 ? holdWrites(harness) : undefined;
    const asked = Array.from({ length: 20 }, (_, i) =>
      fetch(`${instances[i % 2]}${resume!.pathname}`, {
        redirect: 'manual',
        headers: { cookie, accept: 'text/html' },
      }),
    );
    if (release) await sleep(250).then(release);
    const answers = await Promise.all(asked);
    const codes = answers
      .map((answer) => URL.parse(answer.headers.get('location') ?? '')?.searchParams.get('code'))
      .filter((code) => code != null);
    t.is(codes.length, 1);
    const others = answers.filter((answer) => answer.status !== 303);
    t.deepEqual(new Set(others.map(({ status }) => status)), new Set([400]));
    t.is(others.length, 19);
    t.is((await redeem(url, attempt, codes[0]!)).status, 200);
  }
});

test.serial(
  '[X14] [T22] [F34] a callback works once: reload and back show a friendly page and make no second grant',
  async (t) => {
    const started = await openConsent(harness);
    const { browser, attempt, uid } = started;
    const callback = await callbackOf(started);
    const first = await browser.goto(callback);
    const code = codeIn(first)!;
    t.truthy(code);
    const kinds = storedKinds(harness, uid);

    for (const back of [callback.href, callback.href, started.page.url]) {
      const page = await browser.goto(back);
      refusedByPage(t, harness, page, 400);
      t.regex(page.text, /connect again/);
    }
    refusedByPage(t, harness, await browser.goto(`${url}/oauth2/authorize/${uid}`), 400);
    t.deepEqual(storedKinds(harness, uid), kinds);
    t.is((await redeem(url, attempt, code)).status, 200);
    refusedByPage(t, harness, await browser.goto(callback), 400);
    t.deepEqual(storedKinds(harness, uid), ['code', 'credential', 'grant', 'login']);
  },
);

test.serial('[X14] two callbacks at once make one code', async (t) => {
  const started = await openConsent(harness);
  const callback = await callbackOf(started);
  const pages = await Promise.all([1, 2, 3, 4].map(() => started.browser.copy().goto(callback)));
  t.is(pages.filter((page) => codeIn(page)).length, 1);
  for (const page of pages.filter((page) => !codeIn(page))) {
    refusedByPage(t, harness, page, 400);
  }
});

test.serial('[T22] NeonPanel’s codes of two transactions cannot be swapped', async (t) => {
  const one = await openConsent(harness);
  const two = await openConsent(harness);
  const [first, second] = [await callbackOf(one, ada), await callbackOf(two, bruno)];
  const [mine, foreign] = [first, second].map((to) => to.searchParams.get('code')!);
  first.searchParams.set('code', foreign!);
  second.searchParams.set('code', mine!);
  for (const [started, callback] of [
    [one, first],
    [two, second],
  ] as const) {
    refusedByPage(t, harness, await started.browser.goto(callback), 400);
    nothingGranted(t, harness, started.uid);
  }
});

test.serial(
  '[T22] [F34] parameters sent twice, foreign issuers and empty answers at the callback give no code',
  async (t) => {
    const spoil: ((callback: URL) => void)[] = [
      (c) => c.searchParams.append('code', 'second'),
      (c) => c.searchParams.append('state', 'second'),
      (c) => c.searchParams.append('iss', 'https://evil.example'),
      (c) => c.searchParams.delete('code'),
      (c) => c.searchParams.set('code', ''),
      (c) => c.searchParams.set('code', 'x'.repeat(2_000)),
      (c) => c.searchParams.append('response', 'jwt'),
    ];
    for (const change of spoil) {
      const started = await openConsent(harness);
      const callback = await callbackOf(started);
      change(callback);
      const page = await started.browser.goto(callback);
      t.true([400, 502].includes(page.status), callback.search);
      refusedByPage(t, harness, page, page.status);
      nothingGranted(t, harness, started.uid);
    }
  },
);

test.serial(
  'cancelling at NeonPanel sends access_denied to the client and stores nothing',
  async (t) => {
    const { browser, page, attempt, uid } = await openConsent(harness);
    const login = await answerConsent(page);
    const end = await login.form().submit({ cancel: '1' });
    const answer = Object.fromEntries(end.stoppedAt!.searchParams);
    t.like(answer, { error: 'access_denied', state: attempt.state, iss: url });
    t.false('code' in answer);
    nothingGranted(t, harness, uid);
    refusedByPage(t, harness, await browser.goto(page.url), 400);
  },
);

test.serial(
  '[T23] [A13] no parameter sends the browser anywhere but to us, NeonPanel or the registered address',
  async (t) => {
    const names = [
      ...[
        'return_to',
        'returnTo',
        'return',
        'next',
        'redirect',
        'redirect_to',
        'redirectTo',
        'url',
      ],
      ...['continue', 'dest', 'destination', 'target', 'goto', 'r', 'u', 'back', 'callback'],
      ...['post_logout_redirect_uri', 'RelayState', 'forward'],
    ];
    const values = [
      ...['https://evil.example', '//evil.example', '///evil.example', '/\\evil.example'],
      ...['https:evil.example', 'http://evil.example:80', '\\\\evil.example', '/%2f/evil.example'],
      ...[
        'https://localhost@evil.example',
        'javascript:alert(1)',
        'data:text/html,x',
        '/%5cevil.example',
      ],
      ...[
        'https://client.example.evil.example/',
        '%0d%0aLocation:https://evil.example',
        '.evil.example',
      ],
    ];
    const started = await openConsent(harness);
    const cookie = started.browser.cookies(started.page.url).join('; ');
    const valid = authorizationRequest(url, started.attempt.client).url;
    const csrf = started.page.form().fields.get('csrf')!;
    const allowed = [url, sandbox.url, 'https://client.example'].map((one) => new URL(one).origin);

    for (const name of names) {
      const answers = await Promise.all(
        values.flatMap((value) => {
          const with_ = (to: string | URL): URL => {
            const changed = new URL(to);
            changed.searchParams.set(name, value);
            return changed;
          };
          const get = { redirect: 'manual', headers: { cookie, accept: 'text/html' } } as const;
          const form = new URLSearchParams({ csrf, decision: 'approve', [name]: value });
          return [
            fetch(with_(url), get),
            fetch(with_(valid), get),
            fetch(with_(`${url}/nowhere`), get),
            fetch(with_(started.page.url), get),
            fetch(with_(`${url}/oauth2/authorize/callback?state=x`), get),
            fetch(with_(started.page.url), { ...get, method: 'POST', body: form }),
          ];
        }),
      );
      for (const { headers, url: asked } of answers) {
        const location = headers.get('location');
        if (location)
          t.true(allowed.includes(new URL(location, url).origin), `${asked} ${location}`);
        const refresh = headers.get('refresh');
        t.is(refresh, null);
      }
      t.true(answers.some(({ headers }) => headers.has('location')));
    }
  },
);

test.serial(
  '[T24] a state with line breaks comes back encoded, and splits no header',
  async (t) => {
    const state = 'a\r\nSet-Cookie: x=1\r\n\r\n<script>';
    const started = await openConsent(harness, { parameters: { state } });
    const { stoppedAt, history } = await answerConsent(started.page, { decision: 'deny' });
    t.is(stoppedAt!.searchParams.get('state'), state);
    t.false(stoppedAt!.href.includes('\n'));
    t.false(history.some((hop) => hop.setCookie.some((cookie) => cookie.startsWith('x='))));
  },
);

test.serial(
  '[T63] [D20] every cookie is Secure, HttpOnly, Lax, without domain, and prefixed by its path',
  async (t) => {
    const started = await openConsent(harness);
    const login = await answerConsent(started.page);
    const end = await answerLogin(login, ada);
    const denied = await openConsent(harness);
    const refusal = await answerConsent(denied.page, { decision: 'deny' });
    const ours = [started.page, login, end, denied.page, refusal]
      .flatMap((page) => page.history)
      .filter((hop) => hop.url.startsWith(url))
      .flatMap((hop) => hop.setCookie);
    const names = new Set<string>();
    for (const cookie of ours) {
      const [pair = '', ...attributes] = cookie.split(/; */);
      const name = pair.split('=', 1)[0]!;
      const lower = attributes.map((attribute) => attribute.toLowerCase());
      names.add(name.replace(/login-[\w-]{16}$/, 'login-…'));
      for (const needed of ['secure', 'httponly', 'samesite=lax'])
        t.true(lower.includes(needed), cookie);
      t.false(
        lower.some((attribute) => attribute.startsWith('domain')),
        cookie,
      );
      t.true(name.startsWith(lower.includes('path=/') ? '__Host-' : '__Secure-'), cookie);
      t.true(
        lower.some((attribute) => /^(max-age|expires)=/.test(attribute)),
        cookie,
      );
    }
    t.deepEqual([...names].sort(), [
      '__Host-neonpanel-consent',
      '__Host-neonpanel-login-…',
      '__Secure-neonpanel-interaction',
      '__Secure-neonpanel-interaction.sig',
      '__Secure-neonpanel-resume',
      '__Secure-neonpanel-resume.sig',
    ]);
    const binding = ours.filter((cookie) => cookie.includes('-login-'));
    t.true(binding.some((cookie) => /expires=/i.test(cookie) || /max-age=600/i.test(cookie)));
    // The binding is set by the approving answer and by nothing before it.
    t.false(started.page.history.some((hop) => hop.setCookie.some((c) => c.includes('-login-'))));
    t.false(refusal.history.some((hop) => hop.setCookie.some((c) => c.includes('-login-'))));
  },
);

test.serial(
  '[T64] of 25 tabs the newest 20 finish, and no more than 20 bindings are held',
  async (t) => {
    const client = (await register(url)).body;
    const browser = createBrowser();
    const tabs: { started: AtConsent; upstream: URL }[] = [];
    for (let i = 0; i < 25; i++) {
      const started = await openConsent(harness, { client, browser });
      tabs.push({ started, upstream: await approve(harness, started) });
      const held = browser.cookies(`${url}/`).filter(({ key }) => key.includes('-login-'));
      t.is(held.length, Math.min(i + 1, 20));
    }
    browser.stopAt((to) => to.href.startsWith(REDIRECT_URI));
    await answerLogin(await browser.goto(tabs[0]!.upstream), ada);
    const ends = await Promise.all(tabs.slice(5).map(({ upstream }) => browser.goto(upstream)));
    const codes = ends.map(codeIn);
    t.is(new Set(codes.filter((code) => code)).size, 20);
    for (const { started, upstream } of tabs.slice(0, 5)) {
      refusedByPage(t, harness, await browser.goto(upstream), 400);
      nothingGranted(t, harness, started.uid);
    }
    t.is(browser.cookies(`${url}/`).filter(({ key }) => key.includes('-login-')).length, 0);
  },
);

test.serial('[T64] 20 tabs opened and approved at the same time all finish', async (t) => {
  const client = (await register(url)).body;
  const browser = createBrowser();
  await answerLogin(
    await browser.goto(await approve(harness, await openConsent(harness, { client, browser }))),
    ada,
  );
  browser.stopAt((to) => to.href.startsWith(REDIRECT_URI));
  const attempts = Array.from({ length: 20 }, () => authorizationRequest(url, client));
  const pages = await Promise.all(attempts.map((attempt) => browser.goto(attempt.url)));
  const ends = await Promise.all(pages.map((page) => answerConsent(page)));
  const states = ends.map((end) => end.stoppedAt?.searchParams.get('state'));
  t.deepEqual(
    states,
    attempts.map(({ state }) => state),
  );
  t.is(new Set(ends.map(codeIn)).size, 20);
});

test.serial(
  '[T21] planted cookies start nothing, and bind nobody to somebody else’s request',
  async (t) => {
    const attacker = await openConsent(harness);
    const upstream = await approve(harness, attacker);
    const victim = createBrowser();
    const { uid } = attacker;
    // Unsigned, as far as an attacker can plant them at all.
    victim.setCookie(`${url}/`, 'neonpanel-session=planted; Path=/');
    for (const [name, path] of [
      ['interaction', '/interaction'],
      ['resume', '/oauth2/authorize'],
    ]) {
      t.true(
        victim.setCookie(
          `${url}/`,
          `__Secure-neonpanel-${name}=${uid}; Path=${path}/${uid}; Secure`,
        ),
      );
    }
    const binding = attacker.browser.cookies(`${url}/`).find(({ key }) => key.includes('-login-'))!;
    t.true(victim.setCookie(`${url}/`, `${binding.key}=${'A'.repeat(52)}; Path=/; Secure`));
    refusedByPage(t, harness, await victim.goto(attacker.page.url), 400);
    refusedByPage(t, harness, await victim.goto(`${url}/oauth2/authorize/${uid}`), 400);
    refusedByPage(t, harness, await answerLogin(await victim.goto(upstream), bruno), 400);
    nothingGranted(t, harness, uid);
  },
);

test.serial('[T21] a consent cookie chosen by somebody else is replaced', async (t) => {
  const { browser, page } = await openConsent(harness);
  const made = 'x'.repeat(43);
  for (const value of ['', 'short', made, `${made}.${made}`, 'a b'.padEnd(43, '!')]) {
    browser.setCookie(`${url}/`, `__Host-neonpanel-consent=${value}; Path=/; Secure`);
    await browser.goto(page.url);
    const held = browser.cookies(`${url}/`).find(({ key }) => key === '__Host-neonpanel-consent');
    t.regex(held?.value ?? '', /^[\w-]{43}\.[\w-]{43}$/);
    t.not(held?.value, value);
  }
});

test.serial('two accounts in two tabs of one browser each get their own data', async (t) => {
  const client = (await register(url)).body;
  const browser = createBrowser();
  const one = await openConsent(harness, { client, browser });
  const two = await openConsent(harness, { client, browser });
  const logins: Page[] = [];
  for (const started of [one, two]) {
    logins.push(await browser.goto(await approve(harness, started)));
  }
  browser.stopAt((to) => to.href.startsWith(REDIRECT_URI));
  const seen: string[][] = [];
  for (const [i, user] of [ada, bruno].entries()) {
    const code = codeIn(await answerLogin(logins[i]!, user))!;
    const { body } = await redeem(url, [one, two][i]!.attempt, code);
    const { structuredContent } = (await callTool(url, body.access_token, 'listCompanies')).body
      .result;
    seen.push(structuredContent.data.map(({ id }: { id: number }) => String(id)));
  }
  t.deepEqual(seen, [['201', '202', '203'], ['301']]);
});

test.serial(
  '[T51] codes, states, binding nonces and form codes are not in the store',
  async (t) => {
    const started = await openConsent(harness);
    const csrf = started.page.form().fields.get('csrf')!;
    const callback = await callbackOf(started);
    const cookies = started.browser.cookies(`${url}/`).map(({ value }) => value);
    const code = codeIn(await started.browser.goto(callback))!;
    const secrets = [
      ...[csrf, code, code.split('.')[1]!, callback.searchParams.get('state')!.split('.')[1]!],
      ...cookies,
      ...cookies.map((cookie) => cookie.split('.')[1] ?? cookie),
    ];
    const records = storedRecords(harness);
    const stored = JSON.stringify(records);
    t.true(stored.includes(started.uid));
    for (const secret of secrets) t.false(stored.includes(secret), secret);
    t.is((await redeem(url, started.attempt, code)).status, 200);
    t.false(JSON.stringify(storedRecords(harness)).includes(code.split('.')[1]!));
  },
);

test.serial(
  '[T22] what has expired ends in a page, and a login that took too long can be approved anew',
  async (t) => {
    const clock = createClock();
    const slow = await startHarness({ now: clock.now });
    t.teardown(slow.close);
    const client: TestClient = (await register(slow.url)).body;
    const start = () => openConsent(slow, { client });

    // The login transaction lives 10 minutes, the request itself 15.
    const late = await start();
    const upstream = await approve(slow, late);
    clock.advance(601_000);
    refusedByPage(t, slow, await answerLogin(await late.browser.goto(upstream), ada), 400);
    nothingGranted(t, slow, late.uid);
    const again = { ...late, page: await late.browser.goto(late.page.url) };
    t.is(again.page.status, 200);
    t.truthy(codeIn(await late.browser.goto(await approve(slow, again))));

    const over = await start();
    const waiting = await start();
    const gone = await approve(slow, waiting);
    clock.advance(901_000);
    refusedByPage(t, slow, await over.browser.goto(over.page.url), 400);
    refusedByPage(t, slow, await answerConsent(over.page), 400);
    refusedByPage(t, slow, await answerConsent(over.page, { decision: 'deny' }), 400);
    refusedByPage(
      t,
      slow,
      await over.browser.goto(`${slow.url}/oauth2/authorize/${over.uid}`),
      400,
    );
    refusedByPage(t, slow, await answerLogin(await waiting.browser.goto(gone), ada), 400);
    for (const { uid } of [over, waiting]) nothingGranted(t, slow, uid);

    // A fresh start in the same browser works.
    const attempt = authorizationRequest(slow.url, client);
    const fresh = await signIn(slow, attempt, {}, over.browser);
    const { status } = await redeem(slow.url, attempt, fresh.searchParams.get('code')!);
    t.is(status, 200);
  },
);

test.serial('a server that was restarted in between finishes what was begun', async (t) => {
  const own = await startHarness();
  t.teardown(own.close);
  const started = await openConsent(own);
  await own.restart();
  const upstream = await approve(own, started);
  await own.restart();
  started.browser.stopAt(isResume);
  const { stoppedAt } = await answerLogin(await started.browser.goto(upstream), ada);
  await own.restart();
  stopAtClient(started.browser, started.attempt);
  const code = codeIn(await started.browser.goto(stoppedAt!))!;
  await own.restart();
  t.is((await redeem(own.url, started.attempt, code)).status, 200);
});

test.serial('a browser without cookies is told so instead of being sent in circles', async (t) => {
  const attempt = authorizationRequest(url, (await register(url)).body);
  const answer = await fetch(attempt.url, { redirect: 'manual', headers: { accept: 'text/html' } });
  const page = await createBrowser().goto(url + answer.headers.get('location'));
  refusedByPage(t, harness, page, 400);
  t.is(userBrowser(attempt).cookies(url).length, 0);
});
