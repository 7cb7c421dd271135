import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { startApp } from '../../app.ts';
import { loadConfig } from '../../config.ts';
import { createLog } from '../../log.ts';
import { startSandbox } from '../../sandbox/index.ts';
import { approve, isCallback, openConsent, stopAtClient } from '../login-support.ts';
import { type RecordedResponse, recordResponses } from '../response-recorder.ts';
import { createClock } from '../support/clock.ts';
import { type StoreName, STORES, startHarness } from '../support/harness.ts';
import { startTestServer } from '../support/http-server.ts';
import {
  answerConsent,
  answerLogin,
  authorizationRequest,
  callMcp,
  callTool,
  clientParameters,
  connect,
  postForm,
  postJson,
  redeem,
  refresh,
  register,
  signIn,
  token,
} from '../support/oauth.ts';
import { freePort } from '../support/ports.ts';
import { holdWrites } from '../support/records.ts';
import { startRedis } from '../support/redis.ts';
import { formIn, formsOf } from './forms.ts';
import { redisBytes, sqliteBytes } from './store-bytes.ts';

/**
 * Secrets are planted, and a whole connection is made with everything going wrong that can, at LOG_LEVEL=trace. Then all
 * that was stored, logged and answered is searched for them, in every spelling.
 */

const random = () => randomBytes(24).toString('base64url');

/** A NeonPanel API that quotes what it was sent, and its own inside, when it refuses. */
async function startRudeApi(sandboxUrl: string, inside: string) {
  return startTestServer(async (request, response) => {
    if (request.method === 'POST') {
      const status = request.body.includes('five-hundred') ? 500 : 422;
      response.writeHead(status, { 'content-type': 'application/json' }).end(
        JSON.stringify({
          message: `${inside} refused`,
          errors: { data: [`You sent ${request.body} by ${request.headers.authorization}`] },
        }),
      );
      return;
    }
    const answer = await fetch(sandboxUrl + request.url.pathname + request.url.search, {
      headers: { authorization: request.headers.authorization ?? '' },
    });
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type')! });
    response.end(await answer.text());
  });
}

async function startWorld(t: ExecutionContext, store: StoreName) {
  const clock = createClock();
  const sandbox = await startSandbox({ port: 0, now: clock.now });
  t.teardown(sandbox.close);
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const { body: ours } = await postJson<{ client_id: string; client_secret: string }>(
    `${sandbox.url}/oauth2/register`,
    {
      redirect_uris: [`${url}/oauth2/authorize/callback`],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'client_secret_post',
    },
  );
  const inside = `Inside ${random()}`;
  const api = await startRudeApi(sandbox.url, inside);
  t.teardown(api.close);
  const redisPassword = random();
  const redis =
    store === 'redis'
      ? await startRedis({
          persist: true,
          args: ['--requirepass', redisPassword],
          auth: [redisPassword],
        })
      : undefined;
  if (redis) t.teardown(redis.stop);
  const redisUrl = redis && `redis://:${redisPassword}@127.0.0.1:${redis.port}`;
  const masterKey = randomBytes(32).toString('base64url');
  const env = {
    PORT: String(port),
    PUBLIC_URL: url,
    NEONPANEL_API_URL: `http://localhost:${api.port}/api/v1`,
    NEONPANEL_CLIENT_ID: ours.client_id,
    NEONPANEL_CLIENT_SECRET: ours.client_secret,
    MASTER_KEYS: masterKey,
    ...(redisUrl && { REDIS_URL: redisUrl }),
  };
  const options = { env, logLevel: 'trace', neonpanelUrl: sandbox.url, now: clock.now };
  const started = await startHarness(options);
  t.teardown(started.close);
  const harness = { ...started, url, sandbox };
  const bytes = () =>
    redisUrl ? redisBytes(redisUrl) : Promise.resolve(sqliteBytes(started.dataDir));
  return { harness, redis, env, clock, bytes, inside, secrets: { redisPassword, masterKey, ours } };
}

type World = Awaited<ReturnType<typeof startWorld>>;

/** A secret, and where it may be answered: paths of ours, without query. */
type Canary = readonly [what: string, secret: string, path?: RegExp];

/** One connection from registration to its end. @returns what was secret in it */
async function succeed(world: World, look: () => Promise<void>): Promise<Canary[]> {
  const { harness } = world;
  const { url, sandbox } = harness;
  const [ada] = sandbox.users as [(typeof sandbox.users)[0]];
  sandbox.faults.set('token-lifetime', { seconds: 20, times: 1 });
  const { body: client } = await register(url, {
    client_name: 'Canary',
    token_endpoint_auth_method: 'client_secret_post',
  });
  const nonce = random();
  const state = random();
  const parameters = { scope: 'openid neonpanel.write', nonce, state };
  const started = await openConsent(harness, { client, parameters });
  const { attempt, browser, page } = started;
  const csrf = page.form().fields.get('csrf')!;
  const upstream = await approve(harness, started, { write: true });
  await look();
  const cookies = browser.cookies(url).concat(browser.cookies(page.url));
  browser.stopAt(isCallback);
  const back = (await answerLogin(await browser.goto(upstream), ada)).stoppedAt!;
  stopAtClient(browser, attempt);
  const code = (await browser.goto(back)).stoppedAt!.searchParams.get('code')!;
  await look();
  const first = (await redeem(url, attempt, code)).body;
  await callTool(url, first.access_token, 'listCompanies');
  const second = (await refresh(url, client, first.refresh_token)).body;
  const document = { type: 'bill', companyUuid: 'a'.repeat(40), data: { vendor: PRIVATE_TEXT } };
  await callTool(url, second.access_token, 'createDocuments', document);
  const worse = { ...document, data: { note: `five-hundred ${PRIVATE_TEXT}` } };
  await callTool(url, second.access_token, 'createDocuments', worse);
  await look();
  await misuse(world, { client, attempt, code, tokens: second });
  await look();
  const { body } = await postForm(`${url}/oauth2/revoke`, {
    token: second.refresh_token,
    ...clientParameters(client),
  });
  if (body && Object.keys(body).length > 0) throw new Error(`not revoked: ${JSON.stringify(body)}`);

  const TOKEN = /^\/oauth2\/token$/;
  const secretCookies = new Map(
    cookies
      .filter(({ key, value }) => !value.includes(started.uid) || key.endsWith('.sig'))
      .map(({ key, value }) => [key, value.split('.').at(-1)!]),
  );
  return [
    ['the client’s secret', client.client_secret!, /^\/oauth2\/register$/],
    ['the client’s verifier', attempt.verifier],
    ['the code', code.split('.')[1]!, /^\/oauth2\/authorize\/[\w-]+$/],
    ['an access token', first.access_token, TOKEN],
    ['an access token’s signature', first.access_token.split('.')[2]!, TOKEN],
    ['a refresh token', first.refresh_token, TOKEN],
    ['the MAC of a refresh token', first.refresh_token.split('.')[2]!, TOKEN],
    ['the second access token', second.access_token, TOKEN],
    ['the second refresh token', second.refresh_token, TOKEN],
    ['the id token', first.id_token!, TOKEN],
    ['the form code', csrf, /^\/interaction\//],
    ['our state', upstream.searchParams.get('state')!.split('.')[1]!, /^\/interaction\//],
    ['NeonPanel’s code', back.searchParams.get('code')!],
    ...[...secretCookies].map(([key, value]): Canary => [
      `cookie ${key}`,
      value,
      /^\/(interaction|oauth2\/authorize)/,
    ]),
  ];
}

const PRIVATE_TEXT = 'Vermilion Heron Trading, bank 4477-2210';

/** Every kind of request that carries something secret and is refused. */
async function misuse(
  world: World,
  one: Pick<Awaited<ReturnType<typeof connect>>, 'client' | 'attempt' | 'code' | 'tokens'>,
): Promise<void> {
  const { url } = world.harness;
  const { client, attempt, code, tokens } = one;
  const { access_token, refresh_token } = tokens;
  const as = clientParameters(client);
  const statuses = [
    (await redeem(url, attempt, code)).status,
    (await redeem(url, attempt, code, { code_verifier: `${attempt.verifier}x` })).status,
    (await redeem(url, attempt, code, { redirect_uri: `https://else.example/${code}` })).status,
    (await redeem(url, attempt, code, { client_secret: `${client.client_secret}x` })).status,
    (await refresh(url, client, `${refresh_token}x`)).status,
    (await refresh(url, client, access_token)).status,
    (await refresh(url, client, refresh_token, { resource: `https://x.example/${access_token}` }))
      .status,
    // Fields mixed up by the client.
    (await token(url, { ...as, grant_type: refresh_token, refresh_token })).status,
    (await token(url, { grant_type: 'refresh_token', client_id: refresh_token })).status,
    (await token(url, { grant_type: 'refresh_token', client_id: access_token })).status,
    (await postJson(`${url}/oauth2/token`, { ...as, refresh_token })).status,
    (await postForm(`${url}/oauth2/token?code=${code}&refresh_token=${refresh_token}`, as)).status,
    (await postForm(`${url}/oauth2/token`, as, { authorization: `Basic ${refresh_token}` })).status,
    (await postForm(`${url}/oauth2/introspect`, { token: access_token, client_secret: code }))
      .status,
    (await postJson(`${url}/oauth2/register`, `{"client_secret":"${client.client_secret}"`)).status,
    (await postJson(`${url}/oauth2/register`, { redirect_uris: [`x:${refresh_token}`] })).status,
    (await callMcp(url, undefined, 'tools/list', {}, { path: `/mcp?access_token=${access_token}` }))
      .status,
    (await callMcp(url, `${access_token}x`, 'tools/list')).status,
    (await callMcp(url, refresh_token, 'tools/list')).status,
    (
      await callMcp(
        url,
        undefined,
        'x',
        {},
        { headers: { authorization: `Basic ${access_token}` } },
      )
    ).status,
  ];
  const accepted = statuses.filter((status) => status < 400);
  if (accepted.length > 0) throw new Error(`expected refusals: ${statuses.join(' ')}`);
  for (const accept of ['text/html', 'application/json']) {
    for (const path of [
      `/mcp/${access_token}`,
      `/${refresh_token}`,
      `/oauth2/authorize/callback?code=${code}&state=${refresh_token}`,
      `/oauth2/authorize?client_id=${refresh_token}&state=${access_token}`,
      `/oauth2/authorize?client_id=${client.client_id}&redirect_uri=https://e.example/${code}`,
      `/interaction/${refresh_token.split('.')[2]}`,
      `/.well-known/${access_token}`,
    ]) {
      const answer = await fetch(url + path, { headers: { accept }, redirect: 'manual' });
      if (answer.status < 400) throw new Error(`${path}: ${answer.status}`);
    }
  }
}

/** Sign-ins and calls that NeonPanel spoils, in every way it has. */
async function failAtNeonpanel(world: World): Promise<string[]> {
  const { harness } = world;
  const { sandbox, url } = harness;
  const user = sandbox.users[0]!;
  const codes: string[] = [];
  const spoilt: Parameters<typeof sandbox.faults.set>[] = [
    ['html-500', { path: '/oauth2/token', times: 1 }],
    ['garbage', { path: '/oauth2/token', times: 1 }],
    ['cut', { path: '/oauth2/token', times: 1 }],
    ['wrong-content-type', { path: '/oauth2/token', times: 1 }],
    ['hang', { path: '/oauth2/token', times: 1 }],
    ['rotate-jwks', { times: 1 }],
    ['unprocessable', { path: '/api/', times: 1 }],
  ];
  for (const fault of spoilt) {
    const started = await openConsent(harness);
    const login = await answerConsent(started.page);
    sandbox.faults.set(...fault);
    await answerLogin(login, user);
    sandbox.faults.clear();
  }
  const { tokens } = await connect(harness);
  for (const fault of [
    'expired-token',
    'forbidden',
    'rate-limit',
    'html-500',
    'garbage',
  ] as const) {
    sandbox.faults.set(fault, { path: '/api/', times: 1 });
    await callTool(url, tokens.access_token, 'listCompanies');
    sandbox.faults.clear();
  }
  sandbox.faults.set('expired-token', { path: '/api/', times: 1 });
  sandbox.faults.set('refuse-refresh', { times: 1 });
  await callTool(url, tokens.access_token, 'listCompanies');
  sandbox.faults.clear();
  return codes;
}

/** The store goes away, with requests that carry secrets under way, and comes back. */
async function failAtStore(t: ExecutionContext, world: World): Promise<Canary[]> {
  const { harness, redis } = world;
  const { url } = harness;
  const { client, tokens } = await connect(harness);
  const next = await openConsent(harness);
  const attempt = authorizationRequest(url, client);
  const code = (await signIn(harness, attempt)).searchParams.get('code')!;
  const release = redis ? undefined : await holdWrites(harness);
  await redis?.kill();
  world.clock.advance(1_000);
  const statuses = await Promise.all([
    redeem(url, attempt, code).then(({ status }) => status),
    refresh(url, client, tokens.refresh_token).then(({ status }) => status),
    register(url).then(({ status }) => status),
    answerConsent(next.page).then(({ status }) => status),
  ]);
  t.deepEqual(statuses, [503, 503, 503, 503]);
  await release?.();
  await redis?.start();
  return [
    ['a code while the store was away', code.split('.')[1]!, /^\/oauth2\/authorize\/[\w-]+$/],
    ['a refresh token while the store was away', tokens.refresh_token, /^\/oauth2\/token$/],
  ];
}

/** A code that has expired, and a family that was replayed. */
async function failByTime({ harness, clock }: World): Promise<Canary[]> {
  const { url } = harness;
  const { client, tokens, attempt, code } = await connect(harness);
  await refresh(url, client, tokens.refresh_token);
  const late = authorizationRequest(url, client);
  const lateCode = (await signIn(harness, late)).searchParams.get('code')!;
  clock.advance(70_000);
  await redeem(url, late, lateCode);
  await refresh(url, client, tokens.refresh_token);
  await redeem(url, attempt, code);
  clock.advance(3_600_000);
  await callTool(url, tokens.access_token, 'listCompanies');
  return [
    ['an expired code', lateCode.split('.')[1]!, /^\/oauth2\/authorize\/[\w-]+$/],
    ['a replayed refresh token', tokens.refresh_token, /^\/oauth2\/token$/],
    ['an expired access token', tokens.access_token, /^\/oauth2\/token$/],
  ];
}

/** A second instance with a password that Redis does not take. */
async function startWithWrongPassword(world: World, password: string): Promise<void> {
  const { harness, redis, env } = world;
  const dataDir = mkdtempSync(join(tmpdir(), 'neonpanel-mcp-wrong-'));
  const config = loadConfig({
    ...env,
    PORT: String(await freePort()),
    DATA_DIR: dataDir,
    NEONPANEL_URL: harness.sandbox.url,
    REDIS_URL: `redis://:${password}@127.0.0.1:${redis!.port}`,
  });
  const app = await startApp(config, { log: createLog('trace', harness.logs.sink) });
  const answer = await fetch(`http://localhost:${app.port}/readyz`);
  if (answer.status !== 503) throw new Error(`ready: ${answer.status}`);
  await register(`http://localhost:${app.port}`);
  await app.close();
  rmSync(dataDir, { recursive: true, force: true });
}

const portOf = (url: string): number => Number(new URL(url).port);
const pathOf = ({ path }: RecordedResponse): string => path.split('?')[0]!;

for (const store of STORES) {
  test.serial(
    `[T17] [T28] [T29] [T51] [T58] [N52] ${store}: of all secrets of whole journeys with every error none is stored, logged, or answered where it does not belong`,
    async (t) => {
      const recorder = recordResponses();
      t.teardown(recorder.stop);
      const world = await startWorld(t, store);
      const { harness, bytes, inside, secrets } = world;
      const { url, logs, sandbox } = harness;
      const looks: string[] = [];
      const look = async () => void looks.push(await bytes());

      const canaries: Canary[] = [...(await succeed(world, look))];
      canaries.push(...(await failByTime(world)));
      await failAtNeonpanel(world);
      canaries.push(...(await failAtStore(t, world)));
      const wrongPassword = random();
      if (store === 'redis') await startWithWrongPassword(world, wrongPassword);
      await look();

      const sandboxPort = portOf(sandbox.url);
      const fromNeonpanel = recorder.responses
        .filter((one) => one.port === sandboxPort && pathOf(one) === '/oauth2/token')
        .flatMap(({ text }) => [...text.matchAll(/"(?:access|refresh|id)_token":"([^"]+)"/g)])
        .map(([, one], i): Canary => [`NeonPanel token ${i}`, one!]);
      t.true(fromNeonpanel.length >= 10);
      const verifiers = sandbox.recorder
        .requests()
        .map(({ body }) => new URLSearchParams(body).get('code_verifier'))
        .filter((verifier) => verifier !== null)
        .map((verifier): Canary => ['our verifier', verifier]);
      t.true(verifiers.length >= 5);
      canaries.push(
        ...fromNeonpanel,
        ...verifiers,
        ['our secret at NeonPanel', secrets.ours.client_secret],
        ['the master key', secrets.masterKey],
        ['the password of Redis', secrets.redisPassword],
        ['a wrong password of Redis', wrongPassword],
        ['the user’s password', sandbox.users[0]!.password],
        ['the private text', PRIVATE_TEXT],
        ['NeonPanel’s inside', inside.split(' ')[1]!],
      );

      const ours = recorder.responses.filter(({ port }) => port !== sandboxPort);
      const served = ours.filter(({ port }) => port === portOf(url));
      const log = logs.text();
      for (const [what, secret, path] of canaries) {
        t.true(typeof secret === 'string' && secret.length >= 12, `${what}: ${secret}`);
        for (const [i, stored] of looks.entries()) {
          t.is(formIn(stored, secret), undefined, `${what} is in the store at look ${i}`);
        }
        t.is(formIn(log, secret), undefined, `${what} is in the log`);
        const carriers = served.filter(({ text }) => formIn(text, secret) !== undefined);
        t.deepEqual(
          carriers.filter((one) => !path?.test(pathOf(one))).map(pathOf),
          [],
          `${what} is in an answer`,
        );
        if (path) t.true(carriers.length > 0, `${what} was answered at all`);
      }

      // The nets catch something.
      t.true(looks.every((stored) => stored.includes('signing')));
      t.true(log.includes('"path":"/oauth2/token"') && log.includes('"path":"/mcp"'));
      t.true(served.length > 80, `${served.length} answers`);
      for (const { query } of queriesIn(log)) t.is(query, undefined, 'a query in the log');
      for (const one of served) {
        t.notRegex(one.text, /\n\s+at |node_modules|ECONNREFUSED|SQLITE|WRONGPASS/, one.path);
      }
    },
  );
}

const queriesIn = (log: string): { query: string | undefined }[] =>
  [...log.matchAll(/"path":"([^"]*)"/g)].map(([, path]) => ({ query: path!.split('?')[1] }));

test('[T17] a secret is found in every spelling', (t) => {
  const secret = 'Ab3-_/é x9';
  for (const before of ['', 'a', 'ab', 'abc']) {
    const text = `${before}${secret}.after`;
    for (const spelled of [
      text,
      encodeURIComponent(text),
      JSON.stringify(text),
      Buffer.from(text).toString('hex'),
      Buffer.from(text).toString('base64'),
      Buffer.from(text).toString('base64url'),
    ]) {
      t.truthy(formIn(spelled, secret), spelled);
    }
  }
  t.is(formIn('nothing of the kind', secret), undefined);
  t.true(formsOf(secret).every((form) => form.length >= 8));
});
