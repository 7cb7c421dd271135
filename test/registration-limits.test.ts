import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { createRateLimits } from '../adapters/rate-limits.ts';
import { networkOf } from '../http/address.ts';
import { type Received, send, type Sending } from './raw-http.ts';
import { createClock } from './support/clock.ts';
import { type Harness, startHarness } from './support/harness.ts';
import {
  authorizationRequest,
  callMcp,
  connect,
  REDIRECT_URI,
  redeem,
  signIn,
  type TestClient,
} from './support/oauth.ts';
import { recordsOf } from './support/records.ts';
import { startServerProcess } from './support/server-process.ts';

/** How often clients may be registered: by one address, by all, and who counts as one address. */

const LIMITED = { RATE_LIMIT_FACTOR: '1' };
const BEHIND_PROXY = { ...LIMITED, TRUSTED_PROXY_HOPS: '1' };
const PER_ADDRESS = 60;
const IN_ALL = 1_000;
const FLOOD = process.env.LONG_TESTS ? 10_000 : 2_000;
const CONNECTIONS = process.env.LONG_TESTS ? 5_000 : 500;
const RUNS = process.env.LONG_TESTS ? 1_000_000 : 10_000;

const BODY = JSON.stringify({ redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: 'none' });

/** Limits are counted in the process, so every test has one of its own. */
async function limited(t: ExecutionContext, env: Record<string, string>): Promise<Harness> {
  const harness = await startHarness({ env });
  t.teardown(() => harness.close());
  return harness;
}

function post(base: string, headers: Sending['headers'] = {}, body = BODY): Promise<Received> {
  return send(base, '/oauth2/register', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
}

const from = (address: string) => ({ 'x-forwarded-for': address });

/** So many requests, some at a time. */
async function many(count: number, ask: (index: number) => Promise<Received>): Promise<Received[]> {
  const answers: Received[] = [];
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const index = next++;
      answers[index] = await ask(index);
    }
  };
  await Promise.all(Array.from({ length: 20 }, worker));
  return answers;
}

const tally = (answers: readonly { status: number }[]): Record<number, number> =>
  Object.fromEntries(
    [...Map.groupBy(answers, ({ status }) => status)].map(([status, all]) => [status, all.length]),
  );

function refusesProperly(t: ExecutionContext, answer: Received): void {
  t.is(answer.status, 429);
  t.is(answer.json.error, 'too_many_requests');
  t.regex(answer.json.error_description, /try again/i);
  t.is(answer.json.request_id, answer.headers['x-request-id']);
  t.false('client_id' in answer.json);
  const seconds = Number(answer.headers['retry-after']);
  t.true(Number.isInteger(seconds) && seconds >= 1 && seconds <= 60, String(seconds));
  t.is(answer.headers['content-type'], 'application/json; charset=utf-8');
  t.is(answer.headers['cache-control'], 'no-store');
  t.is(answer.headers['access-control-allow-origin'], '*');
  t.regex(String(answer.headers['access-control-expose-headers']), /Retry-After/);
}

const clientsIn = async (harness: Harness): Promise<number> =>
  (await recordsOf(harness)).filter(({ kind, tag }) => kind === 'client' && tag !== 'neonpanel')
    .length;

// ---------------------------------------------------------------------- by one address

test.serial(
  '[D13] [T26] [F23] [F30] one address registers 60 clients a minute; then it is told when to come back, and others go on',
  async (t) => {
    const harness = await limited(t, BEHIND_PROXY);
    const answers = await many(PER_ADDRESS, () => post(harness.url, from('192.0.2.1')));
    t.deepEqual(tally(answers), { 201: PER_ADDRESS });
    for (let i = 0; i < 5; i++) {
      const origin = { origin: 'https://inspector.example', accept: 'text/html' };
      refusesProperly(t, await post(harness.url, { ...from('192.0.2.1'), ...origin }));
    }
    t.is(await clientsIn(harness), PER_ADDRESS);
    t.is((await post(harness.url, from('192.0.2.2'))).status, 201);
    t.true(harness.logs.find({ event: 'refused', error: 'too_many_requests' }).length === 5);
  },
);

test.serial(
  '[D13] [T26] what is refused for what it says counts as well, and a refusal does not make the wait longer',
  async (t) => {
    const { url } = await limited(t, LIMITED);
    const bad = await many(PER_ADDRESS, (i) => post(url, {}, i % 2 ? '{}' : 'not JSON'));
    t.deepEqual(tally(bad), { 400: PER_ADDRESS });
    const first = await post(url);
    refusesProperly(t, first);
    await sleep(1_100);
    await many(100, () => post(url));
    const later = await post(url);
    refusesProperly(t, later);
    t.true(Number(later.headers['retry-after']) < Number(first.headers['retry-after']));
  },
);

test.serial('[D13] RATE_LIMIT_FACTOR multiplies the limit, and 0 turns it off', async (t) => {
  for (const [factor, allowed] of [
    ['0.1', 6],
    ['0.001', 1],
    ['2', 120],
  ] as const) {
    const { url } = await limited(t, { RATE_LIMIT_FACTOR: factor });
    const answers = await many(allowed + 5, () => post(url));
    t.deepEqual(tally(answers), { 201: allowed, 429: 5 }, factor);
  }
  const { url } = await limited(t, { RATE_LIMIT_FACTOR: '0' });
  t.deepEqual(tally(await many(200, () => post(url))), { 201: 200 });
});

test.serial('[D13] the limits are on by default', async (t) => {
  const server = await startServerProcess(t, { stdout: 'pipe' });
  server.child.stdout!.resume();
  const answers = await many(PER_ADDRESS + 5, () => post(server.url));
  t.deepEqual(tally(answers), { 201: PER_ADDRESS, 429: 5 });
});

const INITIAL_TOKEN = 'registration-token-0123456789';
const BY_TOKEN = {
  ...BEHIND_PROXY,
  REGISTRATION: 'token',
  REGISTRATION_TOKEN: INITIAL_TOKEN,
};
const WRONG_TOKENS = 20;
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

test.serial(
  '[D13] with REGISTRATION=token, whoever has no token uses up nothing of what those with one may',
  async (t) => {
    const { url } = await limited(t, BY_TOKEN);
    const strangers = await many(200, (i) =>
      post(url, i % 2 ? { authorization: 'Basic eDp5' } : {}),
    );
    t.deepEqual(tally(strangers), { 401: 200 });
    const wrong = await many(WRONG_TOKENS - 1, (i) => post(url, bearer(`wrong-token-${i}`)));
    t.deepEqual(tally(wrong), { 401: WRONG_TOKENS - 1 });
    const answers = await many(PER_ADDRESS + 1, () => post(url, bearer(INITIAL_TOKEN)));
    t.deepEqual(tally(answers), { 201: PER_ADDRESS, 429: 1 });
  },
);

test.serial(
  '[D13] [T26] [T27] one address may guess 20 initial access tokens a minute; then not even the right one tells it anything, and others go on',
  async (t) => {
    const time = createClock();
    const harness = await startHarness({ env: BY_TOKEN, now: time.now });
    t.teardown(() => harness.close());
    const { url } = harness;
    const guess = (i: number, address = '192.0.2.1') =>
      post(url, { ...bearer(`wrong-token-${i}`), ...from(`10.0.0.${i & 255}, ${address}`) });
    const right = (address: string) => post(url, { ...bearer(INITIAL_TOKEN), ...from(address) });
    t.deepEqual(tally(await many(300, (i) => guess(i))), {
      401: WRONG_TOKENS,
      429: 300 - WRONG_TOKENS,
    });
    const refused = await right('192.0.2.1');
    refusesProperly(t, refused);
    t.is(refused.headers['www-authenticate'], undefined);
    t.is((await right('192.0.2.2')).status, 201);
    // Who has no token is told to bring one, as ever.
    t.is((await post(url, from('192.0.2.1'))).status, 401);
    t.is(
      harness.logs.find({ event: 'registration', cause: 'limit: initial_token' }).length,
      300 - WRONG_TOKENS + 1,
    );
    // A flood from everywhere.
    const flooded = await many(1_500, (i) => guess(i, `198.51.${i % 75}.9`));
    t.deepEqual(tally(flooded), { 401: 1_500 });
    t.is((await right('192.0.2.2')).status, 201);
    t.is((await right('192.0.2.1')).status, 429);
    time.advance(Number(refused.headers['retry-after']) * 1_000);
    t.is((await right('192.0.2.1')).status, 201);
    t.is(harness.logs.leaked([INITIAL_TOKEN]).length, 0);
  },
);

test.serial(
  '[D13] of wrong guesses so many addresses are remembered, and those that guessed longest ago are forgotten',
  (t) => {
    const time = createClock();
    const { initial_token: limit } = createRateLimits({ factor: 0.05, now: time.now });
    for (let i = 0; i < 10_001; i++) limit.count(`address ${i}`);
    t.is(limit.size, 10_000);
    t.is(limit.secondsToWait('address 0'), undefined);
    const wait = limit.secondsToWait('address 1')!;
    t.true(wait >= 1 && wait <= 60);
    time.advance(wait * 1_000);
    t.is(limit.secondsToWait('address 10000'), undefined);
  },
);

if (process.env.LONG_TESTS) {
  test.serial('[D13] who waits as long as Retry-After says may register again', async (t) => {
    const { url } = await limited(t, LIMITED);
    await many(PER_ADDRESS, () => post(url));
    const refused = await post(url);
    refusesProperly(t, refused);
    await sleep(Number(refused.headers['retry-after']) * 1_000);
    t.is((await post(url)).status, 201);
  });
}

// -------------------------------------------------------------- who counts as one address

const octet = () => Math.floor(Math.random() * 256);
const anyAddress = () => `${1 + (octet() % 223)}.${octet()}.${octet()}.${octet()}`;
const group = () => Math.floor(Math.random() * 65_536).toString(16);

/** What an attacker may put into a request to look like somebody else. */
const CLAIMS: Record<string, () => Record<string, string | string[]>> = {
  'X-Forwarded-For': () => ({ 'x-forwarded-for': anyAddress() }),
  'X-Forwarded-For, several': () => ({ 'x-forwarded-for': `${anyAddress()}, ${anyAddress()}` }),
  'X-Forwarded-For, twice': () => ({ 'x-forwarded-for': [anyAddress(), anyAddress()] }),
  Forwarded: () => ({ forwarded: `for=${anyAddress()};proto=https` }),
  'headers of proxies that are not ours': () => ({
    'x-real-ip': anyAddress(),
    'x-client-ip': anyAddress(),
    'true-client-ip': anyAddress(),
    'cf-connecting-ip': anyAddress(),
    'fastly-client-ip': anyAddress(),
    'x-cluster-client-ip': anyAddress(),
    'x-originating-ip': anyAddress(),
    client_ip: anyAddress(),
  }),
};

test.serial(
  '[T27] [D13] without a proxy of ours, no header makes an attacker somebody else',
  async (t) => {
    const { url } = await limited(t, LIMITED);
    const claims = Object.values(CLAIMS);
    const answers = await many(1_000, (i) => post(url, claims[i % claims.length]!()));
    t.deepEqual(tally(answers), { 201: PER_ADDRESS, 429: 1_000 - PER_ADDRESS });
  },
);

/** As a proxy in front of us would pass it on: what was claimed, and behind it the address it came from. */
function through(address: string, claim: Record<string, string | string[]>) {
  const claimed = [claim['x-forwarded-for'] ?? []].flat().join(', ');
  const appended = claimed === '' ? address : `${claimed}, ${address}`;
  return { ...claim, 'x-forwarded-for': appended };
}

test.serial(
  '[T27] [D13] behind a proxy, only the address it appended counts, whatever stands left of it',
  async (t) => {
    const { url } = await limited(t, BEHIND_PROXY);
    const claims = Object.values(CLAIMS);
    const answers = await many(1_000, (i) =>
      post(url, through('198.51.100.7', claims[i % claims.length]!())),
    );
    t.deepEqual(tally(answers), { 201: PER_ADDRESS, 429: 1_000 - PER_ADDRESS });
    const odd = ['unknown', '_hidden', '"', '198.51.100.8', 'x'.repeat(1_000), '::1', ''];
    for (const claimed of odd) {
      const answer = await post(url, from(`${claimed}, 198.51.100.7`));
      t.is(answer.status, 429, claimed);
    }
    t.is((await post(url, from('198.51.100.7, 198.51.100.8'))).status, 201);
  },
);

test.serial(
  '[T27] [D13] behind two proxies, the address that the outer one appended counts',
  async (t) => {
    const { url } = await limited(t, { ...LIMITED, TRUSTED_PROXY_HOPS: '2' });
    const answers = await many(200, () =>
      post(url, from(`${anyAddress()}, 198.51.100.7, 10.0.0.${octet()}`)),
    );
    t.deepEqual(tally(answers), { 201: PER_ADDRESS, 429: 200 - PER_ADDRESS });
    t.is((await post(url, from('198.51.100.7, 198.51.100.8, 10.0.0.1'))).status, 201);
  },
);

test.serial(
  '[T27] [T26] an IPv6 network of 64 bits counts as one address, however its addresses are written',
  async (t) => {
    const { url } = await limited(t, BEHIND_PROXY);
    const answers = await many(1_000, (i) => {
      const host = `${group()}:${group()}:${group()}:${group()}`;
      const spelled = [
        `2001:db8:0:1:${host}`,
        `2001:DB8::1:${host}`,
        `[2001:db8:0:1:${host}]:4711`,
      ];
      return post(url, from(spelled[i % spelled.length]!));
    });
    t.deepEqual(tally(answers), { 201: PER_ADDRESS, 429: 1_000 - PER_ADDRESS });
    t.is((await post(url, from('2001:db8:0:2::1'))).status, 201);
  },
);

test.serial(
  '[T27] an address is known in every spelling, and what is none counts for nothing',
  (t) => {
    for (const [text, network] of [
      ['192.0.2.1', '192.0.2.1'],
      [' 192.0.2.1 ', '192.0.2.1'],
      ['192.0.2.1:4711', '192.0.2.1'],
      ['::ffff:192.0.2.1', '192.0.2.1'],
      ['::FFFF:192.0.2.1', '192.0.2.1'],
      ['[::ffff:192.0.2.1]:4711', '192.0.2.1'],
      ['::1', '0:0:0:0::/64'],
      ['::', '0:0:0:0::/64'],
      ['2001:db8::1', '2001:db8:0:0::/64'],
      ['2001:0DB8:0000:0000:1:2:3:4', '2001:db8:0:0::/64'],
      ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
      ['2001:db8:1:2::', '2001:db8:1:2::/64'],
      ['1:2:3:4:5:6:192.0.2.1', '1:2:3:4::/64'],
      ['[2001:db8::1]', '2001:db8:0:0::/64'],
      ['[2001:db8::1]:443', '2001:db8:0:0::/64'],
      ['fe80::1%eth0', 'fe80:0:0:0::/64'],
      ['', undefined],
      ['unknown', undefined],
      ['192.0.2', undefined],
      ['192.0.2.256', undefined],
      ['192.0.2.1:x', undefined],
      ['192.0.2.1, 192.0.2.2', undefined],
      ['0x7f.0.0.1', undefined],
      ['2001:db8::1::2', undefined],
      ['2001:db8::1/64', undefined],
      ['::ffff:192.0.2.256', undefined],
      ['x'.repeat(10_000), undefined],
    ] as const)
      t.is(networkOf(text), network, text.slice(0, 50));
    fc.assert(
      fc.property(fc.ipV6(), fc.ipV6(), (one, other) => {
        const network = networkOf(one)!;
        const bits = (address: string) => new URL(`http://[${address}]`).hostname;
        // An address made of the network's groups is in the same network.
        const inside = network.replace('::/64', ':1:2:3:4');
        const sameNetwork = networkOf(inside) === network;
        return sameNetwork && (bits(one) !== bits(other) || network === networkOf(other));
      }),
      { numRuns: RUNS },
    );
  },
);

// ------------------------------------------------------------------------- all together

test.serial(
  '[D13] [T26] all addresses together register 1,000 clients a minute, and logins go on when that is used up',
  async (t) => {
    const harness = await limited(t, BEHIND_PROXY);
    const { url } = harness;
    const early = (await post(url, from('203.0.113.1'))).json as TestClient;
    // Whatever one address asks in vain takes nothing from the others.
    t.is(tally(await many(200, () => post(url, from('203.0.113.1'))))[201], PER_ADDRESS - 1);
    const answers = await many(IN_ALL + 100, (i) => post(url, from(`10.0.${i >> 8}.${i & 255}`)));
    const left = IN_ALL - PER_ADDRESS;
    t.deepEqual(tally(answers), { 201: left, 429: IN_ALL + 100 - left });
    refusesProperly(t, await post(url, from('203.0.113.9')));
    t.is(await clientsIn(harness), IN_ALL);

    const { tokens } = await connect(harness, { client: early });
    t.is((await callMcp(url, tokens.access_token, 'tools/list')).status, 200);
  },
);

// -------------------------------------------------------------------------------- floods

/** Resident memory of a process, in MB. */
function memoryOf(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Number(kilobytes) / 1_024;
}

/** Without waiting for one another. @returns the statuses */
function flood(base: string, count: number, headers: (i: number) => Record<string, string>) {
  const { port } = new URL(base);
  const agent = new Agent({ maxSockets: CONNECTIONS });
  const one = (i: number): Promise<{ status: number; retryAfter: string | undefined }> =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        {
          agent,
          host: '127.0.0.1',
          port,
          path: '/oauth2/register',
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(BODY),
            ...headers(i),
          },
        },
        (answer) => {
          answer.resume();
          answer.once('end', () =>
            resolve({ status: answer.statusCode!, retryAfter: answer.headers['retry-after'] }),
          );
        },
      );
      outgoing.once('error', reject);
      outgoing.end(BODY);
    });
  return Promise.all(Array.from({ length: count }, (_, i) => one(i)));
}

test.serial(
  '[X35] [T26] of a flood of registrations from one address each is answered by 201 or 429, and others register and sign in meanwhile',
  async (t) => {
    const harness = await limited(t, BEHIND_PROXY);
    const { url } = harness;
    let over = false;
    const answers = flood(url, FLOOD, () => from('192.0.2.66')).finally(() => (over = true));
    const headers = from('198.51.100.1');
    let connections = 0;
    do {
      const { status, json: client } = await post(url, headers);
      t.is(status, 201);
      const attempt = authorizationRequest(url, client);
      const callback = await signIn(harness, attempt);
      const tokens = await redeem(url, attempt, callback.searchParams.get('code')!);
      t.is(tokens.status, 200);
      connections++;
    } while (!over && connections < PER_ADDRESS);
    const all = await answers;
    t.deepEqual(tally(all), { 201: PER_ADDRESS, 429: FLOOD - PER_ADDRESS });
    t.true(all.every(({ status, retryAfter }) => status === 201 || Number(retryAfter) >= 1));
    t.is(await clientsIn(harness), PER_ADDRESS + connections);
  },
);

test.serial(
  '[X35] [T26] a flood from as many addresses ends at 1,000 clients, and leaves the server small and whole',
  async (t) => {
    const server = await startServerProcess(t, {
      stdout: 'pipe',
      env: { TRUSTED_PROXY_HOPS: '1', LOG_LEVEL: 'error' },
    });
    server.child.stdout!.resume();
    // The first window may end while the flood lasts.
    const all = await flood(server.url, FLOOD, (i) =>
      from(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`),
    );
    const { 201: created = 0, 429: refused = 0, ...others } = tally(all);
    t.deepEqual(others, {});
    t.is(created + refused, FLOOD);
    t.true(created >= IN_ALL && created <= 2 * IN_ALL, `${created} clients`);
    const memory = memoryOf(server.child.pid!);
    t.true(memory < 400, `${memory} MB`);
    const { status } = await send(server.url, '/readyz');
    t.is(status, 200);
  },
);
