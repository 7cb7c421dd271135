import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { freePort } from '../support/ports.ts';
import { type RedisServer, startRedis, until } from '../support/redis.ts';
import {
  newKey,
  openStore,
  put,
  startAddress,
  startShim,
  unavailable,
  untilBack,
  urlOf,
  valueOf,
} from './redis-support.ts';

/** A primary that becomes a replica: it says READONLY, and its address leads to the new primary sooner or later. */

/** Promised are 2 s; the rest is for a busy machine. */
const BACK_MS = 3_000;
/** A call ends after 1 s. */
const CALL_MS = 2_000;
const TOLD = /READONLY|leads to a replica/;

test('[X5] redis: while its primary is a replica reads go on, and commits are refused in time', async (t) => {
  const server = await start(t);
  const { store, logs } = await openStore(t, server.url);
  const key = newKey();
  const version = await put(store, key, 'x');
  await becomeReplica(server);
  for (let round = 0; round < 10; round++) {
    t.deepEqual(await store.read(key), [{ value: 'x', version }]);
    const commits = [
      () => put(store, newKey(), 'y'),
      () => store.commit([{ key, expect: { version }, remove: true }]),
      () => store.commit([{ key, expect: { version }, touch: 60 }]),
      () => store.ping(),
    ];
    for (const { error, ms } of await Promise.all(commits.map((c) => unavailable(t, c)))) {
      t.true(ms < CALL_MS, `${ms} ms`);
      t.regex(error.detail!, /READONLY|not connected/);
    }
  }
  await until('the operator is told', async () => TOLD.test(logs.text()));
  await becomePrimary(server);
  t.true((await untilBack(store)) < BACK_MS);
  t.deepEqual(await store.read(key), [{ value: 'x', version }]);
  t.truthy(await store.commit([{ key, expect: { version }, remove: true }]));
});

/** From Redis 7 on an error inside a script has its own code; before, it is wrapped. */
const WORDINGS: Record<string, (reply: string) => string> = {
  'as Redis 7 says it': (reply) => reply,
  'as Redis 6 says it': (reply) =>
    reply.replace(
      /-READONLY ([^\r\n]*?\.)( script: [^\r\n]*)?\r\n/g,
      '-ERR Error running script (call to f_0123456789abcdef0123456789abcdef01234567): ' +
        '@user_script:46: @user_script: 46: -READONLY $1\r\n',
    ),
};

for (const [wording, rewrite] of Object.entries(WORDINGS)) {
  test(`[X5] redis: the store leaves a primary that became a replica for the new one by itself (${wording})`, async (t) => {
    const [old, next] = [await start(t), await start(t)];
    const address = await startAddress(t, old, rewrite);
    const { store } = await openStore(t, urlOf(address));
    const key = newKey();
    const version = await put(store, key, 'x');
    await follow(next, old);
    await becomePrimary(next);
    await becomeReplica(old, next);
    t.is(await valueOf(store, key), 'x', 'the old connection is still open');
    t.is(address.connections(), 1);

    address.leadTo(next);
    const started = performance.now();
    const waited = () => performance.now() - started;
    // As whoever is told 503 does: again, until it is done. Nothing but commits tells the store.
    const overwrite = [{ key, expect: { version }, put: 'y', lifetime: 60 }] as const;
    while (!(await store.commit(overwrite).catch(() => undefined)) && waited() < 2 * BACK_MS) {
      await sleep(20);
    }
    t.true(waited() < BACK_MS, `${waited()} ms`);
    t.is(await valueOf(store, key), 'y');
    t.regex(await next.command('GET', nameOf(key.tag)), /y\r\n$/);
  });
}

test('[X5] redis: if the new primary is there at once, the commit that met the old one is done there', async (t) => {
  const [old, next] = [await start(t), await start(t)];
  const address = await startAddress(t, old);
  const { store } = await openStore(t, urlOf(address));
  const key = newKey();
  const version = await put(store, key, 'x');
  await follow(next, old);
  await becomePrimary(next);
  await becomeReplica(old, next);
  address.leadTo(next);
  t.truthy(await store.commit([{ key, expect: { version }, put: 'y', lifetime: 60 }]));
  t.is(address.connections(), 2);
});

test('[X5] redis: commits against a Redis that stays read-only make no storm of connections, and reads go on', async (t) => {
  const server = await start(t);
  const shim = await startShim(t, server);
  const { store } = await openStore(t, urlOf(shim));
  const key = newKey();
  await put(store, key, 'x');
  await becomeReplica(server);
  // Slow enough that reads are under way whenever the connection is made anew.
  shim.delay(25);
  const before = shim.traffic.connections;
  const outcomes: Promise<{ ms: number }>[] = [];
  const reads: Promise<string | undefined>[] = [];
  const started = performance.now();
  while (performance.now() - started < 5_000) {
    outcomes.push(unavailable(t, () => put(store, key, 'y')));
    reads.push(valueOf(store, key));
    await sleep(5);
  }
  const seconds = (performance.now() - started) / 1_000;
  const connections = shim.traffic.connections - before;
  const slowest = Math.max(...(await Promise.all(outcomes)).map(({ ms }) => ms));
  t.true(outcomes.length > 100, `${outcomes.length} commits`);
  t.true(connections >= 2, 'it goes on to look for the new primary');
  t.true(connections <= seconds + 2, `${connections} connections in ${seconds} s`);
  t.true(slowest < CALL_MS, `${slowest} ms`);
  t.deepEqual(new Set(await Promise.all(reads)), new Set(['x']));
  t.true(shim.traffic.open <= 2, `${shim.traffic.open} open connections`);
});

async function start(t: ExecutionContext): Promise<RedisServer> {
  // Whoever follows it need not wait for others who might.
  const server = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
  t.teardown(server.stop);
  return server;
}

/** @param primary nobody, unless it is given: what is stored remains */
async function becomeReplica(server: RedisServer, primary?: RedisServer): Promise<void> {
  await server.command('REPLICAOF', '127.0.0.1', `${primary?.port ?? (await freePort())}`);
}

async function becomePrimary(server: RedisServer): Promise<void> {
  await server.command('REPLICAOF', 'NO', 'ONE');
}

/** Waits until it has everything. */
async function follow(replica: RedisServer, primary: RedisServer): Promise<void> {
  await becomeReplica(replica, primary);
  await until('the replica has what the primary has', async () => {
    const size = await primary.command('DBSIZE');
    const info = await replica.command('INFO', 'replication');
    return info.includes('master_link_status:up') && (await replica.command('DBSIZE')) === size;
  });
}

const nameOf = (tag: string): string => `neonpanel-mcp:{${tag}}:record`;
