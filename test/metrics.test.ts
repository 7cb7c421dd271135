import test, { type ExecutionContext } from 'ava';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { connect as tcp, createServer } from 'node:net';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { loadMasterKeys } from '../adapters/master-keys.ts';
import { sealContext } from '../adapters/sealed-kinds.ts';
import { createSecrets } from '../adapters/secrets.ts';
import type { Store } from '../adapters/store.ts';
import { mintRefreshToken } from '../auth/refresh-token.ts';
import { createLog } from '../log.ts';
import { takeCensus } from '../metrics/census.ts';
import { causeOf, CAUSES } from '../metrics/causes.ts';
import { routeOf } from '../metrics/routes.ts';
import { TEXTS } from '../views/texts/texts.ts';
import { send, sendBytes } from './raw-http.ts';
import { ROUTES } from './security/routes.ts';
import { admin } from './support/admin.ts';
import { openEventStream } from './support/event-stream.ts';
import { type Exposition, parseExposition, scrape, scrapeAnew } from './support/exposition.ts';
import { restartStore, startHarness } from './support/harness.ts';
import {
  authorizationRequest,
  callMcp,
  callTool,
  clientParameters,
  connect,
  postForm,
  redeem,
  refresh,
  register,
  signIn,
  token,
} from './support/oauth.ts';
import { createMapStore } from './support/map-store.ts';
import { freePort } from './support/ports.ts';

/** What is counted, and that nothing else gets into it. One server for all, so its tests are serial. */

const loaded = () =>
  Object.keys(createRequire(import.meta.url).cache).filter((file) => /prom-client/.test(file));
const plain = await startHarness();
await connect(plain);
const loadedWithoutMetrics = loaded();
await plain.close();

const harness = await startHarness({
  store: 'redis',
  instances: 2,
  metrics: true,
  census: { firstAfterMs: 100, everyMs: 200 },
});
test.after.always(() => harness.close());
const { url, sandbox, logs } = harness;
const [here, there] = harness.metricsUrls! as [string, string];
const P = 'neonpanel_mcp_';
const PATIENCE_MS = 20_000;
/** What was read of a grant is believed for 800 ms. */
const BELIEVED_MS = 900;

/** Every counter that has risen, but those of what goes on in the background. */
function risen(before: Exposition, after: Exposition): Record<string, number> {
  const entries = [...after.families.values()]
    .filter(({ name, type }) => type === 'counter' && name.startsWith(P) && !/_store_/.test(name))
    .flatMap(({ samples }) => samples)
    .map(({ name, labels, value }) => {
      const words = Object.values(labels).join(' ');
      return [
        `${name.slice(P.length, -'_total'.length)} ${words}`,
        value - before.sum(name, labels),
      ];
    });
  return Object.fromEntries(entries.filter(([, rise]) => rise !== 0));
}

/** A request is counted when its connection is done with it, which may be after its answer has come. */
async function untilRisen(
  t: ExecutionContext,
  before: Exposition,
  expected: Record<string, number>,
): Promise<Exposition> {
  const sorted = (counts: object) => JSON.stringify(Object.entries(counts).sort());
  let after = await scrape(here);
  for (
    let ms = 0;
    ms < PATIENCE_MS && sorted(risen(before, after)) !== sorted(expected);
    ms += 50
  ) {
    await wait(50);
    after = await scrape(here);
  }
  t.deepEqual(risen(before, after), expected);
  return after;
}

async function until(holds: () => Promise<boolean>): Promise<boolean> {
  for (let ms = 0; ms < PATIENCE_MS; ms += 50) {
    if (await holds()) return true;
    await wait(50);
  }
  return false;
}

test.serial('with ADMIN_PORT=0 nothing of metrics is even loaded', (t) => {
  t.deepEqual(loadedWithoutMetrics, []);
  t.true(loaded().length > 0, 'and it would be seen');
});

test.serial('a connection, its calls and its end are counted, each where it belongs', async (t) => {
  // NeonPanel's metadata, keys and our client there are had once.
  const first = await connect(harness, { write: false });
  await refresh(url, first.client, first.tokens.refresh_token);
  await wait(100);
  const before = await scrape(here);

  const { client, attempt, tokens } = await connect(harness, { write: false });
  const denied = authorizationRequest(url, client);
  await signIn(harness, denied, { decision: 'deny', write: false });
  const call = (name: string, args = {}) => callTool(url, tokens.access_token, name, args);
  t.is((await call('listReports')).status, 200);
  sandbox.faults.set('html-500', { times: 1 });
  t.is((await call('listReports')).status, 200);
  sandbox.faults.set('forbidden', { times: 1 });
  t.is((await call('listReports')).body.result.isError, true);
  t.is((await call('createDocuments', { companyUuid: '1', type: 'bill', data: {} })).status, 403);
  const second = (await refresh(url, client, tokens.refresh_token)).body;
  await refresh(url, client, tokens.refresh_token);
  const third = (await refresh(url, client, second.refresh_token)).body;
  t.is((await refresh(url, client, 'none')).status, 400);
  t.is((await redeem(url, attempt, 'none')).status, 400);
  await postForm(`${url}/oauth2/token`, { grant_type: 'password', ...clientParameters(client) });
  t.is((await refresh(url, client, tokens.refresh_token)).status, 400, 'two generations back');
  await wait(BELIEVED_MS);
  t.is((await callMcp(url, third.access_token, 'tools/list')).status, 401);
  t.is((await register(url, { redirect_uris: ['http://evil.example/'] })).status, 400);
  t.is((await send(url, '/nonsense')).status, 404);
  t.is(
    (await send(url, '/mcp', { method: 'BREW' as string }).catch(() => ({ status: 400 }))).status,
    400,
  );

  await untilRisen(t, before, {
    'registrations success': 1,
    'registrations refused': 1,
    'authorizations started': 2,
    'authorizations success': 1,
    'authorizations refused': 1,
    'consents shown': 2,
    'consents approved': 1,
    'consents denied': 1,
    'logins success': 1,
    'token_requests authorization_code success none': 1,
    'token_requests authorization_code refused code_unknown': 1,
    'token_requests other refused grant_type': 1,
    'token_requests refresh_token success none': 3,
    'token_requests refresh_token refused refresh_token_unknown': 1,
    'token_requests refresh_token refused refresh_token_replayed': 1,
    'refreshes success': 3,
    'refreshes rejected': 2,
    'refresh_tokens_taken rotated': 2,
    'refresh_tokens_taken repeated': 1,
    'grants_ended refresh_token_replayed': 1,
    'tool_calls listReports success': 2,
    'tool_calls listReports refused': 1,
    'tool_calls createDocuments refused': 1,
    'upstream_requests token success': 1,
    'upstream_requests listCompanies success': 1,
    'upstream_requests listReports success': 2,
    'upstream_requests listReports failed': 1,
    'upstream_requests listReports forbidden': 1,
    'upstream_retries listReports': 1,
    'http_requests register POST 201': 1,
    'http_requests register POST 400': 1,
    'http_requests authorize GET 303': 2,
    'http_requests interaction GET 200': 2,
    'http_requests interaction POST 303': 2,
    'http_requests callback GET 303': 1,
    'http_requests resume GET 303': 2,
    'http_requests token POST 200': 4,
    'http_requests token POST 400': 4,
    'http_requests mcp POST 200': 3,
    'http_requests mcp POST 403': 1,
    'http_requests mcp POST 401': 1,
    'http_requests other GET 404': 1,
    'http_requests unread other 400': 1,
  });
});

test.serial('each instance counts what it did itself', async (t) => {
  const [before, elsewhere] = await Promise.all([scrape(here), scrape(there)]);
  const { body } = await register(harness.instances[1]!);
  t.truthy(body.client_id);
  const name = `${P}registrations_total`;
  const labels = { outcome: 'success' };
  const expected = elsewhere.sum(name, labels) + 1;
  t.true(await until(async () => (await scrape(there)).sum(name, labels) === expected));
  t.is((await scrape(here)).sum(name, labels), before.sum(name, labels));
});

test.serial('durations are counted once for each request, in seconds', async (t) => {
  const before = await scrape(here);
  sandbox.faults.set('slow', { path: '/api/', ms: 300, times: 1 });
  const { tokens } = await connect(harness);
  await callTool(url, tokens.access_token, 'listWarehouses', { companyUuid: '201' });
  t.true(await until(async () => (await count('http_request', { route: 'mcp' })) === 1));
  t.is(await count('tool_call', { tool: 'listWarehouses' }), 1);
  const after = await scrape(here);
  const proof = (name: string) =>
    after.sum(`${P}upstream_request_duration_seconds_${name}`, { operation: 'listCompanies' }) -
    before.sum(`${P}upstream_request_duration_seconds_${name}`, { operation: 'listCompanies' });
  t.true(proof('sum') >= 0.29, 'not milliseconds, and not less than it took');
  t.true(proof('sum') < 60);

  async function count(of: string, labels: Record<string, string>) {
    const name = `${P}${of}_duration_seconds_count`;
    return (await scrape(here)).sum(name, labels) - before.sum(name, labels);
  }
});

test.serial('streams of old clients are counted while they are open', async (t) => {
  const { tokens } = await connect(harness);
  const stream = await openEventStream(url, tokens.access_token);
  await stream.endpoint();
  t.is((await scrapeAnew(here)).sum(`${P}streams_open`), 1);
  stream.close();
  t.true(await until(async () => (await scrape(here)).sum(`${P}streams_open`) === 0));
  const labels = { route: 'sse', status: '200' };
  t.true(
    await until(async () => (await scrape(here)).sum(`${P}http_requests_total`, labels) === 1),
  );
  const duration = `${P}http_request_duration_seconds_count`;
  t.is((await scrape(here)).find(duration, { route: 'sse' }), undefined, 'hours are no latency');
});

test.serial('records are counted in the background', async (t) => {
  const kid = (await scrape(here)).families.get(`${P}refresh_tokens`)!.samples[0]!.labels.kid!;
  t.regex(kid, /^[\w-]{8}$/);
  const look = async () => {
    const now = await scrapeAnew(here);
    return [
      now.sum(`${P}grants`, { kind: 'user' }),
      now.sum(`${P}clients`, { kind: 'registered' }),
      now.sum(`${P}refresh_tokens`, { kid }),
      now.sum(`${P}sealed_records`, { kid, kind: 'NeonPanel credentials' }),
    ];
  };
  const settled = async (expected: readonly number[]) => {
    await until(async () => JSON.stringify(await look()) === JSON.stringify(expected));
    t.deepEqual(await look(), expected);
  };
  // What the other tests have left is counted once everything of it is over.
  await wait(1_000);
  const [grants = 0, clients = 0, tokens = 0, credentials = 0] = await look();
  t.true(grants > 0 && clients >= grants && tokens === grants && credentials >= grants);
  const connection = await connect(harness);
  await settled([grants + 1, clients + 1, tokens + 1, credentials + 1]);
  await postForm(`${url}/oauth2/revoke`, {
    token: connection.tokens.refresh_token,
    ...clientParameters(connection.client),
  });
  await settled([grants, clients + 1, tokens, credentials]);
  const unknown = (await scrape(here)).sum(`${P}sealed_records`, { kid: 'unknown' });
  t.is(unknown, 0);
});

test.serial(
  'a refresh chain that broke, and one that has to wait, are told from a wrong token',
  async (t) => {
    const limited = await startHarness({ metrics: true, env: { RATE_LIMIT_FACTOR: '0.05' } });
    t.teardown(() => limited.close());
    const { client, tokens } = await connect(limited, { write: false });
    const use = (refreshToken: string) => refresh(limited.url, client, refreshToken);
    const results = async (): Promise<Record<string, number>> => {
      const now = await scrape(limited.metricsUrls![0]!);
      return Object.fromEntries(
        now.samples
          .filter(({ name }) => name === `${P}refreshes_total`)
          .map(({ labels, value }) => [labels.result!, value]),
      );
    };
    for (const status of [200, 200, 200, 429])
      t.is((await use(tokens.refresh_token)).status, status);
    const other = await connect(limited, { write: false });
    // As a store that lost it would have it.
    const secrets = createSecrets(loadMasterKeys(undefined, limited.dataDir));
    const grantId = randomBytes(32).toString('base64url');
    const lost = mintRefreshToken(secrets, { grantId, generation: 3 });
    t.is((await refresh(limited.url, other.client, lost)).status, 400);
    t.is((await refresh(limited.url, other.client, `${lost}x`)).status, 400);
    t.true(
      await until(async () => Object.values(await results()).reduce((a, b) => a + b, 0) === 6),
    );
    t.deepEqual(await results(), { success: 3, rejected: 1, limited: 1, gone: 1, our_fault: 0 });
  },
);

test.serial(
  'what is no request, and a connection too many, are counted by their answer',
  async (t) => {
    const few = await startHarness({ metrics: true, sockets: { inAll: 1 } });
    t.teardown(() => few.close());
    const canary = 'canary17';
    const answered = async (bytes: string) => (await sendBytes(few.url, bytes)).slice(0, 12);
    const { host } = new URL(few.url);
    t.is(await answered(`${canary}\r\n\r\n`), 'HTTP/1.1 400');
    const long = `GET / HTTP/1.1\r\nHost: ${host}\r\n${canary}: ${'x'.repeat(20_000)}\r\n\r\n`;
    t.is(await answered(long), 'HTTP/1.1 431');
    const held = tcp(Number(new URL(few.url).port), '127.0.0.1');
    await once(held, 'connect');
    t.true(await until(async () => (await answered('')) === 'HTTP/1.1 503'));
    held.destroy();
    const now = await scrape(few.metricsUrls![0]!);
    const unread = (status: string) =>
      now.sum(`${P}http_requests_total`, { route: 'unread', method: 'other', status });
    t.deepEqual([unread('400'), unread('431')], [1, 1]);
    t.true(unread('503') >= 1);
    t.true(now.sum(`${P}http_requests_total`, { route: 'unread' }) === 2 + unread('503'));
  },
);

test('many who collect get one exposition, and it takes a tenth of the time at most', async (t) => {
  const { createCollection } = await import('../metrics/collect.ts');
  const collection = createCollection([]);
  const [first, second] = [collection.expose(), collection.expose()];
  t.is(first, second);
  await first;
  t.is(collection.expose(), first, 'a moment later, too');
  let later = collection.expose();
  t.true(await until(async () => (later = collection.expose()) !== first));
  t.not(await later, '');
});

test.serial('signing keys are shown by stage, kid and age', async (t) => {
  const stages = async () => {
    const now = await scrape(here);
    const { keys } = (await (await fetch(`${url}/.well-known/jwks.json`)).json()) as {
      keys: { kid: string }[];
    };
    const shown = now.samples.filter(({ name }) => name === `${P}signing_keys`);
    const kids = shown.map(({ labels }) => labels.kid);
    if (kids.length === keys.length) t.deepEqual(kids.sort(), keys.map(({ kid }) => kid).sort());
    return ['next', 'current', 'retired'].map((stage) => now.sum(`${P}signing_keys`, { stage }));
  };
  t.deepEqual(await stages(), [1, 1, 0]);
  const { code } = await admin(harness, 'keys', 'rotate', '--now', '--yes');
  t.is(code, 0);
  t.true(await until(async () => (await stages()).join() === '1,1,1'));
  const after = await scrape(here);
  const age = (stage: string) => after.sum(`${P}signing_key_age_seconds`, { stage });
  t.true(age('current') < age('current') + 1 && age('retired') < PATIENCE_MS / 1_000);
  t.is(after.sum(`${P}key_changes_total`, { change: 'noticed' }), 1);
});

test.serial(
  '[T67] [X20] a NeonPanel that does not answer is seen in metrics, /readyz and the front door',
  async (t) => {
    const { tokens } = await connect(harness);
    const readiness = async () =>
      (await (await fetch(`${url}/readyz`)).json()) as { neonpanel: string };
    const statuses = async (language: string) => {
      const response = await fetch(`${url}/`, {
        headers: { accept: 'text/html', 'accept-language': language },
      });
      return response.text();
    };
    t.is((await readiness()).neonpanel, 'ok');
    t.true((await statuses('en')).includes(TEXTS.en.home.neonpanelUp));
    const before = await scrapeAnew(here);
    t.is(before.sum(`${P}upstream_breaker_open`), 0);

    sandbox.faults.set('reset');
    const call = () => callTool(url, tokens.access_token, 'listReports');
    for (let i = 0; i < 6; i++) t.true((await call()).body.result.isError);
    const during = await scrapeAnew(here);
    t.is(during.sum(`${P}upstream_breaker_open`), 1);
    const rise = (name: string, labels: Record<string, string>) =>
      during.sum(`${P}${name}_total`, labels) - before.sum(`${P}${name}_total`, labels);
    t.is(rise('upstream_requests', { operation: 'listReports', outcome: 'silent' }), 10);
    t.is(rise('upstream_requests', { operation: 'listReports', outcome: 'not_asked' }), 1);
    t.is(rise('upstream_retries', { operation: 'listReports' }), 5);
    t.is(rise('tool_calls', { tool: 'listReports', outcome: 'failed' }), 6);
    const answer = await fetch(`${url}/readyz`);
    t.is(answer.status, 200, 'we can serve');
    t.like(await answer.json(), { status: 'ready', store: 'ok', neonpanel: 'unavailable' });
    for (const language of ['en', 'de', 'fr', 'es', 'ja'] as const) {
      const page = await statuses(language);
      t.true(page.includes(TEXTS[language].home.neonpanelDown), language);
      t.true(page.includes(TEXTS[language].home.statusUp), 'this server is well');
    }

    sandbox.faults.clear();
    t.true(await until(async () => (await call()).body.result.isError !== true));
    t.is((await scrapeAnew(here)).sum(`${P}upstream_breaker_open`), 0);
    t.is((await readiness()).neonpanel, 'ok');
  },
);

test.serial(
  'a store that is away is our fault, is seen, and is over when it is back',
  async (t) => {
    const { client, tokens } = await connect(harness);
    const before = await scrapeAnew(here);
    t.deepEqual(
      ['ready', 'store_away', 'store_settled'].map((name) => before.sum(P + name)),
      [1, 0, 1],
    );
    await harness.redis!.kill();
    t.is((await refresh(url, client, tokens.refresh_token)).status, 503);
    const during = await scrapeAnew(here);
    t.deepEqual([during.sum(`${P}ready`), during.sum(`${P}store_away`)], [0, 1]);
    const rise = (name: string, labels: Record<string, string>) =>
      during.sum(`${P}${name}_total`, labels) - before.sum(`${P}${name}_total`, labels);
    t.is(rise('refreshes', { result: 'our_fault' }), 1);
    t.is(
      rise('token_requests', { grant_type: 'refresh_token', outcome: 'failed', cause: 'store' }),
      1,
    );
    t.true(rise('store_calls', { operation: 'read', outcome: 'unavailable' }) > 0);
    t.is(rise('http_requests', { route: 'token', status: '503' }), 1);

    await restartStore(harness);
    const after = await scrapeAnew(here);
    t.deepEqual([after.sum(`${P}ready`), after.sum(`${P}store_away`)], [1, 0]);
    t.is((await refresh(url, client, tokens.refresh_token)).status, 200);
  },
);

test.serial('what strangers send becomes no label, however they send it', async (t) => {
  const { client, tokens } = await connect(harness);
  const series = async () => {
    const { samples } = await scrapeAnew(here);
    return samples
      .filter(({ name }) => name.startsWith(P))
      .map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`)
      .toSorted();
  };
  const flood = async (canary: string) => {
    const word = `canary${canary}`;
    const headers = {
      'user-agent': word,
      referer: `https://${word}.example/`,
      'x-forwarded-for': word,
      'x-request-id': word,
      'accept-language': word,
      cookie: `${word}=${word}`,
    };
    const form = (parameters: Record<string, string>) =>
      postForm(`${url}/oauth2/token`, { ...clientParameters(client), ...parameters }, headers);
    await send(url, `/${word}?${word}=${word}`, { headers });
    await send(url, `/oauth2/${word}`, { method: 'POST', headers });
    await send(url, `/interaction/${word}${'x'.repeat(30)}`, { headers });
    await send(url, `/.well-known/${word}`, { headers });
    await send(url, `/assets/${word}`, { headers });
    await send(url, `/account/${word}`, { headers });
    await send(url, `/__proto__`, { headers });
    await send(url, '/mcp', { method: 'PROPFIND', headers });
    await send(url, '/healthz', { headers: { ...headers, host: `${word}.example` } });
    await send(url, '/', { headers: { ...headers, host: `${word}.example` } });
    await register(url, {
      client_name: word,
      client_uri: `https://${word}.example`,
      redirect_uris: [`https://${word}.example/callback`],
      scope: word,
      software_id: word,
      [word]: word,
    });
    await register(url, { redirect_uris: [`${word}:`], token_endpoint_auth_method: word });
    await form({ grant_type: word });
    await form({ grant_type: 'constructor' });
    await form({ grant_type: 'refresh_token', refresh_token: word, scope: word });
    await form({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token, scope: word });
    await form({
      grant_type: 'refresh_token',
      refresh_token: tokens.refresh_token,
      resource: word,
    });
    await form({ grant_type: 'authorization_code', code: word, redirect_uri: word });
    await token(url, { grant_type: 'refresh_token', client_id: word, client_secret: word });
    for (const endpoint of ['revoke', 'introspect'])
      await postForm(`${url}/oauth2/${endpoint}`, { token: word, client_id: word }, headers);
    await send(
      url,
      authorizationRequest(url, client, { state: word, scope: word }).url.pathname +
        `?client_id=${word}`,
    );
    const mcp = (method: string, params: unknown) =>
      callMcp(url, tokens.access_token, method, params, { headers });
    await mcp(word, {});
    await mcp('tools/call', { name: word, arguments: {} });
    await mcp('tools/call', { name: 'toString', arguments: {} });
    await mcp('tools/call', { name: 'listReports', arguments: { [word]: word } });
    await mcp('tools/call', { name: 'listWarehouses', arguments: { companyUuid: word } });
    await mcp('tools/call', { name: 'getImportInstructions', arguments: { type: word } });
    await callMcp(url, word, 'tools/list', {}, { headers });
    await wait(100);
  };
  await flood('one1');
  const afterOne = await series();
  await flood('two2');
  t.deepEqual(await series(), afterOne, 'other words of strangers make no other series');
  for (const metrics of [here, there]) {
    const text = await (await fetch(metrics)).text();
    t.notRegex(text, /canary|two2|one1|propfind|__proto__|constructor|toString/i);
    for (const secret of [client.client_id, tokens.refresh_token.split('.')[0]!, '1001']) {
      t.false(text.includes(`"${secret}`), secret);
    }
  }
});

test.serial(
  '[T67] metrics are on loopback only, for who asks for loopback, and there is nothing else',
  async (t) => {
    const { origin, port } = new URL(here);
    const hosts: readonly Record<string, string>[] = [
      {},
      { host: `127.0.0.1:${port}`, origin: 'https://evil.example' },
      { host: '[::1]' },
      // By a tunnel.
      { host: 'LocalHost:12345' },
      { host: '' },
    ];
    for (const headers of hosts) {
      const answer = await send(origin, '/metrics', { headers });
      t.is(answer.status, 200);
      t.is(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
      t.is(answer.headers['access-control-allow-origin'], undefined, 'no page of others reads it');
      t.regex(answer.text, /^neonpanel_mcp_build_info\{version="\d[^"]*",node="24[^"]*"\} 1$/m);
    }
    // A name of others that stands for loopback, as a page of theirs would make it.
    for (const host of ['mcp.neonpanel.example', `evil.example:${port}`, 'localhost.evil.example'])
      t.like(
        await send(origin, '/metrics', { headers: { host } }),
        { status: 421, text: '' },
        host,
      );
    t.is((await send(origin, '/metrics?x=1')).status, 200);
    const head = await send(origin, '/metrics', { method: 'HEAD' });
    t.deepEqual([head.status, head.text], [200, '']);
    for (const path of [
      '/',
      '/metrics/',
      '/Metrics',
      '/healthz',
      '/readyz',
      '/mcp',
      '/oauth2/token',
    ]) {
      const answer = await send(origin, path);
      t.deepEqual([answer.status, answer.text], [404, ''], path);
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const body = method === 'POST' ? { body: 'x'.repeat(100_000) } : {};
      t.is((await send(origin, '/metrics', { method, ...body })).status, 404, method);
    }
    // An address of this machine like any other, as far as listening is concerned.
    await t.throwsAsync(send(`http://127.0.0.2:${port}`, '/metrics'), { code: 'ECONNREFUSED' });
  },
);

test.serial('a port that is taken is told in the log, and nothing else suffers', async (t) => {
  const port = await freePort();
  const squatter = createServer().listen(port, '127.0.0.1');
  await new Promise((resolve) => squatter.once('listening', resolve));
  const other = await startHarness({ env: { ADMIN_PORT: String(port) } });
  t.like(other.logs.only({ event: 'metrics' }), { level: 40, port, problem: 'EADDRINUSE' });
  await connect(other);
  t.is((await fetch(`${other.url}/readyz`)).status, 200);
  await other.close();
  await new Promise((resolve) => squatter.close(resolve));
});

test.serial('its port is free again when the server has stopped', async (t) => {
  const { port } = new URL(there);
  await scrape(there);
  await harness.restart(1);
  const now = await scrape(there);
  t.is(now.sum(`${P}registrations_total`), 0, 'it counts from the start');
  t.is(logs.find({ event: 'metrics' }).length, 0, port);
});

test('every address has a name of its own, and nothing else has one', (t) => {
  for (const { path, methods } of ROUTES) {
    for (const method of methods) t.not(routeOf(method, path), 'other', `${method} ${path}`);
  }
  for (const path of ['/mcp/x', '/oauth2', '/interaction/x', '/.well-known/x', '//', '/MCP', ''])
    t.is(routeOf('GET', path), 'other', path);
});

test('every refusal at the token endpoint has a word of its own', (t) => {
  const files = globSync('auth/{grants/*,token-request,refresh-token}.ts');
  const source = files.map((file) => readFileSync(file, 'utf8')).join('\n');
  const literals = [
    ...source.matchAll(/refuse\([`'](.+?)[`']\)/g),
    ...source.matchAll(/detail: [`'](.+?)[`']/g),
    ...source.matchAll(/InvalidRequest\([`'](.+?)[`']\)/g),
  ].map(([, words]) => words!.replaceAll(/\$\{\w+\}/g, '7'));
  t.true(literals.length >= 14, literals.join('\n'));
  for (const words of literals) {
    t.false(['request', 'other', 'none'].includes(causeOf('unknown_error', words)), words);
  }
  const given = ['invalid_grant', 'invalid_client', 'constructor', undefined].map((error) =>
    causeOf(error, 'words that nobody knows'),
  );
  t.deepEqual(given, ['other', 'client_authentication', 'other', 'none']);
  t.true(given.every((word) => CAUSES.includes(word)));
});

const ROOT = join(import.meta.dirname, '..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

test.serial('docs/operations.md explains every metric of ours, and no other', async (t) => {
  const { families } = await scrape(here);
  const ours = [...families.keys()].filter((name) => name.startsWith(P));
  const documented = [...read('docs/operations.md').matchAll(/^\| `(neonpanel_mcp_\w+)/gm)].map(
    ([, name]) => name!,
  );
  t.deepEqual(documented.toSorted(), ours.toSorted());
  for (const { name, type, help } of families.values()) {
    if (!name.startsWith(P)) continue;
    t.is(type === 'counter', name.endsWith('_total'), name);
    t.regex(help, /^[A-Z1].*[.;]$|\.$/, name);
    t.notRegex(name, /_(ms|milliseconds|minutes)(_|$)/, 'base units');
  }
});

test.serial('every alert is about series that there are, and is explained', async (t) => {
  const { samples, families } = await scrape(here);
  const rules = read('deploy/alerts.yml')
    .split(/^ {6}- alert: /m)
    .slice(1);
  t.true(rules.length >= 10);
  const operations = read('docs/operations.md');
  for (const rule of rules) {
    const name = rule.split('\n', 1)[0]!;
    t.regex(rule, /\n {8}for: \d+[mh]\n/, name);
    t.regex(rule, /\n {8}labels: \{ severity: (page|ticket) \}\n/, name);
    t.regex(rule, /\n {10}summary: \S.+\n/, name);
    t.regex(operations, new RegExp(`^\\| \`${name}\``, 'm'), `${name} is not explained`);
    for (const [, metric = '', , selector = ''] of rule.matchAll(
      /\b((?:neonpanel_mcp|nodejs|process)_\w+)(\{([^}]*)\})?/g,
    )) {
      const family = metric.replace(/_(bucket|sum|count)$/, '');
      t.true(families.has(metric) || families.has(family), `${name}: ${metric}`);
      for (const [, label = '', value = ''] of selector.matchAll(/(\w+)=~?"([^"]*)"/g)) {
        const known = samples.filter((sample) => sample.name === metric);
        for (const one of value.split('|')) {
          const matches = new RegExp(`^(?:${one})$`);
          t.true(
            known.some(({ labels }) => label in labels && matches.test(labels[label]!)),
            `${name}: ${metric} has never had ${label}=${one}`,
          );
        }
      }
    }
  }
});

test('a census tells kinds and unknown master keys apart, reads a few at a time, and ends when told', async (t) => {
  const store = createMapStore();
  const put = (tag: string, kind: string, value: object | string) =>
    store.commit([
      {
        key: { tag, kind },
        expect: 'any',
        put: typeof value === 'string' ? value : JSON.stringify(value),
        lifetime: 'forever',
      },
    ]);
  const secrets = createSecrets([randomBytes(32)]);
  for (let i = 0; i < 60; i++) {
    const accountId = i === 0 ? 'service:x' : '1001';
    await put(`grant-${i}`.padEnd(20, 'x'), 'grant', {
      accountId,
      generation: i,
      masterKey: 'old',
    });
    await put(
      `client-${i}`,
      'client',
      i === 0 ? { kind: 'service', metadata: {} } : { metadata: {} },
    );
  }
  await put('g', 'credential', await secrets.seal({}, sealContext.credential('g', 'a')));
  await put('neonpanel', 'client', await secrets.seal({}, sealContext.neonpanelClient()));
  let most = 0;
  const counting: Store = {
    ...store,
    read(...keys) {
      most = Math.max(most, keys.length);
      return store.read(...keys);
    },
  };
  const census = takeCensus({
    store: counting,
    log: createLog('silent'),
    now: Date.now,
    times: { firstAfterMs: 0, everyMs: 60_000 },
  });
  t.true(await until(async () => census.latest() !== undefined));
  const { grants, clients, refreshTokens, sealed } = census.latest()!;
  t.deepEqual(Object.fromEntries(grants), { user: 59, service: 1 });
  t.deepEqual(Object.fromEntries(clients), { registered: 59, service: 1 });
  t.deepEqual(Object.fromEntries(refreshTokens), { old: 60 });
  t.deepEqual([...sealed.keys()], secrets.masterKeyIds);
  t.is(most, 50);
  await t.notThrowsAsync(census.close(), 'although the next one is a minute away');
  const { Registry } = await import('prom-client');
  const { showCensus } = await import('../metrics/census-gauges.ts');
  const registry = new Registry();
  showCensus([registry], census.latest, ['another']);
  const shown = parseExposition(await registry.metrics());
  t.is(shown.sum(`${P}sealed_records`, { kid: 'unknown' }), 2);
  t.is(shown.sum(`${P}refresh_tokens`, { kid: 'unknown' }), 60);
});
