import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { openSqliteStore } from '../adapters/sqlite/sqlite.ts';
import { COMPANIES } from './outsider/records.ts';
import { json, whoops, type Fault, type Reply, type StandInOptions } from './outsider/stand-in.ts';
import { startWorld, type World } from './outsider/world.ts';
import {
  answerConsent,
  answerLogin,
  authorizationRequest,
  callTool,
  postForm,
  redeem,
  refresh,
  register,
  userBrowser,
  type Answer,
  type Connection,
} from './support/oauth.ts';

/**
 * The NeonPanel credential behind a connection: renewed once and only once, never lost while it is good, given up only
 * when NeonPanel itself says so; and what an MCP client hears when NeonPanel fails in one of its many ways. Everything
 * over HTTP; NeonPanel is the outsider's stand-in, which ends a family of refresh tokens when an old one comes back.
 */

const LIFETIME = 120;
const REFRESH = /^POST \/oauth2\/token$/;
const REPORTS = /^GET \/api\/v1\/reports$/;
const CREATE = /^POST .*\/create\/bill$/;
const BILL = { companyUuid: COMPANIES[0].uuid, type: 'bill', data: { ref_number: 'B-1' } };

/** For what NeonPanel's API does wrong; a connection of its own for each test. */
const shared = await startWorld({ lifetimeSeconds: 3000 }, { env: { RATE_LIMIT_FACTOR: '0' } });
test.after.always(() => shared.close());

async function world(
  t: ExecutionContext,
  options: StandInOptions & { instances?: number } = {},
): Promise<World> {
  const { instances = 1, ...standIn } = options;
  const started = await startWorld(
    { lifetimeSeconds: LIFETIME, ...standIn },
    { instances, env: { RATE_LIMIT_FACTOR: '0' } },
  );
  t.teardown(started.close);
  return started;
}

const read = (base: string, { tokens }: Connection) =>
  callTool(base, tokens.access_token, 'listReports');
const write = (base: string, { tokens }: Connection) =>
  callTool(base, tokens.access_token, 'createDocuments', BILL);

const succeeded = ({ status, body }: Answer<any>) => status === 200 && !body.result?.isError;

/** Of a result that is an error: nothing of what NeonPanel wrote on its error pages, and a code for support. */
function errorText(t: ExecutionContext, { status, body }: Answer<any>): string {
  t.is(status, 200, JSON.stringify(body));
  t.true(body.result?.isError, JSON.stringify(body));
  t.is(body.result.structuredContent, undefined);
  const { text } = body.result.content[0] as { text: string };
  t.notRegex(text, /whoops|illuminate|vendor|exception|unauthenticated|<|\{/i);
  t.regex(text, /request id: \S+/i);
  return text;
}

/** What a client needs to start over: a real 401 for the token, invalid_grant for the refresh token. */
async function assertOver(t: ExecutionContext, { url }: World, connection: Connection) {
  const answer = await read(url, connection);
  t.is(answer.status, 401);
  t.regex(answer.headers.get('www-authenticate') ?? '', /^Bearer .*error="invalid_token"/);
  t.regex(answer.headers.get('www-authenticate') ?? '', /resource_metadata="[^"]+"/);
  const over = await refresh(url, connection.client, connection.tokens.refresh_token);
  t.is(over.status, 400);
  t.is((over.body as object as { error: string }).error, 'invalid_grant');
}

const bearersOf = (standIn: World['standIn'], match: RegExp) =>
  standIn.seen(match).map(({ headers }) => headers.authorization);

const grantOf = ({ tokens }: Connection): string =>
  JSON.parse(Buffer.from(tokens.access_token.split('.')[1]!, 'base64url').toString()).grant_id;

// --- one refresh ---

test.serial(
  '[T37] [X23] [D10] 50 calls over two instances with an expired NeonPanel token cause one refresh and all succeed',
  async (t) => {
    const w = await world(t, { instances: 2 });
    const connection = await w.connect();
    for (let round = 1; round <= 10; round++) {
      w.advance(LIFETIME + 1);
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, n) => read(w.instances[n % 2]!, connection)),
      );
      t.is(answers.filter(succeeded).length, 50, `round ${round}`);
      t.is(w.standIn.refreshes(), round);
    }
  },
);

test.serial(
  '[T37] when the holder of the refresh lease dies, a call waits until the lease has run out and then succeeds',
  async (t) => {
    const w = await world(t);
    const connection = await w.connect();
    const store = await openSqliteStore({ path: join(w.dataDir, 'neonpanel-mcp.db'), now: w.now });
    const key = { tag: grantOf(connection), kind: 'refresh-lease' };
    w.advance(LIFETIME + 1);
    t.truthy(await store.commit([{ key, expect: 'absent', put: 'held', lifetime: 15 }]));
    await store.close();

    const call = read(w.url, connection);
    t.is(await Promise.race([call, sleep(500, 'waiting')]), 'waiting');
    t.is(w.standIn.refreshes(), 0, 'the lease is respected');
    w.advance(16);
    t.true(succeeded(await call));
    t.is(w.standIn.refreshes(), 1);
  },
);

test.serial(
  '[T37] a refresh that hangs is given up and the next one serves the calls of both instances',
  async (t) => {
    const w = await world(t, { instances: 2 });
    const connection = await w.connect();
    w.advance(LIFETIME + 1);
    w.standIn.fault(REFRESH, () => 'hang', 1);
    const answers = await Promise.all(w.instances.map((instance) => read(instance, connection)));
    t.deepEqual(answers.map(succeeded), [true, true]);
    t.is(w.standIn.refreshes(), 2);
    t.is(w.standIn.seen(REFRESH).filter(({ status }) => status === 400).length, 0);
  },
);

test.serial(
  '[T37] while one instance waits for a slow NeonPanel the other does not spend the same refresh token',
  async (t) => {
    const w = await world(t, { instances: 2 });
    const connection = await w.connect();
    await w.harness.restart(1);
    w.advance(301);
    // Each answer comes just before our time-out of 5 s for it.
    const slowly: Fault = async (_request, answer) => {
      const reply = answer();
      w.advance(4.9);
      await sleep(300);
      return reply;
    };
    w.standIn.fault(/^GET \/\.well-known/, slowly, 2);
    w.standIn.fault(REFRESH, slowly, 1);
    const first = read(w.instances[1]!, connection);
    await sleep(100);
    const second = read(w.instances[0]!, connection);
    t.deepEqual((await Promise.all([first, second])).map(succeeded), [true, true]);
    t.is(w.standIn.refreshes(), 1);
  },
);

test.serial(
  '[X23] a credential that arrives late never takes the place of a newer one',
  async (t) => {
    const w = await world(t, { instances: 2, rotates: false });
    const connection = await w.connect();
    w.advance(LIFETIME + 1);
    const arrived = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    let late = '';
    const hold: Fault = async (_request, answer) => {
      const reply = answer();
      late = (reply.body as { access_token: string }).access_token;
      arrived.resolve();
      await gate.promise;
      return reply;
    };
    w.standIn.fault(REFRESH, hold, 1);
    const slow = read(w.instances[0]!, connection);
    await arrived.promise;
    // Longer than the lease: the first holder counts as dead.
    w.advance(20);
    t.true(succeeded(await read(w.instances[1]!, connection)));
    const [newer] = bearersOf(w.standIn, REPORTS);
    gate.resolve();
    t.true(succeeded(await slow));
    w.advance(1);
    for (const instance of w.instances) t.true(succeeded(await read(instance, connection)));
    t.deepEqual(new Set(bearersOf(w.standIn, REPORTS)), new Set([newer]));
    t.not(newer, `Bearer ${late}`);
  },
);

test.serial(
  'two instances that register at NeonPanel at the same moment agree on one client',
  async (t) => {
    const w = await world(t, { instances: 2 });
    let waiting = 0;
    const both = Promise.withResolvers<void>();
    w.standIn.fault(/^POST \/oauth2\/register$/, async (_request, answer) => {
      if (++waiting === 2) both.resolve();
      await Promise.race([both.promise, sleep(1000)]);
      return answer();
    });
    const connections = await Promise.all(
      w.instances.map(async (instance) => {
        const client = (await register(w.url)).body;
        const attempt = authorizationRequest(w.url, client);
        const browser = userBrowser(attempt);
        const { pathname } = new URL((await browser.goto(attempt.url)).url);
        const login = await answerConsent(await browser.goto(`${instance}${pathname}`));
        const code = (await answerLogin(login, w.standIn.user)).stoppedAt!.searchParams.get(
          'code',
        )!;
        return { client, attempt, code, tokens: (await redeem(w.url, attempt, code)).body };
      }),
    );
    for (const instance of [...w.instances, ...w.instances.toReversed()]) {
      w.advance(LIFETIME + 1);
      for (const connection of connections) t.true(succeeded(await read(instance, connection)));
    }
  },
);

test.serial(
  'connections outlive the registration token of our client at NeonPanel and a restart',
  async (t) => {
    const w = await world(t);
    // Registered 31 days ago; the token lives for 30.
    w.advance(-31 * 86_400);
    const connection = await w.connect();
    w.advance(31 * 86_400);
    w.standIn.endManagementTokens();
    await w.harness.restart();
    t.true(succeeded(await read(w.url, connection)));
    t.is(w.standIn.refreshes(), 1);
    t.is(w.standIn.seen(/^POST \/oauth2\/register$/).length, 1);
  },
);

// --- NeonPanel refuses the access token in the middle of a call ---

test.serial(
  '[X16] [N49] a read that NeonPanel answers with 401 is repeated once with a renewed token',
  async (t) => {
    const w = await world(t);
    const connection = await w.connect();
    w.standIn.endAccessTokens();
    t.true(succeeded(await read(w.url, connection)));
    t.deepEqual(
      w.standIn.seen(REPORTS).map(({ status }) => status),
      [401, 200],
    );
    t.is(w.standIn.refreshes(), 1);
  },
);

test.serial(
  '[X16] a write that NeonPanel answers with 401 is carried out exactly once, after a renewal',
  async (t) => {
    const w = await world(t);
    const connection = await w.connect();
    w.standIn.endAccessTokens();
    const answer = await write(w.url, connection);
    t.true(succeeded(answer));
    t.is(answer.body.result.structuredContent.status, 'done');
    t.deepEqual(
      w.standIn.seen(CREATE).map(({ status }) => status),
      [401, 200],
    );
    t.is(w.standIn.refreshes(), 1);
  },
);

test.serial(
  '[X16] [T38] a NeonPanel that refuses every token gets one refresh and one retry, and the user a way back',
  async (t) => {
    const w = await world(t);
    const connection = await w.connect();
    w.standIn.fault(REPORTS, () => json(401, { message: 'Unauthenticated.' }));
    const answer = await read(w.url, connection);
    t.regex(errorText(t, answer), /reconnect/i);
    t.regex(answer.body.result._meta['mcp/www_authenticate'][0], /^Bearer error="invalid_token"/);
    t.is(w.standIn.seen(REPORTS).length, 2);
    t.is(w.standIn.refreshes(), 1);
  },
);

// --- NeonPanel ends the connection ---

for (const [what, call] of [
  ['read', read],
  ['write', write],
] as const) {
  test.serial(
    `[T38] [N49] when NeonPanel refuses token and renewal during a ${what}, it asks to reconnect and the connection is over`,
    async (t) => {
      const w = await world(t);
      const connection = await w.connect();
      w.standIn.endAccessTokens();
      w.standIn.endFamilies();
      const answer = await call(w.url, connection);
      t.regex(errorText(t, answer), /connect again|reconnect/i);
      const [challenge] = answer.body.result._meta?.['mcp/www_authenticate'] ?? [];
      t.regex(challenge ?? '', /^Bearer error="invalid_token".*resource_metadata="http/);
      t.is(w.standIn.refreshes(), 1);
      await assertOver(t, w, connection);
      t.is(w.standIn.refreshes(), 1, 'no further attempt');
    },
  );
}

test.serial(
  '[T38] [D10] when NeonPanel refuses to renew an expired token, the call is a 401 with a challenge',
  async (t) => {
    const w = await world(t);
    const connection = await w.connect();
    const other = await w.connect();
    w.standIn.endFamilies();
    w.advance(LIFETIME + 1);
    await assertOver(t, w, connection);
    t.is(w.standIn.refreshes(), 1);
    t.is(w.standIn.seen(REPORTS).length, 0);
    w.logs.only({ event: 'neonpanel.refresh', outcome: 'refused', grant: grantOf(connection) });
    t.not(grantOf(other), grantOf(connection));
    t.is((await refresh(w.url, other.client, other.tokens.refresh_token)).status, 200);
  },
);

test.serial(
  '[T38] a NeonPanel that never gave a refresh token ends the connection when its token expires',
  async (t) => {
    const w = await world(t);
    w.standIn.fault(REFRESH, (_request, answer) => {
      const { refresh_token: _, ...body } = answer().body as Record<string, unknown>;
      return json(200, body);
    });
    const connection = await w.connect();
    t.true(succeeded(await read(w.url, connection)));
    w.advance(LIFETIME + 1);
    await assertOver(t, w, connection);
  },
);

// --- NeonPanel can't renew now ---

const oauthError = (status: number, error: string, headers = {}) =>
  json(status, { error }, headers);
const UNAVAILABLE: readonly (readonly [what: string, fault: Fault])[] = [
  ['an HTML 500', () => whoops()],
  ['a 503', () => whoops(503)],
  ['a 429', () => json(429, { message: 'Too Many Attempts.' }, { 'retry-after': '60' })],
  ['the page of a firewall', () => whoops(403)],
  ['invalid_client', () => oauthError(401, 'invalid_client')],
  [
    'invalid_client and a challenge',
    () => oauthError(401, 'invalid_client', { 'www-authenticate': 'Basic realm="NeonPanel"' }),
  ],
  ['invalid_request', () => oauthError(400, 'invalid_request')],
  ['an HTML page that says 200', () => whoops(200)],
  ['a token answer without a token', () => json(200, { token_type: 'Bearer', expires_in: 60 })],
  ['a closed connection', () => 'cut'],
];
for (const [what, fault] of UNAVAILABLE) {
  test.serial(
    `[X12] ${what} instead of a renewal is an error result, and the connection lives on`,
    async (t) => {
      const w = await world(t);
      const connection = await w.connect();
      w.advance(LIFETIME + 1);
      const end = w.standIn.fault(REFRESH, fault);
      t.regex(errorText(t, await read(w.url, connection)), /not reachable|can.t be reached/i);
      const said = errorText(t, await write(w.url, connection));
      t.regex(said, /not reachable|can.t be reached/i);
      t.notRegex(said, /may or may not|do not repeat/i, 'nothing was sent');
      t.is(w.standIn.seen(/^\w+ \/api\/v1\/(?!companies$)/).length, 0);
      end();
      t.true(succeeded(await read(w.url, connection)));
    },
  );
}

test.serial(
  '[X12] a NeonPanel that is down is an error result, and the connection lives on',
  async (t) => {
    const w = await world(t);
    const connection = await w.connect();
    w.advance(LIFETIME + 1);
    await w.standIn.down();
    t.regex(errorText(t, await read(w.url, connection)), /not reachable|can.t be reached/i);
    const renewed = await refresh(w.url, connection.client, connection.tokens.refresh_token);
    t.is(renewed.status, 200, 'our own tokens do not depend on NeonPanel');
    await w.standIn.up();
    t.true(succeeded(await read(w.url, connection)));
  },
);

test.serial(
  '[X12] a token that is still good is used on when NeonPanel can not renew it ahead of time',
  async (t) => {
    const w = await world(t);
    const connection = await w.connect();
    w.advance(LIFETIME - 20);
    const end = w.standIn.fault(REFRESH, () => whoops(503));
    t.true(succeeded(await read(w.url, connection)));
    t.true(w.standIn.refreshes() > 0, 'a renewal was tried');
    const [old] = bearersOf(w.standIn, REPORTS);
    end();
    w.advance(1);
    t.true(succeeded(await read(w.url, connection)));
    t.not(bearersOf(w.standIn, REPORTS)[1], old);
  },
);

test.serial(
  '[X24] keys that can not be had while NeonPanel renews cost nobody the connection, also when they were rotated',
  async (t) => {
    const w = await world(t);
    const connection = await w.connect();
    await w.harness.restart();
    w.advance(LIFETIME + 1);
    const end = w.standIn.fault(/jwks\.json$/, () => whoops(503));
    t.true(succeeded(await read(w.url, connection)));
    w.advance(LIFETIME + 1);
    t.true(succeeded(await read(w.url, connection)));
    end();
    w.advance(LIFETIME + 1);
    t.true(succeeded(await read(w.url, connection)));
    t.is(w.standIn.refreshes(), 3);
  },
);

test.serial(
  '[X24] when the answer of a refresh is lost after NeonPanel rotated, the user is asked to reconnect',
  async (t) => {
    const w = await world(t);
    const connection = await w.connect();
    w.advance(LIFETIME + 1);
    const lost: Fault = (_request, answer) => {
      answer();
      return 'cut';
    };
    w.standIn.fault(REFRESH, lost, 1);
    const answer = await read(w.url, connection);
    if (answer.status === 200) {
      t.regex(errorText(t, answer), /connect again|reconnect/i);
      t.regex(answer.body.result._meta?.['mcp/www_authenticate']?.[0] ?? '', /^Bearer error=/);
    } else t.is(answer.status, 401);
    const attempts = w.standIn.refreshes();
    t.true(attempts <= 2);
    await assertOver(t, w, connection);
    t.is(w.standIn.refreshes(), attempts, 'no loop');
    const again = await w.connect();
    t.true(succeeded(await read(w.url, again)));
  },
);

// --- the API fails ---

interface Failure {
  readonly title: string;
  readonly fault: Fault;
  /** Times NeonPanel is asked by a read and by a write. */
  readonly asked: readonly [read: number, write: number];
  readonly says: RegExp;
  /** Where a write has something else to say. */
  readonly saysOfWrite?: RegExp;
}

const PAGE = '<!doctype html><title>Whoops</title>';
const ok = (body: unknown, headers: Record<string, string> = {}): Reply => ({
  status: 200,
  headers: { 'content-type': 'application/json', ...headers },
  body,
});
const UNKNOWN = /may or may not have been carried out/;
const FAILURES: readonly Failure[] = [
  {
    title: '[X15] a 400 is told with NeonPanel’s sentence',
    fault: () => json(400, { message: 'The entry date is locked.' }),
    asked: [1, 1],
    says: /refused the request \(400\).*The entry date is locked/s,
  },
  {
    title: '[X15] a 404 is told as an unknown record',
    fault: () => json(404, { message: 'No query results for model [App\\Company].' }),
    asked: [1, 1],
    says: /no such record/i,
  },
  {
    title: '[X15] a 422 is told field by field',
    fault: () =>
      json(422, { message: 'x', errors: { 'details.0.rate': ['The rate must be a number.'] } }),
    asked: [1, 1],
    says: /details\.0\.rate: The rate must be a number\./,
  },
  {
    title: '[X15] a 422 with the inside of a server in it is told without that',
    fault: () => json(422, { message: 'x', errors: { name: ['SQLSTATE[42S22]: vendor/x.php'] } }),
    asked: [1, 1],
    says: /name: not accepted/,
  },
  {
    title: '[X17] [T38] a 403 is told as missing access and does not end the connection',
    fault: () => json(403, { message: 'This action is unauthorized.' }),
    asked: [1, 1],
    says: /not permitted/i,
  },
  {
    title: '[X18] [N49] a 429 that asks for a long wait is passed on at once',
    fault: () => json(429, { message: 'Too Many Attempts.' }, { 'retry-after': '37' }),
    asked: [1, 1],
    says: /wait 37 seconds/i,
  },
  {
    title: '[X19] HTML with a 500 is asked for twice by a read and once by a write',
    fault: () => whoops(),
    asked: [2, 1],
    says: /not reachable/,
    saysOfWrite: UNKNOWN,
  },
  {
    title: '[X19] a 503 is asked for twice by a read and once by a write',
    fault: () => whoops(503),
    asked: [2, 1],
    says: /not reachable/,
    saysOfWrite: UNKNOWN,
  },
  {
    title: '[X21] an answer of more than 1 MB is not taken',
    fault: () => ok(`{"data":"${'x'.repeat(3 * 1024 * 1024)}"}`),
    asked: [1, 1],
    says: /usable answer/,
    saysOfWrite: UNKNOWN,
  },
  {
    title: '[X21] broken JSON is not taken',
    fault: () => ok('{"count": 1, "data": ['),
    asked: [1, 1],
    says: /usable answer/,
    saysOfWrite: UNKNOWN,
  },
  {
    title: '[X21] a page that calls itself JSON is not taken',
    fault: () => ok(PAGE),
    asked: [1, 1],
    says: /usable answer/,
    saysOfWrite: UNKNOWN,
  },
  {
    title: '[X21] a packed answer that nobody asked for is not taken',
    fault: () => ok('\u001f\u008b', { 'content-encoding': 'gzip' }),
    asked: [1, 1],
    says: /usable answer/,
    saysOfWrite: UNKNOWN,
  },
  {
    title: '[X22] a connection reset again and again is tried twice by a read and once by a write',
    fault: () => 'cut',
    asked: [2, 1],
    says: /not reachable/,
    saysOfWrite: UNKNOWN,
  },
  {
    title: '[X20] an answer cut off in the middle is asked for twice by a read and once by a write',
    fault: () => ok('{"count":1', { 'content-length': '4000', connection: 'close' }),
    asked: [2, 1],
    says: /not reachable/,
    saysOfWrite: UNKNOWN,
  },
];

for (const { title, fault, asked, says, saysOfWrite = says } of FAILURES) {
  test.serial(`${title}, as a result that is HTTP 200`, async (t) => {
    const { standIn, url } = shared;
    const connection = await shared.connect();
    standIn.clear();
    const ends = [standIn.fault(REPORTS, fault), standIn.fault(CREATE, fault)];
    t.regex(errorText(t, await read(url, connection)), says);
    t.regex(errorText(t, await write(url, connection)), saysOfWrite);
    t.deepEqual([standIn.seen(REPORTS).length, standIn.seen(CREATE).length], asked);
    t.is(standIn.refreshes(), 0);
    ends.forEach((end) => end());
    t.true(succeeded(await read(url, connection)), 'and the next call works');
  });
}

test.serial(
  '[X18] a read waits out a short Retry-After and succeeds, a write passes it on',
  async (t) => {
    const { standIn, url } = shared;
    const connection = await shared.connect();
    standIn.clear();
    const busy: Fault = () => json(429, { message: 'Too Many Attempts.' }, { 'retry-after': '1' });
    standIn.fault(REPORTS, busy, 1);
    standIn.fault(CREATE, busy, 1);
    t.true(succeeded(await read(url, connection)));
    t.is(standIn.seen(REPORTS).length, 2);
    t.regex(errorText(t, await write(url, connection)), /wait 1 second,/i);
    t.is(standIn.seen(CREATE).length, 1);
  },
);

test.serial(
  '[X22] a read survives a kept connection that is reset, a write is not repeated',
  async (t) => {
    const { standIn, url } = shared;
    const connection = await shared.connect();
    standIn.clear();
    t.true(succeeded(await read(url, connection)), 'a connection is open now');
    standIn.fault(REPORTS, () => 'cut', 1);
    standIn.fault(CREATE, () => 'cut', 1);
    t.true(succeeded(await read(url, connection)));
    t.is(standIn.seen(REPORTS).length, 3);
    t.regex(errorText(t, await write(url, connection)), UNKNOWN);
    t.is(standIn.seen(CREATE).length, 1);
  },
);

const silences: readonly (readonly [what: string, fault: Fault])[] = [
  ['never answers', () => 'hang'],
  ['stops in the middle of an answer', () => ({ ...ok('{"count":1'), stalls: true })],
];
for (const [what, fault] of silences) {
  test.serial(
    `[X20] a NeonPanel that ${what} is left when the time of the call is over`,
    async (t) => {
      const { standIn, url } = shared;
      const { tokens } = await shared.connect();
      standIn.clear();
      // Looking the company up by name uses up most of the 25 s.
      const slow: Fault = (_request, answer) => {
        shared.advance(24.3);
        return answer();
      };
      standIn.fault(/^GET \/api\/v1\/companies$/, slow, 1);
      const end = standIn.fault(/\/warehouses$/, fault);
      const answer = await callTool(url, tokens.access_token, 'listWarehouses', {
        companyUuid: COMPANIES[0].name,
      });
      t.regex(errorText(t, answer), /not reachable/);
      const asked = standIn.seen(/\/warehouses$/);
      t.is(asked.length, 1);
      await asked[0]!.abandoned;
      end();
    },
  );
}

test.serial('[X20] when the client hangs up, the connection to NeonPanel is closed', async (t) => {
  const { standIn, url } = shared;
  const { tokens } = await shared.connect();
  standIn.clear();
  const arrived = Promise.withResolvers<void>();
  const end = standIn.fault(REPORTS, () => {
    arrived.resolve();
    return 'hang';
  });
  const client = new AbortController();
  const call = fetch(`${url}/mcp`, {
    method: 'POST',
    signal: client.signal,
    headers: {
      authorization: `Bearer ${tokens.access_token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'listReports', arguments: {} },
    }),
  });
  await arrived.promise;
  client.abort();
  await t.throwsAsync(call);
  // Left alone, the call would go on for 25 s.
  const { abandoned } = standIn.seen(REPORTS)[0]!;
  const seen = abandoned.then(() => 'closed');
  t.is(await Promise.race([seen, sleep(10_000, 'open', { ref: false })]), 'closed');
  end();
  t.is(standIn.seen(REPORTS).length, 1, 'and not tried again');
});

// --- liveness ---

test.serial(
  '[T36] [D7] a connection revoked at one instance is over at the other within a second',
  async (t) => {
    const w = await world(t, { instances: 2 });
    const { client, tokens } = await w.connect();
    const status = async () =>
      (await callTool(w.instances[1]!, tokens.access_token, 'listReports')).status;
    t.is(await status(), 200, 'the other instance has just looked');
    const { client_id } = client;
    await postForm(`${w.instances[0]}/oauth2/revoke`, { token: tokens.refresh_token, client_id });
    const start = performance.now();
    while ((await status()) !== 401) {
      t.true(performance.now() - start < 1500, 'still alive after 1.5 s');
      await sleep(100);
    }
    t.is(await status(), 401);
  },
);
