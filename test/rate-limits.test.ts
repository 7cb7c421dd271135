import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { RATE_LIMITS, type RateLimitName } from '../adapters/rate-limit-table.ts';
import { createRateLimits, type RateLimit, takeTurnOfEach } from '../adapters/rate-limits.ts';
import { Refusal } from '../errors.ts';
import { type Received, send } from './raw-http.ts';
import { type Route, ROUTES } from './security/routes.ts';
import { createClock } from './support/clock.ts';
import { scrape } from './support/exposition.ts';
import { type Harness, startHarness } from './support/harness.ts';
import { connect, refresh } from './support/oauth.ts';

/** How often anybody may ask for anything: every address, who counts as one, several instances, Redis away. */

/** A twentieth of what holds by default. */
const FACTOR = 0.05;
const max = (name: RateLimitName) => Math.round(RATE_LIMITS[name].perMinute * FACTOR);
const ENV = { RATE_LIMIT_FACTOR: String(FACTOR), TRUSTED_PROXY_HOPS: '1' };
const clock = createClock();
const harness = await startHarness({ env: ENV, now: clock.now, metrics: true });
const { url } = harness;
test.after.always(() => harness.close());
/** Everything that was counted is forgotten. */
test.beforeEach(() => clock.advance(61_000));

const from = (address: string) => ({ 'x-forwarded-for': address });
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const JSON_TYPE = { 'content-type': 'application/json', accept: 'application/json' };

/** Asks until it is refused. @returns how often it was not, and the refusal */
async function untilRefused(
  ask: (i: number) => Promise<Received>,
  most: number,
): Promise<{ passed: number; refusal: Received }> {
  for (let passed = 0; passed <= most; passed++) {
    const answer = await ask(passed);
    if (answer.status === 429) return { passed, refusal: answer };
    if (answer.status >= 500) throw new Error(`${answer.status} ${answer.text}`);
  }
  throw new Error(`not refused after ${most}`);
}

function saysWhen(t: ExecutionContext, { headers, status }: Received): void {
  t.is(status, 429);
  const seconds = Number(headers['retry-after']);
  t.true(Number.isInteger(seconds) && seconds >= 1 && seconds <= 60, `${seconds}`);
  t.is(headers['cache-control'], 'no-store');
}

/** One JSON-RPC message or batch at an address of ours. */
function post(
  base: string,
  token: string | undefined,
  body: unknown,
  headers: Record<string, string> = {},
  path = '/mcp',
): Promise<Received> {
  const authorization = token !== undefined && { authorization: `Bearer ${token}` };
  return send(base, path, {
    method: 'POST',
    headers: { ...JSON_TYPE, 'mcp-protocol-version': '2025-11-25', ...authorization, ...headers },
    body: JSON.stringify(body),
  });
}

const call = (id: unknown) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name: 'listReports', arguments: {} },
});
const ping = (id: unknown) => ({ jsonrpc: '2.0', id, method: 'ping' });

// ---------------------------------------------------------------------------- every route

function limitOf({ path, kind }: Route, method: string): RateLimitName {
  if (kind === 'health') return 'health';
  if (path === '/' && method !== 'POST') return 'pages';
  if (path === '/oauth2/authorize') return 'authorize';
  if (kind === 'page') return 'pages';
  if (path === '/oauth2/register') return 'registration';
  return kind === 'endpoint' ? 'oauth' : 'public';
}

test.serial(
  '[N47] every address is limited, and says when to come back in the form of its readers',
  async (t) => {
    const tiny = await startHarness({ env: { ...ENV, RATE_LIMIT_FACTOR: '0.001' } });
    t.teardown(() => tiny.close());
    let address = 0;
    for (const route of ROUTES.filter(({ kind }) => kind !== 'proof')) {
      for (const method of route.methods) {
        const name = limitOf(route, method);
        const headers = {
          ...(route.kind === 'page' ? { accept: 'text/html' } : {}),
          ...(route.path === '/oauth2/register' ? JSON_TYPE : {}),
          ...from(`192.0.2.${++address}`),
        };
        const ask = () =>
          send(tiny.url, route.path, { method, headers, ...(method === 'POST' && { body: '{}' }) });
        const { passed, refusal } = await untilRefused(ask, 10);
        const what = `${method} ${route.path} ${name}`;
        t.is(passed, Math.max(1, Math.round(RATE_LIMITS[name].perMinute / 1_000)), what);
        saysWhen(t, refusal);
        if (method === 'HEAD') t.is(refusal.text, '', what);
        else if (route.kind === 'page') {
          t.regex(String(refusal.headers['content-type']), /^text\/html/, what);
          t.regex(refusal.text, /Too many requests/, what);
        } else if (name === 'public' && method === 'POST') {
          t.is(refusal.json.jsonrpc, '2.0', what);
          t.is(refusal.json.error.data.error, 'too_many_requests', what);
        } else if (!route.path.startsWith('/sse')) {
          t.is(refusal.json.error, 'too_many_requests', what);
          t.is(refusal.json.request_id, refusal.headers['x-request-id'], what);
        }
      }
    }
    for (const [method, path] of [
      ['GET', '/nowhere'],
      ['GET', '/.well-known/nothing'],
      ['GET', '/oauth2/token'],
      ['OPTIONS', '/oauth2/token'],
      ['OPTIONS', '/mcp'],
      ['OPTIONS', '/sse'],
      ['OPTIONS', '/messages'],
      ['DELETE', '/mcp'],
    ] as const) {
      const headers = from(`192.0.2.${++address}`);
      const { passed } = await untilRefused(() => send(tiny.url, path, { method, headers }), 10);
      t.is(passed, 6, `${method} ${path}`);
    }
  },
);

test.serial(
  '[N47] a refusal is in the log and in the figures by the name of its limit, without the address',
  async (t) => {
    harness.logs.clear();
    const ask = () => send(url, '/healthz', { headers: from('198.51.100.77') });
    await untilRefused(ask, max('health'));
    await ask();
    const figures = await scrape(harness.metricsUrls![0]!);
    t.is(figures.sum('neonpanel_mcp_limit_refusals_total', { limit: 'health' }), 2);
    const refused = harness.logs.find({ event: 'refused', status: 429 });
    t.deepEqual(
      refused.map(({ detail }) => detail),
      ['limit: health', 'limit: health'],
    );
    t.deepEqual(harness.logs.leaked(['198.51.100.77']), []);
  },
);

// ------------------------------------------------------------------------------- callers

test.serial(
  '[N47] tool calls count by their grant: one that calls without end is told to wait, and others at its address go on',
  async (t) => {
    const [greedy, modest] = [await connect(harness), await connect(harness)];
    const at = from('192.0.2.1');
    const token = greedy.tokens.access_token;
    const ask = (i: number) => post(url, token, call(`c${i}`), at);
    const { passed, refusal } = await untilRefused(ask, max('calls'));
    t.is(passed, max('calls'));
    saysWhen(t, refusal);
    t.is(refusal.json.id, `c${passed}`);
    t.is(refusal.json.error.code, -32000);
    t.regex(refusal.json.error.message, /Wait \d+ s/);
    t.deepEqual(refusal.json.error.data, {
      error: 'too_many_requests',
      request_id: refusal.headers['x-request-id'],
    });
    t.is(refusal.headers['www-authenticate'], undefined);
    // Everything but calls goes on, however many calls are made in vain, and so does everybody else.
    for (let i = 0; i < max('messages'); i++) t.is((await ask(i)).status, 429);
    t.is((await post(url, token, ping(1), at)).status, 200);
    t.is((await post(url, modest.tokens.access_token, call(1), at)).status, 200);
    // The same grant from another address, by a batch, at another spelling, by an old client.
    t.is((await post(url, token, call(1), from('192.0.2.2'))).status, 429);
    t.is((await post(url, token, call(1), at, '/')).status, 429);
    const batch = await post(url, token, [ping(1), call(2)], {
      ...at,
      'mcp-protocol-version': '2025-03-26',
    });
    t.is(batch.status, 429);
    t.is(batch.json.id, null);
    const old = await post(url, token, call(7), at, '/messages?sessionId=x');
    t.is(old.status, 429);
    t.is(old.json.id, 7);
    clock.advance(Number(refusal.headers['retry-after']) * 1_000);
    t.is((await ask(1)).status, 200);
  },
);

test.serial(
  '[N47] messages count one by one, however they are packed, and so does opening a stream',
  async (t) => {
    const { tokens } = await connect(harness);
    const token = tokens.access_token;
    const batchOf = (count: number) => Array.from({ length: count }, (_, i) => ping(i));
    const headers = { 'mcp-protocol-version': '2025-03-26' };
    const { passed } = await untilRefused(
      () => post(url, token, batchOf(10), headers),
      max('messages'),
    );
    t.is(passed, max('messages') / 10);
    t.is((await post(url, token, ping(1))).status, 429);
    t.is((await send(url, '/mcp', { headers: { authorization: `Bearer ${token}` } })).status, 429);
    const stream = await send(url, '/sse', {
      headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' },
    });
    t.is(stream.status, 429);
    t.regex(stream.text, /^event: message\ndata: .*too_many_requests/);
  },
);

test.serial(
  '[N47] strangers behind an address use up nothing of those who have signed in there',
  async (t) => {
    const { client, tokens } = await connect(harness);
    clock.advance(61_000);
    const at = from('192.0.2.3');
    const { passed, refusal } = await untilRefused(
      (i) => post(url, i % 2 ? 'nonsense' : undefined, call(1), at),
      max('public'),
    );
    t.is(passed, max('public'));
    t.is(refusal.json.id, null);
    t.is((await post(url, undefined, call(1), from('192.0.2.4'))).status, 401);
    t.is((await post(url, tokens.access_token, call(1), at)).status, 200);

    const form = (parameters: Record<string, string>, path = '/oauth2/token') =>
      send(url, path, {
        method: 'POST',
        headers: { ...FORM, ...at },
        body: new URLSearchParams({ client_id: client.client_id, ...parameters }).toString(),
      });
    const guess = () => form({ grant_type: 'refresh_token', refresh_token: 'guessed' });
    const failed = await untilRefused(guess, max('oauth'));
    t.is(failed.passed, max('oauth'));
    t.is(failed.refusal.json.error, 'too_many_requests');
    t.true(harness.logs.find({ event: 'token', cause: 'limit: oauth' }).length > 0);
    t.is((await form({ grant_type: 'authorization_code', code: 'guessed' })).status, 429);
    t.is((await form({ token: 'guessed' }, '/oauth2/revoke')).status, 429);
    const mine = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
    const renewed = await form(mine);
    t.is(renewed.status, 200, renewed.text);
    t.is((await form({ token: renewed.json.refresh_token }, '/oauth2/revoke')).status, 200);
  },
);

test.serial(
  '[N47] what succeeds at the token endpoint is not counted by its address, but by its grant',
  async (t) => {
    const { client, tokens } = await connect(harness);
    clock.advance(61_000);
    let { refresh_token } = tokens;
    for (let i = 0; i < max('refresh'); i++) {
      const { status, body } = await refresh(url, client, refresh_token);
      t.is(status, 200);
      ({ refresh_token } = body);
    }
    const refused = await refresh(url, client, refresh_token);
    t.is(refused.status, 429);
    t.is((refused.body as { error?: string }).error, 'too_many_requests');
    const wait = Number(refused.headers.get('retry-after'));
    t.true(wait >= 1 && wait <= 60);
    // Nothing is lost by it.
    clock.advance(wait * 1_000);
    t.is((await refresh(url, client, refresh_token)).status, 200);
  },
);

test.serial(
  '[N47] who asks whether tokens are good is limited as a client at its address',
  async (t) => {
    const metadata = { token_endpoint_auth_method: 'client_secret_post' };
    const { client, tokens } = await connect(harness, { metadata });
    clock.advance(61_000);
    const ask = (address: string) =>
      send(url, '/oauth2/introspect', {
        method: 'POST',
        headers: { ...FORM, ...from(address) },
        body: new URLSearchParams({
          client_id: client.client_id,
          client_secret: client.client_secret!,
          token: tokens.access_token,
        }).toString(),
      });
    const { passed, refusal } = await untilRefused(() => ask('192.0.2.5'), max('lookups'));
    t.is(passed, max('lookups'));
    saysWhen(t, refusal);
    t.is((await ask('192.0.2.6')).json.active, true);
  },
);

test.serial(
  '[N47] all addresses together begin so many sign-ins, and a refusal does not make the wait longer',
  async (t) => {
    const ask = (i: number) =>
      send(url, '/oauth2/authorize?client_id=none', {
        headers: { accept: 'text/html', ...from(`10.1.${i >> 8}.${i & 255}`) },
      });
    const { passed, refusal } = await untilRefused(ask, max('authorize_all'));
    t.is(passed, max('authorize_all'));
    saysWhen(t, refusal);
    clock.advance(20_000);
    const later = await ask(1);
    t.is(Number(later.headers['retry-after']), Number(refusal.headers['retry-after']) - 20);
  },
);

/** @returns the seconds to wait, if it is refused */
function take(limit: RateLimit, caller: string, count = 1): number | undefined {
  try {
    takeTurnOfEach([[limit, caller, count]]);
    return undefined;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return error.retryAfterSeconds;
  }
}

test('[N47] a clock that is set back ends a window, and what is more than all there is passes alone', (t) => {
  const time = createClock();
  const { messages } = createRateLimits({ factor: 0.005, now: time.now });
  t.is(take(messages, 'a', 6), undefined);
  t.is(take(messages, 'a'), 60);
  t.is(take(messages, 'b', 20), undefined);
  t.is(take(messages, 'b'), 60);
  time.advance(-1_000);
  t.is(take(messages, 'a'), undefined);
});

// --------------------------------------------------------------------------- instances

/** What instances share, and how to lose it. */
function sharedBy(now: () => number) {
  const kept = new Map<string, { total: number; endsAt: number }>();
  return {
    lose: () => kept.clear(),
    async add(name: string, count: number, leftMs: number) {
      const found = kept.get(name);
      const entry = found && found.endsAt > now() ? found : { total: 0, endsAt: now() + leftMs };
      kept.set(name, entry);
      entry.total += count;
      return { total: entry.total, leftMs: entry.endsAt - now() };
    },
  };
}
const TOLD_MS = 150;

test.serial('[N47] a minute that is shared lasts no longer than one that is not', async (t) => {
  const time = createClock();
  const shared = sharedBy(time.now);
  const [one, other] = [0, 1].map(() => createRateLimits({ factor: 1, now: time.now, shared }));
  t.teardown(() => (one!.close(), other!.close()));
  const { perMinute } = RATE_LIMITS.registration;
  take(one!.registration, 'a', 2);
  time.advance(30_000);
  // Another minute, of the other instance.
  take(other!.registration, 'a', 3);
  await sleep(TOLD_MS);
  time.advance(29_000);
  // Only now it is worth telling.
  take(one!.registration, 'a');
  await sleep(TOLD_MS);
  time.advance(1_500);
  t.is(take(one!.registration, 'a', perMinute), undefined);
  time.advance(30_000);
  t.is(take(other!.registration, 'a', perMinute), undefined);
});

test.serial(
  '[N47] a store that lost its counts makes nobody forget what is known here',
  async (t) => {
    const time = createClock();
    const shared = sharedBy(time.now);
    const { registration, close } = createRateLimits({ factor: 1, now: time.now, shared });
    t.teardown(close);
    take(registration, 'a', 55);
    await sleep(TOLD_MS);
    shared.lose();
    take(registration, 'a', 5);
    await sleep(TOLD_MS);
    t.is(take(registration, 'a'), 60);
  },
);

const rateKeys = async ({ redis }: Harness): Promise<string[]> =>
  (await redis!.command('KEYS', 'neonpanel-mcp:*:rate')).match(/neonpanel-mcp:\S+/g) ?? [];

/** What Redis knows of one limit, of all callers together. */
async function countedIn(shared: Harness, name: RateLimitName): Promise<number> {
  let sum = 0;
  for (const key of await rateKeys(shared)) {
    if (!key.includes(`{${name}.`)) continue;
    const ttl = Number(/^:(-?\d+)/.exec(await shared.redis!.command('PTTL', key))?.[1]);
    if (!(ttl > 0 && ttl <= 60_000)) throw new Error(`${key} lives ${ttl} ms`);
    sum += Number((await shared.redis!.command('GET', key)).split('\r\n')[1]);
  }
  return sum;
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (await holds()) return;
    await sleep(30);
  }
  throw new Error(`never: ${what}`);
}

test.serial(
  '[N47] what one instance counts holds at the others, too, and no key is without an end',
  async (t) => {
    const shared = await startHarness({ store: 'redis', instances: 2, env: ENV });
    t.teardown(() => shared.close());
    const [one, other] = shared.instances as [string, string];
    const { tokens } = await connect(shared);
    const ask = (base: string) => post(base, tokens.access_token, call(1));
    for (let i = 0; i < max('calls'); i++) t.is((await ask(one)).status, 200);
    await until('told', async () => (await countedIn(shared, 'calls')) >= max('calls'));
    // It learns of it with what it tells itself.
    t.is((await ask(other)).status, 200);
    await until('learned', async () => (await ask(other)).status === 429);
    t.true((await countedIn(shared, 'calls')) < 1.5 * max('calls'));
    const at = from('192.0.2.9');
    const register = (base: string) =>
      send(base, '/oauth2/register', {
        method: 'POST',
        headers: { ...JSON_TYPE, ...at },
        body: '{}',
      });
    for (let i = 0; i < max('registration'); i++) t.is((await register(one)).status, 400);
    await until(
      'told',
      async () => (await countedIn(shared, 'registration')) >= max('registration'),
    );
    t.is((await register(other)).status, 400);
    await until('learned', async () => (await register(other)).status === 429);
    // Nobody's address, nobody's grant.
    const names = (await rateKeys(shared)).join(' ');
    t.notRegex(names, /192\.0\.2/);

    // Away: each counts for itself, nobody is failed by it, and afterwards they tell each other again.
    await shared.redis!.kill('SIGKILL');
    const elsewhere = from('192.0.2.10');
    const read = (base: string) => send(base, '/robots.txt', { headers: elsewhere });
    const { passed, refusal } = await untilRefused(() => read(one), max('public'));
    t.is(passed, max('public'));
    saysWhen(t, refusal);
    t.is((await read(other)).status, 200);
    await shared.redis!.start();
    await until(
      'told again',
      async () => (await countedIn(shared, 'public').catch(() => 0)) >= passed,
    );
    await until('learned', async () => (await read(other)).status === 429);
    t.deepEqual(
      shared.logs.entries().filter(({ event, status }) => event === 'refused' && status === 500),
      [],
    );
  },
);
