import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { update, type Key } from '../../adapters/store.ts';
import {
  beside,
  COMMIT_KINDS,
  commitsSeen,
  newKey,
  put,
  startBench,
  unavailable,
  valueOf,
} from './redis-support.ts';

/**
 * A reply that is lost on its way: whoever committed is told what became of it, and Redis is asked twice at most. That
 * is what "exactly once" for codes and refresh tokens stands on.
 */

for (const kind of COMMIT_KINDS) {
  test.serial(`[X8] [D9] redis: ${kind.title} succeeds though its reply is lost`, async (t) => {
    const { server, shim, store } = await startBench(t);
    const key = newKey();
    const old = kind.onRecord ? await put(store, key, 'old') : '';
    const before = await commitsSeen(server);

    shim.swallowReply(once((request) => request.includes(`{${key.tag}}`)));
    const version = await store.commit(kind.writes(key, old));
    t.truthy(version);
    t.is((await commitsSeen(server)) - before, 2, 'once in vain, once more');
    const [entry] = await store.read(key);
    t.is(entry?.value, kind.leaves);
    if (kind.putsVersion) t.is(entry?.version, version);

    if (kind.rival) t.is(await store.commit(kind.rival(key, old)), undefined);
    t.is(await valueOf(store, key), kind.leaves);
    t.is(await valueOf(store, beside(key)), undefined);
  });
}

test.serial('[X8] redis: a refusal is a refusal though its reply is lost', async (t) => {
  const { server, shim, store } = await startBench(t);
  const key = newKey();
  await put(store, key, 'old');
  const before = await commitsSeen(server);
  shim.swallowReply(once((request) => request.includes('eval')));
  const refused = store.commit([{ key, expect: 'absent', put: 'mine', lifetime: 60 }]);
  t.is(await refused, undefined);
  t.is((await commitsSeen(server)) - before, 2);
  t.is(await valueOf(store, key), 'old');
});

test.serial(
  '[X8] redis: reads, the list of keys and ping succeed though a reply is lost',
  async (t) => {
    const { shim, store } = await startBench(t);
    const [one, other] = [newKey(), newKey()];
    await put(store, one, '1');
    await put(store, other, '2');
    const lose = (command: string): void =>
      shim.swallowReply(once((request) => request.includes(command)));

    lose('mget');
    t.is(await valueOf(store, one), '1');
    lose('mget');
    const both = await store.read(other, newKey(), one);
    t.deepEqual(
      both.map((entry) => entry?.value),
      ['2', undefined, '1'],
    );
    lose('scan');
    t.is((await Array.fromAsync(store.keys('record'))).length, 2);
    lose('{ping}');
    await t.notThrowsAsync(store.ping());
    t.is(shim.traffic.connections, 5, 'each of the four replies was lost');
  },
);

test.serial('[X8] redis: a commit is sent twice at most, and done once', async (t) => {
  const { server, shim, store } = await startBench(t);
  const key = newKey();
  const version = await put(store, key, 'old');
  const before = await commitsSeen(server);
  shim.swallowReply((request) => request.includes('eval'));
  const { ms } = await unavailable(t, () =>
    store.commit([{ key, expect: { version }, put: 'new', lifetime: 60 }]),
  );
  t.true(ms < 3_000, `${ms} ms`);
  t.is((await commitsSeen(server)) - before, 2);

  shim.pass();
  t.is(await valueOf(store, key), 'new', 'it was done, only nobody could say so');
  t.is((await commitsSeen(server)) - before, 2, 'and nothing sends it later');
});

test.serial(
  '[X8] redis: of 20 commits under way when the connection breaks each is repeated once',
  async (t) => {
    const { server, shim, store } = await startBench(t);
    const keys = Array.from({ length: 20 }, () => newKey());
    shim.blackhole('down');
    const commits = keys.map((key) =>
      store.commit([{ key, expect: 'absent', put: 'x', lifetime: 60 }]),
    );
    while ((await commitsSeen(server)) < 20) await sleep(5);
    shim.cut();
    shim.pass();
    const versions = await Promise.all(commits);
    t.is(await commitsSeen(server), 40, 'ioredis repeats nothing by itself');
    t.deepEqual(
      (await store.read(...keys)).map((entry) => entry?.version),
      versions,
    );
  },
);

test.serial('[X8] redis: counting goes on without a fault while connections break', async (t) => {
  const { shim, store } = await startBench(t);
  const CHAINS = 4;
  const COUNTERS = 6;
  const shared = newKey();
  let counted = 0;
  let running = true;

  async function countUp(): Promise<void> {
    while (running) {
      await update(store, shared, (old) => ({ put: `${Number(old ?? 0) + 1}`, lifetime: 60 }));
      counted++;
      // Without a pause between them six would leave the seventh no chance.
      await sleep(Math.random() * 20);
    }
  }
  async function followVersions(): Promise<{ key: Key; links: number }> {
    const key = newKey();
    let version = await put(store, key, '0');
    for (let links = 0; ; links++) {
      if (!running) return { key, links };
      const write = { key, expect: { version }, put: `${links + 1}`, lifetime: 60 } as const;
      const next = await store.commit([write]);
      t.truthy(next, `link ${links} was refused`);
      version = next!;
    }
  }

  const counters = Array.from({ length: COUNTERS }, countUp);
  const chains = Array.from({ length: CHAINS }, followVersions);
  const all = Promise.all([...counters, ...chains]);
  const faults = [shim.cut, shim.reset, shim.halfClose, () => shim.cutAfter(3, 'down')];
  for (let i = 0; i < 16; i++) {
    faults[i % faults.length]!();
    await store.ping();
    // Time for every commit to be repeated: the next fault may not take it a second time.
    await sleep(100);
  }
  running = false;
  await all;

  t.true(shim.traffic.connections > 12, `${shim.traffic.connections} connections`);
  t.is(await valueOf(store, shared), `${counted}`);
  for (const chain of chains) {
    const { key, links } = await chain;
    t.is(await valueOf(store, key), `${links}`);
    t.true(links > 50, `${links} links`);
  }
});

test.serial(
  '[X8] redis: the trace of a removal goes away by itself, and is no record',
  async (t) => {
    const { server, shim, store } = await startBench(t);
    const key = newKey();
    const version = await put(store, key, 'old');
    shim.swallowReply(once((request) => request.includes('eval')));
    t.is(typeof (await store.commit([{ key, expect: { version }, remove: true }])), 'string');

    const traces = await namesIn(server, `*{${key.tag}}*`);
    t.true(traces.length > 0);
    for (const trace of traces) {
      const lifetime = await server.command('PTTL', trace);
      const milliseconds = Number(/^:(\d+)/.exec(lifetime)?.[1]);
      t.true(milliseconds > 0 && milliseconds <= 10_000, lifetime);
    }
    t.deepEqual(await Array.fromAsync(store.keys(key.kind)), []);
  },
);

/** The first request that is meant. */
function once(isMeant: (request: Buffer) => boolean): (request: Buffer) => boolean {
  let seen = false;
  return (request) => !seen && (seen = isMeant(request));
}

async function namesIn(
  server: { command(...words: string[]): Promise<string> },
  pattern: string,
): Promise<string[]> {
  return (await server.command('KEYS', pattern)).split('\r\n').filter((line) => line.includes('{'));
}
