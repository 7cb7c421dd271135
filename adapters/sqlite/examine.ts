import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import type { Log } from '../../log.ts';
import { endOfLog, PAGE_BYTES } from './wal.ts';
import { APPLICATION_ID, pragma, SCHEMA_VERSION, sumOf, versionOf, type Row } from './schema.ts';

/**
 * Decides, without changing anything, whether the file holds what was committed.
 * @throws Error if it is damaged, newer than this program, or not ours
 */
export function examine(path: string, log: Log | undefined): void {
  const before = endOfLog(`${path}-wal`);
  const main = stateOfMainFile(path);
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    examineOrigin(db);
    examineContent(db);
    // The log is copied into the main file and then overwritten from its start. If it was cut short after the copy,
    // SQLite would lay old pages over newer ones; the count of commits betrays that.
    if (main && main.commits > stateOf(db).commits) throw damaged('its -wal file was cut short');
    const after = endOfLog(`${path}-wal`);
    if (!before?.used && !after?.used) {
      examineSize(db, path);
      if (main?.in_use) {
        report(
          log,
          path,
          'its -wal file is missing: commits since the last checkpoint may be lost',
        );
      }
    } else if (before?.torn && after?.torn && before.frames === after.frames) {
      // It stays the same, so it is not another process writing just now.
      report(log, path, 'its -wal file ends in an unfinished commit: all before it was recovered');
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

/** SQLite reads what is missing of the last page as zeros. Only asked where no page can be in the log instead. */
function examineSize(db: DatabaseSync, path: string): void {
  const missing = pragma(db, 'page_count') * PAGE_BYTES - statSync(path).size;
  if (missing > 0) throw damaged(`its last ${missing} bytes are missing`);
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

export function damaged(what: string): Error {
  return new Error(
    `it is damaged (${what}). Nothing was changed. Restore it from a backup, or move it away to start empty`,
  );
}

/** What is or may be lost is said aloud even when no log is given. */
function report(log: Log | undefined, path: string, what: string): void {
  if (log) log.warn({ event: 'store', path }, `store: ${what}`);
  else process.emitWarning(`store ${path}: ${what}`);
}
