import test from 'ava';
import { startRedis } from '../support/redis.ts';
import { newKey, openStore, put, valueOf } from './redis-support.ts';

/** It is our own process that stands still, longer than a server may owe an answer. */

const STALL_MS = 1_500;

test('[X7] redis: what was answered while this process stood still is read, and the connection stays', async (t) => {
  const server = await startRedis();
  t.teardown(server.stop);
  // Without a shim, which would stand still as well.
  const { store, logs } = await openStore(t, server.url);
  const key = newKey();
  await put(store, key, 'x');
  for (let round = 0; round < 3; round++) {
    const reading = valueOf(store, key);
    const writing = put(store, newKey(), 'y');
    // From here they are sent.
    await new Promise(setImmediate);
    standStill(STALL_MS);
    t.is(await reading, 'x');
    await t.notThrowsAsync(writing);
  }
  t.is(logs.find({ msg: 'store: the connection to Redis is lost' }).length, 0);
});

function standStill(ms: number): void {
  for (const started = performance.now(); performance.now() - started < ms;);
}
