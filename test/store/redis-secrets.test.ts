import { randomUUID } from 'node:crypto';
import test from 'ava';
import type { Store } from '../../adapters/store.ts';
import { StoreUnavailable } from '../../errors.ts';
import { freePort } from '../support/ports.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import type { TcpShim } from '../support/tcp-shim.ts';
import { allOf, openStore, put, startAddress, startShim, urlOf } from './redis-support.ts';

/**
 * Nothing private escapes, however Redis fails: neither what a record holds, nor whose it is, nor the password. ioredis
 * hangs the whole command on its errors, and Redis repeats arguments of commands it does not know.
 */

const VALUE = `canary-value-${randomUUID()}`;
const TAG = `canary-tag-${randomUUID()}`;
const PASSWORD = `canary/password+${randomUUID()}`;
const CANARIES = [VALUE, TAG, PASSWORD].flatMap((secret) => [
  secret,
  encodeURIComponent(secret),
  Buffer.from(secret).toString('base64'),
  // Also when it was cut to a length.
  secret.slice(0, 20),
]);

interface World {
  readonly server: RedisServer;
  readonly shim: TcpShim;
  readonly store: Store;
}

interface Failure {
  readonly title: string;
  readonly args?: readonly string[];
  /** What comes back from Redis in the place of its replies. */
  readonly rewrite?: (reply: string) => string;
  /** Instead of the right one. */
  readonly password?: string;
  /** Done once the record is there, if it can be. */
  readonly begin?: (world: World) => unknown;
}

const record = { tag: TAG, kind: 'record' };
const NAME = `neonpanel-mcp:{${TAG}}:record`;

const FAILURES: readonly Failure[] = [
  { title: 'nobody answers', begin: ({ shim }) => shim.blackhole() },
  { title: 'every reply is lost', begin: ({ shim }) => shim.swallowReply(() => true) },
  { title: 'the connection breaks in the middle of a reply', begin: ({ shim }) => cutAgain(shim) },
  { title: 'nobody is there', begin: ({ shim }) => shim.down() },
  {
    title: 'its memory is full',
    begin: ({ server }) => server.command('CONFIG', 'SET', 'maxmemory', '1'),
  },
  {
    title: 'it is a replica',
    begin: async ({ server }) => server.command('REPLICAOF', '127.0.0.1', `${await freePort()}`),
  },
  {
    title: 'the user may run nothing',
    begin: ({ server }) => server.command('ACL', 'SETUSER', 'default', '-@all', '+acl', '+auth'),
  },
  {
    title: 'the user may not run scripts, nor read',
    begin: ({ server }) =>
      server.command('ACL', 'SETUSER', 'default', '-evalsha', '-eval', '-mget', '-scan', '-set'),
  },
  {
    title: 'the user may not touch our keys',
    begin: ({ server }) => server.command('ACL', 'SETUSER', 'default', 'resetkeys', '~other:*'),
  },
  {
    title: 'the script fails at a stranger in the place of the record',
    begin: async ({ server }) => {
      await server.command('DEL', NAME);
      await server.command('RPUSH', NAME, VALUE);
    },
  },
  {
    title: 'it does not know the commands, and repeats their arguments',
    args: ['evalsha', 'eval', 'mget', 'scan', 'set'].flatMap((command) => [
      '--rename-command',
      command,
      `hidden-${command}`,
    ]),
  },
  {
    title: 'it repeats arguments as Redis 6 does',
    rewrite: () =>
      `-ERR unknown command \`evalsha\`, with args beginning with: \`${NAME}\`, \`${VALUE}\`, \r\n`,
  },
  {
    title: 'it speaks something else',
    rewrite: (reply) => (reply.includes(VALUE) ? `${VALUE}\r\n` : `HTTP/1.1 400 ${TAG}\r\n\r\n`),
  },
  { title: 'the password is wrong', password: `${PASSWORD} and more` },
  {
    title: 'a newer version wrote the records',
    begin: async ({ server, shim }) => {
      await server.command('SET', 'neonpanel-mcp:{store}:schema', '2');
      shim.cut();
    },
  },
  { title: 'the store is closed', begin: ({ store }) => store.close() },
];

for (const { title, args = [], rewrite, password = PASSWORD, begin } of FAILURES) {
  test(`[D11] redis: nothing private escapes when ${title}`, async (t) => {
    const server = await startRedis({
      args: ['--requirepass', PASSWORD, ...args],
      auth: [PASSWORD],
    });
    t.teardown(server.stop);
    const shim = await startShim(t, server);
    const address = rewrite ? await startAddress(t, shim, rewrite) : shim;
    const url = urlOf(address, `:${encodeURIComponent(password)}@`);
    const { store, logs } = await openStore(t, url);
    await put(store, record, VALUE).catch(() => {});
    await begin?.({ server, shim, store });

    const calls: (() => Promise<unknown>)[] = [
      () => put(store, record, `${VALUE} anew`),
      () => store.commit([{ key: record, expect: { version: VALUE }, remove: true }]),
      () => store.read(record),
      () => Array.fromAsync(store.keys('record')),
      () => store.ping(),
    ];
    let failed = 0;
    for (const call of calls) {
      const error = await call().then(
        () => undefined,
        (thrown: Error) => thrown,
      );
      if (!error) continue;
      failed++;
      t.true(error instanceof StoreUnavailable, String(error));
      const shown = allOf(error);
      t.deepEqual(
        CANARIES.filter((canary) => shown.includes(canary)),
        [],
        shown,
      );
    }
    t.true(failed > 0, 'it does fail');
    t.deepEqual(logs.leaked(CANARIES), [], logs.text());
    // Otherwise this test would find nothing in them.
    t.true(logs.entries().length > 0);
  });
}

/** Whatever is asked, its answer breaks off. */
function cutAgain(shim: TcpShim): void {
  shim.cutAfter(3, 'down');
  shim.swallowReply((request) => {
    shim.cutAfter(3, 'down');
    return request.length < 0;
  });
}
