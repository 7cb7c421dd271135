import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import type { OpenStore } from '../../adapters/open-store.ts';
import { NotReplicated, type Store, type Write } from '../../adapters/store.ts';
import type { Logs } from '../support/logs.ts';
import { startRedisCluster } from '../support/redis-cluster.ts';
import { startRedisSentinels } from '../support/redis-sentinel.ts';
import { type RedisServer, startRedis, until } from '../support/redis.ts';
import { openStoreOn } from './redis-modes-support.ts';
import { newKey, openStore, urlOf } from './redis-support.ts';

/** What a Redis user must be allowed for this program, and that it is no more than that. */

const KEYS = '~neonpanel-mcp:*';
const COMMANDS = [
  ...['+ping', '+client|setname', '+info', '+time'],
  ...['+get', '+set', '+mget', '+scan', '+eval', '+evalsha'],
  // Inside the script.
  ...['+exists', '+getrange', '+del', '+persist', '+pexpire'],
  // Inside the script that counts for rate limits.
  ...['+incrby', '+pttl'],
];
/** Only for a database other than 0. */
const FOR_DATABASE = '+select';
/** Only where it has replicas. */
const FOR_REPLICAS = '+wait';
const FOR_CLUSTER = ['+cluster|slots', '+cluster|info', '+asking'];

/** At the sentinels themselves. */
const AT_SENTINELS = [
  ...['+sentinel|get-master-addr-by-name', '+sentinel|sentinels'],
  // For news of a failover.
  ...['+subscribe', '&+switch-master'],
];

/** The watchdog asks every 1.5 s. */
const WATCHED_MS = 2_000;

test('[D11] redis: a user needs these commands and keys, and not one less', async (t) => {
  const server = await startRedis({ persist: true });
  t.teardown(server.stop);
  const needed = [KEYS, ...COMMANDS, FOR_DATABASE];
  const lacking = ['nothing', ...needed];
  const users = await Promise.all(
    lacking.map(async (lacked, i) => {
      const rules = needed.filter((rule) => rule !== lacked);
      await addUser(server, `user${i}`, rules);
      return { lacked, user: `user${i}` };
    }),
  );
  const found: { lacked: string; user: string; failed: string[]; logs: Logs }[] = [];
  for (const { lacked, user } of users) {
    // Or the script would be known, and nobody would need to send it.
    await server.command('SCRIPT', 'FLUSH');
    const { store, logs } = await openStore(t, `${urlOf(server, `${user}:pw@`)}/1`);
    found.push({ lacked, user, failed: await useAll(store), logs });
  }
  await sleep(WATCHED_MS);
  const denials = await denialsAt(server);
  for (const { lacked, user, failed, logs } of found) {
    const warned = logs.entries().filter(({ level }) => Number(level) >= 40);
    const isDenied = denials.includes(`\r\n${user}\r\n`);
    const told = `without ${lacked}: ${failed.join(', ')} ${logs.text()}`;
    if (lacked === 'nothing') t.deepEqual([failed, warned, isDenied], [[], [], false], denials);
    else if (lacked === FOR_DATABASE) t.true(warned.length > 0, told);
    else t.true(isDenied, told);
  }
});

test('[D11] [X6] redis: where there are replicas a user needs WAIT, and without it works and is told of the risk', async (t) => {
  const server = await startRedis({ persist: true });
  t.teardown(server.stop);
  const follower = await startRedis({ args: ['--replicaof', '127.0.0.1', String(server.port)] });
  t.teardown(follower.stop);
  await until('the replica follows', async () =>
    (await server.command('INFO', 'replication')).includes('state=online'),
  );
  for (const [user, rules] of [
    ['with', [KEYS, ...COMMANDS, FOR_REPLICAS]],
    ['without', [KEYS, ...COMMANDS]],
  ] as const) {
    await addUser(server, user, [...rules]);
    const { store, logs } = await openStore(t, urlOf(server, `${user}:pw@`));
    for (let i = 0; i < 2; i++) {
      const write: Write = { key: newKey(), expect: 'absent', put: 'x', lifetime: 60 };
      t.truthy(await commitDurably(store, write));
    }
    const told = logs.entries().filter(({ msg }) => /wait for them.*NOPERM/.test(String(msg)));
    t.is(told.length, user === 'with' ? 0 : 1, logs.text());
  }
});

/** As a request does that is repeated: on a busy machine a replica may take more than its 100 ms. */
async function commitDurably(store: Store, write: Write): Promise<string | undefined> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await store.commit([write], { durable: true });
    } catch (error) {
      if (!(error instanceof NotReplicated) || attempt > 5) throw error;
      await sleep(1_000);
      await store.commit([{ key: write.key, expect: 'any', remove: true }]);
    }
  }
}

test('[D11] redis cluster: a user needs these commands, and not one less', async (t) => {
  const cluster = await startRedisCluster();
  t.teardown(cluster.stop);
  const needed = [KEYS, ...COMMANDS, ...FOR_CLUSTER];
  for (const [i, lacked] of ['nothing', ...FOR_CLUSTER].entries()) {
    const user = `user${i}`;
    for (const server of cluster.masters) {
      await addUser(
        server,
        user,
        needed.filter((rule) => rule !== lacked),
      );
    }
    const urls = cluster.masters.map((server) => urlOf(server, `${user}:pw@`));
    const { store } = await openStoreOn(t, { mode: 'cluster', urls });
    const failed = await useAll(store);
    const key = newKey();
    const owner = await cluster.ownerOf(`{${key.tag}}`);
    const move = await cluster.beginMove(
      `{${key.tag}}`,
      cluster.masters.find(({ id }) => id !== owner.id)!,
    );
    // It is not there, so its old owner answers ASK.
    await store.read(key).catch((error: unknown) => failed.push(String(error)));
    await move.moveRest();
    await move.finish();
    const denials = await denialsAt(...cluster.masters);
    const isDenied = denials.includes(`\r\n${user}\r\n`);
    if (lacked === 'nothing') t.deepEqual([failed, isDenied], [[], false], denials);
    else t.true(isDenied, `without ${lacked}: ${failed.join(', ')}`);
    await store.close();
  }
});

test('[D11] redis sentinel: at the sentinels a user needs these commands, and not one less', async (t) => {
  const { primary, replica, sentinels, urls, name, stop } = await startRedisSentinels();
  t.teardown(stop);
  const cases = ['nothing', ...AT_SENTINELS].map((lacked, i) => ({ lacked, user: `user${i}` }));
  const failed = await Promise.all(
    cases.map(async ({ lacked, user }) => {
      const rules = AT_SENTINELS.filter((rule) => rule !== lacked);
      for (const server of [primary, replica]) await addUser(server, user, [KEYS, ...COMMANDS]);
      for (const sentinel of sentinels) await addUser(sentinel, user, rules);
      const { store } = await openStoreOn(t, {
        mode: 'sentinel',
        sentinelName: name,
        urls: urls.map((url) => url.replace('//', `//${user}:pw@`)),
      });
      return useAll(store);
    }),
  );
  await sleep(WATCHED_MS);
  const denials = await denialsAt(primary, replica, ...sentinels);
  for (const [i, { lacked, user }] of cases.entries()) {
    const isDenied = denials.includes(`\r\n${user}\r\n`);
    if (lacked === 'nothing') t.deepEqual([failed[i], isDenied], [[], false], denials);
    else t.true(isDenied, `without ${lacked}: ${failed[i]!.join(', ')}`);
  }
});

/** Everything that was refused for want of a permission. */
async function denialsAt(...servers: RedisServer[]): Promise<string> {
  return (await Promise.all(servers.map((s) => s.command('ACL', 'LOG', '1000')))).join('');
}

async function addUser(server: RedisServer, name: string, rules: string[]): Promise<void> {
  const base = ['on', '>pw', 'resetchannels', '-@all'];
  const reply = await server.command('ACL', 'SETUSER', name, ...base, ...rules);
  if (!reply.startsWith('+OK')) throw new Error(reply);
}

/** Every verb of the store, and every kind of write. @returns what failed */
async function useAll(store: Store): Promise<string[]> {
  const failed: string[] = [];
  const attempt = async <T>(what: string, call: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await call();
    } catch {
      failed.push(what);
      return undefined;
    }
  };
  const key = newKey();
  const more = newKey('more', key.tag);
  const commit = (what: string, ...writes: Write[]) => attempt(what, () => store.commit(writes));
  const first = await commit('put', { key, expect: 'absent', put: 'x', lifetime: 60 });
  const second = await commit(
    'put with a version',
    { key, expect: { version: `${first}` }, put: 'y', lifetime: 'keep' },
    { key: more, expect: 'any', put: 'z', lifetime: 'forever' },
  );
  const expect = { version: `${second}` };
  await commit('touch', { key, expect, touch: 90 });
  await commit('touch forever', { key, expect, touch: 'forever' });
  await commit(
    'a commit of everything',
    { key, expect, touch: 30 },
    { key: more, expect: 'any', remove: true },
  );
  await attempt('read', () => store.read(key, more, newKey()));
  await attempt('keys', () => Array.fromAsync(store.keys(key.kind)));
  await commit('remove', { key, expect, remove: true });
  await attempt('ping', () => store.ping());
  await attempt('count', async () => (store as OpenStore).shared!.add(key.tag, 1, 60_000));
  return failed;
}
