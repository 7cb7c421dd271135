import test from 'ava';
import { createBrowser, type Page } from './support/browser.ts';
import { startHarness } from './support/harness.ts';
import {
  answerConsent,
  answerLogin,
  authorizationRequest,
  callTool,
  connect,
  redeem,
  REDIRECT_URI,
  register,
  userBrowser,
} from './support/oauth.ts';
import {
  approve,
  nothingGranted,
  openConsent,
  refusedByPage,
  storedKinds,
  uidOf,
} from './login-support.ts';

const harness = await startHarness({ instances: 2 });
const { url, sandbox } = harness;
const [ada, bruno] = sandbox.users as [(typeof sandbox.users)[0], (typeof sandbox.users)[0]];
test.after.always(() => harness.close());

const BINDING = '__Host-neonpanel-login-';
const bindings = (page: Page) =>
  page.history.flatMap(({ setCookie }) => setCookie.filter((c) => c.startsWith(BINDING)));

test('[T11] [D6] [A12] consent is shown each time, with the name of the app and the host of its redirect URI', async (t) => {
  const client = (await register(url, { client_name: 'Known app' })).body;
  const attempt = authorizationRequest(url, client);
  const browser = userBrowser(attempt);
  const first = await browser.goto(attempt.url);
  await answerLogin(await answerConsent(first), ada);
  const second = await browser.goto(authorizationRequest(url, client).url);
  for (const page of [first, second]) {
    t.is(page.status, 200);
    t.true(page.url.startsWith(`${url}/interaction/`));
    t.is(page.dom.querySelector('h1')?.text, 'Let client.example read your NeonPanel data?');
    t.is(page.dom.querySelector('q')?.text, 'Known app');
    t.truthy(page.dom.querySelector('button[name=decision][value=approve]'));
  }
  t.not(uidOf(first), uidOf(second));
});

test('[T11] prompt=none is answered with an error, never with a code', async (t) => {
  const client = (await connect(harness)).client;
  const attempt = authorizationRequest(url, client, { prompt: 'none' });
  const { stoppedAt } = await userBrowser(attempt).goto(attempt.url);
  t.regex(stoppedAt!.searchParams.get('error')!, /^(consent|login)_required$/);
  t.is(stoppedAt!.searchParams.get('state'), attempt.state);
  t.is(stoppedAt!.searchParams.get('iss'), url);
  t.is(stoppedAt!.searchParams.get('code'), null);
});

for (const [uri, shown] of [
  ['http://127.0.0.1:33418/', '127.0.0.1:33418'],
  ['http://localhost:6274/oauth/callback', 'localhost:6274'],
  ['cursor://anysphere.cursor-retrieval/oauth/callback', 'an app on this device (cursor links)'],
] as const) {
  test(`[T11] [A12] an answer that goes to ${shown} carries an extra warning`, async (t) => {
    const { page } = await openConsent(harness, { metadata: { redirect_uris: [uri] } });
    t.is(page.dom.querySelector('h1 .host')?.text, shown);
    t.is(page.dom.querySelectorAll('main > .warning').length, 1);
    t.false(page.text.includes('What counts is the address above'), 'there it tells nothing');
  });
}

test('[T11] an answer that goes to a web host carries no warning', async (t) => {
  const { page } = await openConsent(harness);
  t.is(page.dom.querySelector('.warning'), null);
});

test('[D14] reading is fixed text, writing an unticked box; approving as it stands grants reading only', async (t) => {
  const started = await openConsent(harness);
  const box = started.page.dom.querySelector('input[type=checkbox]')!;
  t.is(box.getAttribute('name'), 'scope');
  t.is(box.getAttribute('value'), 'neonpanel.write');
  t.false(box.hasAttribute('checked'));
  t.is(started.page.dom.querySelectorAll('input[type=checkbox]').length, 1);

  const { tokens } = await connect(harness, { write: false });
  t.is(tokens.scope, 'neonpanel.read');
});

test('[D14] [T35] with a read-only grant, createDocuments is 403 and NeonPanel is not asked', async (t) => {
  const { tokens } = await connect(harness, { write: false, user: bruno });
  const args = { companyUuid: '301', type: 'bill', data: [{}] };
  const refused = await callTool(url, tokens.access_token, 'createDocuments', args);
  t.is(refused.status, 403);
  t.regex(refused.headers.get('www-authenticate') ?? '', /error="insufficient_scope"/);
  t.false(sandbox.recorder.requests().some((r) => r.method === 'POST' && /import/.test(r.path)));
  t.is((await callTool(url, tokens.access_token, 'listCompanies')).status, 200);
});

test('[D14] an app that asks for reading only is not offered writing, and ticking it anyway gives nothing', async (t) => {
  const started = await openConsent(harness, { parameters: { scope: 'neonpanel.read' } });
  t.is(started.page.dom.querySelector('input[type=checkbox]'), null);
  const { browser, attempt, page } = started;
  const csrf = page.form().fields.get('csrf')!;
  const login = await browser.goto(page.url, {
    form: { csrf, scope: 'neonpanel.write', decision: 'approve' },
    from: page.url,
  });
  const code = (await answerLogin(login, ada)).stoppedAt!.searchParams.get('code')!;
  t.is((await redeem(url, attempt, code)).body.scope, 'neonpanel.read');
});

test('[D14] only the known value of the box is taken as consent to writing', async (t) => {
  for (const scope of ['on', 'neonpanel.write neonpanel.admin', 'NEONPANEL.WRITE', '*']) {
    const { browser, attempt, page } = await openConsent(harness);
    const csrf = page.form().fields.get('csrf')!;
    const form = { csrf, scope, decision: 'approve' };
    const login = await browser.goto(page.url, { form, from: page.url });
    const code = (await answerLogin(login, ada)).stoppedAt!.searchParams.get('code')!;
    t.is((await redeem(url, attempt, code)).body.scope, 'neonpanel.read', scope);
  }
});

test('[T33] declining sends access_denied with state and iss, and stores nothing', async (t) => {
  const { page, attempt, browser, uid } = await openConsent(harness);
  const { stoppedAt } = await answerConsent(page, { decision: 'deny' });
  t.is(stoppedAt!.origin + stoppedAt!.pathname, REDIRECT_URI);
  const answer = Object.fromEntries(stoppedAt!.searchParams);
  t.like(answer, { error: 'access_denied', state: attempt.state, iss: url });
  t.false('code' in answer);
  nothingGranted(t, harness, uid);

  refusedByPage(t, harness, await browser.goto(page.url), 400);
  refusedByPage(t, harness, await page.form().submit({ decision: 'approve' }), 400);
  nothingGranted(t, harness, uid);
});

test('the consent page can be opened twice, and the form of either works', async (t) => {
  const { page, browser, attempt } = await openConsent(harness);
  const again = await browser.goto(page.url);
  t.is(again.status, 200);
  for (const copy of [page, again]) {
    t.regex(
      (await approve(harness, { browser, attempt, page: copy })).href,
      /\/oauth2\/authorize\?/,
    );
  }
});

test('[T5] approving one request in two tabs lets the later one finish, once', async (t) => {
  const { page, browser, attempt, uid } = await openConsent(harness);
  const older = await approve(harness, { browser, attempt, page });
  const newer = await approve(harness, { browser, attempt, page });
  t.not(older.searchParams.get('state'), newer.searchParams.get('state'));

  const refused = await answerLogin(await browser.goto(older), ada);
  refusedByPage(t, harness, refused, 400);
  nothingGranted(t, harness, uid);
  const finished = await browser.goto(newer);
  const code = finished.stoppedAt?.searchParams.get('code');
  t.truthy(code, finished.text);
  t.is((await redeem(url, attempt, code!)).status, 200);
});

test('a form without a decision is answered with a page that says so, and can be sent again', async (t) => {
  const { page, browser, uid } = await openConsent(harness);
  const csrf = page.form().fields.get('csrf')!;
  for (const decision of ['', '&decision=', '&decision=maybe']) {
    const form = new URLSearchParams(`csrf=${csrf}${decision}`);
    const refused = await browser.goto(page.url, { form, from: page.url });
    refusedByPage(t, harness, refused, 400);
    t.deepEqual(bindings(refused), []);
  }
  t.deepEqual(storedKinds(harness, uid), ['interaction']);
  t.is((await answerConsent(page)).status, 200);
});

test('[T2] a consent form filled in by one browser is refused from another', async (t) => {
  const attacker = await openConsent(harness);
  const csrf = attacker.page.form().fields.get('csrf')!;
  const stranger = createBrowser();
  const victim = await openConsent(harness);
  for (const browser of [stranger, victim.browser]) {
    const refused = await browser.goto(attacker.page.url, {
      form: { csrf, decision: 'approve' },
      from: attacker.page.url,
    });
    refusedByPage(t, harness, refused, 403);
    t.deepEqual(bindings(refused), []);
  }
  // And not with the victim's own code for the attacker's request either.
  const own = victim.page.form().fields.get('csrf')!;
  const refused = await victim.browser.goto(attacker.page.url, {
    form: { csrf: own, decision: 'approve' },
    from: victim.page.url,
  });
  refusedByPage(t, harness, refused, 403);
  t.deepEqual(storedKinds(harness, attacker.uid), ['interaction']);
  t.deepEqual(storedKinds(harness, victim.uid), ['interaction']);
});

test('[T2] an attacker’s request opened by its address in another browser shows nothing', async (t) => {
  const attacker = await openConsent(harness);
  refusedByPage(t, harness, await createBrowser().goto(attacker.page.url), 400);
  const victim = await openConsent(harness);
  refusedByPage(t, harness, await victim.browser.goto(attacker.page.url), 400);
});

for (const [what, headers] of [
  ['Origin: https://evil.example', { origin: 'https://evil.example' }],
  ['Origin of another port', { origin: 'http://localhost:1' }],
  ['Origin that only begins like ours', { origin: `${url}.evil.example` }],
  ['Sec-Fetch-Site: cross-site', { 'sec-fetch-site': 'cross-site' }],
  ['Sec-Fetch-Site: same-site', { 'sec-fetch-site': 'same-site' }],
  ['Origin: null from elsewhere', { origin: 'null', 'sec-fetch-site': 'cross-site' }],
] as const) {
  test(`[T2] a right form with ${what} is refused with 403 and binds nothing`, async (t) => {
    const { page, browser, uid } = await openConsent(harness);
    const csrf = page.form().fields.get('csrf')!;
    const form = { csrf, decision: 'approve' };
    const refused = await browser.goto(page.url, { form, headers, from: page.url });
    refusedByPage(t, harness, refused, 403);
    t.deepEqual(bindings(refused), []);
    t.deepEqual(storedKinds(harness, uid), ['interaction']);
    // The user's own attempt is not harmed.
    t.is((await answerConsent(page)).status, 200);
  });
}

test('[T2] a missing, wrong or foreign-looking form code is refused with 403', async (t) => {
  const { page, browser, uid } = await openConsent(harness);
  const right = page.form().fields.get('csrf')!;
  const other = (await browser.goto(authorizationRequest(url, (await register(url)).body).url))
    .form()
    .fields.get('csrf')!;
  const wrong = ['', 'x', right.slice(0, -1), right.toUpperCase(), `${right}A`, other];
  for (const csrf of wrong) {
    const refused = await browser.goto(page.url, {
      form: { csrf, decision: 'approve' },
      from: page.url,
    });
    refusedByPage(t, harness, refused, 403);
  }
  t.deepEqual(storedKinds(harness, uid), ['interaction']);
});

test('[T16] a login field in the consent form signs nobody in', async (t) => {
  const { page, browser, uid } = await openConsent(harness);
  const forms: Record<string, string>[] = [
    { prompt: 'login', login: '1001', password: 'x' },
    { prompt: 'consent', login: '1001' },
    { csrf: page.form().fields.get('csrf')!, prompt: 'login', login: '1001', accountId: '1001' },
  ];
  for (const form of forms) {
    const refused = await browser.goto(page.url, { form, from: page.url });
    t.true(refused.status >= 400 && refused.status < 500);
    t.is(refused.stoppedAt, undefined);
  }
  for (const path of ['login', 'confirm', 'abort', 'consent']) {
    t.is((await browser.goto(`${page.url}/${path}`)).status, 404);
  }
  t.deepEqual(storedKinds(harness, uid), ['interaction']);
});

/** Elements with the names of their attributes: what injected markup would change. */
const skeleton = (page: Page) =>
  page.dom
    .querySelectorAll('*')
    .map((element) => [element.rawTagName, ...Object.keys(element.attributes)].join(' '));

const MARKUP = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  '</q></p><form action=https://evil.example><input name=csrf>',
  '<%= 7*7 %><%~ it.csrf %>',
  '&lt;b&gt;&#60;i&#62;',
  '</main></body><base href=//evil.example>',
  '<!--',
  '<svg/onload=alert(1)>',
];

test('[T13] markup in what a client says about itself stays text on the consent page', async (t) => {
  const plain = await openConsent(harness, { metadata: { client_name: 'Plain' } });
  for (const name of MARKUP) {
    const { page } = await openConsent(harness, {
      metadata: {
        client_name: name,
        client_uri: 'https://client.example/"><script>alert(1)</script>',
        logo_uri: 'https://evil.example/logo.png',
        redirect_uris: [
          "https://client.example/'onload='alert(1)'/cb?a=%22%3E%3Cscript%3E&b=%3C%25",
        ],
      },
      parameters: {
        state: name,
        scope: `neonpanel.read neonpanel.write ${name}`,
        login_hint: name,
        ui_locales: name,
      },
    });
    t.deepEqual(skeleton(page), skeleton(plain.page), name);
    // Our pages set it in quotation marks: it may have none.
    t.is(page.dom.querySelector('q')?.text, name.replaceAll('"', ''));
    t.false(page.text.includes('evil.example/logo'));
  }
});

test('[T13] invisible and direction-changing characters are taken out of names, and long names are cut', async (t) => {
  const sneaky =
    'Chat\u202EGPT\u200B\u0000\u0007\u2066 by\u00AD Open\uFEFFAI\r\n' + 'x'.repeat(500);
  const { page } = await openConsent(harness, { metadata: { client_name: sneaky } });
  const shown = page.dom.querySelector('q')!.text;
  t.true(shown.startsWith('ChatGPT by OpenAIxxx'), shown);
  t.is(shown.length, 100);
});

test('[T13] [T58] markup in requests stays text on error pages, and nothing is put into them unasked', async (t) => {
  const { client_id } = (await register(url)).body;
  const valid = authorizationRequest(url, (await register(url)).body).url.searchParams;
  const requests = (payload: string) => [
    `/oauth2/authorize?${new URLSearchParams({ client_id: payload })}`,
    `/oauth2/authorize?${new URLSearchParams({ client_id, redirect_uri: payload })}`,
    `/oauth2/authorize?${new URLSearchParams({ ...Object.fromEntries(valid), response_mode: payload, redirect_uri: `https://evil.example/${payload}` })}`,
    `/oauth2/authorize/callback?${new URLSearchParams({ state: payload, error: payload, error_description: payload })}`,
    `/oauth2/authorize/callback?${new URLSearchParams({ code: payload, iss: payload, [payload]: payload })}`,
    `/interaction/${encodeURIComponent(payload)}`,
    `/interaction/aaaaaaaaaaaaaaaaaaaaa?${new URLSearchParams({ error: payload, [payload]: payload })}`,
    `/${encodeURIComponent(payload)}?error_description=${encodeURIComponent(payload)}`,
  ];
  const pagesFor = (payload: string) =>
    Promise.all(requests(payload).map((path) => createBrowser().goto(url + path)));
  const [plainName, plainAddress] = await Promise.all([pagesFor('plain'), pagesFor('plain:')]);
  for (const payload of MARKUP) {
    // With a colon it is taken for the address of a description, and refused as such.
    const plain = payload.includes(':') ? plainAddress : plainName;
    const pages = await pagesFor(payload);
    for (const [i, page] of pages.entries()) {
      t.is(page.status, plain[i]!.status);
      t.true(page.status >= 400 && page.status < 500);
      t.deepEqual(skeleton(page), skeleton(plain[i]!), page.url);
      t.false(page.text.includes('evil.example'), page.url);
      t.truthy(page.headers.get('content-security-policy'));
    }
  }
});

test('[T13] [T58] NeonPanel’s words never reach our pages or the client', async (t) => {
  for (const error of ['server_error', 'invalid_scope', '<script>alert(1)</script>']) {
    const started = await openConsent(harness);
    const upstream = await approve(harness, started);
    const callback = new URL(upstream.searchParams.get('redirect_uri')!);
    const words = `Whoops <b>#0 /srv/panel/app.php(118)</b> ${error}`;
    callback.search = new URLSearchParams({
      state: upstream.searchParams.get('state')!,
      error,
      error_description: words,
      error_uri: 'https://evil.example/',
    }).toString();
    const page = await started.browser.goto(callback);
    refusedByPage(t, harness, page, error === 'server_error' ? 502 : 400);
    for (const leak of ['Whoops', 'srv/panel', 'evil.example', 'alert(1)', 'invalid_scope']) {
      t.false(page.text.includes(leak), leak);
    }
    nothingGranted(t, harness, started.uid);
  }
});

test('[T13] [F20] [T32] the consent page has a strict policy without form-action, cannot be framed, and leaves its opener alone', async (t) => {
  const { page } = await openConsent(harness);
  const policy = page.headers.get('content-security-policy')!;
  t.deepEqual(policy.split('; ').sort(), [
    "base-uri 'none'",
    "default-src 'none'",
    "frame-ancestors 'none'",
    "img-src 'self'",
    "style-src 'self'",
  ]);
  t.is(page.headers.get('x-frame-options'), 'DENY');
  t.is(page.headers.get('cross-origin-opener-policy'), null);
  t.is(page.headers.get('cache-control'), 'no-store');
  t.is(page.headers.get('referrer-policy'), 'no-referrer');
});
