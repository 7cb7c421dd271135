import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { startRedis, type RedisServer } from '../support/redis.ts';
import {
  newKey,
  openStore,
  put,
  startBench,
  unavailable,
  untilBack,
  valueOf,
} from './redis-support.ts';

/** Redis is away, slow, stuck or half gone: calls end in time, and all is well again as soon as it is back. */

/** Promised are 2 s; the rest is for a busy machine. */
const BACK_MS = 3_000;
/** A call ends after 1 s. */
const CALL_MS = 2_000;
/** Nothing is waited for: whoever waited would take the second that a call has. */
const AT_ONCE_MS = 900;

test.serial('[X2] redis: an outage of an instant is waited out', async (t) => {
  const { shim, store } = await startBench(t);
  const [old, fresh] = [newKey(), newKey()];
  await put(store, old, 'x');
  shim.down();
  const calls = Promise.all([valueOf(store, old), put(store, fresh, 'y'), store.ping()]);
  await sleep(200);
  shim.pass();
  t.is((await calls)[0], 'x');
  t.is(await valueOf(store, fresh), 'y');
});

test.serial(
  '[X2] [X3] redis: a longer outage is answered at once; nothing is lost by a restart',
  async (t) => {
    const server = await startRedis({ persist: true });
    t.teardown(server.stop);
    const { store, logs } = await openStore(t, server.url);
    const key = newKey();
    const version = await put(store, key, 'x');
    await server.kill();
    const first = await unavailable(t, () => store.read(key));
    t.true(first.ms < CALL_MS, `${first.ms} ms`);
    await sleep(1_000);

    const started = performance.now();
    const refused = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        unavailable(t, () => (i % 2 ? store.read(key) : put(store, newKey(), 'y'))),
      ),
    );
    t.true(performance.now() - started < AT_ONCE_MS, `${performance.now() - started} ms`);
    t.regex(refused[0]!.error.detail!, /not connected \(connect ECONNREFUSED/);

    await server.start();
    t.true((await untilBack(store)) < BACK_MS);
    t.deepEqual(await store.read(key), [{ value: 'x', version }]);
    t.is(logs.find({ msg: 'store: the connection to Redis is lost' }).length, 1);
    const problems = logs.find({ msg: 'store: Redis cannot be reached' });
    t.is(new Set(problems.map(({ problem }) => problem)).size, problems.length, logs.text());
    const connected = logs.find({ msg: 'store: connected to Redis' });
    t.is(connected.length, 2);
    t.true((connected[1]!['awayMs'] as number) > 1_000);
  },
);

test.serial(
  '[X4] redis: after a restart without data, and without its scripts, commits go on',
  async (t) => {
    const { server, store } = await startBench(t);
    const key = newKey();
    await put(store, key, 'x');
    await server.command('SCRIPT', 'FLUSH');
    t.truthy(await put(store, key, 'y'));
    await server.kill();
    await server.start();
    await untilBack(store);
    t.is(await valueOf(store, key), undefined);
    t.truthy(await store.commit([{ key, expect: 'absent', put: 'z', lifetime: 60 }]));
  },
);

test.serial('[X7] redis: a Redis that is 200 ms away works', async (t) => {
  const { shim, store } = await startBench(t);
  shim.delay(100);
  const key = newKey();
  const version = await put(store, key, 'x');
  t.deepEqual(await store.read(key), [{ value: 'x', version }]);
  t.truthy(await store.commit([{ key, expect: { version }, remove: true }]));
});

test.serial('[X7] redis: a Redis that answers after 2 s is unavailable in 1 s', async (t) => {
  const { shim, store } = await startBench(t);
  shim.delay(2_000);
  await Promise.all([
    endsInTime(t, () => store.read(newKey())),
    endsInTime(t, () => put(store, newKey(), 'x')),
    endsInTime(t, () => Array.fromAsync(store.keys('record'))),
    endsInTime(t, () => store.ping()),
  ]);
  shim.pass();
  t.true((await untilBack(store)) < BACK_MS);
});

test.serial(
  '[X7] redis: a Redis that stands still for 3 s holds nobody up for longer than 1 s',
  async (t) => {
    const { server, store } = await startBench(t);
    const key = newKey();
    await put(store, key, 'x');
    let ticks = 0;
    const ticker = setInterval(() => ticks++, 20);
    process.kill(server.pid, 'SIGSTOP');
    const stopped = performance.now();
    while (performance.now() - stopped < 3_000) {
      await Promise.all([
        endsInTime(t, () => store.read(key)),
        endsInTime(t, () => put(store, newKey(), 'y')),
      ]);
      await sleep(20);
    }
    clearInterval(ticker);
    process.kill(server.pid, 'SIGCONT');
    t.true((await untilBack(store)) < BACK_MS);
    t.is(await valueOf(store, key), 'x');
    // 150 if nothing ever blocked.
    t.true(ticks > 50, `${ticks} ticks`);
  },
);

test.serial(
  '[X7] redis: CLIENT PAUSE ALL makes everything unavailable in 1 s, and nothing is done later',
  async (t) => {
    const { server, store } = await startBench(t);
    const key = newKey();
    await put(store, key, 'x');
    await pause(t, server, 'ALL');
    await Promise.all([
      endsInTime(t, () => store.read(key)),
      endsInTime(t, () => put(store, key, 'late')),
    ]);
    t.true((await untilBack(store)) < 3_000 + BACK_MS);
    t.is(await valueOf(store, key), 'x');
  },
);

test.serial(
  '[X7] redis: CLIENT PAUSE WRITE makes commits unavailable in 1 s; who only reads goes on',
  async (t) => {
    const { server, store } = await startBench(t);
    const reader = (await openStore(t, server.url)).store;
    const key = newKey();
    await put(store, key, 'x');
    await pause(t, server, 'WRITE');
    const commit = endsInTime(t, () => put(store, key, 'late'));
    t.is(await valueOf(reader, key), 'x');
    await commit;
    t.true((await untilBack(store)) < 3_000 + BACK_MS);
    t.is(await valueOf(store, key), 'x');
  },
);

// Alone: so many keep the event loop busy, and would hold up the other tests.
test.serial('[X7] redis: more than 5,000 calls under way are refused at once', async (t) => {
  const { shim, store } = await startBench(t);
  shim.blackhole();
  const calls = Array.from({ length: 5_000 }, () => store.read(newKey()).then(String, String));
  await sleep(50);
  const { error, ms } = await unavailable(t, () => store.read(newKey()));
  t.regex(error.detail!, /too many/);
  t.true(ms < AT_ONCE_MS, `${ms} ms`);
  t.deepEqual(new Set(await Promise.all(calls)), new Set([String(error)]));
  shim.pass();
  t.true((await untilBack(store)) < BACK_MS);
  t.deepEqual(await store.read(newKey()), [undefined]);
});

for (const direction of ['up', 'down', undefined] as const) {
  test.serial(
    `[X11] redis: a connection that goes silent (${direction ?? 'up and down'}) is noticed without any traffic`,
    async (t) => {
      const { shim, store, logs } = await startBench(t);
      shim.blackhole(direction);
      await logs.waitFor({ msg: 'store: the connection to Redis is lost' }, 5_000);
      // Now connections are made, but their handshakes are not answered.
      await sleep(1_200);
      shim.pass();
      t.true((await untilBack(store)) < BACK_MS);
    },
  );
}

for (const fault of ['halfClose', 'reset', 'cut'] as const) {
  test.serial(
    `[X11] redis: a connection that ends (${fault}) is made again without any traffic`,
    async (t) => {
      const { shim, store, logs } = await startBench(t);
      logs.clear();
      shim[fault]();
      await logs.waitFor({ msg: 'store: the connection to Redis is lost' }, 5_000);
      await logs.waitFor({ msg: 'store: connected to Redis' }, BACK_MS);
      t.deepEqual(await store.read(newKey()), [undefined]);
      t.is(shim.traffic.connections, 2);
    },
  );
}

test.serial('[D11] redis: close() ends what is under way as unavailable', async (t) => {
  const { shim, store } = await startBench(t);
  shim.blackhole();
  const calls = Array.from({ length: 20 }, (_, i) =>
    endsInTime(t, () => (i % 2 ? store.read(newKey()) : put(store, newKey(), 'x'))),
  );
  await store.close();
  await Promise.all(calls);
  const { error, ms } = await unavailable(t, () => store.ping());
  t.regex(error.detail!, /closed/);
  t.true(ms < AT_ONCE_MS);
  await t.notThrowsAsync(store.close(), 'twice');
});

test.serial(
  '[D11] redis: a stranger in the place of a record stops commits to it, whole and without harm',
  async (t) => {
    const { server, store } = await startBench(t);
    const sound = newKey();
    const strange = newKey('strange', sound.tag);
    const version = await put(store, sound, 'x');
    const name = `neonpanel-mcp:{${strange.tag}}:strange`;
    await server.command('RPUSH', name, 'a', 'b');
    await endsInTime(t, () =>
      store.commit([
        { key: sound, expect: { version }, put: 'half', lifetime: 60 },
        { key: strange, expect: 'any', put: 'y', lifetime: 60 },
      ]),
    );
    t.deepEqual(await store.read(sound), [{ value: 'x', version }]);
    t.deepEqual(await Array.fromAsync(store.keys('strange')), [strange]);
    await server.command('DEL', name);
    t.truthy(await put(store, strange, 'y'));
  },
);

test.serial('[D11] redis: a record that a stranger cut short can be replaced', async (t) => {
  const { server, store } = await startBench(t);
  for (const cut of ['', 'abc']) {
    const key = newKey();
    await server.command('SET', `neonpanel-mcp:{${key.tag}}:${key.kind}`, cut);
    t.is(await store.commit([{ key, expect: { version: 'other' }, remove: true }]), undefined);
    const version = await put(store, key, 'whole');
    t.deepEqual(await store.read(key), [{ value: 'whole', version }]);
  }
});

/** A call that can't be carried out, and whose caller is told in time. */
async function endsInTime(t: ExecutionContext, call: () => Promise<unknown>): Promise<void> {
  const { ms } = await unavailable(t, call);
  t.true(ms < CALL_MS, `${ms} ms`);
}

/** For 3 s; whoever asked for it has to wait as well, so nothing is asked behind it. */
async function pause(t: ExecutionContext, { port }: RedisServer, what: string): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.write(`CLIENT PAUSE 3000 ${what}\r\n`);
  t.is(String(await once(socket, 'data')), '+OK\r\n');
}
