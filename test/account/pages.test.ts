import test from 'ava';
import { LANGUAGE_CODES } from '../../views/languages.ts';
import { TEXTS } from '../../views/texts/texts.ts';
import { errorOf } from '../exactly-once/support.ts';
import { type Browser, createBrowser, type Page } from '../support/browser.ts';
import { createClock } from '../support/clock.ts';
import { startHarness, untilReady } from '../support/harness.ts';
import { answerLogin, callTool, connect, refresh } from '../support/oauth.ts';
import { recordsOf } from '../support/records.ts';
import {
  endedOn,
  grantOf,
  isDoor,
  listed,
  openAccount,
  SESSION_COOKIE,
  sessionIn,
} from './support.ts';

/** The page of connected apps, as a person comes to it and as somebody else would. Two instances on one Redis. */

const clock = createClock();
const harness = await startHarness({ store: 'redis', instances: 2, now: clock.now });
const { url, instances, sandbox, logs } = harness;
test.after.always(() => harness.close());
const [ada, bruno] = sandbox.users as [(typeof sandbox.users)[0], (typeof sandbox.users)[0]];
const { account: says, messages } = TEXTS.en;

/** Past what is believed without asking the store. */
const passOneSecond = () => clock.advance(1_000);
const livesAt = (accessToken: string) =>
  Promise.all(
    instances.map(async (base) => (await callTool(base, accessToken, 'listCompanies')).status),
  );
const titleOf = (page: Page) => page.dom.querySelector('h1')!.text;
const gone = (cookie: string) => `${cookie}=; Path=/; Secure; Max-Age=0`;
const csrfOf = (page: Page) => page.form('.who form').fields.get('csrf')!;

test.serial(
  '[D5] [T51] [T17] somebody signs in at NeonPanel and sees their own apps; nothing of that sign-in is kept but a hash',
  async (t) => {
    sandbox.faults.set('offer-revocation');
    const own = await connect(harness, { user: ada });
    const others = await connect(harness, { user: bruno });
    const credentials = async () =>
      (await recordsOf(harness)).filter(({ kind }) => kind === 'credential').length;
    const before = await credentials();

    const browser = createBrowser();
    const door = await browser.goto(`${url}/account`);
    t.is(titleOf(door), says.title);
    t.is(door.dom.querySelectorAll('main button').length, 1);
    t.is(door.dom.querySelector('main button')!.text, says.signIn);
    const { page } = await openAccount(harness, ada, { browser });
    t.is(page.status, 200);
    t.true(listed(page).includes(grantOf(own.tokens)));
    t.false(page.text.includes(grantOf(others.tokens)));
    const text = page.dom.querySelector('main')!.text;
    t.regex(text, /NeonPanel user 1001/);
    t.regex(text, /Harbor & Pine Home/, 'by which they recognise their account');
    t.is(page.headers.get('cache-control'), 'no-store');

    const id = sessionIn(browser, url)!;
    t.regex(id, /^[\w-]{43}$/);
    const records = await recordsOf(harness);
    const stored = records.filter(({ kind }) => kind === 'account-session');
    t.is(stored.length, 1);
    t.false(JSON.stringify(records).includes(id), 'the id itself is not in the store');
    t.notRegex(stored[0]!.value, /1001|Harbor/, 'nor who it is, in the clear');
    t.is(await credentials(), before);
    await logs.waitFor({ event: 'neonpanel.revocation', outcome: 'success', subject: '1001' });
    t.deepEqual(
      await livesAt(own.tokens.access_token),
      [200, 200],
      'only that token was given back',
    );
    await logs.waitFor({ event: 'account.login', outcome: 'success', subject: '1001' });
    t.deepEqual(logs.leaked([id]), []);
  },
);

test.serial(
  '[T63] [D20] [T21] the session is a cookie of this host, new at every sign-in',
  async (t) => {
    const browser = createBrowser();
    const planted = 'p'.repeat(43);
    browser.setCookie(url, `${SESSION_COOKIE}=${planted}; Path=/; Secure`);
    const { page } = await openAccount(harness, ada, { browser });
    const set = page.history.flatMap(({ setCookie }) => setCookie);
    const cookie = set.find((one) => one.startsWith(SESSION_COOKIE))!;
    // It outlives the session, so that its holder can be told that this is over.
    t.regex(cookie, /; Path=\/; Max-Age=86400; Secure; HttpOnly; SameSite=Lax$/);
    const first = sessionIn(browser, url)!;
    t.not(first, planted);
    const attacker = createBrowser();
    attacker.setCookie(url, `${SESSION_COOKIE}=${planted}; Path=/; Secure`);
    t.true(isDoor(await attacker.goto(`${url}/account`)), 'what was planted is nobody’s');

    // Somebody else signs in beside it, in a tab that was open before.
    const old = browser.copy();
    const second = createBrowser();
    const door = await second.goto(`${url}/account`);
    second.setCookie(url, `${SESSION_COOKIE}=${first}; Path=/; Secure`);
    const next = await answerLogin(await door.form().submit(), bruno);
    t.regex(next.dom.querySelector('main')!.text, /NeonPanel user 1002/);
    t.not(sessionIn(second, url), first);
    t.true(
      isDoor(await old.goto(`${url}/account`)),
      'the session before it is over, wherever it is held',
    );
  },
);

test.serial(
  '[T22] [T1] [T3] a sign-in works once, in its own browser, and a failed one leads to no other',
  async (t) => {
    const refused = (
      page: Page,
      key: 'accountOver' | 'accountDenied' | 'accountAway',
      status: number,
    ) => {
      t.is(page.status, status, page.text);
      t.is(titleOf(page), messages[key].title);
      t.is(page.dom.querySelector('main .button')!.getAttribute('href'), '/account');
      t.is(page.dom.querySelector('.support code')!.text, page.headers.get('x-request-id')!);
    };
    const isCallback = (to: URL) => to.pathname === '/oauth2/authorize/callback';
    const begin = async (browser: Browser) => {
      browser.stopAt(isCallback);
      const door = await browser.goto(`${url}/account`);
      const { stoppedAt } = await answerLogin(await door.form().submit(), ada);
      browser.stopAt(() => false);
      return stoppedAt!;
    };
    const browser = createBrowser();
    const callback = await begin(browser);
    const victim = createBrowser();
    await victim.goto(`${url}/account`);
    refused(await victim.goto(callback), 'accountOver', 400);
    t.is(sessionIn(victim, url), undefined);
    refused(await browser.goto(callback), 'accountOver', 400);
    t.is(sessionIn(browser, url), undefined, 'nor the first one afterwards');

    const again = createBrowser();
    const used = await begin(again);
    const other = new URL(used);
    other.searchParams.set('state', `${other.searchParams.get('state')}x`);
    refused(await again.goto(other), 'accountOver', 400);
    t.is((await again.goto(used)).status, 200);
    refused(await again.goto(used), 'accountOver', 400);

    const late = createBrowser();
    const expired = await begin(late);
    const forged = new URL(expired);
    forged.searchParams.set('state', `account-${'a'.repeat(43)}.${'b'.repeat(43)}`);
    refused(await late.goto(forged), 'accountOver', 400);

    const denied = new URL(expired);
    denied.searchParams.delete('code');
    denied.searchParams.set('error', 'access_denied');
    refused(await late.goto(denied), 'accountDenied', 400);
    t.true(isDoor(await late.goto(`${url}/account`)), 'one page, one button, nothing by itself');

    const away = createBrowser();
    const unlucky = await begin(away);
    sandbox.faults.set('html-500', { path: '/oauth2/token', times: 1 });
    refused(await away.goto(unlucky), 'accountAway', 502);

    // The API being away is no reason to keep somebody from ending connections.
    const lucky = createBrowser();
    const there = await begin(lucky);
    sandbox.faults.set('forbidden', { path: '/api/', times: 1 });
    const page = await lucky.goto(there);
    t.regex(page.dom.querySelector('main')!.text, /NeonPanel user 1001/);
    t.notRegex(page.text, /Harbor/);
  },
);

test.serial(
  '[T36] [D7] disconnecting one takes effect within a second everywhere, and whoever sends it twice gets the same answer',
  async (t) => {
    const metadata = {
      client_name: 'ChatGPT',
      redirect_uris: ['https://chatgpt.com/connector_platform_oauth_redirect'],
    };
    const gone = await connect(harness, { user: ada, metadata });
    const kept = await connect(harness, { user: ada });
    const grantId = grantOf(gone.tokens);
    const { browser, page } = await openAccount(harness, ada, { base: instances[1]! });
    t.deepEqual(await livesAt(gone.tokens.access_token), [200, 200]);
    const app = page.dom
      .querySelectorAll('section.app')
      .find((each) => each.toString().includes(grantId))!;
    t.is(app.querySelector('h2.host')!.text, 'chatgpt.com');
    t.is(app.querySelector('.verified')!.text, 'Verified address of ChatGPT');
    t.is(app.querySelector('q')!.text, 'ChatGPT');

    const question = await page.follow(`a[href="/account/disconnect/${grantId}"]`);
    t.is(titleOf(question), 'Disconnect chatgpt.com?');
    t.deepEqual(await livesAt(gone.tokens.access_token), [200, 200], 'asking ends nothing');
    const after = await question.form().submit();
    t.is(after.history[0]!.status, 303);
    t.false(listed(after).includes(grantId));
    t.regex(endedOn(after)[0]!, /^chatgpt.com “?ChatGPT”?.* – You disconnected it here\.$/);
    passOneSecond();
    t.deepEqual(await livesAt(gone.tokens.access_token), [401, 401]);
    const late = await refresh(url, gone.client, gone.tokens.refresh_token);
    t.is(errorOf(late), 'invalid_grant');
    t.deepEqual(await livesAt(kept.tokens.access_token), [200, 200]);

    const twice = await question.form().submit();
    t.deepEqual([twice.status, twice.text], [200, after.text], 'sent twice');
    const back = await browser.goto(question.url);
    t.deepEqual([back.url, back.text], [`${instances[1]}/account`, after.text], 'back and reload');
    t.is(logs.find({ event: 'grant.ended', grant: grantId, outcome: 'disconnected' }).length, 1);
  },
);

test.serial(
  '[T36] all are disconnected with one answer; what is connected afterwards stays',
  async (t) => {
    const mine = [
      await connect(harness, { user: ada }),
      await connect(harness, { user: ada }),
      await connect(harness, { user: ada }),
    ];
    const others = await connect(harness, { user: bruno });
    const { page } = await openAccount(harness, ada);
    t.true(listed(page).length >= 3);
    const question = await page.follow('a[href="/account/disconnect"]');
    t.is(titleOf(question), says.confirmAll);
    t.true(question.text.includes(`Connections that will end: ${listed(page).length}`));
    const after = await question.form().submit();
    t.deepEqual(listed(after), []);
    t.is(after.dom.querySelector('.empty h2')!.text, says.none);
    t.is(after.dom.querySelector('.empty a')!.getAttribute('href'), '/');
    passOneSecond();
    for (const { tokens } of mine) t.deepEqual(await livesAt(tokens.access_token), [401, 401]);
    t.deepEqual(await livesAt(others.tokens.access_token), [200, 200]);
    const fresh = await connect(harness, { user: ada });
    t.deepEqual(await livesAt(fresh.tokens.access_token), [200, 200]);
    const nothing = await question.form().submit();
    t.deepEqual(listed(nothing), [], 'the same form again ends what there is then');
  },
);

test.serial(
  '[T50] whatever is sent for somebody else’s connection is answered as for none, and does nothing (two users, two instances)',
  async (t) => {
    const connections = await Promise.all(
      [ada, bruno].map((user) => Promise.all([1, 2, 3].map(() => connect(harness, { user })))),
    );
    const grants = connections.map((own) => own.map(({ tokens }) => grantOf(tokens)));
    const sessions = await Promise.all(
      [ada, bruno].map((user, i) => openAccount(harness, user, { base: instances[i]! })),
    );
    const ask = async (who: number, base: string, grantId: string, method: string) => {
      const { browser, page } = sessions[who]!;
      const form = new URLSearchParams({ csrf: csrfOf(page) });
      browser.stopAt(() => true);
      const answer = await browser.goto(`${base}/account/disconnect/${grantId}`, {
        ...(method === 'POST' && { form }),
      });
      browser.stopAt(() => false);
      const { status, stoppedAt, text, headers } = answer;
      const said = [...headers].filter(([name]) => !/^(date|x-request-id)$/.test(name));
      return { status, to: stoppedAt?.pathname, text, said };
    };
    for (const [who, own] of grants.entries()) {
      for (const base of instances) {
        const page = await sessions[who]!.browser.goto(`${base}/account`);
        for (const grantId of own) t.true(listed(page).includes(grantId));
        for (const grantId of grants[1 - who]!) t.false(page.text.includes(grantId));
        for (const method of ['GET', 'POST']) {
          const none = await ask(who, base, 'n'.repeat(43), method);
          t.is(none.status, 303);
          for (const grantId of grants[1 - who]!)
            t.deepEqual(await ask(who, base, grantId, method), none, method);
        }
      }
    }
    passOneSecond();
    for (const { tokens } of connections.flat())
      t.deepEqual(await livesAt(tokens.access_token), [200, 200]);
    t.deepEqual(
      grants.flat().filter((grant) => logs.find({ event: 'grant.ended', grant }).length > 0),
      [],
    );
  },
);

test.serial(
  '[T2] [T62] a form that another page sends, or another session, or none, changes nothing',
  async (t) => {
    const { tokens } = await connect(harness, { user: ada });
    const grantId = grantOf(tokens);
    const { browser, page } = await openAccount(harness, ada);
    const other = await openAccount(harness, bruno);
    const csrf = csrfOf(page);
    const refused = async (path: string, form: Record<string, string>, headers = {}) => {
      const answer = await browser.goto(url + path, { form, headers, from: `${url}/account` });
      t.is(answer.status, 403, `${path} ${JSON.stringify({ form, headers })}`);
      t.is(titleOf(answer), messages.accountForged.title);
    };
    const signInCode = (await createBrowser().goto(`${url}/account`)).form().fields.get('csrf')!;
    const one = `/account/disconnect/${grantId}`;
    for (const path of [one, '/account/disconnect', '/account/sign-out']) {
      for (const headers of [
        { 'sec-fetch-site': 'cross-site', origin: 'null' },
        { 'sec-fetch-site': 'same-site', origin: 'null' },
        { origin: 'https://evil.example' },
        { origin: url.replace('localhost', '127.0.0.1') },
      ])
        await refused(path, { csrf }, headers);
      for (const wrong of ['', 'x', csrfOf(other.page), signInCode, `${csrf.slice(0, -2)}AA`])
        await refused(path, { csrf: wrong });
      await refused(path, {});
    }
    for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.example' }])
      await refused('/account/sign-in', { csrf: signInCode }, headers);
    await refused('/account/sign-in', { csrf: signInCode });
    passOneSecond();
    t.deepEqual(await livesAt(tokens.access_token), [200, 200]);
    t.true(listed(await browser.goto(`${url}/account`)).includes(grantId), 'still signed in');
    t.truthy(logs.find({ event: 'account.disconnect', outcome: 'refused', grant: grantId }).length);
    t.truthy(logs.find({ event: 'account.logout', outcome: 'refused', subject: '1001' }).length);

    // A login that somebody else begun in this browser by sending it there is refused above; a GET does nothing.
    for (const path of ['/account/', '/account/sign-in', '/account/sign-out']) {
      const back = await browser.goto(url + path);
      t.deepEqual([back.status, back.url], [200, `${url}/account`]);
      t.true(listed(back).includes(grantId), 'still signed in');
    }
  },
);

test.serial(
  '[T21] signing out ends the session everywhere, and a page kept from before does nothing',
  async (t) => {
    const { tokens } = await connect(harness, { user: ada });
    const { browser, page } = await openAccount(harness, ada);
    const question = await page.follow(`a[href="/account/disconnect/${grantOf(tokens)}"]`);
    t.is(question.headers.get('cache-control'), 'no-store', 'back asks again');
    const stolen = browser.copy();
    const out = await page.form('.who form').submit();
    t.true(isDoor(out));
    t.is(sessionIn(browser, url), undefined);
    for (const base of instances) {
      const door = await stolen.goto(`${base}/account`);
      t.true(isDoor(door));
      t.is(door.dom.querySelector('[role=status]')!.text, says.over);
    }
    t.true(isDoor(await browser.goto(question.url)));
    t.true(isDoor(await question.form().submit()));
    t.true(isDoor(await page.form('.who form').submit()), 'and signing out twice is no error');
    passOneSecond();
    t.deepEqual(await livesAt(tokens.access_token), [200, 200]);
    await logs.waitFor({ event: 'account.logout', outcome: 'success', subject: '1001' });
  },
);

test.serial('[T21] a session ends half an hour after signing in, however it is used', async (t) => {
  const { browser, page } = await openAccount(harness, ada);
  const question = await page.follow('a[href="/account/disconnect"]');
  for (let minutes = 0; minutes < 28; minutes += 7) {
    t.false(isDoor(await browser.goto(`${url}/account`)), `${minutes} minutes`);
    clock.advance(7 * 60_000);
  }
  clock.advance(2 * 60_000);
  const door = await browser.goto(`${url}/account`);
  t.true(isDoor(door));
  t.is(door.dom.querySelector('[role=status]')!.text, says.over);
  const count = () => logs.find({ event: 'grant.ended' }).length;
  const before = count();
  const late = await question.form().submit();
  t.true(isDoor(late));
  t.is(late.dom.querySelector('[role=status]')!.text, says.nothingDone);
  t.is(count(), before);
  // Days later the cookie has gone, too.
  browser.setCookie(url, gone(SESSION_COOKIE));
  t.is((await browser.goto(`${url}/account`)).dom.querySelector('[role=status]'), null);
  const later = await question.form().submit();
  t.true(isDoor(later));
  t.is(later.dom.querySelector('[role=status]')!.text, says.nothingDone);
});

test.serial(
  '[T2] a door that was left open leads back to itself; from there one gets in',
  async (t) => {
    const browser = createBrowser();
    const door = await browser.goto(`${url}/account`);
    browser.setCookie(url, gone('__Host-neonpanel-consent'));
    const again = await door.form().submit();
    t.true(isDoor(again));
    t.is(again.dom.querySelector('[role=status]')!.text, says.tooLate);
    t.is(sessionIn(browser, url), undefined);
    const page = await answerLogin(await again.form().submit(), ada);
    t.is(page.url, `${url}/account`);
    t.truthy(sessionIn(browser, url));
  },
);

test.serial(
  'with the store away each form leads back to the page, and says that it may not have been done',
  async (t) => {
    const { tokens } = await connect(harness, { user: ada });
    const { page } = await openAccount(harness, ada);
    const one = await page.follow(`a[href="/account/disconnect/${grantOf(tokens)}"]`);
    const all = await page.follow('a[href="/account/disconnect"]');
    const door = await createBrowser().goto(`${url}/account`);
    await harness.redis!.kill();
    const forms = [
      [door.form(), 'accountAway', 'account.login'],
      [page.form('.who form'), 'accountBusy', 'account.logout'],
      [one.form(), 'accountBusy', 'account.disconnect'],
      [all.form(), 'accountBusy', 'account.disconnect'],
    ] as const;
    try {
      for (const [form, key, event] of forms) {
        const before = logs.find({ event, outcome: 'failed' }).length;
        const answer = await form.submit();
        t.is(answer.status, 503);
        t.is(titleOf(answer), messages[key].title);
        t.is(answer.dom.querySelector('main .button')!.getAttribute('href'), '/account');
        const lines = logs.find({ event, outcome: 'failed' });
        t.is(lines.length, before + 1, event);
        t.is(lines.at(-1)!.error, 'temporarily_unavailable');
      }
    } finally {
      await harness.redis!.start();
      await Promise.all(instances.map(untilReady));
    }
    passOneSecond();
    t.deepEqual(await livesAt(tokens.access_token), [200, 200]);
  },
);

test.serial(
  '[T36] of 20 who send the same form at once one has ended it, and NeonPanel is told once',
  async (t) => {
    sandbox.faults.set('offer-revocation');
    const { tokens } = await connect(harness, { user: ada });
    const grant = grantOf(tokens);
    const { browser, page } = await openAccount(harness, ada);
    const form = { csrf: csrfOf(page) };
    const counted = () => {
      const lines = logs.find({ event: 'account.disconnect', outcome: 'success', grant });
      return lines.map(({ count }) => Number(count)).toSorted();
    };
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        browser.copy().goto(`${instances[i % 2]}/account/disconnect/${grant}`, { form }),
      ),
    );
    t.true(answers.every(({ status }) => status === 200));
    t.deepEqual(counted(), [...Array<number>(19).fill(0), 1]);
    t.is(logs.find({ event: 'grant.ended', grant }).length, 1);
    await logs.waitFor({ event: 'neonpanel.revocation', grant, outcome: 'success' });
    t.is(logs.find({ event: 'neonpanel.revocation', grant }).length, 1);
  },
);

test.serial(
  'no two apps have one heading; of programs on a computer the name comes first',
  async (t) => {
    for (const [client_name, uri] of [
      ['Claude Code', 'http://localhost:5001/cb'],
      ['Claude Code', 'http://127.0.0.1:5002/cb'],
      ['Claude Code', 'http://[::1]:5003/cb'],
      ['Inspector', 'http://localhost:5004/cb'],
      ['Ledger', 'https://one.example/cb'],
      ['Ledger 2', 'https://one.example/cb'],
      ['Cursor', 'cursor://anysphere.cursor-mcp/oauth/callback'],
    ] as const)
      await connect(harness, { user: bruno, metadata: { client_name, redirect_uris: [uri] } });
    const { browser, page } = await openAccount(harness, bruno);
    const headings = page.dom.querySelectorAll('section.app h2').map(({ text }) => text);
    t.is(new Set(headings).size, headings.length, headings.join());
    for (const heading of [
      'Claude Code (localhost)',
      'Inspector (localhost)',
      'one.example (Ledger)',
      'one.example (Ledger 2)',
      'An app with cursor links',
    ])
      t.true(headings.includes(heading), `${heading} of ${headings.join()}`);
    const links = page.dom.querySelectorAll('section.app .button');
    const cursor = links.find(({ text }) => text.includes('An app with cursor links'))!;
    const question = await browser.goto(url + cursor.getAttribute('href')!);
    t.is(titleOf(question), 'Disconnect an app with cursor links?');
    const german = await browser.goto(`${question.url}?lang=de`);
    t.is(titleOf(german), 'Eine App mit cursor-Links trennen?');
    const japanese = await browser.goto(`${question.url}?lang=ja`);
    t.regex(titleOf(japanese)!, /^cursor リンク/);
  },
);

test.serial(
  'what an account address does not take is told without speaking of an app',
  async (t) => {
    const headers = { accept: 'text/html' };
    for (const [path, init, status] of [
      ['/account', { method: 'PUT' }, 405],
      ['/account/sign-in', { method: 'POST', body: 'x' }, 415],
      [
        '/account/sign-out',
        { method: 'POST', body: new URLSearchParams({ x: 'x'.repeat(99_999) }) },
        413,
      ],
    ] as const) {
      const answer = await fetch(url + path, { headers, ...init });
      t.is(answer.status, status);
      const text = await answer.text();
      t.true(text.includes(messages.accountNotPossible.text));
      t.true(text.includes('<a class="button" href="/account">'));
    }
  },
);

test.serial(
  '[D18] programs are told that this is for people; people read it in their language',
  async (t) => {
    for (const [method, path] of [
      ['GET', '/account'],
      ['POST', '/account/sign-in'],
      ['POST', '/account/sign-out'],
      ['GET', '/account/disconnect'],
      ['POST', `/account/disconnect/${'a'.repeat(43)}`],
    ] as const) {
      for (const accept of ['application/json', '*/*']) {
        const answer = await fetch(url + path, { method, headers: { accept } });
        t.is(answer.status, 406);
        t.is(answer.headers.get('set-cookie'), null);
        const { error, request_id } = (await answer.json()) as Record<string, string>;
        t.is(error, 'not_acceptable');
        t.is(request_id, answer.headers.get('x-request-id')!);
      }
    }
    await connect(harness, { user: ada });
    const { browser } = await openAccount(harness, ada);
    for (const language of LANGUAGE_CODES) {
      const door = await createBrowser().goto(`${url}/account?lang=${language}`);
      const page = await browser.goto(`${url}/account?lang=${language}`);
      const all = await browser.goto(`${url}/account/disconnect?lang=${language}`);
      const one = await browser.goto(`${url}/account/disconnect/${listed(page)[0]}`);
      for (const each of [door, page, all, one]) {
        t.is(each.status, 200);
        t.is(each.headers.get('content-language'), language);
        t.notRegex(each.dom.querySelector('main')!.text, /\{\w+\}|undefined|\[object/);
      }
      t.is(titleOf(page), TEXTS[language].account.title);
      for (const time of page.dom.querySelectorAll('time')) {
        t.regex(time.getAttribute('datetime')!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
        t.regex(time.text, /UTC/);
      }
    }
    t.regex((await createBrowser().goto(`${url}/`)).text, /<a href="\/account">/);
  },
);

test.serial(
  '[N47] sign-ins are limited for an address; the page and who is signed in are not',
  async (t) => {
    const limited = await startHarness({
      sandbox: { now: Date.now },
      // One in twenty: one a minute.
      env: { RATE_LIMIT_FACTOR: '0.05', NEONPANEL_CLIENT_ID: 'unused' },
    });
    t.teardown(limited.close);
    const begin = async (browser: Browser) => {
      browser.stopAt((to) => to.origin !== limited.url);
      return (await browser.goto(`${limited.url}/account`)).form().submit();
    };
    t.truthy((await begin(createBrowser())).stoppedAt);
    const second = await begin(createBrowser());
    t.is(second.status, 429);
    t.is(titleOf(second), messages.tooMany.title);
    t.true(Number(second.headers.get('retry-after')) > 0);
    t.is((await createBrowser().goto(`${limited.url}/account`)).status, 200);
    await limited.logs.waitFor({
      event: 'account.login',
      outcome: 'refused',
      cause: 'limit: account',
    });
  },
);
