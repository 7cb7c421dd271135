import test from 'ava';
import { parse } from 'node-html-parser';
import {
  authorizeUrl,
  callback,
  createClock,
  createPkce,
  jsonOf,
  login,
  obtainCode,
  postForm,
  redirectOf,
  refresh,
  register,
  signIn,
  start,
  token,
  type Tokens,
} from './_setup.ts';

const manual = { redirect: 'manual' } as const;

test('the login page is a plain form that keeps the request', async (t) => {
  const sandbox = await start(t);
  const { client_id } = await register(sandbox);
  const url = authorizeUrl(sandbox, { client_id, code_challenge: createPkce().challenge });
  const response = await fetch(url);
  t.is(response.status, 200);
  t.regex(response.headers.get('Content-Type') ?? '', /^text\/html/);
  const page = parse(await response.text());
  t.is(page.querySelectorAll('script').length, 0);
  t.is(page.querySelector('form')?.getAttribute('method'), 'post');
  for (const name of ['email', 'password']) {
    const id = page.querySelector(`input[name=${name}]`)?.id;
    t.truthy(page.querySelector(`label[for=${id}]`));
  }
  t.is(page.querySelectorAll('button[type=submit]').length, 2);
  const action = new URL(page.querySelector('form')!.getAttribute('action')!, url);
  t.is(action.href, url);
});

test('a wrong password shows the page again, with the address and an error', async (t) => {
  const sandbox = await start(t);
  const { client_id } = await register(sandbox);
  const url = authorizeUrl(sandbox, { client_id, code_challenge: createPkce().challenge });
  const response = await postForm(url, { email: 'ada@"><b>', password: 'wrong' });
  t.is(response.status, 401);
  t.is(response.headers.get('Set-Cookie'), null);
  const page = parse(await response.text());
  t.is(page.querySelectorAll('[role=alert]').length, 1);
  t.is(page.querySelectorAll('b').length, 0);
  t.is(page.querySelector('input[name=email]')?.getAttribute('value'), 'ada@"><b>');
});

test('a login returns code and state, and no iss', async (t) => {
  const sandbox = await start(t);
  const { client_id } = await register(sandbox);
  const url = authorizeUrl(sandbox, { client_id, code_challenge: createPkce().challenge });
  const response = await login(sandbox, url);
  t.is(response.status, 302);
  const target = redirectOf(response);
  t.is(target.origin + target.pathname, callback);
  t.deepEqual([...target.searchParams.keys()], ['code', 'state']);
  t.is(target.searchParams.get('state'), 'a state & more');
});

test('Cancel returns access_denied with the state', async (t) => {
  const sandbox = await start(t);
  const { client_id } = await register(sandbox);
  const url = authorizeUrl(sandbox, { client_id, code_challenge: createPkce().challenge });
  const target = redirectOf(await postForm(url, { cancel: '1', email: '', password: '' }));
  t.is(target.searchParams.get('error'), 'access_denied');
  t.is(target.searchParams.get('state'), 'a state & more');
});

test('a browser that signed in goes straight on, until it signs out or two hours are over', async (t) => {
  const clock = createClock();
  const sandbox = await start(t, { now: clock.now });
  const { client_id } = await register(sandbox);
  const url = authorizeUrl(sandbox, { client_id, code_challenge: createPkce().challenge });
  const setCookie = (await login(sandbox, url)).headers.get('Set-Cookie') ?? '';
  t.regex(setCookie, /httponly/i);
  t.regex(setCookie, /samesite=lax/i);
  const cookie = { Cookie: setCookie.split(';')[0]! };
  const again = () => fetch(url, { ...manual, headers: cookie });
  t.truthy(redirectOf(await again()).searchParams.get('code'));
  clock.pass(2 * 3600);
  t.is((await again()).status, 200);

  const fresh = (await login(sandbox, url)).headers.get('Set-Cookie')!.split(';')[0]!;
  await fetch(`${sandbox.url}/logout`, { headers: { Cookie: fresh } });
  t.is((await fetch(url, { ...manual, headers: { Cookie: fresh } })).status, 200);
});

test('what cannot be sent back is a 400 in JSON', async (t) => {
  const sandbox = await start(t);
  const { client_id } = await register(sandbox);
  const { challenge } = createPkce();
  const good = { client_id, code_challenge: challenge };
  const urls = [
    `${sandbox.url}/oauth2/authorize`,
    authorizeUrl(sandbox, { ...good, client_id: '0'.repeat(40) }),
    authorizeUrl(sandbox, { ...good, redirect_uri: `${callback}/` }),
    authorizeUrl(sandbox, { ...good, redirect_uri: `${callback}?x=1` }),
    authorizeUrl(sandbox, { ...good, redirect_uri: 'https://evil.example/callback' }),
    `${authorizeUrl(sandbox, good)}&redirect_uri=${encodeURIComponent(callback)}`,
  ];
  for (const url of urls) {
    for (const response of [await fetch(url, manual), await login(sandbox, url)]) {
      t.is(response.status, 400, url);
      const body = await jsonOf(response);
      t.deepEqual(Object.keys(body), ['error', 'error_description', 'error_uri']);
    }
  }
});

test('redirect_uri may be left out if exactly one is registered', async (t) => {
  const sandbox = await start(t);
  const { challenge } = createPkce();
  const status = async (uris: string[]) => {
    const { client_id } = await register(sandbox, { redirect_uris: uris });
    const url = new URL(authorizeUrl(sandbox, { client_id, code_challenge: challenge }));
    url.searchParams.delete('redirect_uri');
    return (await fetch(url, manual)).status;
  };
  t.is(await status([callback]), 200);
  t.is(await status([callback, `${callback}/2`]), 400);
});

const refusedRequests: [why: string, change: Record<string, string>, error: string][] = [
  ['no challenge', { code_challenge: '' }, 'invalid_request'],
  ['plain', { code_challenge_method: 'plain' }, 'invalid_request'],
  ['no method', { code_challenge_method: '' }, 'invalid_request'],
  ['a short challenge', { code_challenge: 'abc' }, 'invalid_request'],
  ['response_type token', { response_type: 'token' }, 'unsupported_response_type'],
  ['no response_type', { response_type: '' }, 'invalid_request'],
  ['a foreign scope', { scope: 'openid dcr.create' }, 'invalid_scope'],
];

for (const [why, change, error] of refusedRequests) {
  test(`authorize with ${why} goes back with ${error}`, async (t) => {
    const sandbox = await start(t);
    const { client_id } = await register(sandbox);
    const { challenge } = createPkce();
    const url = authorizeUrl(sandbox, { client_id, code_challenge: challenge, ...change });
    const target = redirectOf(await fetch(url, manual));
    t.is(target.searchParams.get('error'), error);
    t.is(target.searchParams.get('state'), 'a state & more');
    t.is(target.searchParams.get('code'), null);
  });
}

test('a code gives a complete token answer', async (t) => {
  const sandbox = await start(t);
  const { exchange } = await obtainCode(sandbox, 1);
  const response = await token(sandbox, exchange);
  t.is(response.status, 200);
  t.is(response.headers.get('Cache-Control'), 'no-store');
  const tokens = await jsonOf<Tokens>(response);
  t.deepEqual(Object.keys(tokens), [
    'access_token',
    'token_type',
    'expires_in',
    'refresh_token',
    'scope',
  ]);
  t.deepEqual([tokens.token_type, tokens.expires_in, tokens.scope], ['Bearer', 3600, 'openid']);
  const [header, claims] = tokens.access_token
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()));
  t.is(header.alg, 'RS256');
  const { keys } = await jsonOf(await fetch(`${sandbox.url}/.well-known/jwks.json`));
  t.deepEqual(
    keys.map((key: any) => key.kid),
    [header.kid],
  );
  t.false('d' in keys[0]);
  t.is(claims.iss, sandbox.url);
  t.is(claims.sub, '1002');
  t.is(claims.exp - claims.iat, 3600);
  t.is(claims.scope, 'openid');
  t.false('aud' in claims);
});

const spoiledExchanges: [why: string, change: Record<string, string>][] = [
  ['another verifier', { code_verifier: createPkce().verifier }],
  ['no verifier', { code_verifier: '' }],
  ['another redirect_uri', { redirect_uri: `${callback}/other` }],
  ['no redirect_uri', { redirect_uri: '' }],
];

for (const [why, change] of spoiledExchanges) {
  test(`a code with ${why} is invalid_grant, and spent`, async (t) => {
    const sandbox = await start(t);
    const { exchange } = await obtainCode(sandbox);
    for (const form of [{ ...exchange, ...change }, exchange]) {
      const response = await token(sandbox, form);
      t.is(response.status, 400);
      t.is((await jsonOf(response)).error, 'invalid_grant');
    }
  });
}

test('a code is no use to another client, and stays good for its own', async (t) => {
  const sandbox = await start(t);
  const { exchange } = await obtainCode(sandbox);
  const thief = await register(sandbox);
  const stolen = await token(sandbox, { ...exchange, client_id: thief.client_id });
  t.is((await jsonOf(stolen)).error, 'invalid_grant');
  t.is((await token(sandbox, exchange)).status, 200);
});

test('a code lives for 60 seconds', async (t) => {
  const clock = createClock();
  const sandbox = await start(t, { now: clock.now });
  const [inTime, late] = [await obtainCode(sandbox), await obtainCode(sandbox)];
  clock.pass(59);
  t.is((await token(sandbox, inTime.exchange)).status, 200);
  clock.pass(1);
  t.is((await jsonOf(await token(sandbox, late.exchange))).error, 'invalid_grant');
});

test('a code that comes back ends what it brought', async (t) => {
  const sandbox = await start(t);
  const { exchange, client } = await obtainCode(sandbox);
  const tokens = await jsonOf<Tokens>(await token(sandbox, exchange));
  const companies = () =>
    fetch(`${sandbox.url}/api/v1/companies`, {
      headers: { Authorization: `bearer ${tokens.access_token}` },
    });
  t.is((await companies()).status, 200);
  t.is((await token(sandbox, exchange)).status, 400);
  t.is((await companies()).status, 401);
  t.is((await refresh(sandbox, client.client_id, tokens.refresh_token)).status, 400);
});

test('of parallel exchanges of one code exactly one succeeds', async (t) => {
  const sandbox = await start(t);
  const { exchange } = await obtainCode(sandbox);
  const answers = await Promise.all(Array.from({ length: 8 }, () => token(sandbox, exchange)));
  t.is(answers.filter((answer) => answer.status === 200).length, 1);
});

test('refresh tokens rotate; one that comes back ends the family', async (t) => {
  const sandbox = await start(t);
  const { client, tokens } = await signIn(sandbox);
  const second = await jsonOf<Tokens>(
    await refresh(sandbox, client.client_id, tokens.refresh_token),
  );
  t.not(second.refresh_token, tokens.refresh_token);
  t.not(second.access_token, tokens.access_token);
  const third = await jsonOf<Tokens>(
    await refresh(sandbox, client.client_id, second.refresh_token),
  );
  const replay = await refresh(sandbox, client.client_id, tokens.refresh_token);
  t.is(replay.status, 400);
  t.is((await jsonOf(replay)).error, 'invalid_grant');
  t.is((await refresh(sandbox, client.client_id, third.refresh_token)).status, 400);
});

test('a refresh token is no use to another client', async (t) => {
  const sandbox = await start(t);
  const { client, tokens } = await signIn(sandbox);
  const thief = await register(sandbox);
  t.is((await refresh(sandbox, thief.client_id, tokens.refresh_token)).status, 400);
  t.is((await refresh(sandbox, client.client_id, tokens.refresh_token)).status, 200);
});

test('an access token ends after an hour by the clock of the sandbox', async (t) => {
  const clock = createClock();
  const sandbox = await start(t, { now: clock.now });
  const { tokens } = await signIn(sandbox);
  const headers = { Authorization: `Bearer ${tokens.access_token}` };
  const status = async () => (await fetch(`${sandbox.url}/api/v1/companies`, { headers })).status;
  clock.pass(3599);
  t.is(await status(), 200);
  clock.pass(1);
  t.is(await status(), 401);
});

test('the token endpoint refuses what is not for it', async (t) => {
  const sandbox = await start(t);
  const { exchange, client } = await obtainCode(sandbox);
  const url = `${sandbox.url}/oauth2/token`;
  const get = await fetch(url);
  t.deepEqual([get.status, get.headers.get('Allow')], [405, 'POST']);
  const error = async (response: Response) => [response.status, (await jsonOf(response)).error];
  const json = { method: 'POST', headers: { 'Content-Type': 'application/json' } };
  t.deepEqual(await error(await fetch(url, { ...json, body: JSON.stringify(exchange) })), [
    400,
    'invalid_request',
  ]);
  const id = { client_id: client.client_id };
  t.deepEqual(await error(await token(sandbox, id)), [400, 'invalid_request']);
  t.deepEqual(await error(await token(sandbox, { ...id, grant_type: 'password' })), [
    400,
    'unsupported_grant_type',
  ]);
  t.deepEqual(await error(await token(sandbox, { ...id, grant_type: 'client_credentials' })), [
    400,
    'unauthorized_client',
  ]);
  t.deepEqual(await error(await token(sandbox, { ...exchange, client_id: 'nobody' })), [
    401,
    'invalid_client',
  ]);
  t.deepEqual(await error(await token(sandbox, { grant_type: 'refresh_token' })), [
    401,
    'invalid_client',
  ]);
});

test('a client with a secret shows it in the form or by Basic', async (t) => {
  const sandbox = await start(t);
  for (const method of ['client_secret_post', 'client_secret_basic']) {
    const metadata = { token_endpoint_auth_method: method };
    const inForm = await obtainCode(sandbox, 0, metadata);
    const { client_id, client_secret = '' } = inForm.client;
    t.is((await token(sandbox, inForm.exchange)).status, 401);
    t.is((await token(sandbox, { ...inForm.exchange, client_secret: 'wrong' })).status, 401);
    t.is((await token(sandbox, { ...inForm.exchange, client_secret })).status, 200);

    const basic = (id: string, secret: string) => ({
      Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
    });
    const byHeader = await obtainCode(sandbox, 0, metadata);
    const { client_id: _, ...form } = byHeader.exchange;
    const wrong = await token(sandbox, form, basic(byHeader.client.client_id, 'wrong'));
    t.is(wrong.status, 401);
    t.regex(wrong.headers.get('WWW-Authenticate') ?? '', /^Basic /);
    const right = basic(byHeader.client.client_id, byHeader.client.client_secret ?? '');
    t.is((await token(sandbox, form, right)).status, 200);
    t.not(client_id, byHeader.client.client_id);
  }
});

test('a service client acts for the user among its contacts, else for nobody', async (t) => {
  const sandbox = await start(t);
  const companies = async (contacts: string[]) => {
    const client = await register(sandbox, {
      contacts,
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'client_secret_post',
    });
    const { client_id, client_secret = '' } = client;
    const form = { grant_type: 'client_credentials', client_id, client_secret };
    const tokens = await jsonOf<Tokens>(await token(sandbox, form));
    t.false('refresh_token' in tokens);
    const headers = { Authorization: `Bearer ${tokens.access_token}` };
    const { data } = await jsonOf(await fetch(`${sandbox.url}/api/v1/companies`, { headers }));
    return data.map((company: any) => company.id);
  };
  t.deepEqual(await companies([sandbox.users[1]!.email]), [301]);
  t.deepEqual(await companies([]), []);
});
