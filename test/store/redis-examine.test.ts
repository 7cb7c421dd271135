import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { openRedisStore } from '../../adapters/redis/redis.ts';
import type { Logs } from '../support/logs.ts';
import { type RedisOptions, type RedisServer, startRedis, until } from '../support/redis.ts';
import { newKey, openStore, put, unavailable, untilBack, urlOf, valueOf } from './redis-support.ts';

/** What the store says of a Redis that would lose records, and of records that a newer version wrote. */

/** A Redis to which nothing is to be said. */
const SOUND: RedisOptions = { persist: true };

const EVICTING = [
  ...['allkeys-lru', 'allkeys-lfu', 'allkeys-random'],
  ...['volatile-lru', 'volatile-lfu', 'volatile-random', 'volatile-ttl'],
];
const POLICY = (name: string): string =>
  `store: Redis removes records when its memory is full (maxmemory-policy ${name}): users lose their connections. Set maxmemory-policy noeviction.`;
const NOT_DURABLE =
  'store: Redis has neither an append-only file nor a replica: when it restarts, users lose their connections. Set appendonly yes.';
const REPLICA = 'store: REDIS_URL leads to a replica, which takes no writes.';

const SCHEMA = 'neonpanel-mcp:{store}:schema';
const NEWER =
  'a newer version of this program wrote the records (schema 2, this one knows 1); run the newer version';

test('[X10] redis: a sound configuration is not warned of, however often it is connected', async (t) => {
  const server = await start(t, SOUND);
  const { store, logs } = await openStore(t, server.url);
  for (let round = 0; round < 3; round++) await reconnect(server, logs);
  await put(store, newKey(), 'x');
  t.deepEqual(warnings(logs), []);
});

test('[X10] redis: every policy that removes records is warned of at start, and whenever it is set', async (t) => {
  const server = await start(t, { ...SOUND, args: ['--maxmemory-policy', EVICTING[0]!] });
  const { store, logs } = await openStore(t, server.url);
  t.deepEqual(warnings(logs), [POLICY(EVICTING[0]!)]);
  for (const policy of EVICTING.slice(1)) {
    await server.command('CONFIG', 'SET', 'maxmemory-policy', policy);
    await reconnect(server, logs);
    t.deepEqual(warnings(logs), [POLICY(policy)]);
    t.truthy(await put(store, newKey(), 'x'), 'it is a warning only');
  }
  // What was said once is not said again.
  for (const policy of [...EVICTING, 'noeviction']) {
    await server.command('CONFIG', 'SET', 'maxmemory-policy', policy);
    await reconnect(server, logs);
    t.deepEqual(warnings(logs), []);
  }
});

test('[X10] redis: neither an append-only file nor a replica is warned of, once; a replica is enough', async (t) => {
  const server = await start(t);
  const { logs } = await openStore(t, server.url);
  t.deepEqual(warnings(logs), [NOT_DURABLE]);
  await reconnect(server, logs);
  t.deepEqual(warnings(logs), []);

  const replica = await start(t, { args: ['--replicaof', '127.0.0.1', String(server.port)] });
  await until('the replica is known', async () =>
    (await server.command('INFO', 'replication')).includes('connected_slaves:1'),
  );
  const replicated = await openStore(t, server.url);
  t.deepEqual(warnings(replicated.logs), []);
  await replica.stop();
});

test('[X10] redis: an address that leads to a replica is warned of, once', async (t) => {
  const primary = await start(t, { ...SOUND, args: ['--repl-diskless-sync-delay', '0'] });
  const { store: writer } = await openStore(t, primary.url);
  const key = newKey();
  await put(writer, key, 'x');
  const replica = await start(t, {
    ...SOUND,
    args: ['--replicaof', '127.0.0.1', String(primary.port)],
  });
  await until('the replica has the records', async () =>
    (await replica.command('DBSIZE')).includes(':2'),
  );
  const { store, logs } = await openStore(t, replica.url);
  t.is(await valueOf(store, key), 'x');
  await unavailable(t, () => put(store, key, 'y'));
  await logs.waitFor({ msg: REPLICA });
  await sleep(2_500);
  t.is(logs.find({ msg: REPLICA }).length, 1);
});

test('[X10] redis: a Redis that does not say how it is configured works, and that is said once', async (t) => {
  const server = await start(t);
  await server.command('ACL', 'SETUSER', 'plain', 'on', '>pw', '~*', '+@all', '-info');
  const { store, logs } = await openStore(t, urlOf(server, 'plain:pw@'));
  const [warning, ...more] = warnings(logs);
  t.regex(
    String(warning),
    /^store: Redis does not say how it is configured \(NOPERM .*info.*\)\.$/,
  );
  t.deepEqual(more, []);
  await reconnect(server, logs);
  t.deepEqual(warnings(logs), []);
  const key = newKey();
  await put(store, key, 'x');
  t.is(await valueOf(store, key), 'x');
});

test('[D11] redis: records of a newer version keep the store from opening, with one clear line', async (t) => {
  const server = await start(t);
  for (const newer of ['2', '10', '99']) {
    await server.command('SET', SCHEMA, newer);
    const config = { kind: 'redis', mode: 'single', urls: [server.url] } as const;
    await t.throwsAsync(openRedisStore({ config }), {
      message: `Cannot use the store in Redis: ${NEWER.replace('schema 2', `schema ${newer}`)}.`,
    });
    t.regex(
      await server.command('GET', SCHEMA),
      new RegExp(`\r\n${newer}\r\n`),
      'it is left alone',
    );
  }
  await until(
    'no connection is left',
    async () => !(await clients(server)).includes('neonpanel-mcp'),
  );
});

test('[D11] redis: a store that is marked as newer later says 503 and one error, until it is not', async (t) => {
  const server = await start(t);
  const { store, logs } = await openStore(t, server.url);
  const key = newKey();
  await put(store, key, 'x');
  await server.command('SET', SCHEMA, '2');
  await reconnect(server, logs);
  t.is(logs.only({ level: 50 })['msg'], `store: ${NEWER}`);
  const keys = () => Array.fromAsync(store.keys('record'));
  for (const call of [
    () => store.read(key),
    () => put(store, key, 'y'),
    keys,
    () => store.ping(),
  ]) {
    const { error } = await unavailable(t, call);
    t.is(error.detail, `redis: ${NEWER}`);
  }
  await server.command('SET', SCHEMA, '1');
  await server.command('CLIENT', 'KILL', 'TYPE', 'normal');
  await untilBack(store);
  t.is(await valueOf(store, key), 'x');
});

test('[D11] redis: a Redis that appears later with newer records is refused as well', async (t) => {
  const server = await start(t, SOUND);
  await server.command('SET', SCHEMA, '2');
  await server.kill();
  const { store, logs } = await openStore(t, server.url);
  await unavailable(t, () => put(store, newKey(), 'x'));
  await server.start();
  await logs.waitFor({ level: 50, msg: `store: ${NEWER}` });
  const { error } = await unavailable(t, () => put(store, newKey(), 'x'));
  t.is(error.detail, `redis: ${NEWER}`);
  t.is(await server.command('DBSIZE'), ':1\r\n');
});

test('[D11] redis: records of a newer version are recognised although Redis takes no writes', async (t) => {
  const server = await start(t);
  await server.command('SET', SCHEMA, '2');
  await server.command('CONFIG', 'SET', 'maxmemory', '1');
  const config = { kind: 'redis', mode: 'single', urls: [server.url] } as const;
  await t.throwsAsync(
    async () => {
      const store = await openRedisStore({ config });
      t.teardown(() => store.close());
    },
    { message: `Cannot use the store in Redis: ${NEWER}.` },
  );
});

test('[D11] redis: an empty store is marked, also when it was emptied; an older mark is no hindrance', async (t) => {
  const server = await start(t);
  const { store, logs } = await openStore(t, server.url);
  t.is(await server.command('GET', SCHEMA), '$1\r\n1\r\n');
  t.is(await server.command('TTL', SCHEMA), ':-1\r\n', 'forever');
  await server.command('FLUSHALL');
  await reconnect(server, logs);
  t.is(await server.command('GET', SCHEMA), '$1\r\n1\r\n');
  await server.command('SET', SCHEMA, '0');
  await reconnect(server, logs);
  t.truthy(await put(store, newKey(), 'x'));
  const late = await openStore(t, server.url);
  t.truthy(await put(late.store, newKey(), 'x'));
});

async function start(t: ExecutionContext, options: RedisOptions = {}): Promise<RedisServer> {
  const server = await startRedis(options);
  t.teardown(server.stop);
  return server;
}

/** The words of every line that is not only for information. */
const warnings = (logs: Logs): string[] =>
  logs
    .entries()
    .filter(({ level, msg }) => Number(level) >= 40 && msg !== LOST)
    .map(({ msg }) => String(msg));

const LOST = 'store: the connection to Redis is lost';

/** Has the connection made anew and Redis examined; forgets what was logged before. */
async function reconnect(server: RedisServer, logs: Logs): Promise<void> {
  logs.clear();
  await server.command('CLIENT', 'KILL', 'TYPE', 'normal');
  await logs.waitFor({ msg: 'store: connected to Redis' });
  // It asks one thing after the other, and then nothing.
  for (let last = '', now = ''; !now || now !== last; last = now, now = await lastAsked(server)) {
    await sleep(50);
  }
}

/** Which command of the store Redis saw last; empty while that is not one of the examination. */
async function lastAsked(server: RedisServer): Promise<string> {
  return /name=neonpanel-mcp .* cmd=(set|get|info|ping) /.exec(await clients(server))?.[1] ?? '';
}

const clients = (server: RedisServer): Promise<string> => server.command('CLIENT', 'LIST');
