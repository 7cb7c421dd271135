import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { StoreUnavailable } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { asStoreError, createLine, isDamage, whileBusy } from './busy.ts';
import { closeFile, openFile, openMemory, watchPlace } from './file.ts';
import { sumOf, type Row } from './schema.ts';
import { createSweeper, SWEEP_BATCH } from './sweeper.ts';
import { checkKey, checkWrites } from '../store-checks.ts';
import type { Entry, Key, Lifetime, Store, Write } from '../store.ts';

/**
 * The embedded store: one SQLite file that several processes on one machine may use at once (server and CLI).
 *
 * Nothing is cached, so other processes' changes are seen at the next read. Statements are synchronous and take
 * microseconds; only waiting for another process's lock is asynchronous (busy.ts). What was answered survives
 * a kill of the process at any moment (file.ts says what a power cut may take).
 */

/** Keys fetched per step of `keys`, so that no read transaction outlives a turn of the event loop. */
const KEYS_PAGE = 500;

/** How long a commit believes that the file is still where it was. */
const PLACE_MS = 1_000;
const TAKEN_AWAY = 'the file was moved, deleted or replaced';

/**
 * @param options.path file, created with its folder if there is none, or ':memory:'
 * @param options.now epoch milliseconds, for lifetimes
 * @param options.busyTimeoutMs how long one commit may block for another process before it waits asynchronously
 * @throws Error with one clear line if the file is damaged, newer than this program or not ours; it is left as it is
 */
export async function openSqliteStore(options: {
  path: string;
  now?: () => number;
  busyTimeoutMs?: number;
  log?: Log;
}): Promise<Store> {
  const { now = Date.now, busyTimeoutMs = 50, log } = options;
  const inMemory = options.path === ':memory:';
  if (options.path === '') throw new TypeError('the path of the store is empty');
  const path = resolve(options.path);
  const db = inMemory ? openMemory() : await openFile({ path, busyTimeoutMs, log });
  const isInPlace = inMemory ? () => true : watchPlace(path);
  let lookedAt = performance.now();
  let inPlace = true;
  const sql = prepare(db);
  const inLine = createLine();
  let open = true;

  /**
   * What is written to a file that was taken away is lost with this process.
   *
   * @param maxAgeMs how old the last look may be
   * @throws StoreUnavailable
   */
  function assertInPlace(maxAgeMs: number): void {
    const time = performance.now();
    if (time - lookedAt >= maxAgeMs) {
      const before = inPlace;
      lookedAt = time;
      inPlace = isInPlace();
      if (before && !inPlace) log?.error({ event: 'store', path }, `store: ${TAKEN_AWAY}`);
    }
    if (!inPlace) throw new StoreUnavailable(`sqlite: ${TAKEN_AWAY}`);
  }

  /** Does `work` all or nothing, alone among all processes. False from `work` means: undo, an expectation failed. */
  function transact(work: () => boolean): boolean {
    if (!open) throw new StoreUnavailable('sqlite: the store is closed');
    sql.begin.run();
    try {
      const done = work();
      if (done) {
        sql.count.run();
        sql.commit.run();
      }
      return done;
    } finally {
      // Also after a failed COMMIT: what is thrown has not happened, so trying again cannot apply it twice.
      if (db.isTransaction) sql.rollback.run();
    }
  }

  /** The same without blocking for a lock that is taken. */
  function transactAtOnce(work: () => boolean): boolean {
    if (!open) throw new StoreUnavailable('sqlite: the store is closed');
    db.exec('PRAGMA busy_timeout = 0');
    try {
      return transact(work);
    } finally {
      db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    }
  }

  const write = (work: () => boolean): Promise<boolean> =>
    inLine(
      () => transact(work),
      () => transactAtOnce(work),
    );

  function readAll(keys: readonly Key[]): (Entry | undefined)[] {
    if (!open) throw new StoreUnavailable('sqlite: the store is closed');
    const time = now();
    const entries = () => keys.map((key) => live(key, time)).map((row) => row && entryOf(row));
    if (keys.length < 2) return entries();
    // One snapshot for all: a commit of another process in between shows in all of them or in none.
    sql.beginRead.run();
    try {
      return entries();
    } finally {
      if (db.isTransaction) sql.commit.run();
    }
  }

  /** The record if it has not expired. @throws StoreUnavailable if it is not what was written */
  function live(key: Key, time: number): Row | undefined {
    const row = sql.get.get(key.tag, key.kind) as Row | undefined;
    if (!row) return undefined;
    if (sumOf(row) !== row.sum) {
      throw new StoreUnavailable(`sqlite: record ${key.kind} of ${key.tag} is damaged`);
    }
    return row.expires_at === null || row.expires_at > time ? row : undefined;
  }

  /** @returns false if its expectation fails, and then nothing of the whole commit stays */
  function apply(write: Write, version: string, time: number): boolean {
    const { key, expect } = write;
    const old = live(key, time);
    if (expect === 'absent' ? old : expect !== 'any' && old?.version !== expect.version) {
      return false;
    }
    if ('put' in write) {
      if (write.lifetime === 'keep' && !old) return false;
      store({
        ...key,
        value: write.put,
        version,
        expires_at: expiry(write.lifetime, old, time),
      });
    } else if ('touch' in write) {
      if (old) store({ ...old, expires_at: expiry(write.touch, old, time) });
    } else {
      sql.remove.run(key.tag, key.kind);
    }
    return true;
  }

  function store(row: Omit<Row, 'sum'>): void {
    sql.put.run(row.tag, row.kind, row.value, row.version, row.expires_at, sumOf(row));
  }

  function pageOf(kind: string, after: string): Pick<Row, 'tag' | 'expires_at'>[] {
    if (!open) throw new StoreUnavailable('sqlite: the store is closed');
    const rows: unknown = sql.keys.all(kind, after, KEYS_PAGE);
    return rows as Pick<Row, 'tag' | 'expires_at'>[];
  }

  /** What SQLite says, in the store's words; damage found while serving is worth a line of its own. */
  async function translated<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isDamage(error)) log?.error({ event: 'store', err: error }, 'store: the file is damaged');
      throw asStoreError(error);
    }
  }

  const sweeper = createSweeper(() => {
    let swept = 0;
    transactAtOnce(() => (swept = Number(sql.sweep.run(now(), SWEEP_BATCH).changes)) > 0);
    return swept === SWEEP_BATCH;
  });

  return {
    read: (...keys) =>
      translated(async () => {
        keys.forEach(checkKey);
        return await whileBusy(() => readAll(keys));
      }),

    commit: (writes) =>
      translated(async () => {
        checkWrites(writes);
        assertInPlace(PLACE_MS);
        // Chosen once, before any attempt: it names this commit however often it has to be tried.
        const version = randomBytes(12).toString('base64url');
        const done = await write(() => {
          const time = now();
          return writes.every((each) => apply(each, version, time));
        });
        return done ? version : undefined;
      }),

    async *keys(kind) {
      checkKey({ tag: 'any', kind });
      let page: Pick<Row, 'tag' | 'expires_at'>[] = [];
      do {
        page = await translated(() => whileBusy(() => pageOf(kind, page.at(-1)?.tag ?? '')));
        for (const { tag, expires_at } of page) {
          if (expires_at === null || expires_at > now()) yield { tag, kind };
        }
      } while (page.length === KEYS_PAGE);
    },

    ping: () =>
      translated(async () => {
        assertInPlace(0);
        // A real write (the count of commits), since a full disk still reads.
        await write(() => true);
      }),

    async close() {
      if (!open) return;
      open = false;
      sweeper.stop();
      if (inMemory) db.close();
      else closeFile(db);
    },
  };
}

function entryOf(row: Row): Entry {
  return { value: row.value, version: row.version };
}

function expiry(lifetime: Lifetime, old: Row | undefined, time: number): number | null {
  if (lifetime === 'forever') return null;
  if (lifetime === 'keep') return old?.expires_at ?? null;
  return Math.round(time + lifetime * 1_000);
}

function prepare(db: DatabaseSync): Record<keyof typeof STATEMENTS, StatementSync> {
  const entries = Object.entries(STATEMENTS).map(([name, text]) => [name, db.prepare(text)]);
  return Object.fromEntries(entries);
}

const STATEMENTS = {
  // The write lock from the start: a transaction that reads first and writes later could only fail (BUSY_SNAPSHOT).
  begin: 'BEGIN IMMEDIATE',
  beginRead: 'BEGIN',
  commit: 'COMMIT',
  rollback: 'ROLLBACK',
  count: 'UPDATE state SET commits = commits + 1, in_use = 1',
  get: 'SELECT tag, kind, value, version, expires_at, sum FROM records WHERE tag = ? AND kind = ?',
  put: `INSERT INTO records (tag, kind, value, version, expires_at, sum) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET value = excluded.value, version = excluded.version,
          expires_at = excluded.expires_at, sum = excluded.sum`,
  remove: 'DELETE FROM records WHERE tag = ? AND kind = ?',
  keys: 'SELECT tag, expires_at FROM records WHERE kind = ? AND tag > ? ORDER BY tag LIMIT ?',
  sweep: `DELETE FROM records WHERE (tag, kind) IN
          (SELECT tag, kind FROM records WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`,
} as const;
