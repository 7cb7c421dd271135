import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import type { Key, Store } from '../../adapters/store.ts';
import { StoreUnavailable } from '../../errors.ts';
import { freePort } from '../support/ports.ts';
import {
  type ClusterNode,
  type RedisCluster,
  startRedisCluster,
} from '../support/redis-cluster.ts';
import { openStoreOn, startLoad, untilCopied } from './redis-modes-support.ts';
import { commitsSeen, newKey, put, unavailable, untilBack, valueOf } from './redis-support.ts';

/** Replies that are lost in a cluster, nodes of it that die, and a cluster that is not there yet. */

/** A call ends after 1 s; the rest is for a busy machine. */
const CALL_MS = 3_000;
/** Promised are 2 s; the rest is for a busy machine. */
const BACK_MS = 4_000;

test.serial(
  '[X8] [D9] redis cluster: commits whose reply is lost succeed, and are carried out once',
  async (t) => {
    const { cluster, store } = await start(t, { shims: true });
    const rounds = await Promise.all([1, 2, 3].map(() => oneOnEach(cluster)));
    for (const key of rounds.flat()) {
      const owner = await cluster.ownerOf(`{${key.tag}}`);
      const old = await put(store, key, 'old');
      const before = await commitsOf(cluster);
      owner.shim.swallowReply(once((request) => request.includes(`{${key.tag}}`)));
      const version = await store.commit([
        { key, expect: { version: old }, put: 'mine', lifetime: 60 },
      ]);
      t.truthy(version);
      t.is((await commitsOf(cluster)) - before, 2, 'once in vain, once more');
      t.deepEqual(await store.read(key), [{ value: 'mine', version: version! }]);

      owner.shim.swallowReply(once((request) => request.includes(`{${key.tag}}`)));
      t.truthy(await store.commit([{ key, expect: { version: version! }, remove: true }]));
      owner.shim.swallowReply(once((request) => request.includes(`{${key.tag}}`)));
      t.is(await valueOf(store, key), undefined);
      owner.shim.pass();
    }
  },
);

test.serial(
  '[X8] redis cluster: a commit is sent twice at most, whatever is repeated because it could not be sent',
  async (t) => {
    const { cluster, store } = await start(t, { shims: true });
    const key = newKey();
    const version = await put(store, key, 'old');
    const before = await commitsOf(cluster);
    const { shim } = await cluster.ownerOf(`{${key.tag}}`);
    shim.swallowReply((request) => request.includes('eval'));
    const { ms } = await unavailable(t, () =>
      store.commit([{ key, expect: { version }, put: 'new', lifetime: 60 }]),
    );
    t.true(ms < CALL_MS, `${ms} ms`);
    t.is((await commitsOf(cluster)) - before, 2);
    shim.pass();
    await untilBack(store);
    t.is(await valueOf(store, key), 'new', 'it was done, only nobody could say so');
  },
);

test.serial(
  '[X8] redis cluster: a connection that breaks while a redirection is followed costs a repetition, and nothing else',
  async (t) => {
    const { cluster, store } = await start(t, { shims: true });
    const key = newKey();
    const version = await put(store, key, 'old');
    const from = await cluster.ownerOf(`{${key.tag}}`);
    const to = cluster.masters.find((node) => node !== from)!;
    const move = await cluster.beginMove(`{${key.tag}}`, to);
    const before = await commitsOf(cluster);
    to.shim.blackhole('down');
    const read = store.read(key);
    const commit = store.commit([{ key, expect: { version }, put: 'new', lifetime: 60 }]);
    while ((await commitsOf(cluster)) === before) await sleep(5);
    to.shim.cut();
    to.shim.pass();
    t.truthy(await commit);
    t.is((await read).length, 1);
    t.is((await commitsOf(cluster)) - before, 2);
    t.is(await valueOf(store, key), 'new');
    await move.finish();
    t.is(await valueOf(store, key), 'new');
  },
);

test.serial(
  '[X8] redis cluster: of many commits under way when connections break, each is repeated once',
  async (t) => {
    const { cluster, store } = await start(t, { shims: true });
    const shims = cluster.masters.map(({ shim }) => shim);

    async function breakManyCommits() {
      const before = await commitsOf(cluster);
      for (const shim of shims) shim.blackhole('down');
      const commits = Array.from({ length: 60 }, async () => {
        const key = newKey();
        const version = await store.commit([{ key, expect: 'absent', put: 'x', lifetime: 60 }]);
        return { key, version };
      });
      while ((await commitsOf(cluster)) - before < 60) await sleep(5);
      for (const shim of shims) {
        shim.cut();
        shim.pass();
      }
      return { before, outcomes: await Promise.allSettled(commits) };
    }

    // All of it must be done within the second of a call, which a busy machine may need for less.
    let broken = await breakManyCommits();
    for (let again = 0; again < 4 && broken.outcomes.some(isUnavailable); again++) {
      await untilBack(store);
      broken = await breakManyCommits();
    }
    for (const outcome of broken.outcomes) {
      if (outcome.status === 'rejected') throw outcome.reason;
      const { key, version } = outcome.value;
      t.deepEqual(await store.read(key), [{ value: 'x', version: version! }]);
    }
    t.is((await commitsOf(cluster)) - broken.before, 120);
  },
);

const isUnavailable = (outcome: PromiseSettledResult<unknown>): boolean =>
  outcome.status === 'rejected' && outcome.reason instanceof StoreUnavailable;

test.serial(
  '[X2] [X4] redis cluster: without one node its tags are unavailable in time, the others go on, and it is found when it is back',
  async (t) => {
    const { cluster, store, logs } = await start(t);
    const keys = await oneOnEach(cluster);
    for (const key of keys) await put(store, key, 'x');
    const [lost, ...others] = keys as [Key, Key, Key];

    await cluster.masters[0]!.kill();
    for (let round = 0; round < 3; round++) {
      const calls = [
        () => store.read(lost),
        () => put(store, lost, 'y'),
        () => store.read(...keys),
      ];
      const waits = calls.map(async (call) => (await unavailable(t, call)).ms);
      for (const key of others) t.is(await put(store, key, `${round}`).then(typeOf), 'string');
      for (const ms of await Promise.all(waits)) t.true(ms < CALL_MS, `${ms} ms`);
    }
    await unavailable(t, () => Array.fromAsync(store.keys('record')));
    const away = logs.only({ msg: 'store: a node of Redis cannot be reached' });
    t.regex(String(away['problem']), /ECONNREFUSED|ECONNRESET|EPIPE/);

    await cluster.masters[0]!.start();
    t.true((await untilReadable(store, lost)) < BACK_MS);
    t.is(await valueOf(store, lost), 'x');
    t.is((await Array.fromAsync(store.keys('record'))).length, 3);
    await logs.waitFor({ msg: 'store: connected to the node' });
  },
);

test.serial(
  '[X5] [X8] redis cluster: when a node dies that has a replica, its records are back without a restart',
  async (t) => {
    const { cluster, store } = await start(t, { replicas: 1, nodeTimeoutMs: 2_000 });
    const [dying, replica] = [cluster.masters[0]!, cluster.replicas[0]!];
    const { tag } = (await oneOnEach(cluster))[0]!;
    const before = newKey('before', tag);
    const version = await put(store, before, 'x');
    await untilCopied(dying, replica);

    const load = startLoad(store, () => newKey(randomUUID(), tag));
    while (load.done.size < 50) await sleep(10);
    await dying.kill();
    await sleep(50);
    const sofar = load.done.size;
    t.true((await untilReadable(store, before)) < 20_000);
    while (load.done.size < sofar + 50) await sleep(10);
    await load.stop();
    t.deepEqual(load.faults(), []);
    t.true(load.slowestMs() < CALL_MS, `${load.slowestMs()} ms`);
    t.true(load.unavailable() > 0);
    t.log(`${load.unavailable()} were unavailable, the slowest took ${load.slowestMs()} ms`);
    t.is((await store.read(before))[0]?.version, version);
    t.is(await cluster.ownerOf(`{${tag}}`), replica);

    await dying.start();
    await cluster.healthy();
    t.is(await valueOf(store, before), 'x');
    t.truthy(await put(store, before, 'y'), 'also when it is back, as a replica');
  },
);

test.serial(
  '[X2] redis cluster: a start without any node, and with one that is not the cluster',
  async (t) => {
    const { cluster, store } = await start(t);
    const key = newKey();
    await put(store, key, 'x');
    const urls = [`redis://127.0.0.1:${await freePort()}`, ...cluster.urls.slice(1)];
    const some = await openStoreOn(t, { mode: 'cluster', urls });
    t.is(await valueOf(some.store, key), 'x', 'one of the addresses is dead');

    await Promise.all(cluster.masters.map((node) => node.kill()));
    const started = performance.now();
    const late = await openStoreOn(t, { mode: 'cluster', urls });
    t.true(performance.now() - started < 4_000, 'it starts all the same');
    const { ms } = await unavailable(t, () => late.store.read(key));
    t.true(ms < CALL_MS, `${ms} ms`);
    const [told] = late.logs.find({ msg: 'store: Redis cannot be reached' });
    t.regex(String(told?.['problem']), /ECONNREFUSED/);

    await Promise.all(cluster.masters.map((node) => node.start()));
    await cluster.healthy();
    for (const each of [late.store, some.store, store]) {
      t.true((await untilReadable(each, key)) < BACK_MS);
      t.is(await valueOf(each, key), 'x');
    }
  },
);

async function start(t: ExecutionContext, options: Parameters<typeof startRedisCluster>[0] = {}) {
  const cluster = await startRedisCluster(options);
  t.teardown(cluster.stop);
  return { cluster, ...(await openStoreOn(t, { mode: 'cluster', urls: cluster.urls })) };
}

/** A key for each of the masters, in their order. */
async function oneOnEach(cluster: RedisCluster): Promise<Key[]> {
  const found = new Map<ClusterNode, Key>();
  while (found.size < cluster.masters.length) {
    const key = newKey();
    found.set(await cluster.ownerOf(`{${key.tag}}`), key);
  }
  return cluster.masters.map((node) => found.get(node)!);
}

async function commitsOf(cluster: RedisCluster): Promise<number> {
  const counts = await Promise.all(cluster.masters.map(commitsSeen));
  return counts.reduce((sum, count) => sum + count);
}

/** @returns how long that took */
async function untilReadable(store: Store, key: Key): Promise<number> {
  const started = performance.now();
  for (;;) {
    const waited = performance.now() - started;
    if (await store.read(key).then(Boolean, () => waited > 20_000)) return waited;
    await sleep(10);
  }
}

/** Picks the first only. */
function once(matches: (request: Buffer) => boolean): (request: Buffer) => boolean {
  let over = false;
  return (request) => {
    if (over || !matches(request)) return false;
    return (over = true);
  };
}

const typeOf = (value: unknown): string => typeof value;
