import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import {
  currentOf,
  isPrunable,
  MAX_KEYS,
  nextOf,
  prune,
  retire,
  rotate,
  type SigningKey,
  StageError,
} from '../../keys/stages.ts';
import { openStore } from '../../adapters/open-store.ts';
import { sealContext } from '../../adapters/sealed-kinds.ts';
import { createSecrets } from '../../adapters/secrets.ts';
import { loadConfig } from '../../config.ts';
import { openKeys, SIGNING_KEYS } from '../../keys/key-record.ts';
import { createLog } from '../../log.ts';
import { admin, type AdminRun } from '../support/admin.ts';
import { createClock } from '../support/clock.ts';
import { type Harness, startHarness } from '../support/harness.ts';
import { callTool, connect, refresh } from '../support/oauth.ts';
import { followed, kidsOf } from '../support/published-keys.ts';
import { createTcpShim } from '../support/tcp-shim.ts';

const ROOT = join(import.meta.dirname, '../..');
const DAY_MS = 86_400_000;
const isLong = Boolean(process.env.LONG_TESTS);

const fakeKey = (kid: string): SigningKey => ({
  kid,
  state: 'next',
  jwk: { kty: 'RSA', n: kid, e: 'AQAB', d: 'private' },
  createdAt: 0,
});

test.serial(
  '[D12] [T53] whatever is done in whatever order, one key signs, one is next, and none goes that is needed (property)',
  (t) => {
    const step = fc.record({
      what: fc.constantFrom('rotate', 'retire', 'prune'),
      which: fc.nat(1_000),
      after: fc.integer({ min: -100_000, max: 5_000_000 }),
    });
    const result = fc.check(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let made = 0;
        const spare = () => fakeKey(`k${made++}`);
        let keys: SigningKey[] = [{ ...spare(), state: 'current' }, spare()];
        let now = 10_000_000;
        for (const { what, which, after } of steps) {
          now += after;
          const before = keys;
          const chosen = keys[which % keys.length]!.kid;
          if (what === 'rotate') keys = rotate(keys, spare(), now, 3_600);
          if (what === 'retire') keys = retire(keys, chosen, [spare(), spare()], now);
          if (what === 'prune') keys = prune(keys, now);
          const [signing, coming] = [currentOf(keys)!, nextOf(keys)!];
          const gone = before.filter(({ kid }) => !keys.some((key) => key.kid === kid));
          if (what === 'rotate' && (signing.kid !== nextOf(before)!.kid || gone.length > 0))
            return false;
          if (what === 'retire' && (gone.length !== 1 || gone[0]!.kid !== chosen)) return false;
          if (what === 'prune' && !gone.every((key) => isPrunable(key, now))) return false;
          const kids = new Set(keys.map(({ kid }) => kid));
          const states = keys.filter(({ state }) => state !== 'retired').length;
          const leaks = keys.some(({ state, jwk }) => (state === 'retired') === 'd' in jwk);
          if (kids.size !== keys.length || states !== 2 || leaks || !coming) return false;
        }
        return true;
      }),
      { numRuns: isLong ? 100_000 : 2_000 },
    );
    t.false(result.failed, fc.defaultReportMessage(result));
  },
);

test.serial(
  '[D12] a set that lacks what it should have is put in order, and one that grows without end is refused',
  (t) => {
    const alone: SigningKey = { ...fakeKey('old'), state: 'current', createdAt: 5 };
    const published = rotate([alone], fakeKey('new'), 9, 3_600);
    t.deepEqual(
      published.map(({ kid, state }) => [kid, state]),
      [
        ['old', 'current'],
        ['new', 'next'],
      ],
      'nothing signs that was not published',
    );
    const replaced = retire([alone], 'old', [fakeKey('a'), fakeKey('b')], 9);
    t.deepEqual([currentOf(replaced)!.kid, nextOf(replaced)!.kid, replaced.length], ['b', 'a', 2]);
    t.throws(() => retire([alone], 'other', [fakeKey('a'), fakeKey('b')], 9), {
      instanceOf: StageError,
    });
    let many = published;
    while (many.length < MAX_KEYS) many = rotate(many, fakeKey(`k${many.length}`), 9, 3_600);
    t.throws(() => rotate(many, fakeKey('more'), 9, 3_600), { instanceOf: StageError });
  },
);

test.serial(
  '[D12] keys that an older version wrote are used, shown and rotated like any others',
  async (t) => {
    const masterKey = Buffer.alloc(32, 7);
    const env = { MASTER_KEYS: masterKey.toString('base64url') };
    const harness = await startHarness({ env });
    t.teardown(harness.close);
    const log = createLog('silent');
    const store = await openStore(loadConfig(harness.env).store, { log, now: Date.now });
    t.teardown(() => store.close());
    const secrets = createSecrets([masterKey]);
    const { keys } = await openKeys(secrets, (await store.read(SIGNING_KEYS))[0]!);
    const older = keys.map(({ kid, state, jwk, createdAt }) => ({ kid, state, jwk, createdAt }));
    const put = await secrets.seal(older, sealContext.signingKeys());
    await store.commit([{ key: SIGNING_KEYS, expect: 'any', put, lifetime: 'forever' }]);
    const { keys: listed } = (await admin(harness, 'keys', 'list', '--json')).json<{
      keys: Record<string, string>[];
    }>();
    t.is(listed[0]!.firstUsedAt, listed[0]!.createdAt);
    t.is((await admin(harness, 'keys', 'rotate', '--now', '--yes')).code, 0);
    await isUsable(t, harness, await usable(harness));
    t.is((await kidsOf(harness.url)).length, 3);
  },
);

/** The command as a process of its own. @param killAfterMs kills it so long after it began to work, without a word */
function child(t: ExecutionContext, env: Harness['env'], args: string[], killAfterMs?: number) {
  const process_ = spawn('npm', ['run', '--silent', 'keys', '--', ...args], {
    cwd: ROOT,
    detached: true,
    env: { PATH: process.env.PATH!, HOME: process.env.HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const texts = { out: '', err: '' };
  process_.stdout.setEncoding('utf8').on('data', (text: string) => (texts.out += text));
  process_.stderr.setEncoding('utf8').on('data', (text: string) => (texts.err += text));
  const kill = () => {
    try {
      process.kill(-process_.pid!, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  };
  t.teardown(kill);
  if (killAfterMs !== undefined) setTimeout(kill, killAfterMs);
  return new Promise<Pick<AdminRun, 'code' | 'out' | 'err'>>((resolve) => {
    process_.once('close', (code) => resolve({ code: code ?? -1, ...texts }));
  });
}

/** One signs, one is next, both are published, and every instance signs and verifies with them. */
async function isUsable(t: ExecutionContext, harness: Harness, connection: Usable): Promise<void> {
  const { keys } = (await admin(harness, 'keys', 'list', '--json')).json<{
    keys: { kid: string; state: string }[];
  }>();
  for (const state of ['current', 'next']) {
    t.is(keys.filter((key) => key.state === state).length, 1, state);
  }
  const kids = keys.map(({ kid }) => kid);
  await followed(harness, kids);
  t.deepEqual((await kidsOf(harness.url)).toSorted(), kids.toSorted());
  const { status, body } = await refresh(harness.url, connection.client, connection.refreshToken);
  t.is(status, 200);
  connection.refreshToken = body.refresh_token;
  t.is((await callTool(harness.url, body.access_token, 'listCompanies')).status, 200);
}

interface Usable {
  readonly client: Awaited<ReturnType<typeof connect>>['client'];
  refreshToken: string;
}

async function usable(harness: Harness): Promise<Usable> {
  const { client, tokens } = await connect(harness);
  return { client, refreshToken: tokens.refresh_token };
}

test.serial(
  '[T53] npm run keys works as a process of its own, and killed at any moment it leaves usable keys',
  async (t) => {
    const harness = await startHarness();
    t.teardown(harness.close);
    const connection = await usable(harness);
    const started = performance.now();
    const run = await child(t, harness.env, ['list']);
    const runMs = performance.now() - started;
    t.is(run.code, 0, run.err);
    t.regex(run.out, new RegExp((await kidsOf(harness.url))[0]!));
    t.is(run.err, '');
    const kills = isLong ? 50 : 4;
    for (let i = 1; i <= kills; i++) {
      // From its start to after its end: a rotation makes a key and waits a second before it commits.
      const after = ((runMs + 1_500) * i) / kills;
      await child(t, harness.env, ['rotate', '--now', '--yes'], after);
      await isUsable(t, harness, connection);
    }
  },
);

test.serial(
  '[T53] a store that is lost at any point of a rotation has the old keys or the new ones',
  async (t) => {
    const clock = createClock();
    const harness = await startHarness({ store: 'redis', now: clock.now });
    t.teardown(harness.close);
    const connection = await usable(harness);
    const shim = await createTcpShim({ port: Number(new URL(harness.redis!.url).port) });
    t.teardown(() => shim.close());
    const env = { ...harness.env, REDIS_URL: `redis://127.0.0.1:${shim.port}` };
    const rotate_ = () => admin({ env, now: clock.now }, 'keys', 'rotate', '--now', '--yes');
    const whole = { ...shim.traffic };
    t.is((await rotate_()).code, 0);
    const bytes = { up: shim.traffic.up - whole.up, down: shim.traffic.down - whole.down };

    const outcomes = new Set<string>();
    const points = isLong ? 60 : 6;
    for (let i = 1; i <= points; i++) {
      const before = await kidsOf(harness.url);
      // So that it need not wait for instances to notice the next key.
      clock.advance(31_000);
      // What is sent is cut short, or the answers are; most of it at the end, where the commit is.
      const direction = i % 2 === 0 ? 'up' : 'down';
      while (shim.traffic.open > 0) await wait(5);
      shim.pass();
      shim.cutAfter(Math.round(bytes[direction] * Math.sqrt(i / points)) - 1, direction);
      const { connections } = shim.traffic;
      const lost = setInterval(() => {
        if (shim.traffic.connections > connections && shim.traffic.open === 0) shim.down();
      }, 1);
      const run = await rotate_();
      clearInterval(lost);
      await isUsable(t, harness, connection);
      const grown = (await kidsOf(harness.url)).length - before.length;
      outcomes.add(`${run.code} ${grown}`);
      if (run.code === 0) t.is(grown, 1);
      else t.regex(run.err, /does not answer|stopped answering/);
    }
    t.log([...outcomes]);
    t.true(outcomes.has('1 0'), 'some were cut off before anything was done');
  },
);

test.serial(
  '[D12] the schedule rotates once, whichever instance gets there first, and prunes what nobody needs',
  async (t) => {
    const clock = createClock();
    const env = { KEY_ROTATION_DAYS: '30', JWKS_CACHE_SECONDS: '60' };
    const harness = await startHarness({ store: 'redis', instances: 2, now: clock.now, env });
    t.teardown(harness.close);
    const redis = new Redis(harness.redis!.url);
    t.teardown(() => redis.disconnect());
    const told = (outcome: string) => harness.logs.find({ event: 'keys.changed', outcome });
    const first = await kidsOf(harness.url);

    clock.advance(29 * DAY_MS);
    await wait(1_200);
    t.deepEqual(told('rotated'), [], 'not yet');
    clock.advance(DAY_MS);
    const { kids } = await harness.logs.waitFor({ event: 'keys.changed', outcome: 'rotated' });
    await wait(1_200);
    t.is(told('rotated').length, 1);
    await followed(harness, kids as string[]);
    for (const instance of harness.instances) {
      t.deepEqual((await kidsOf(instance)).toSorted(), (kids as string[]).toSorted());
    }
    t.is((await kidsOf(harness.url))[0], first[1], 'the next one took over');

    // A clock that runs off can't hurry it: it goes by the store's, which has not moved.
    clock.advance(365 * DAY_MS);
    await wait(1_200);
    t.is(told('rotated').length + told('pruned').length, 1);
    clock.advance(-365 * DAY_MS);

    const pause = 'neonpanel-mcp:{keys}:pause';
    t.true((await redis.ttl(pause)) > 3_600);
    await redis.del(pause);
    await wait(1_200);
    t.is(told('pruned').length, 0, 'still needed');
    clock.advance(2 * 3_600_000);
    await harness.logs.waitFor({ event: 'keys.changed', outcome: 'pruned' });
    await wait(1_200);
    t.deepEqual([told('pruned').length, told('rotated').length], [1, 1]);
    t.is((await kidsOf(harness.url)).length, 2);

    // Set back by years, it does not wait for years.
    clock.advance(-1_000 * DAY_MS);
    await harness.logs.waitFor({ event: 'keys.changed', outcome: 'rotated' });
    for (let tries = 0; told('rotated').length < 2 && tries < 100; tries++) await wait(50);
    await wait(1_200);
    t.is(told('rotated').length, 2);
  },
);

test.serial('[D12] without a schedule nothing rotates and nothing goes by itself', async (t) => {
  const clock = createClock();
  const harness = await startHarness({ now: clock.now });
  t.teardown(harness.close);
  t.is((await admin(harness, 'keys', 'rotate', '--now', '--yes')).code, 0);
  for (let tries = 0; (await kidsOf(harness.url)).length < 3 && tries < 200; tries++)
    await wait(50);
  const kids = await kidsOf(harness.url);
  t.is(kids.length, 3);
  clock.advance(4_000 * DAY_MS);
  await wait(1_200);
  t.deepEqual(await kidsOf(harness.url), kids);
});
