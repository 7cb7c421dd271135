import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClients } from '../adapters/clients.ts';
import { createLeases } from '../adapters/leases.ts';
import { openRedisStore } from '../adapters/redis/redis.ts';
import { createSecrets } from '../adapters/secrets.ts';
import { openSqliteStore } from '../adapters/sqlite/sqlite.ts';
import type { Store, Write } from '../adapters/store.ts';
import { createWaitingClients, type WaitingLimits } from '../adapters/waiting-clients.ts';
import { createLog } from '../log.ts';
import type { StoreName } from './support/harness.ts';
import { createLogs } from './support/logs.ts';
import { startRedis } from './support/redis.ts';
import { createStoreTest } from './support/stores.ts';

/**
 * Clients that wait for their first login, on the store itself: who is counted, who goes, and that none of this can take
 * a client from under a grant. Over HTTP: test/collection.test.ts.
 */
const storeTest = await createStoreTest(place);

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const LOOK_MS = 20;
const secrets = createSecrets([new Uint8Array(32)]);
const metadata = (id: string) => ({ client_id: id, client_name: 'Test' });

storeTest(
  '[D13] [T26] the oldest of those that had a day go first, as many as are too many, and nobody else',
  async (t, { fresh }) => {
    const { store, registerAgo, remaining } = await fresh();
    // In no order, so that the order in which they are listed says nothing.
    const ages = Array.from({ length: 500 }, (_, i) => ({ id: randomUUID(), age: i + 1 }));
    const shuffled = ages.toSorted(() => Math.random() - 0.5);
    await Promise.all(shuffled.map(({ id, age }) => registerAgo(id, age * HOUR_MS)));
    const before = await remaining();
    t.is(before.size, 500);

    // Too many from 380 on: 120 have to go.
    const { logs, close } = count(store, { max: 400 });
    const { collected } = await logs.waitFor({ event: 'collection' });
    await close();
    t.is(collected, 120);
    const after = await remaining();
    const gone = ages.filter(({ id }) => !after.has(id)).map(({ age }) => age);
    t.deepEqual(
      gone.toSorted((a, b) => a - b),
      ages.slice(-120).map(({ age }) => age),
    );
    t.deepEqual(await orphans(store, after), [], 'both records of a client go together');
  },
);

storeTest(
  '[D13] [T26] who registered less than a day ago stays however many they are, and then nobody registers any more',
  async (t, { fresh }) => {
    const { store, registerAgo, remaining } = await fresh();
    const young = Array.from({ length: 30 }, () => randomUUID());
    await Promise.all(young.map((id) => registerAgo(id, DAY_MS - 60_000)));
    const old = Array.from({ length: 3 }, () => randomUUID());
    await Promise.all(old.map((id) => registerAgo(id, DAY_MS + 60_000)));
    const { waiting, logs, close } = count(store, { max: 20 });
    t.like(await logs.waitFor({ event: 'collection' }), { collected: 3, waiting: 30 });
    t.deepEqual([...(await remaining())].toSorted(), young.toSorted());
    await until(() => !waiting.takePlace());
    t.false(waiting.takePlace());
    await close();
  },
);

storeTest(
  '[D13] [F19] clients that were used are not counted and never go, however old and however many',
  async (t, { fresh }) => {
    const { store, clients, registerAgo, remaining } = await fresh();
    const used = Array.from({ length: 30 }, () => randomUUID());
    for (const id of used) {
      await registerAgo(id, 29 * DAY_MS);
      t.true(await clients.keepFor(id, Date.now() + DAY_MS));
    }
    const waitingOnes = Array.from({ length: 10 }, () => randomUUID());
    await Promise.all(waitingOnes.map((id) => registerAgo(id, 2 * DAY_MS)));
    const { waiting, close } = count(store, { max: 20 });
    await counted(store, 10);
    t.true(waiting.takePlace());
    await close();
    t.is((await remaining()).size, 40);

    // Among those that have to go, they are passed over.
    const again = count(store, { max: 5 });
    t.like(await again.logs.waitFor({ event: 'collection' }), { collected: 6 });
    await again.close();
    const left = await remaining();
    t.true(used.every((id) => left.has(id)));
    t.is(left.size, 34);
  },
);

storeTest(
  '[D13] places are taken and given back, and a first login or a removal makes room',
  async (t, { fresh }) => {
    const { store, clients, registerAgo } = await fresh();
    const ids = Array.from({ length: 8 }, () => randomUUID());
    await Promise.all(ids.map((id) => registerAgo(id, HOUR_MS)));
    const { waiting, close } = count(store, { max: 10 });
    await counted(store, 8);
    // The count is known in the store before it is known here.
    const takeThree = () => [1, 2, 3].map(() => waiting.takePlace());
    let taken: boolean[] = [];
    await until(() => {
      taken = takeThree();
      if (taken.includes(false)) return true;
      for (const _ of [1, 2, 3]) waiting.giveBackPlace();
      return false;
    });
    t.deepEqual(taken, [true, true, false]);
    waiting.giveBackPlace();
    t.true(waiting.takePlace());
    t.false(waiting.takePlace());
    waiting.giveBackPlace();
    waiting.giveBackPlace();
    // While it is full it is counted at every look; what was taken before a count began is in it.
    await clients.keepFor(ids[0]!, Date.now() + DAY_MS);
    await clients.remove(ids[1]!);
    t.true(waiting.takePlace());
    t.true(waiting.takePlace());
    await counted(store, 6);
    t.true(await until(() => waiting.takePlace()));
    await close();
  },
);

storeTest(
  '[D13] of several instances one counts at a time, and the others know its result',
  async (t, { fresh }) => {
    const { store, registerAgo, remaining } = await fresh();
    await Promise.all(Array.from({ length: 60 }, () => registerAgo(randomUUID(), 2 * DAY_MS)));
    const all = Array.from({ length: 4 }, () => count(store, { max: 40 }));
    await counted(store, 38);
    t.is((await remaining()).size, 38);
    for (const { waiting } of all) {
      const takeThree = () => [1, 2, 3].map(() => waiting.takePlace());
      t.true(await until(() => takeThree().includes(false)), 'there are but two places');
    }
    await Promise.all(all.map(({ close }) => close()));
    const lines = all.flatMap(({ logs }) => logs.find({ event: 'collection' }));
    t.deepEqual(
      lines.map(({ collected }) => collected),
      [22],
      'collected once',
    );
  },
);

// ------------------------------------------------------- a first login at the same time

storeTest(
  '[D13] [T26] if somebody signs in while the collector is about to remove the client, the client stays',
  async (t, { fresh }) => {
    for (const known of [true, false]) {
      const { store, clients, registerAgo } = await fresh();
      const id = randomUUID();
      await registerAgo(id, 2 * DAY_MS);
      if (known) await clients.find(id);
      const gate = holdCommits(store, (writes) => isRemovalOf(id, writes));
      const { logs, close } = count(gate.store, { max: 1 });
      await gate.reached;
      t.true(await clients.keepFor(id, Date.now() + DAY_MS));
      gate.open();
      t.like(await logs.waitFor({ event: 'collection' }), { collected: 0 });
      await close();
      t.truthy((await store.read({ tag: id, kind: 'client' }))[0]);
      t.deepEqual(await clients.find(id), metadata(id));
    }
  },
);

storeTest(
  '[D13] [T26] if the collector removes the client while somebody is about to get a grant for it, that is refused',
  async (t, { fresh }) => {
    for (const known of [true, false]) {
      const { store, registerAgo, remaining } = await fresh();
      const id = randomUUID();
      await registerAgo(id, 2 * DAY_MS);
      const gate = holdCommits(store, (writes) => writes.some((w) => w.key.tag === id));
      const elsewhere = createClients({ store: gate.store, secrets, now: Date.now });
      if (known) await elsewhere.find(id);
      const kept = elsewhere.keepFor(id, Date.now() + DAY_MS);
      await gate.reached;
      const { logs, close } = count(store, { max: 1 });
      t.like(await logs.waitFor({ event: 'collection' }), { collected: 1 });
      await close();
      gate.open();
      t.false(await kept);
      t.is(await elsewhere.find(id), undefined);
      t.deepEqual([...(await remaining())], []);
    }
  },
);

storeTest(
  '[D13] stopping in the middle of a count waits for nothing but the pause it is in, and the next instance counts',
  async (t, { fresh }) => {
    const { store, registerAgo } = await fresh();
    await Promise.all(Array.from({ length: 450 }, () => registerAgo(randomUUID(), HOUR_MS)));
    const { close } = count(store, { max: 1_000 });
    await until(async () => (await store.read({ tag: 'clients', kind: 'count-lease' }))[0]);
    await close();
    const next = count(store, { max: 1_000 });
    t.is(await counted(store, 450), 450);
    await next.close();
  },
);

if (process.env.LONG_TESTS) {
  storeTest(
    '[D13] [T26] 100,000 are counted, and too many of them collected, while others are served',
    async (t, { fresh }) => {
      const { store, clients, registerAgo } = await fresh();
      for (let i = 0; i < 101_000; i += 500) {
        await Promise.all(
          Array.from({ length: 500 }, (_, j) => registerAgo(randomUUID(), (i + j) * 20_000)),
        );
      }
      const { logs, close } = count(store, {});
      const done = logs.waitFor({ event: 'collection' }, 300_000);
      let over = false;
      void done.then(() => (over = true));
      let served = 0;
      while (!over) {
        const id = randomUUID();
        await clients.put(id, metadata(id));
        served++;
        await sleep(20);
      }
      const { collected } = (await done) as { collected: number };
      t.true(collected >= 6_000 && collected <= 6_000 + served, String(collected));
      t.true(served > 50, `${served} served`);
      await close();
    },
  );
}

// -------------------------------------------------------------------------------- support

function count(store: Store, limits: Partial<WaitingLimits>) {
  const logs = createLogs();
  const waiting = createWaitingClients({
    store,
    leases: createLeases({ store, isSettled: () => true, now: Date.now }),
    log: createLog('debug', logs.sink),
    now: Date.now,
    limits: { lookEveryMs: LOOK_MS, ...limits },
  });
  return { waiting, logs, close: () => waiting.close() };
}

/** Waits until this many were counted. */
async function counted(store: Store, wanted: number): Promise<number> {
  let found: number | undefined;
  await until(async () => {
    const [entry] = await store.read({ tag: 'clients', kind: 'count' });
    found = entry && (JSON.parse(entry.value) as { waiting: number }).waiting;
    return found === wanted;
  });
  return found!;
}

/** @returns true as soon as it holds, false if it does not within some seconds */
async function until(holds: () => unknown): Promise<boolean> {
  for (let i = 0; i < 1_000; i++) {
    if (await holds()) return true;
    await sleep(10);
  }
  return false;
}

const isRemovalOf = (id: string, writes: readonly Write[]): boolean =>
  writes.some((write) => write.key.tag === id && 'remove' in write);

/** A store whose first commit of a kind waits until the gate is opened. */
function holdCommits(store: Store, isHeld: (writes: readonly Write[]) => boolean) {
  const reached = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  const held: Store = {
    ...store,
    async commit(writes) {
      if (isHeld(writes)) {
        reached.resolve();
        await opened.promise;
      }
      return store.commit(writes);
    },
  };
  return { store: held, reached: reached.promise, open: opened.resolve };
}

/** Ids of `waiting` records without a client. */
async function orphans(store: Store, clients: ReadonlySet<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const { tag } of store.keys('waiting')) if (!clients.has(tag)) found.push(tag);
  return found;
}

/** Where the records are, emptied for each test. */
async function place(name: StoreName) {
  const server = name === 'redis' ? await startRedis() : undefined;
  const directory = mkdtempSync(join(tmpdir(), 'neonpanel-mcp-waiting-'));
  const opened: Store[] = [];

  async function open(): Promise<Store> {
    if (!server) {
      return openSqliteStore({ path: join(directory, `${randomUUID()}.db`), now: Date.now });
    }
    await server.command('FLUSHALL');
    return openRedisStore({ config: { kind: 'redis', mode: 'single', urls: [server.url] } });
  }

  return {
    async fresh() {
      const store = await open();
      opened.push(store);
      return {
        store,
        clients: createClients({ store, secrets, now: Date.now }),
        registerAgo: (id: string, agoMs: number) =>
          createClients({ store, secrets, now: () => Date.now() - agoMs }).put(id, metadata(id)),
        /** Ids of all clients. */
        async remaining(): Promise<Set<string>> {
          const ids = new Set<string>();
          for await (const { tag } of store.keys('client')) ids.add(tag);
          return ids;
        },
      };
    },
    async close() {
      await Promise.all(opened.map((store) => store.close()));
      await server?.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
