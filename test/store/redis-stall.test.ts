import test, { type ExecutionContext } from 'ava';
import type { Store } from '../../adapters/store.ts';
import { startRedis } from '../support/redis.ts';
import { startRedisCluster } from '../support/redis-cluster.ts';
import { openStoreOn } from './redis-modes-support.ts';
import { newKey, openStore, put, unavailable, valueOf } from './redis-support.ts';

/** It is our own process that stands still, longer than a server may owe an answer. No shim: it would stand still as well. */

const STALL_MS = 1_500;

test.serial(
  '[X7] redis: what was answered while this process stood still is read, and the connection stays',
  async (t) => {
    const server = await startRedis();
    t.teardown(server.stop);
    const { store, logs } = await openStore(t, server.url);
    for (let round = 0; round < 3; round++) await standStillAtWork(t, store);
    const lost = { msg: 'store: the connection to Redis is lost' };
    t.deepEqual(logs.find(lost), []);

    // And a server that says nothing is still given up.
    process.kill(server.pid, 'SIGSTOP');
    t.teardown(() => process.kill(server.pid, 'SIGCONT'));
    await unavailable(t, () => store.read(newKey()));
    await logs.waitFor(lost);
  },
);

test.serial(
  '[X7] redis cluster: what was answered while this process stood still is read, and the connections stay',
  async (t) => {
    const cluster = await startRedisCluster();
    t.teardown(cluster.stop);
    const { store, logs } = await openStoreOn(t, { mode: 'cluster', urls: cluster.urls });
    for (let round = 0; round < 3; round++) await standStillAtWork(t, store);
    t.deepEqual(logs.find({ msg: 'store: a node of Redis cannot be reached' }), []);
  },
);

/** With a read and a commit under way, both of which the server has answered by then. */
async function standStillAtWork(t: ExecutionContext, store: Store): Promise<void> {
  const key = newKey();
  await put(store, key, 'x');
  const reading = valueOf(store, key);
  const writing = put(store, newKey(), 'y');
  // From here they are sent.
  await new Promise(setImmediate);
  standStill(STALL_MS);
  t.is(await reading, 'x');
  await t.notThrowsAsync(writing);
}

/** Without using the processor, which the server may need. */
const standStill = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
