import { DatabaseSync } from 'node:sqlite';
import { Redis } from 'ioredis';
import { VERSION_LENGTH } from '../../adapters/redis/commit-script.ts';
import type { Harness } from './harness.ts';

/** The store behind a harness, whichever it is, seen from outside. */
type Stored = Pick<Harness, 'dataDir' | 'redis'>;

export interface StoredRecord {
  readonly tag: string;
  readonly kind: string;
  readonly value: string;
}

/** Everything that is stored now, by kind. */
export async function recordsOf(harness: Stored): Promise<StoredRecord[]> {
  const records = harness.redis
    ? await redisRecords(harness.redis.url)
    : sqliteRecords(harness.dataDir);
  return records.toSorted((a, b) => a.kind.localeCompare(b.kind));
}

function sqliteRecords(dataDir: string): StoredRecord[] {
  const db = new DatabaseSync(`${dataDir}/neonpanel-mcp.db`, { readOnly: true });
  try {
    return db.prepare('SELECT tag, kind, value FROM records').all() as unknown as StoredRecord[];
  } finally {
    db.close();
  }
}

async function redisRecords(url: string): Promise<StoredRecord[]> {
  const client = new Redis(url);
  try {
    const names = await client.keys('neonpanel-mcp:{*}:*');
    if (names.length === 0) return [];
    const values = await client.mget(names);
    return names.flatMap((name, i): StoredRecord[] => {
      const [, tag, kind] = /^neonpanel-mcp:\{(.*)\}:(.*)$/.exec(name)!;
      const stored = values[i];
      return stored ? [{ tag: tag!, kind: kind!, value: stored.slice(VERSION_LENGTH) }] : [];
    });
  } finally {
    client.disconnect();
  }
}

/**
 * Keeps everybody from writing, while reading goes on: of requests that come now, all have read the same state before the
 * first one changes it.
 * @returns lets them write
 */
export async function holdWrites({ dataDir, redis }: Stored): Promise<() => Promise<void>> {
  if (redis) {
    await redis.command('CLIENT', 'PAUSE', '10000', 'WRITE');
    return async () => void (await redis.command('CLIENT', 'UNPAUSE'));
  }
  const db = new DatabaseSync(`${dataDir}/neonpanel-mcp.db`, { timeout: 1_000 });
  db.exec('BEGIN IMMEDIATE');
  return async () => {
    db.exec('ROLLBACK');
    db.close();
  };
}
