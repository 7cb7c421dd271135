import { setTimeout as pause } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { startHarness } from './support/harness.ts';
import { callTool, connect, refresh, register } from './support/oauth.ts';
import { monitorRedis } from './support/redis-monitor.ts';

/**
 * What a connection costs in Redis, in commands and bytes. Every command of the store is a round trip of its own, or
 * goes out together with others, so their number is the most that a request can wait for. What that means in time is
 * measured by bench/redis.ts.
 */

/** Stands still unless moved: how long something takes on this machine must not decide how often it is looked up. */
let time = Date.now();
const harness = await startHarness({
  store: 'redis',
  now: () => time,
  // On, and out of the way of the thousand refreshes.
  env: { RATE_LIMIT_FACTOR: '20' },
});
const { url } = harness;
const redis = harness.redis!;
const monitor = await monitorRedis(redis);
// The first one of all registers our own client at NeonPanel, which in production is configured.
await connect(harness);
test.after.always(async () => {
  monitor.close();
  await harness.close();
});

const MAX_FLOW = 14;
const MAX_REFRESH = 3;
const MAX_BYTES = 5_000;
const REFRESHES = 1_000;
/** What was read is believed for 800 ms. */
const COLD_MS = 900;
const becomeCold = () => (time += COLD_MS);

function atMost(t: ExecutionContext, commands: readonly string[], most: number): void {
  t.true(commands.length <= most, `${commands.length} commands:\n${commands.join('\n')}`);
}

test.serial(
  '[D11] a whole connection, from registration to token, takes 14 commands at most',
  async (t) => {
    const { commands } = await monitor.during(() => connect(harness));
    t.log(`${commands.length} commands`);
    atMost(t, commands, MAX_FLOW);
  },
);

test.serial('[D13] a registration takes one command, limits and all', async (t) => {
  const { result, commands } = await monitor.during(() => register(url));
  t.is(result.status, 201);
  atMost(t, commands, 1);
});

test.serial(
  '[D7] [N47] a tool call takes no command if the grant was seen a moment ago, else one',
  async (t) => {
    const { tokens } = await connect(harness);
    const call = () => callTool(url, tokens.access_token, 'listCompanies');
    const first = await monitor.during(call);
    t.is(first.result.status, 200);
    atMost(t, first.commands, 1);
    const warm = await monitor.during(call);
    t.deepEqual(warm.commands, []);
    becomeCold();
    const cold = await monitor.during(call);
    t.is(cold.commands.length, 1);
  },
);

test.serial(
  '[D11] the list of a user’s connections takes 2 commands, behind the answer, when one is made, and 2 for all calls of half a minute',
  async (t) => {
    const listed = async (action: () => unknown, withinMs: number) => {
      const { listing } = await monitor.during(async () => {
        await action();
        await pause(withinMs);
      });
      return listing.map((command) => /^"(\w+)"/.exec(command)![1]);
    };
    let connection!: Awaited<ReturnType<typeof connect>>;
    const commands = ['mget', 'evalsha'];
    t.deepEqual(await listed(async () => (connection = await connect(harness)), 1_000), commands);
    const { client, tokens } = connection;
    const use = async () => {
      for (let i = 0; i < 5; i++) await callTool(url, tokens.access_token, 'listCompanies');
      await refresh(url, client, tokens.refresh_token);
    };
    t.deepEqual(await listed(use, 1_500), []);
    t.deepEqual(await listed(() => (time += 30_000), 3_000), commands);
  },
);

test.serial('[D8] a refresh takes 3 commands', async (t) => {
  const { client, tokens } = await connect(harness);
  becomeCold();
  const { result, commands } = await monitor.during(() =>
    refresh(url, client, tokens.refresh_token),
  );
  t.is(result.status, 200);
  atMost(t, commands, MAX_REFRESH);
  const repeated = await monitor.during(() => refresh(url, client, tokens.refresh_token));
  t.is(repeated.result.body.refresh_token, result.body.refresh_token);
  atMost(t, repeated.commands, MAX_REFRESH);
});

test.serial('[D8] a connection takes 5 kB, and no more after 1,000 refreshes', async (t) => {
  const before = new Set(await keys());
  const { client, tokens } = await connect(harness);
  const added = (await keys()).filter((key) => !before.has(key));
  const bytes = await bytesOf(added);
  t.log(`${added.length} records, ${bytes} bytes`);
  t.true(bytes <= MAX_BYTES, `${bytes} bytes in ${added.join(', ')}`);

  let { refresh_token } = tokens;
  for (let i = 0; i < REFRESHES; i++) {
    const { status, body } = await refresh(url, client, refresh_token);
    if (status !== 200) return t.fail(`refresh ${i}: ${status} ${JSON.stringify(body)}`);
    ({ refresh_token } = body);
  }
  const now = (await keys()).filter((key) => !before.has(key));
  t.true(
    now.every((key) => added.includes(key)),
    'no record was added',
  );
  // The number of the generation has grown by some digits, and sizes are rounded up.
  t.true((await bytesOf(now)) <= bytes + 32, `${await bytesOf(now)} bytes instead of ${bytes}`);
});

async function keys(): Promise<string[]> {
  const reply = await redis.command('KEYS', 'neonpanel-mcp:*');
  // Counts of rate limits are gone after a minute.
  return reply.split('\r\n').filter((line) => /^neonpanel-mcp:(?!.*:rate$)/.test(line));
}

async function bytesOf(names: readonly string[]): Promise<number> {
  const sizes = await Promise.all(
    names.map(async (name) =>
      Number(/^:(\d+)/.exec(await redis.command('MEMORY', 'USAGE', name))?.[1] ?? 0),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
