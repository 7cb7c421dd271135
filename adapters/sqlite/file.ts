import { randomBytes } from 'node:crypto';
import { chmodSync, linkSync, renameSync, rmSync, statSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Log } from '../../log.ts';
import { makeDirectory } from '../directory.ts';
import { FULL, isDamage, sqliteCode, whileBusy } from './busy.ts';
import { damaged, examine } from './examine.ts';
import { PAGE_BYTES } from './wal.ts';
import { migrate } from './schema.ts';

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
    const db = await whileBusy(() => connect(options));
    openFiles.add(db);
    return db;
  } catch (error) {
    throw asOpenError(path, error);
  }
}

/**
 * When a process just ends, Node closes its connections, and the last one takes the log with it. Closed by us, the file
 * says so, and the log is not missed at the next start.
 */
const openFiles = new Set<DatabaseSync>();
process.on('exit', () => openFiles.forEach(closeFile));

/** An embedded store that lives as long as the process. */
export function openMemory(): DatabaseSync {
  const db = new DatabaseSync(':memory:');
  migrate(db);
  return db;
}

/** What stands at the path, if anything. @throws Error for remains that must not be mistaken for a new store */
function placeOf(path: string): Stats | undefined {
  const file = statOf(path);
  if (!file && statOf(`${path}-wal`)?.size) {
    throw damaged('the file is gone but its -wal file is there');
  }
  if (file?.isDirectory()) throw new Error('it is a folder');
  // We never leave less than a page behind, so somebody cut it; SQLite would take it for a new database.
  if (file && file.size < PAGE_BYTES) throw damaged(`it is cut short, ${file.size} bytes`);
  return file;
}

/**
 * Makes a complete empty store under another name and links it to its own: a kill leaves either nothing or a whole
 * store, and of two processes that start together one wins and the other uses the winner's.
 */
function create(path: string, log: Log | undefined): void {
  makeDirectory(dirname(path));
  const draft = `${path}.new-${randomBytes(6).toString('hex')}`;
  try {
    const db = new DatabaseSync(draft);
    chmodSync(draft, 0o600);
    db.exec(`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA journal_mode = WAL`);
    migrate(db);
    db.close();
    if (publish(draft, path)) log?.info({ event: 'store', path }, 'created an empty store');
  } finally {
    for (const end of ['', '-wal', '-shm']) rmSync(draft + end, { force: true });
  }
}

/** @returns false if another process was first */
function publish(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    // A file system without links (FAT, some mounts): a rename is the next best, it only lacks the referee.
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code) || placeOf(path)) throw error;
    renameSync(draft, path);
    return true;
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
  openFiles.delete(db);
  try {
    db.exec('PRAGMA busy_timeout = 50; UPDATE state SET commits = commits + 1, in_use = 0');
    db.exec('PRAGMA wal_checkpoint(PASSIVE)');
  } catch {
    // Locked or full: the log stays beside the file and is read at the next start.
  }
  db.close();
}

/**
 * A file that is deleted or replaced while it is open goes on working for those who have it open, and is lost with
 * them.
 * @returns a function that tells whether the path still leads to the same file
 */
export function watchPlace(path: string): () => boolean {
  const inode = statOf(path)?.ino;
  return () => statOf(path)?.ino === inode;
}

function asOpenError(path: string, error: unknown): Error {
  const { message } = error as Error;
  const what = isDamage(error) ? damaged(message).message : message;
  const code = sqliteCode(error);
  return new Error(`Cannot open the store ${path}: ${what}${code ? ` (SQLite ${code})` : ''}.`, {
    cause: error,
  });
}

function statOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}
