import test from 'ava';
import type { FaultName, FaultOptions } from '../../sandbox/index.ts';
import {
  apiOf,
  jsonOf,
  obtainCode,
  postJson,
  refresh,
  register,
  signIn,
  start,
  token,
  uuidOf,
  type Tokens,
} from './_setup.ts';

const answers: [
  name: FaultName,
  options: FaultOptions,
  status: number,
  type: RegExp,
  body: RegExp,
][] = [
  ['expired-token', {}, 401, /json/, /^\{"message":"Unauthenticated\."\}$/],
  ['forbidden', {}, 403, /json/, /unauthorized/],
  ['unprocessable', {}, 422, /json/, /"errors":\{"start_date"/],
  ['rate-limit', { seconds: 3 }, 429, /json/, /Too Many/],
  ['html-500', {}, 500, /html/, /#0 \/srv\//],
  ['garbage', {}, 200, /json/, /Harb$/],
  ['wrong-content-type', {}, 200, /html/, /^\{"current_page":1.*\}$/],
];

for (const [name, options, status, type, body] of answers) {
  test(`${name}: ${status}, until it is cleared`, async (t) => {
    const sandbox = await start(t);
    const api = await apiOf(sandbox);
    sandbox.faults.set(name, options);
    for (let round = 0; round < 2; round++) {
      const response = await api.fetch('/companies');
      t.is(response.status, status);
      t.regex(response.headers.get('Content-Type') ?? '', type);
      if (name === 'rate-limit') t.is(response.headers.get('Retry-After'), '3');
      t.regex(await response.text(), body);
    }
    sandbox.faults.clear(name);
    t.is((await api.get('/companies')).data.length, 3);
  });
}

test('a fault is limited to a number of requests, an operation, a path and a method', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const { faults } = sandbox;
  const status = async (path: string) => (await api.fetch(path)).status;
  const company = `/companies/${uuidOf(sandbox, 201)}`;

  faults.set('html-500', { times: 2 });
  t.deepEqual(
    [await status('/companies'), await status('/reports'), await status('/reports')],
    [500, 500, 200],
  );
  t.deepEqual(faults.list(), []);

  faults.set('forbidden', { operation: 'listWarehouses' });
  t.deepEqual([await status(`${company}/warehouses`), await status('/companies')], [403, 200]);
  faults.set('rate-limit', { path: '/api/v1/reports', times: 1 });
  t.deepEqual([await status('/companies'), await status('/reports')], [200, 429]);
  faults.set('unprocessable', { method: 'post' });
  t.is(await status('/reports'), 200);
  t.is((await api.post(`${company}/create/bill`, { data: { ref_number: '1' } })).status, 422);
  t.deepEqual(
    faults.list().map(({ name, hits }) => [name, hits]),
    [
      ['forbidden', 1],
      ['unprocessable', 1],
    ],
  );
  faults.clear();
  t.is(await status(`${company}/warehouses`), 200);
});

test('require-per-page answers lists without per_page with a 500, and leaves the rest alone', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  sandbox.faults.set('require-per-page');
  const status = async (path: string) => (await api.fetch(path)).status;
  t.is(await status('/companies?page=1'), 500);
  t.is(await status('/companies?page=1&per_page=10'), 200);
  t.is(await status('/reports'), 200);
});

test('slow waits, then answers; together with another fault both happen', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  sandbox.faults.set('slow', { ms: 120 });
  const since = performance.now();
  t.is((await api.fetch('/companies')).status, 200);
  t.true(performance.now() - since >= 100);
  sandbox.faults.set('forbidden');
  t.is((await api.fetch('/companies')).status, 403);
});

test('hang never answers, and does not hold up closing', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  sandbox.faults.set('hang', { path: '/api/' });
  await t.throwsAsync(api.fetch('/companies', { signal: AbortSignal.timeout(150) }), {
    name: 'TimeoutError',
  });
  const pending = api.fetch('/companies');
  const failed = t.throwsAsync(pending);
  await sandbox.close();
  await failed;
});

test('reset breaks the connection, cut breaks it in the middle of the answer', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  sandbox.faults.set('reset', { times: 1 });
  await t.throwsAsync(api.fetch('/companies'));
  sandbox.faults.set('cut', { times: 1 });
  const response = await api.fetch('/companies');
  t.is(response.status, 200);
  await t.throwsAsync(response.text());
  t.is((await api.fetch('/companies')).status, 200);
});

test('huge-body sends as much as is asked for, as valid JSON', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  sandbox.faults.set('huge-body', { megabytes: 3 });
  const text = await (await api.fetch('/companies')).text();
  t.true(text.length > 3_000_000 && text.length < 3_500_000);
  t.notThrows(() => JSON.parse(text));
});

test('refuse-refresh answers invalid_grant and leaves the token as it is', async (t) => {
  const sandbox = await start(t);
  const { client, tokens } = await signIn(sandbox);
  sandbox.faults.set('refuse-refresh', { times: 1 });
  const refused = await refresh(sandbox, client.client_id, tokens.refresh_token);
  t.deepEqual([refused.status, (await jsonOf(refused)).error], [400, 'invalid_grant']);
  t.is((await refresh(sandbox, client.client_id, tokens.refresh_token)).status, 200);
});

test('lose-refresh-answer rotates and says nothing, so that the old token is a replay', async (t) => {
  const sandbox = await start(t);
  const { client, tokens } = await signIn(sandbox);
  sandbox.faults.set('lose-refresh-answer', { times: 1 });
  await t.throwsAsync(refresh(sandbox, client.client_id, tokens.refresh_token));
  t.is((await refresh(sandbox, client.client_id, tokens.refresh_token)).status, 400);
});

test('no-expires-in, token-lifetime and no-rotation change the token answer', async (t) => {
  const sandbox = await start(t);
  const { client, tokens } = await signIn(sandbox);
  const next = async (refreshToken: string) =>
    jsonOf<Tokens>(await refresh(sandbox, client.client_id, refreshToken));
  sandbox.faults.set('no-expires-in', { times: 1 });
  const second = await next(tokens.refresh_token);
  t.false('expires_in' in second);
  sandbox.faults.set('token-lifetime', { seconds: 5 });
  const third = await next(second.refresh_token);
  t.is(third.expires_in, 5);
  const { iat, exp } = JSON.parse(
    Buffer.from(third.access_token.split('.')[1]!, 'base64url').toString(),
  );
  t.is(exp - iat, 5);
  sandbox.faults.set('no-rotation');
  t.is((await next(third.refresh_token)).refresh_token, third.refresh_token);
  t.is((await next(third.refresh_token)).refresh_token, third.refresh_token);
});

test('ignore-basic looks at the form only', async (t) => {
  const sandbox = await start(t);
  const metadata = { token_endpoint_auth_method: 'client_secret_basic' };
  const { client, exchange } = await obtainCode(sandbox, 0, metadata);
  const { client_id, client_secret = '' } = client;
  const { client_id: _, ...form } = exchange;
  const basic = {
    Authorization: `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString('base64')}`,
  };
  sandbox.faults.set('ignore-basic');
  t.is((await token(sandbox, form, basic)).status, 401);
  t.is((await token(sandbox, { ...exchange, client_secret })).status, 200);
});

test('rotate-jwks publishes another key only; the API still takes the tokens of the old one', async (t) => {
  const sandbox = await start(t);
  const kids = async () =>
    (await jsonOf(await fetch(`${sandbox.url}/.well-known/jwks.json`))).keys.map(
      (key: any) => key.kid,
    );
  const api = await apiOf(sandbox);
  const before = await kids();
  sandbox.faults.set('rotate-jwks');
  const after = await kids();
  t.is(after.length, 1);
  t.notDeepEqual(after, before);
  t.is((await api.fetch('/companies')).status, 200);
  const { tokens } = await signIn(sandbox);
  const header = JSON.parse(
    Buffer.from(tokens.access_token.split('.')[0]!, 'base64url').toString(),
  );
  t.deepEqual([header.kid], after);
  t.deepEqual(sandbox.faults.list(), []);
});

test('registration-500 answers with an HTML page', async (t) => {
  const sandbox = await start(t);
  sandbox.faults.set('registration-500', { times: 1 });
  const response = await postJson(`${sandbox.url}/oauth2/register`, {});
  t.is(response.status, 500);
  t.regex(response.headers.get('Content-Type') ?? '', /html/);
  t.truthy(await register(sandbox));
});

test('revoke-user ends every token of that user, and of no other', async (t) => {
  const sandbox = await start(t);
  const [a, b] = [await signIn(sandbox, 0), await signIn(sandbox, 1)];
  const status = async ({ access_token }: Tokens) => {
    const headers = { Authorization: `Bearer ${access_token}` };
    return (await fetch(`${sandbox.url}/api/v1/companies`, { headers })).status;
  };
  const { email } = sandbox.users[0]!;
  const response = await postJson(`${sandbox.url}/_sandbox/revoke-user`, { email });
  t.deepEqual(await jsonOf(response), { revoked_grants: 1 });
  t.deepEqual([await status(a.tokens), await status(b.tokens)], [401, 200]);
  t.is((await refresh(sandbox, a.client.client_id, a.tokens.refresh_token)).status, 400);
  t.is((await refresh(sandbox, b.client.client_id, b.tokens.refresh_token)).status, 200);
  t.is((await postJson(`${sandbox.url}/_sandbox/revoke-user`, { email: 'x' })).status, 422);
});

test('the switches work over HTTP as well', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const url = `${sandbox.url}/_sandbox/faults`;
  const set = await postJson(url, { name: 'rate-limit', seconds: 9 });
  t.deepEqual((await jsonOf(set)).active, [{ name: 'rate-limit', hits: 0, seconds: 9 }]);
  t.is((await api.fetch('/companies')).headers.get('Retry-After'), '9');
  t.is((await jsonOf(await fetch(url))).active[0].hits, 1);
  await fetch(`${url}?name=rate-limit`, { method: 'DELETE' });
  t.deepEqual((await jsonOf(await fetch(url))).active, []);
  t.true('hang' in (await jsonOf(await fetch(url))).available);
  for (const body of [
    '{',
    [],
    {},
    { name: 'toString' },
    { name: 'slow', ms: '1' },
    { name: 'slow', times: 0 },
    { name: 'slow', why: 1 },
  ]) {
    t.is((await postJson(url, body)).status, 422);
  }
  const plain = await fetch(url, { method: 'POST', body: '{"name":"hang"}' });
  t.is(plain.status, 422);
  t.deepEqual(sandbox.faults.list(), []);
});

test('pages of other sites cannot reach the switches', async (t) => {
  const sandbox = await start(t);
  const url = `${sandbox.url}/_sandbox/faults`;
  t.is((await fetch(url, { headers: { Origin: 'https://evil.example' } })).status, 404);
  t.is((await fetch(url, { headers: { Origin: sandbox.url } })).status, 200);
});

test('the recorder keeps what came in, switches excepted, a thousand at most', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  sandbox.recorder.clear();
  await fetch(`${sandbox.url}/_sandbox/faults`);
  await api.fetch('/companies?page=1&per_page=10');
  await api.post('/nowhere', { a: 1 });
  const seen = sandbox.recorder.requests();
  t.deepEqual(
    seen.map(({ method, path, body }) => [method, path, body]),
    [
      ['GET', '/api/v1/companies?page=1&per_page=10', ''],
      ['POST', '/api/v1/nowhere', '{"a":1}'],
    ],
  );
  t.regex(seen[0]!.headers.authorization ?? '', /^Bearer ey/);
  for (let round = 0; round < 11; round++) {
    await Promise.all(Array.from({ length: 100 }, () => fetch(`${sandbox.url}/nowhere`)));
  }
  t.is(sandbox.recorder.requests().length, 1000);
});
