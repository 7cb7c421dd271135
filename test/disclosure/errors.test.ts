import test, { type ExecutionContext } from 'ava';
import { Redis } from 'ioredis';
import { VERSION_LENGTH } from '../../adapters/redis/commit-script.ts';
import { openConsent } from '../login-support.ts';
import { recordResponses } from '../response-recorder.ts';
import { createClock } from '../support/clock.ts';
import { restartStore, startHarness } from '../support/harness.ts';
import {
  authorizationRequest,
  callTool,
  clientParameters,
  connect,
  redeem,
  register,
  signIn,
} from '../support/oauth.ts';
import { freePort } from '../support/ports.ts';

/** What went wrong inside is nobody's business outside: every route, every kind of reader, with faults planted below. */

const clock = createClock();
const harness = await startHarness({
  store: 'redis',
  now: clock.now,
  env: { ADMIN_PORT: String(await freePort()) },
});
const { url, redis, logs, sandbox } = harness;
test.after.always(() => harness.close());

const HTML = 'text/html,application/xhtml+xml,*/*;q=0.8';
const READERS = [HTML, 'application/json', 'application/json, text/event-stream', '*/*'];

/** Stack frames, paths of ours and of packages, addresses, words of the store and of the engine's inside. */
const INSIDE =
  /\n\s+at |node_modules|\.ts\b|\.js:|\/tmp\/|ECONN|EAI_|redis|sqlite|ioredis|Unexpected token|JSON at position|undefined|TypeError|SealBroken|127\.0\.0\.1|\[object/i;

interface Asked {
  readonly what: string;
  readonly answer: Response;
  readonly text: string;
}

type Request = readonly [what: string, path: string, init?: RequestInit];

/** One request at least for every route we have, with everything in it that is right. */
async function everyRoute(): Promise<Request[]> {
  const connection = await connect(harness, {
    metadata: { token_endpoint_auth_method: 'client_secret_post' },
  });
  const { client, tokens } = connection;
  const waiting = await openConsent(harness, { client });
  const attempt = authorizationRequest(url, client);
  const code = (await signIn(harness, attempt)).searchParams.get('code')!;
  const cookie = waiting.browser
    .cookies(waiting.page.url)
    .map(({ key, value }) => `${key}=${value}`)
    .join('; ');
  const form = (fields: Record<string, string>): RequestInit => ({
    method: 'POST',
    body: new URLSearchParams({ ...clientParameters(client), ...fields }),
  });
  const json = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });
  const bearer = { authorization: `Bearer ${tokens.access_token}` };
  const call = (method: string, params: object = {}) =>
    json({ jsonrpc: '2.0', id: 1, method, params }, bearer);
  const csrf = waiting.page.form().fields.get('csrf')!;
  const tool = call('tools/call', { name: 'listCompanies', arguments: {} });
  return [
    ['authorize', attempt.url.pathname + attempt.url.search],
    ['consent page', `/interaction/${waiting.uid}`, { headers: { cookie } }],
    [
      'consent form',
      `/interaction/${waiting.uid}`,
      { ...form({ csrf, decision: 'approve' }), headers: { cookie } },
    ],
    ['resume', `/oauth2/authorize/${waiting.uid}`, { headers: { cookie } }],
    ['callback', `/oauth2/authorize/callback?code=x&state=${waiting.uid}.${'s'.repeat(43)}`],
    [
      'redeem',
      '/oauth2/token',
      form({
        grant_type: 'authorization_code',
        code,
        redirect_uri: attempt.redirectUri,
        code_verifier: attempt.verifier,
      }),
    ],
    [
      'refresh',
      '/oauth2/token',
      form({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token }),
    ],
    ['register', '/oauth2/register', json({ redirect_uris: ['https://client.example/cb'] })],
    ['revoke', '/oauth2/revoke', form({ token: tokens.refresh_token })],
    ['introspect', '/oauth2/introspect', form({ token: tokens.refresh_token })],
    ['MCP call', '/mcp', tool],
    ['MCP call at the origin', '/', tool],
    ['MCP list', '/mcp', call('tools/list')],
    ['MCP nonsense', '/mcp', call('no/such/method')],
    ['MCP get', '/mcp', { headers: bearer }],
    ['jwks', '/.well-known/jwks.json'],
    ['metadata', '/.well-known/oauth-authorization-server'],
    ['resource metadata', '/.well-known/oauth-protected-resource/mcp'],
    ['front door', '/'],
    ['ready', '/readyz'],
    ['alive', '/healthz'],
    ['nothing', '/no/such/page'],
    ['metrics', '/metrics'],
  ];
}

async function askAll(requests: readonly Request[]): Promise<Asked[]> {
  const asked: Asked[] = [];
  for (const accept of READERS) {
    const answers = requests.map(async ([what, path, init = {}]): Promise<Asked> => {
      const headers = { ...(init.headers as Record<string, string> | undefined), accept };
      const answer = await fetch(url + path, { ...init, headers, redirect: 'manual' });
      return { what: `${what}, ${accept}`, answer, text: await answer.text() };
    });
    asked.push(...(await Promise.all(answers)));
  }
  return asked;
}

function revealsNothing(t: ExecutionContext, asked: readonly Asked[], how: string): void {
  for (const { what, answer, text } of asked) {
    if (answer.status < 400) continue;
    const where = `${how}: ${what}: ${answer.status} ${text.slice(0, 300)}`;
    // The resource's own address is in challenges, and only there.
    const visible = text.replaceAll(url, '');
    t.notRegex(visible, INSIDE, where);
    const headers = JSON.stringify([...answer.headers]).replaceAll(url, '');
    t.notRegex(headers.replace(/application\/json/g, ''), /redis|sqlite|:\d{4,5}\b|Error:/i, where);
    t.true(text.length < 20_000, where);
    const id = answer.headers.get('x-request-id');
    t.truthy(id, where);
    t.true(
      text.includes(id!) || text === '' || text.includes('"status"') || isOfTransport(text),
      where,
    );
  }
}

/** The protocol's own errors, with the id of the message. */
const isOfTransport = (text: string) => /"jsonrpc":"2\.0"/.test(text) && !/"id":null/.test(text);

test.serial(
  '[T58] [D18] [X2] with the store away no route says more than that it is away',
  async (t) => {
    const requests = await everyRoute();
    await redis!.kill();
    clock.advance(1_000);
    const asked = await askAll(requests);
    await restartStore(harness);
    t.true(asked.filter(({ answer }) => answer.status === 503).length >= 30);
    t.false(asked.some(({ answer }) => answer.status === 500));
    revealsNothing(t, asked, 'store away');
    t.true(logs.text().includes('ECONNREFUSED'), 'the log knows');
  },
);

test.serial(
  '[T58] [D18] records that cannot be read become errors without a word about them',
  async (t) => {
    const client = new Redis(redis!.url);
    t.teardown(() => client.disconnect());
    for (const garbage of ['{"half":', 'null', '[]', '{}']) {
      const requests = await everyRoute();
      for (const key of await client.keys('neonpanel-mcp:*')) {
        if (!/:(client|interaction|login|code|grant|credential)$/.test(key)) continue;
        const value = (await client.get(key))!;
        await client.set(key, value.slice(0, VERSION_LENGTH) + garbage, 'KEEPTTL');
      }
      clock.advance(1_000);
      revealsNothing(t, await askAll(requests), garbage);
      await Promise.all(
        (await client.keys('neonpanel-mcp:*'))
          .filter((key) => /:(client|interaction|login|code|grant|credential)$/.test(key))
          .map((key) => client.del(key)),
      );
      clock.advance(1_000);
    }
    const faults = logs.find({ event: 'request', status: 500 });
    t.true(faults.length > 0, 'some of them were faults of ours');
    const explained = logs.entries().filter(({ err }) => err !== undefined);
    t.true(explained.length >= faults.length, 'and the log has each with its stack');
  },
);

test.serial('[T58] NeonPanel’s errors reach nobody: page, HTML, JSON, nothing', async (t) => {
  const { tokens } = await connect(harness);
  for (const fault of [
    'html-500',
    'garbage',
    'cut',
    'reset',
    'forbidden',
    'unprocessable',
  ] as const) {
    sandbox.faults.set(fault, { path: '/api/', times: 3 });
    const answer = await callTool(url, tokens.access_token, 'listReports');
    sandbox.faults.clear();
    t.is(answer.status, 200, fault);
    t.true(answer.body.result.isError, fault);
    const { text } = answer.body.result.content[0];
    t.notRegex(
      text,
      /<\/?\w+>|stack|Exception|\/srv|\.php|SQLSTATE|localhost|127\.0\.0\.1/i,
      fault,
    );
  }
});

test.serial(
  '[T67] health pages say that, not where: no address, no name of a host, up or down',
  async (t) => {
    const look = async (path: string) => {
      const answer = await fetch(url + path);
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
    };
    const readiness = async () => {
      const { status, body } = await look('/readyz');
      const { neonpanel, event_loop: eventLoop, ...rest } = body;
      t.true(['ok', 'unavailable', 'unknown'].includes(neonpanel as string), String(neonpanel));
      t.true(['ok', 'slow', 'stuck'].includes(eventLoop as string), String(eventLoop));
      return { status, body: rest };
    };
    t.deepEqual(await readiness(), { status: 200, body: { status: 'ready', store: 'ok' } });
    await redis!.kill();
    clock.advance(1_000);
    const down = await readiness();
    t.deepEqual(down, { status: 503, body: { status: 'not ready', store: 'unavailable' } });
    for (const path of ['/healthz', '/health']) {
      const { status, body } = await look(path);
      t.is(status, 200);
      t.deepEqual(Object.keys(body).toSorted(), [
        'service',
        'status',
        'timestamp',
        'uptimeSeconds',
        'version',
      ]);
      t.notRegex(JSON.stringify(body), /redis|sqlite|\/tmp|localhost|\d+\.\d+\.\d+\.\d+/i);
    }
    await restartStore(harness);
  },
);

test.serial(
  '[T67] metrics are not on the public port, whoever asks and however it is spelled',
  async (t) => {
    for (const path of ['/metrics', '/metrics/', '/METRICS', '/mcp/metrics', '/admin/metrics']) {
      for (const accept of READERS) {
        for (const method of ['GET', 'HEAD', 'POST']) {
          const answer = await fetch(url + path, { method, headers: { accept } });
          t.is(answer.status, 404, `${method} ${path}`);
          t.notRegex(await answer.text(), /# (HELP|TYPE)/);
        }
      }
    }
  },
);

test.serial(
  '[T28] every answer of the way through a sign-in keeps codes out of caches and referrers, and redirects with 303',
  async (t) => {
    const recorder = recordResponses();
    t.teardown(recorder.stop);
    const { attempt, code } = await connect(harness);
    await redeem(url, attempt, code);
    const denied = authorizationRequest(url, (await register(url)).body);
    await signIn(harness, denied, { decision: 'deny' });
    await fetch(`${url}/oauth2/authorize/callback?code=c&state=s`, { headers: { accept: HTML } });
    await fetch(`${url}/oauth2/authorize?client_id=x`, { headers: { accept: HTML } });
    await fetch(`${url}/interaction/${'u'.repeat(43)}`, { headers: { accept: HTML } });
    const port = Number(new URL(url).port);
    const answers = recorder.responses.filter(
      (one) => one.port === port && /^\/(interaction|oauth2)\//.test(one.path),
    );
    t.true(answers.length >= 14);
    let redirects = 0;
    for (const { path, text } of answers) {
      const [status, head] = text.split('\n') as [string, string];
      const headers = JSON.parse(head) as Record<string, string>;
      t.is(headers['referrer-policy'], 'no-referrer', path);
      if (!path.startsWith('/oauth2/register'))
        t.regex(headers['cache-control'] ?? '', /no-store/, path);
      if (!status.startsWith('3')) continue;
      redirects += 1;
      t.is(status, '303', path);
    }
    t.true(redirects >= 6);
    t.deepEqual(logs.leaked([code, code.split('.')[1]!, attempt.verifier, attempt.state]), []);
    t.true(logs.entries().every(({ path }) => !String(path).includes('?')));
  },
);

test.serial(
  '[T29] a token in the query or in the body is no token, and is not logged',
  async (t) => {
    const { tokens } = await connect(harness);
    const { access_token } = tokens;
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} });
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    for (const path of ['/mcp', '/mcp/', '/']) {
      const query = `${path}?access_token=${access_token}&token=${access_token}`;
      const posted = await fetch(url + query, { method: 'POST', headers, body });
      t.is(posted.status, 401, path);
      const challenge = posted.headers.get('www-authenticate') ?? '';
      t.regex(challenge, /^Bearer /);
      t.notRegex(challenge, /error=/, 'nobody presented a token');
      const streaming = { accept: 'text/event-stream' };
      t.is((await fetch(url + query, { headers: streaming })).status, 401, path);
    }
    const form = new URLSearchParams({ access_token });
    t.is((await fetch(`${url}/mcp`, { method: 'POST', body: form })).status, 401);
    // Beside the header it changes nothing.
    const both = await fetch(`${url}/mcp?access_token=garbage`, {
      method: 'POST',
      headers: { ...headers, authorization: `Bearer ${access_token}` },
      body,
    });
    t.is(both.status, 200);
    t.deepEqual(logs.leaked([access_token, access_token.split('.')[2]!]), []);
  },
);
