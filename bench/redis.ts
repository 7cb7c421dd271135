import { setTimeout as sleep } from 'node:timers/promises';
import { startHarness, type Harness } from '../test/support/harness.ts';
import { callTool, connect, type Connection, refresh, register } from '../test/support/oauth.ts';
import { startRedis, type RedisServer } from '../test/support/redis.ts';
import { createTcpShim } from '../test/support/tcp-shim.ts';
import { summarise } from './figures.ts';

/**
 * What Redis costs a request in time and a connection in memory.
 *
 *   node bench/redis.ts
 *
 * Round trips are measured, not counted: behind a proxy that holds back every answer of Redis, an operation takes so
 * much longer, and the difference divided by the delay is the number of answers it waited for, one after another. Rounds
 * with and without delay alternate. Memory is the growth of used_memory.
 */

const DELAY_MS = 60;
const ROUNDS = 7;
const CONNECTIONS = 500;
const REFRESHES = 1_000;
/** What was read is believed for 800 ms. */
const COLD_MS = 900;

const redis = await startRedis();
const shim = await createTcpShim(redis);
const harness = await startHarness({
  env: { REDIS_URL: `redis://127.0.0.1:${shim.port}`, CODE_TTL_SECONDS: '5' },
});
try {
  const connection = await connect(harness);
  process.stdout.write(`| operation | round trips | spread |\n| --- | --: | --: |\n`);
  for (const [name, operation] of Object.entries(operations(harness, connection))) {
    const { median, spread } = await roundTrips(operation);
    process.stdout.write(`| ${name} | ${median.toFixed(1)} | ${Math.round(spread * 100)} % |\n`);
  }
  process.stdout.write(`\n${await memory(harness, redis)}\n`);
} finally {
  await harness.close();
  await shim.close();
  await redis.stop();
}

type Operation = { prepare?: () => Promise<unknown>; run: () => Promise<unknown> };

function operations(at: Harness, { client, tokens }: Connection): Record<string, Operation> {
  let newest = tokens.refresh_token;
  const call = () => callTool(at.url, tokens.access_token, 'listCompanies');
  return {
    register: { run: () => register(at.url) },
    'connect: registration to token': { run: () => connect(at) },
    'tools/call, grant seen a moment ago': { prepare: call, run: call },
    'tools/call, cold': { prepare: () => sleep(COLD_MS), run: call },
    'refresh, cold': {
      prepare: () => sleep(COLD_MS),
      run: async () => {
        newest = (await refresh(at.url, client, newest)).body.refresh_token;
      },
    },
  };
}

async function roundTrips({ prepare, run }: Operation) {
  const duration = async (delayMs: number): Promise<number> => {
    await prepare?.();
    shim.delay(delayMs, 'down');
    const start = performance.now();
    await run();
    const took = performance.now() - start;
    shim.pass();
    return took;
  };
  const differences: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const plain = await duration(0);
    differences.push(((await duration(DELAY_MS)) - plain) / DELAY_MS);
  }
  return summarise(differences);
}

async function memory(at: Harness, server: RedisServer): Promise<string> {
  const used = async () =>
    Number(/used_memory:(\d+)/.exec(await server.command('INFO', 'memory'))![1]);
  // Codes and what was left of the first part are gone.
  await sleep(6_000);
  const empty = await used();
  let last: Connection | undefined;
  for (let i = 0; i < CONNECTIONS; i++) last = await connect(at);
  await sleep(6_000);
  const full = await used();
  let newest = last!.tokens.refresh_token;
  for (let i = 0; i < REFRESHES; i++) {
    newest = (await refresh(at.url, last!.client, newest)).body.refresh_token;
  }
  const refreshed = await used();
  return [
    `Per live connection: ${Math.round((full - empty) / CONNECTIONS)} bytes (used_memory over ${CONNECTIONS} connections).`,
    `After ${REFRESHES} refreshes of one of them: ${refreshed - full} bytes more in all.`,
  ].join('\n');
}
