import { once } from 'node:events';
import { createServer } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { makeCertificates } from '../support/certificates.ts';
import { freePort } from '../support/ports.ts';
import { startRedisCluster } from '../support/redis-cluster.ts';
import { startRedisSentinels } from '../support/redis-sentinel.ts';
import { type RedisOptions, startRedis } from '../support/redis.ts';
import { openStoreOn, type RedisConfig, runChild } from './redis-modes-support.ts';
import { allOf, newKey, put, unavailable, untilBack, urlOf, valueOf } from './redis-support.ts';

/** Who may speak to Redis, and how: TLS, users and passwords, databases, IPv6. */

/** A call ends after 1 s; the rest is for a busy machine. */
const CALL_MS = 3_000;
const NOT_TRUSTED = /self-signed certificate|unable to verify|unable to get local issuer/;

const certificates = await makeCertificates();
test.after.always(() => certificates.remove());

for (const mode of ['single', 'cluster', 'sentinel'] as const) {
  test(`[D11] redis ${mode}: TLS with a private authority works if Node trusts it`, async (t) => {
    const config = await startTls(t, mode);
    const child = await runChild(config, { NODE_EXTRA_CA_CERTS: certificates.caFile });
    t.is(child.code, 0, child.output);
    t.regex(child.output, /^done$/m);
  });

  test(`[D11] [X2] redis ${mode}: with a certificate that is not trusted Redis is unavailable, and the log says why`, async (t) => {
    const config = await startTls(t, mode);
    const { store, logs } = await openStoreOn(t, config);
    const { ms } = await unavailable(t, () => put(store, newKey(), 'x'));
    t.true(ms < CALL_MS, `${ms} ms`);
    await unavailable(t, () => store.ping());
    const problems = logs.find({ msg: 'store: Redis cannot be reached' });
    t.true(problems.length > 0);
    for (const { problem } of problems) t.regex(String(problem), NOT_TRUSTED);
    const child = await runChild(config);
    t.is(child.code, 3, `it ends in an orderly way: ${child.output}`);
  });
}

test('[D11] [X2] redis sentinel: what the sentinels refuse is in the log, without the password', async (t) => {
  const { urls, name, stop } = await startRedisSentinels();
  t.teardown(stop);
  const withUser = urls.map((url) => url.replace('//', '//user:secret-word@'));
  for (const [config, why] of [
    [{ urls, sentinelName: 'another' }, /No such master/],
    [{ urls: withUser, sentinelName: name }, /WRONGPASS/],
  ] as const) {
    const { store, logs } = await openStoreOn(t, { mode: 'sentinel', ...config });
    const { error } = await unavailable(t, () => store.ping());
    t.regex(error.detail!, why);
    const problems = logs.find({ msg: 'store: Redis cannot be reached' });
    t.regex(problems.map(({ problem }) => problem).join('\n'), why);
    t.deepEqual(logs.leaked(['secret-word']), []);
  }
});

/** Everything that means something in a URL, in a command, in a configuration file, or in a shell. */
const ODD = `p@ss:w/o?r#d&%41%zz+[]{}\\"'\`$(x)*!~^;,=<>| \t-é漢🙂`;

for (const mode of ['single', 'cluster'] as const) {
  test(`[D11] redis ${mode}: a user whose name and password are full of odd characters`, async (t) => {
    const [servers, urls] = await startServers(t, mode);
    const user = 'us:er@x/é%41';
    // A user for what the store does, and for no more.
    for (const server of servers) {
      const rules = ['on', 'resetkeys', '~neonpanel-mcp:*', '+@all', `>${ODD}`];
      t.is(await server.command('ACL', 'SETUSER', user, ...rules), '+OK\r\n');
      t.is(await server.command('ACL', 'SETUSER', 'default', 'off'), '+OK\r\n');
    }
    const withUser = (password: string) =>
      urls.map((url) =>
        url.replace('//', `//${encodeURIComponent(user)}:${encodeURIComponent(password)}@`),
      );
    const { store, logs } = await openStoreOn(t, { mode, urls: withUser(ODD) });
    const key = newKey();
    await put(store, key, 'x');
    t.is(await valueOf(store, key), 'x');
    t.deepEqual(await Array.fromAsync(store.keys('record')), [key]);
    t.deepEqual(logs.leaked(secretForms(ODD)), []);

    const wrong = `${ODD} and more`;
    const stranger = await openStoreOn(t, { mode, urls: withUser(wrong) });
    const { error, ms } = await unavailable(t, () => put(stranger.store, key, 'y'));
    t.true(ms < CALL_MS, `${ms} ms`);
    const [told] = stranger.logs.find({ msg: 'store: Redis cannot be reached' });
    t.regex(String(told?.['problem']), /WRONGPASS/);
    t.deepEqual(stranger.logs.leaked(secretForms(ODD)), []);
    for (const secret of secretForms(ODD)) t.false(allOf(error).includes(secret));
    t.is(await valueOf(store, key), 'x');
  });
}

test('[D11] redis: a password without a user, none where one is needed, and one that is set later', async (t) => {
  const server = await startServer(t, {
    args: ['--requirepass', 'secret%41'],
    auth: ['secret%41'],
  });
  const { store } = await openStoreOn(t, {
    mode: 'single',
    urls: [urlOf(server, ':secret%2541@')],
  });
  t.truthy(await put(store, newKey(), 'x'));
  const without = await openStoreOn(t, { mode: 'single', urls: [server.url] });
  const { error } = await unavailable(t, () => without.store.read(newKey()));
  t.regex(error.detail!, /NOAUTH/);
  await without.logs.waitFor({ msg: `store: Redis refuses to work (${error.detail}).` });

  await server.command('CONFIG', 'SET', 'requirepass', '');
  t.true((await untilBack(without.store)) < CALL_MS, 'it needs no restart');
});

test('[D11] redis: a password with a % that should have been encoded', async (t) => {
  const server = await startServer(t, { args: ['--requirepass', '100%zz'], auth: ['100%zz'] });
  for (const password of ['100%25zz', '100%zz']) {
    const urls = [urlOf(server, `:${password}@`)];
    const { store } = await openStoreOn(t, { mode: 'single', urls });
    t.truthy(await put(store, newKey(), 'x'));
  }
});

test('[D11] redis: a database of its own', async (t) => {
  const server = await startServer(t);
  const open = async (path: string) =>
    (await openStoreOn(t, { mode: 'single', urls: [`${server.url}${path}`] })).store;
  const [zero, none, five] = [await open('/0'), await open(''), await open('/5')];
  const key = newKey();
  await put(five, key, 'x');
  t.is(await valueOf(zero, key), undefined);
  await put(none, key, 'y');
  t.is(await valueOf(zero, key), 'y');
  t.is(await valueOf(await open('/5'), key), 'x');
  t.is((await Array.fromAsync(five.keys('record'))).length, 1);
  // Also after the connection was made anew.
  await server.command('CLIENT', 'KILL', 'TYPE', 'normal');
  await untilBack(five);
  t.is(await valueOf(five, key), 'x');
});

test('[D11] redis: nothing lands in another database when the one that is named is not there', async (t) => {
  const server = await startServer(t, { args: ['--databases', '2'] });
  const { store, logs } = await openStoreOn(t, { mode: 'single', urls: [`${server.url}/2`] });
  for (let round = 0; round < 5; round++) {
    const { error } = await unavailable(t, () => put(store, newKey(), 'x'));
    t.regex(error.detail!, /DB index is out of range/);
  }
  t.is(await server.command('DBSIZE'), ':0\r\n');
  t.is(logs.find({ msg: 'store: Redis cannot be reached' }).length, 1);
  t.deepEqual(logs.find({ msg: 'store: connected to Redis' }), []);
});

test('[D11] redis: IPv6', async (t) => {
  const probe = createServer().listen(0, '::1');
  const hasIpv6 = await Promise.race([
    once(probe, 'listening').then(() => true),
    once(probe, 'error').then(() => false),
  ]);
  probe.close();
  if (!hasIpv6) return t.pass('this machine has no IPv6');
  const server = await startServer(t, { args: ['--bind', '127.0.0.1', '::1'] });
  const urls = [`redis://[::1]:${server.port}/3`];
  const { store } = await openStoreOn(t, { mode: 'single', urls });
  const key = newKey();
  await put(store, key, 'x');
  t.is(await valueOf(store, key), 'x');
  const clients = await server.command('CLIENT', 'LIST');
  t.regex(clients, /addr=\[::1\]:\d+ .*name=neonpanel-mcp.* db=3 /);
});

async function startServer(t: ExecutionContext, options: RedisOptions = {}) {
  const server = await startRedis(options);
  t.teardown(server.stop);
  return server;
}

async function startServers(t: ExecutionContext, mode: 'single' | 'cluster') {
  if (mode === 'single') {
    const server = await startServer(t);
    return [[server], [server.url]] as const;
  }
  const cluster = await startRedisCluster();
  t.teardown(cluster.stop);
  return [cluster.masters, cluster.urls] as const;
}

/** @returns what is reached with TLS only */
async function startTls(
  t: ExecutionContext,
  mode: RedisConfig['mode'],
): Promise<Omit<RedisConfig, 'kind'>> {
  if (mode === 'single') {
    const port = await freePort();
    await startServer(t, { args: certificates.redisArgs(port) });
    // By a name: it must be one that the certificate is for.
    return { mode, urls: [`rediss://localhost:${port}`] };
  }
  const start = { cluster: startRedisCluster, sentinel: startRedisSentinels }[mode];
  const redis = await start({ certificates });
  t.teardown(redis.stop);
  const sentinelName = 'name' in redis ? redis.name : undefined;
  return { mode, urls: redis.urls, ...(sentinelName && { sentinelName }) };
}

const secretForms = (secret: string): string[] => [
  secret,
  encodeURIComponent(secret),
  JSON.stringify(secret).slice(1, -1),
  secret.slice(0, 12),
];
