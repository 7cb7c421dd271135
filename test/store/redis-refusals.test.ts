import { randomUUID } from 'node:crypto';
import { mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import type { Key, Store, Write } from '../../adapters/store.ts';
import type { StoreUnavailable } from '../../errors.ts';
import { type RedisServer, startRedis, until } from '../support/redis.ts';
import {
  beside,
  commitsSeen,
  newKey,
  openStore,
  put,
  startBench,
  unavailable,
  untilBack,
  urlOf,
  valueOf,
} from './redis-support.ts';

/** A Redis that answers, but refuses: its memory is full, it cannot save, it is loading, or the user may not. */

/** Promised are 2 s; the rest is for a busy machine. */
const BACK_MS = 3_000;
/** A call ends after 1 s. */
const CALL_MS = 2_000;

test.serial(
  '[X9] redis: while its memory is full what adds is refused, whole; what removes, and reads, go on',
  async (t) => {
    const { server, store } = await startBench(t);
    const records = await Promise.all(Array.from({ length: 4 }, () => newRecord(store)));
    const [one, two, three, four] = records as [Stored, Stored, Stored, Stored];
    await server.command('CONFIG', 'SET', 'maxmemory', '1');
    for (const writes of additions(one)) {
      await refused(t, /OOM/, () => store.commit(writes));
      t.deepEqual(await store.read(one.key, beside(one.key)), [one.entry, undefined]);
    }
    await refused(t, /OOM/, () => store.ping());
    t.deepEqual(await Array.fromAsync(store.keys(one.key.kind)), [one.key]);

    t.truthy(await store.commit([{ ...expected(two), remove: true }]), 'a removal with a version');
    t.truthy(await store.commit([{ key: three.key, expect: 'any', remove: true }]));
    t.truthy(await store.commit([{ ...expected(four), touch: 600 }]), 'a lifetime takes no memory');
    t.deepEqual(await store.read(two.key, three.key), [undefined, undefined]);
    t.is(await store.commit([{ ...expected(two), remove: true }]), undefined, 'gone is gone');

    await server.command('CONFIG', 'SET', 'maxmemory', '0');
    for (const writes of additions(four).slice(0, 2)) t.truthy(await store.commit(writes));
    await t.notThrowsAsync(store.ping());
  },
);

test.serial(
  '[X9] redis: a commit is done once although its reply is lost and the memory then is full',
  async (t) => {
    const { server, shim, store } = await startBench(t);
    const record = await newRecord(store);
    const before = await commitsSeen(server);
    shim.blackhole('down');
    const commit = store.commit([{ ...expected(record), put: 'new', lifetime: 60 }]);
    await until('it is done', async () => (await commitsSeen(server)) > before);
    await server.command('CONFIG', 'SET', 'maxmemory', '1');
    shim.cut();
    shim.pass();
    const version = await commit;
    t.is((await commitsSeen(server)) - before, 2);
    t.deepEqual(await store.read(record.key), [{ value: 'new', version: version! }]);
  },
);

test.serial(
  '[X9] redis: while it cannot save (MISCONF) every commit is refused, and reads go on',
  async (t) => {
    const { server, store } = await startBench(t);
    const record = await newRecord(store);
    // A directory where the snapshot should go: like a full disk it fails at the very end, and root is not spared.
    const [, directory = ''] =
      (await server.command('CONFIG', 'GET', 'dir')).match(/(\/\S+)/) ?? [];
    const obstacle = join(directory, 'dump.rdb');
    await mkdir(obstacle);
    await server.command('CONFIG', 'SET', 'save', '3600 1000000');
    await save(server, 'err');
    const removal: Write[] = [{ ...expected(record), remove: true }];
    for (const writes of [...additions(record), removal]) {
      await refused(t, /MISCONF/, () => store.commit(writes));
      t.deepEqual(await store.read(record.key, beside(record.key)), [record.entry, undefined]);
    }
    await refused(t, /MISCONF/, () => store.ping());

    await rmdir(obstacle);
    await save(server, 'ok');
    t.true((await untilBack(store)) < BACK_MS);
    t.truthy(await store.commit(removal));
  },
);

test.serial(
  '[X3] redis: while it is loading its records (LOADING) calls are refused in time, and none is lost',
  async (t) => {
    // It takes its time for each key, and looks at its connections behind each.
    const slowly = [
      ...['--key-load-delay', '20000'],
      ...['--loading-process-events-interval-bytes', '1024', '--rdbcompression', 'no'],
    ];
    const server = await startRedis({ args: slowly });
    t.teardown(server.stop);
    const { store } = await openStore(t, server.url);
    const keys = Array.from({ length: 150 }, () => newKey());
    await Promise.all(keys.map((key) => put(store, key, 'x'.repeat(1_000))));
    await server.command('SAVE');
    await server.kill();
    const started = server.start();
    const details: string[] = [];
    let isStarting = true;
    void started.finally(() => (isStarting = false));
    while (isStarting) {
      const calls = [() => store.read(keys[0]!), () => put(store, newKey(), 'y')];
      const endings = await Promise.all(calls.map((call) => ending(call)));
      for (const { detail, ms } of endings) {
        t.true(ms < CALL_MS, `${ms} ms`);
        if (detail) details.push(detail);
      }
      await sleep(20);
    }
    await started;
    t.true(
      details.some((detail) => detail.includes('LOADING')),
      details.join('\n'),
    );
    t.true((await untilBack(store)) < BACK_MS);
    t.false((await store.read(...keys)).includes(undefined));
  },
);

test.serial(
  '[X2] redis: a password that is changed refuses calls in time; once it is right again all is well',
  async (t) => {
    const server = await startRedis({ args: ['--requirepass', 'first'], auth: ['first'] });
    t.teardown(server.stop);
    await server.command('ACL', 'SETUSER', 'app', 'on', '>first', '~*', '+@all');
    const { store, logs } = await openStore(t, urlOf(server, 'app:first@'));
    const { key } = await newRecord(store);
    await server.command('ACL', 'SETUSER', 'app', 'resetpass', '>second');
    await server.command('CLIENT', 'KILL', 'USER', 'app');
    await logs.waitFor({ msg: 'store: the connection to Redis is lost' });
    await refused(t, /WRONGPASS/, () => store.read(key));
    await refused(t, /WRONGPASS/, () => put(store, key, 'y'));
    await sleep(1_500);
    const problems = logs.find({ msg: 'store: Redis cannot be reached' });
    t.is(problems.length, 1, 'said once, however often it is tried');
    t.regex(String(problems[0]?.['problem']), /^WRONGPASS/);

    await server.command('ACL', 'SETUSER', 'app', '>first');
    t.true((await untilBack(store)) < BACK_MS);
    t.is(await valueOf(store, key), 'old');
  },
);

/** What a user is not allowed, what fails then, and what works all the same. */
const FORBIDDEN: Record<string, { rules: string[]; fails: Call[]; works: Call[] }> = {
  'to set': { rules: ['-set'], fails: ['put', 'ping'], works: ['read', 'keys'] },
  'to run scripts': {
    rules: ['-eval', '-evalsha'],
    fails: ['put'],
    works: ['read', 'keys', 'ping'],
  },
  'to read': { rules: ['-mget'], fails: ['read'], works: ['put', 'keys', 'ping'] },
  'to look for keys': { rules: ['-scan'], fails: ['keys'], works: ['put', 'read', 'ping'] },
  'to touch our keys': {
    rules: ['resetkeys', '~other:*'],
    fails: ['put', 'read', 'ping'],
    works: ['keys'],
  },
  anything: { rules: ['-@all'], fails: ['put', 'read', 'keys', 'ping'], works: [] },
};
/** Inside a script it has other words. */
const NOT_ALLOWED = /NOPERM|can't run this command/;
type Call = 'put' | 'read' | 'keys' | 'ping';

for (const [what, { rules, fails, works }] of Object.entries(FORBIDDEN)) {
  test.serial(
    `[D11] redis: a user who is not allowed ${what} is told so at once, and the log repeats no argument`,
    async (t) => {
      const server = await startRedis({ persist: true });
      t.teardown(server.stop);
      await server.command('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '+@all');
      const { store, logs } = await openStore(t, urlOf(server, 'app:secret@'));
      const key = newKey();
      await put(store, key, 'old');
      await server.command('ACL', 'SETUSER', 'app', ...rules);
      const calls: Record<Call, () => Promise<unknown>> = {
        put: () => put(store, key, 'new'),
        read: () => store.read(key),
        keys: () => Array.fromAsync(store.keys('record')),
        ping: () => store.ping(),
      };
      for (const name of fails) await refused(t, NOT_ALLOWED, calls[name]);
      for (const name of works) await t.notThrowsAsync(calls[name], name);
      // Also when it is connected anew.
      await server.command('CLIENT', 'KILL', 'USER', 'app');
      await logs.waitFor({ msg: 'store: connected to Redis' });
      for (const name of fails) await refused(t, NOT_ALLOWED, calls[name]);
      for (const name of works) await t.notThrowsAsync(calls[name], name);
      t.deepEqual(logs.leaked([key.tag, 'secret', 'old', '{store}', '{ping}']), []);

      await server.command('ACL', 'SETUSER', 'app', '~*', '+@all');
      t.true((await untilBack(store)) < BACK_MS);
      t.truthy(await put(store, key, 'newest'));
    },
  );
}

interface Stored {
  readonly key: Key;
  readonly entry: { readonly value: string; readonly version: string };
}

/** A record with a kind of its own. */
async function newRecord(store: Store): Promise<Stored> {
  const key = newKey(`kind-${randomUUID()}`);
  return { key, entry: { value: 'old', version: await put(store, key, 'old') } };
}

const expected = ({ key, entry }: Stored) => ({ key, expect: { version: entry.version } });

/** Commits that put something, whatever else they do. */
function additions(record: Stored): Write[][] {
  const more = { key: beside(record.key), expect: 'absent', put: 'more', lifetime: 60 } as const;
  return [
    [more],
    [{ ...expected(record), put: 'new', lifetime: 'keep' }],
    [more, { ...expected(record), remove: true }],
    [more, { ...expected(record), touch: 600 }],
  ];
}

async function refused(
  t: ExecutionContext,
  why: RegExp,
  call: () => Promise<unknown>,
): Promise<void> {
  const { error, ms } = await unavailable(t, call);
  t.regex(error.detail!, why);
  t.true(ms < CALL_MS, `${ms} ms`);
}

/** @returns how long the call took, and why it failed, if it did */
async function ending(call: () => Promise<unknown>): Promise<{ ms: number; detail?: string }> {
  const started = performance.now();
  const error = await call().then(
    () => undefined,
    (thrown: StoreUnavailable) => thrown,
  );
  return { ms: performance.now() - started, ...(error && { detail: String(error.detail) }) };
}

/** Saves a snapshot, and waits until that has ended in this way. */
async function save(server: RedisServer, status: 'ok' | 'err'): Promise<void> {
  await server.command('BGSAVE');
  await until(`the snapshot is ${status}`, async () => {
    const info = await server.command('INFO', 'persistence');
    return (
      info.includes('rdb_bgsave_in_progress:0') && info.includes(`rdb_last_bgsave_status:${status}`)
    );
  });
}
