/**
 * What the sandbox remembers: registrations, grants, tokens, codes, sessions, import jobs, signing keys.
 * One SQLite table of JSON records, written through at once, so that an answer never promises more than
 * the file holds; without a path the same table lives in memory.
 *
 *   kind           id                     expires
 *   clients        client id              never
 *   codes          hash of the code       with the code
 *   grants         random                 with its last refresh token
 *   refreshTokens  hash of the token      180 days; a used one a day after its use
 *   sessions       hash of the cookie     2 hours
 *   jobs           request id             7 days
 *   keys           kid                    never (three are kept)
 */
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Clock } from './clock.ts';

export type Table<T> = {
  get(id: string): T | undefined;
  put(id: string, value: T, expiresAt?: number): void;
  delete(id: string): void;
  /** Oldest first. */
  entries(): [id: string, value: T][];
  count(): number;
};

export type State = {
  table<T>(kind: string): Table<T>;
  /** All of it is written, or none. */
  atomically<T>(work: () => T): T;
  close(): void;
};

const schema = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA busy_timeout = 2000;
  CREATE TABLE IF NOT EXISTS records (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL, expires INTEGER,
    UNIQUE (kind, id)
  );
  CREATE INDEX IF NOT EXISTS expiry ON records (expires) WHERE expires IS NOT NULL;
`;

const writesBetweenSweeps = 200;

/** Opens the file, creating it readable by its owner only; undefined: memory. */
export function openState(path: string | undefined, now: Clock): State {
  const db = openDatabase(path);
  const sweep = db.prepare('DELETE FROM records WHERE expires <= ?');
  const get = db.prepare(
    'SELECT value FROM records WHERE kind = ? AND id = ? AND (expires IS NULL OR expires > ?)',
  );
  const put = db.prepare(
    `INSERT INTO records (kind, id, value, expires) VALUES (?, ?, ?, ?)
     ON CONFLICT (kind, id) DO UPDATE SET value = excluded.value, expires = excluded.expires`,
  );
  const remove = db.prepare('DELETE FROM records WHERE kind = ? AND id = ?');
  const list = db.prepare(
    'SELECT id, value FROM records WHERE kind = ? AND (expires IS NULL OR expires > ?) ORDER BY seq',
  );
  const count = db.prepare('SELECT count(*) AS n FROM records WHERE kind = ?');
  let writes = 0;
  sweep.run(now());

  return {
    table<T>(kind: string): Table<T> {
      return {
        get: (id) => {
          const row = get.get(kind, id, now());
          return row && (JSON.parse(String(row.value)) as T);
        },
        put: (id, value, expiresAt) => {
          put.run(kind, id, JSON.stringify(value), expiresAt ?? null);
          if (++writes % writesBetweenSweeps === 0) sweep.run(now());
        },
        delete: (id) => void remove.run(kind, id),
        entries: () =>
          list.all(kind, now()).map((row) => [String(row.id), JSON.parse(String(row.value)) as T]),
        count: () => Number(count.get(kind)?.n),
      };
    },
    atomically(work) {
      db.exec('BEGIN IMMEDIATE');
      try {
        const result = work();
        db.exec('COMMIT');
        return result;
      } catch (error) {
        db.exec('ROLLBACK');
        throw error;
      }
    },
    close: () => db.close(),
  };
}

function openDatabase(path: string | undefined): DatabaseSync {
  if (path === undefined) {
    const db = new DatabaseSync(':memory:');
    db.exec(schema);
    return db;
  }
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    closeSync(openSync(path, 'a', 0o600));
    const db = new DatabaseSync(path);
    try {
      db.exec(schema);
    } catch (error) {
      db.close();
      throw error;
    }
    return db;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `sandbox: cannot use the state file ${path} (${reason}); delete it to start afresh`,
      { cause },
    );
  }
}
