import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clients, createClients } from '../../adapters/clients.ts';
import { openRedisStore } from '../../adapters/redis/redis.ts';
import { createSecrets } from '../../adapters/secrets.ts';
import { openSqliteStore } from '../../adapters/sqlite/sqlite.ts';
import type { Store } from '../../adapters/store.ts';
import type { StoreName } from '../support/harness.ts';
import { startRedis } from '../support/redis.ts';
import { createStoreTest } from '../support/stores.ts';

/** The record of a client, written by two instances at the same time. */
const storeTest = await createStoreTest(async (store) => {
  const { open, remove } = await place(store);
  const stores = [await open(), await open()] as const;
  return {
    stores,
    async close() {
      for (const each of stores) await each.close();
      await remove();
    },
  };
});

const ROUNDS = 50;
const DAY_MS = 86_400_000;
const secrets = createSecrets([new Uint8Array(32)]);

storeTest(
  '[D13] what two instances want of a client’s life at the same time ends with the longer one, and nothing of the client is lost',
  async (t, { stores }) => {
    const [a, b] = stores.map((store) => clientsOn(store)) as [Clients, Clients];
    for (let round = 0; round < ROUNDS; round++) {
      const id = randomUUID();
      const metadata = { client_id: id, client_secret: 'a secret', client_name: 'Test' };
      await a.put(id, metadata);
      if (round % 2) await b.find(id);
      const ends = [100, 300, 200].map((days) => Date.now() + days * DAY_MS);
      await Promise.all(ends.map((end, i) => (i % 2 ? b : a).keepFor(id, end)));
      const [entry] = await stores[0].read({ tag: id, kind: 'client' });
      const { expiresAt } = JSON.parse(entry!.value) as { expiresAt: number };
      t.true(Math.abs(expiresAt - (ends[1]! + 180 * DAY_MS)) < DAY_MS, `round ${round}`);
      t.deepEqual(await clientsOn(stores[1]).find(id), metadata);
    }
  },
);

storeTest(
  '[D13] a client that one instance removes is not brought back by another that wants to keep it',
  async (t, { stores }) => {
    const [a, b] = stores.map((store) => clientsOn(store)) as [Clients, Clients];
    for (let round = 0; round < ROUNDS; round++) {
      const id = randomUUID();
      await a.put(id, { client_id: id });
      // Each knows it from a moment ago, or has to look.
      if (round % 2) await b.find(id);
      await Promise.all([a.remove(id), b.keepFor(id, Date.now() + 90 * DAY_MS)]);
      await b.keepFor(id, Date.now() + 200 * DAY_MS);
      t.deepEqual(await stores[0].read({ tag: id, kind: 'client' }), [undefined], `round ${round}`);
    }
  },
);

/** One instance: what it knows of clients is its own. */
const clientsOn = (store: Store): Clients => createClients({ store, secrets, now: Date.now });

/** Where the records are; opened more than once, they are shared. */
async function place(
  store: StoreName,
): Promise<{ open: () => Promise<Store>; remove: () => Promise<void> | void }> {
  if (store === 'redis') {
    const server = await startRedis();
    const config = { kind: 'redis', mode: 'single', urls: [server.url] } as const;
    return { open: () => openRedisStore({ config }), remove: server.stop };
  }
  const directory = mkdtempSync(join(tmpdir(), 'neonpanel-mcp-clients-'));
  const path = join(directory, 'records.db');
  return {
    open: () => openSqliteStore({ path, now: Date.now }),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
