import { mkdtempSync, rmSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { Redis } from 'ioredis';
import { type Harness, startHarness, type StoreName } from '../support/harness.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import type { Held } from './everything.ts';

/**
 * A store as a version left it, and what clients hold of it. It is written back as that version wrote it, byte by byte,
 * without the help of the version that is to read it: its schema in SQLite, its names and values in Redis.
 */
export interface Fixture {
  /** Epoch milliseconds: for whoever reads it this is now. */
  readonly at: number;
  readonly publicUrl: string;
  /** Of this fixture alone; what it opens is invented. */
  readonly masterKey: string;
  readonly sqlite: { schema: string[]; userVersion: number; applicationId: number };
  readonly redis: { schemaVersion: string };
  readonly records: readonly StoredRow[];
  readonly held: Held;
}

export interface StoredRow {
  readonly tag: string;
  readonly kind: string;
  readonly value: string;
  /** 16 characters. */
  readonly version: string;
  /** Epoch milliseconds; null: for ever. */
  readonly expires_at: number | null;
}

/** @param harness on SQLite, at rest */
export function takeFixture(harness: Harness, held: Held, at: number): Fixture {
  const db = new DatabaseSync(`${harness.dataDir}/neonpanel-mcp.db`, { readOnly: true });
  const all = <T>(sql: string) => db.prepare(sql).all() as T[];
  const pragma = (name: string) => Number(Object.values(db.prepare(`PRAGMA ${name}`).get()!)[0]);
  try {
    return {
      at,
      publicUrl: harness.url,
      masterKey: harness.env.MASTER_KEYS!,
      sqlite: {
        schema: all<{ sql: string }>('SELECT sql FROM sqlite_master WHERE sql IS NOT NULL').map(
          ({ sql }) => sql,
        ),
        userVersion: pragma('user_version'),
        applicationId: pragma('application_id'),
      },
      redis: { schemaVersion: '1' },
      records: all<StoredRow>(
        'SELECT tag, kind, value, version, expires_at FROM records ORDER BY kind, tag',
      ),
      held,
    };
  } finally {
    db.close();
  }
}

/** The present version, started on the fixture. It has to be the fixture's time for the whole process. */
export async function startOn(fixture: Fixture, store: StoreName): Promise<Harness> {
  const dir = mkdtempSync(join(tmpdir(), 'neonpanel-mcp-versions-'));
  const redis = store === 'redis' ? await startRedis() : undefined;
  if (redis) await fillRedis(redis, fixture);
  else fillSqlite(join(dir, 'store.db'), fixture);
  const harness = await startHarness({
    env: {
      PUBLIC_URL: fixture.publicUrl,
      MASTER_KEYS: fixture.masterKey,
      ...(redis ? { REDIS_URL: redis.url } : { SQLITE_PATH: join(dir, 'store.db') }),
    },
  });
  return {
    ...harness,
    async close() {
      await harness.close();
      await redis?.stop();
      rmSync(dir, { recursive: true });
    },
  };
}

function fillSqlite(path: string, { sqlite, records }: Fixture): void {
  const db = new DatabaseSync(path);
  for (const sql of sqlite.schema) db.exec(sql);
  db.exec(`PRAGMA user_version = ${sqlite.userVersion}`);
  db.exec(`PRAGMA application_id = ${sqlite.applicationId}`);
  db.exec('INSERT INTO state (id, commits, in_use) VALUES (1, 0, 0)');
  const insert = db.prepare(
    'INSERT INTO records (tag, kind, value, version, expires_at, sum) VALUES (?, ?, ?, ?, ?, ?)',
  );
  for (const { tag, kind, value, version, expires_at } of records) {
    const sum = crc32(`${tag} ${kind} ${version} ${expires_at ?? ''} ${value}`);
    const row: SQLInputValue[] = [tag, kind, value, version, expires_at, sum];
    insert.run(...row);
  }
  db.close();
}

async function fillRedis({ url }: RedisServer, { at, redis, records }: Fixture): Promise<void> {
  const client = new Redis(url);
  await client.set('neonpanel-mcp:{store}:schema', redis.schemaVersion);
  for (const { tag, kind, value, version, expires_at } of records) {
    const name = `neonpanel-mcp:{${tag}}:${kind}`;
    if (expires_at === null) await client.set(name, version + value);
    else await client.set(name, version + value, 'PX', expires_at - at);
  }
  client.disconnect();
}
