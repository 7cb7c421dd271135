import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import type { Key, Store } from '../../adapters/store.ts';
import { type RedisSentinels, startRedisSentinels } from '../support/redis-sentinel.ts';
import type { RedisServer } from '../support/redis.ts';
import { openStoreOn, startLoad, untilCopied } from './redis-modes-support.ts';
import { newKey, put, unavailable, untilBack, valueOf } from './redis-support.ts';

/** A primary that fails over to its replica, by itself or because it was told to, and sentinels that do not answer. */

/** A call ends after 1 s; the rest is for a busy machine. */
const CALL_MS = 3_000;
/** Promised are 2 s; the rest is for a busy machine. */
const BACK_MS = 4_000;

test('[X5] [D11] redis sentinel: when the primary dies the store is back without a restart, with its records', async (t) => {
  const { redis, store, logs } = await start(t);
  const key = newKey();
  const version = await put(store, key, 'x');
  await untilCopied(redis.primary, redis.replica);
  const load = startLoad(store, () => newKey(randomUUID()));
  while (load.done.size < 50) await sleep(10);

  await redis.primary.kill();
  await redis.untilPrimary(redis.replica);
  t.true((await untilBack(store)) < BACK_MS);
  t.deepEqual(await store.read(key), [{ value: 'x', version }]);
  const sofar = load.done.size;
  while (load.done.size < sofar + 50) await sleep(10);
  await load.stop();
  t.deepEqual(load.faults(), []);
  t.true(load.slowestMs() < CALL_MS, `${load.slowestMs()} ms`);
  t.true(load.unavailable() > 0);
  t.true(logs.find({ msg: 'store: connected to Redis' }).length >= 2);
  t.log(`${load.unavailable()} were unavailable, the slowest took ${load.slowestMs()} ms`);

  const mark = await put(store, key, 'y');
  await redis.primary.start();
  await redis.untilFollows(redis.primary, redis.replica);
  t.deepEqual(await store.read(key), [{ value: 'y', version: mark }], 'nothing came back with it');
  t.truthy(await put(store, key, 'z'));
  await untilCopied(redis.replica, redis.primary);
});

test('[X5] [X8] redis sentinel: commits under way during a failover are not refused because of themselves, and end in time', async (t) => {
  const { redis, store } = await start(t);
  const load = startLoad(store, () => newKey(randomUUID()));
  while (load.done.size < 50) await sleep(10);
  await redis.failOver();
  await redis.untilPrimary(redis.replica);
  t.true((await untilBack(store)) < BACK_MS);
  // The old primary takes writes until it is told, some seconds later, and all of them will be lost.
  t.true((await untilWritesTo(redis.replica, store)) < BACK_MS);
  await redis.untilFollows(redis.primary, redis.replica);
  const sofar = load.done.size;
  while (load.done.size < sofar + 50) await sleep(10);
  await load.stop();
  t.deepEqual(load.faults(), []);
  t.true(load.slowestMs() < CALL_MS, `${load.slowestMs()} ms`);
  t.log(`${load.unavailable()} were unavailable, the slowest took ${load.slowestMs()} ms`);
  const newest = [...load.done].slice(-50);
  for (const [key, version] of newest) {
    t.deepEqual(await store.read(key), [{ value: 'x', version }]);
  }
  const lost = await countLost(store, load.done);
  t.log(`${lost} of ${load.done.size} were lost with the old primary`);
});

test('[X5] redis sentinel: a failover that is reported while the sentinels are being asked ends nothing', async (t) => {
  const { redis, store } = await start(t);
  const stores = [store];
  for (let i = 0; i < 4; i++) stores.push((await open(t, redis)).store);
  const key = newKey();
  await put(store, key, 'x');
  await untilCopied(redis.primary, redis.replica);
  // Whoever asks them now is asking most of the time.
  for (const { shim } of redis.sentinels) shim.delay(400, 'down');
  await redis.primary.kill();
  await redis.untilPrimary(redis.replica);
  for (const each of stores) {
    t.true((await untilBack(each)) < 2 * BACK_MS);
    t.is(await valueOf(each, key), 'x');
  }
});

test('[X2] redis sentinel: a start while no sentinel answers, and while one of them is dead', async (t) => {
  const { redis, store } = await start(t);
  const key = newKey();
  await put(store, key, 'x');
  for (const { shim } of redis.sentinels) shim.blackhole();
  t.is(await valueOf(store, key), 'x', 'who is connected does not need them');

  const started = performance.now();
  const late = await open(t, redis);
  t.true(performance.now() - started < 4_000, 'it starts all the same');
  const { ms } = await unavailable(t, () => late.store.read(key));
  t.true(ms < CALL_MS, `${ms} ms`);
  await late.logs.waitFor({ msg: 'store: Redis cannot be reached' });
  t.regex(late.logs.text(), /All sentinels are unreachable/);

  for (const { shim } of redis.sentinels) shim.pass();
  redis.sentinels[0]!.shim.down();
  t.true((await untilBack(late.store)) < 2 * BACK_MS);
  t.is(await valueOf(late.store, key), 'x');
  const another = await open(t, redis);
  t.is(await valueOf(another.store, key), 'x');
});

async function start(t: ExecutionContext) {
  const redis = await startRedisSentinels();
  t.teardown(redis.stop);
  return { redis, ...(await open(t, redis)) };
}

const open = (t: ExecutionContext, { urls, name }: RedisSentinels) =>
  openStoreOn(t, { mode: 'sentinel', urls: [...urls], sentinelName: name });

async function countLost(store: Store, done: ReadonlyMap<Key, string>): Promise<number> {
  const entries = await store.read(...done.keys());
  return entries.filter((entry) => entry === undefined).length;
}

/** @returns how long it took until what the store writes was on this server */
async function untilWritesTo(server: RedisServer, store: Store): Promise<number> {
  const started = performance.now();
  for (;;) {
    const key = newKey();
    await put(store, key, 'x').catch(() => undefined);
    const found = await server.command('KEYS', `*{${key.tag}}*`);
    if (found.includes(key.tag)) return performance.now() - started;
  }
}
