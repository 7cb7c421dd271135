import { randomBytes } from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, rmSync, statSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import type { Log } from '../log.ts';
import { endOfLog, PAGE_BYTES, type LogEnd } from './sqlite-log.ts';
import { FULL, isDamage, sqliteCode, whileBusy } from './sqlite-busy.ts';
import {
  APPLICATION_ID,
  migrate,
  pragma,
  SCHEMA_VERSION,
  sumOf,
  versionOf,
  type Row,
} from './sqlite-schema.ts';

/**
 * From a path to a connection that can be trusted. A new store is made beside its place and put there complete; an
 * existing one is examined read-only, so a damaged file is left exactly as it was found, for whoever repairs it.
 *
 * The main file is never opened other than through SQLite: closing any other descriptor of it would drop the POSIX
 * locks of every connection in this process (sqlite.org/howtocorrupt.html §2.2).
 */

/** The log file is cut back to this after a peak. */
const LOG_KEEP_BYTES = 16 * 1024 * 1024;

interface Options {
  /** Absolute. */
  readonly path: string;
  readonly busyTimeoutMs: number;
  readonly log: Log | undefined;
}

/** @throws Error with one line that says what is wrong with the file and what to do */
export async function openFile(options: Options): Promise<DatabaseSync> {
  const { path, log } = options;
  try {
    if (!placeOf(path)) create(path, log);
    protect(path);
    await whileBusy(() => examine(path, log));
    return await whileBusy(() => connect(options));
  } catch (error) {
    throw asOpenError(path, error);
  }
}

/** An embedded store that lives as long as the process. */
export function openMemory(): DatabaseSync {
  const db = new DatabaseSync(':memory:');
  migrate(db);
  return db;
}

/** What stands at the path, if anything. @throws Error for remains that must not be mistaken for a new store */
function placeOf(path: string): Stats | undefined {
  const file = statOf(path);
  if (!file && statOf(`${path}-wal`)) throw damaged('the file is gone but its -wal file is there');
  if (file?.isDirectory()) throw new Error('it is a folder');
  // We never leave an empty file behind, so somebody cut it, and SQLite would take it for a new database.
  if (file?.size === 0) throw damaged('it is empty, 0 bytes');
  return file;
}

/**
 * Makes a complete empty store under another name and links it to its own: a kill leaves either nothing or a whole
 * store, and of two processes that start together one wins and the other uses the winner's.
 */
function create(path: string, log: Log | undefined): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.new-${randomBytes(6).toString('hex')}`;
  try {
    const db = new DatabaseSync(draft);
    chmodSync(draft, 0o600);
    db.exec(`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA journal_mode = WAL`);
    migrate(db);
    db.close();
    linkSync(draft, path);
    log?.info({ event: 'store', path }, 'created an empty store');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    for (const end of ['', '-wal', '-shm']) rmSync(draft + end, { force: true });
  }
}

/** Nobody but us reads the file; SQLite gives its -wal and -shm files the same mode. */
function protect(path: string): void {
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    const stats = statOf(file);
    if (stats && stats.mode & 0o077) chmodSync(file, 0o600);
  }
}

/**
 * Decides, without changing anything, whether the file holds what was committed.
 * @throws Error if it is damaged, newer than this program, or not ours
 */
function examine(path: string, log: Log | undefined): void {
  const before = endOfLog(`${path}-wal`);
  const main = stateOfMainFile(path);
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    examineOrigin(db);
    examineContent(db);
    // The log is copied into the main file and then overwritten from its start. If it was cut short after the copy,
    // SQLite would lay old pages over newer ones; the count of commits betrays that.
    if (main && main.commits > stateOf(db).commits) throw damaged('its -wal file was cut short');
    if (main?.in_use && !before?.used) {
      report(log, path, 'its -wal file is missing: commits since the last checkpoint are lost');
    } else if (before?.torn && isSame(before, endOfLog(`${path}-wal`))) {
      report(
        log,
        path,
        'its -wal file ends in a torn write: recovered up to the last whole commit',
      );
    }
  } finally {
    db.close();
  }
}

function examineOrigin(db: DatabaseSync): void {
  if (pragma(db, 'application_id') !== APPLICATION_ID) {
    throw new Error('it is a database of another program');
  }
  const schema = versionOf(db);
  if (schema > SCHEMA_VERSION) {
    throw new Error(
      `a newer version of this program wrote it (schema ${schema}, this one knows ${SCHEMA_VERSION}); ` +
        'run the newer version',
    );
  }
}

/** Every page is reachable and well-formed, the indexes agree with the table, every row is what was written. */
function examineContent(db: DatabaseSync): void {
  const verdict = db.prepare('PRAGMA integrity_check(1)').get()?.integrity_check;
  if (verdict !== 'ok') throw damaged(String(verdict).replaceAll(/\s+/g, ' ').slice(0, 200));
  const rows = db.prepare('SELECT tag, kind, value, version, expires_at, sum FROM records');
  for (const row of rows.iterate() as Iterable<unknown> as Iterable<Row>) {
    if (sumOf(row) !== row.sum) throw damaged(`record ${row.kind} of ${row.tag} is not as written`);
  }
}

interface State {
  readonly commits: number;
  readonly in_use: number;
}

function stateOf(db: DatabaseSync): State {
  const row = db.prepare('SELECT commits, in_use FROM state').get();
  if (!row) throw damaged('its state is missing');
  return row as unknown as State;
}

/**
 * The state as of the last checkpoint: the main file alone, without the log (`immutable` makes SQLite ignore it).
 * Undefined if that cannot be read; alone it need not be consistent, so whether it is damaged is for `examine` to say.
 */
function stateOfMainFile(path: string): State | undefined {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(new URL(`${pathToFileURL(path).href}?immutable=1`), { readOnly: true });
    return stateOf(db);
  } catch {
    return undefined;
  } finally {
    db?.close();
  }
}

/**
 * The working connection. `synchronous = NORMAL`: a commit is handed to the operating system before it is answered,
 * so a killed process loses nothing; the disk is flushed at checkpoints only, so a power cut or a crash of the machine
 * may take the newest commits (whole ones, in order) with it. FULL would flush for each commit, and the event loop
 * would stand still meanwhile.
 */
function connect({ path, busyTimeoutMs }: Options): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: busyTimeoutMs });
  try {
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
    db.exec(`PRAGMA journal_size_limit = ${LOG_KEEP_BYTES}; PRAGMA trusted_schema = OFF`);
    migrate(db);
    markInUse(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Into the main file at once: should the log vanish while we work, the next start can tell. */
function markInUse(db: DatabaseSync): void {
  try {
    db.exec('UPDATE state SET commits = commits + 1, in_use = 1; PRAGMA wal_checkpoint(PASSIVE)');
  } catch (error) {
    // A full disk is no reason not to start: reads work, and the first commit that succeeds sets the mark.
    if (sqliteCode(error) !== FULL) throw error;
  }
}

/** Says on the file that nothing is missing from it. The last connection to close folds the log into the file. */
export function closeFile(db: DatabaseSync): void {
  try {
    db.exec('PRAGMA busy_timeout = 50; UPDATE state SET commits = commits + 1, in_use = 0');
    db.exec('PRAGMA wal_checkpoint(PASSIVE)');
  } catch {
    // Locked or full: the log stays beside the file and is read at the next start.
  }
  db.close();
}

function damaged(what: string): Error {
  return new Error(
    `it is damaged (${what}). Nothing was changed. Restore it from a backup, or move it away to start empty`,
  );
}

function asOpenError(path: string, error: unknown): Error {
  const { message } = error as Error;
  const what = isDamage(error) ? damaged(message).message : message;
  const code = sqliteCode(error);
  return new Error(`Cannot open the store ${path}: ${what}${code ? ` (SQLite ${code})` : ''}.`, {
    cause: error,
  });
}

/** Loss that was recovered from is said aloud even when no log is given. */
function report(log: Log | undefined, path: string, what: string): void {
  if (log) log.error({ event: 'store', path }, `store: ${what}`);
  else process.emitWarning(`store ${path}: ${what}`);
}

function statOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

/** A torn end that stays the same is no writer at work just now. */
function isSame(before: LogEnd, after: LogEnd | undefined): boolean {
  return before.torn === after?.torn && before.frames === after.frames;
}
