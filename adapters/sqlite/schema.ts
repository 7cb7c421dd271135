import type { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';

/**
 * What the embedded store writes into its file, and how older files become newer ones.
 *
 * `records` holds the records; the primary key is the table itself (WITHOUT ROWID), so a read is one look-up.
 * `state` is one row: `commits` counts every transaction and `in_use` is 1 from the first commit to a clean close.
 * Both exist for one purpose, to recognise a file that lost its newest part (file.ts).
 */

/** Marks the file as ours ("NPMC"), so that another program's database is never taken for an empty store. */
export const APPLICATION_ID = 0x4e504d43;

/** Step n turns schema n into schema n + 1. Append only: files in the field stand at any of them. */
const STEPS: readonly string[] = [
  `CREATE TABLE records (
     tag TEXT NOT NULL,
     kind TEXT NOT NULL,
     value TEXT NOT NULL,
     version TEXT NOT NULL,
     expires_at INTEGER, -- epoch milliseconds, NULL = forever
     sum INTEGER NOT NULL, -- CRC-32 of the row
     PRIMARY KEY (tag, kind)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX records_by_expiry ON records (expires_at) WHERE expires_at IS NOT NULL;
   CREATE INDEX records_by_kind ON records (kind);
   CREATE TABLE state (
     id INTEGER PRIMARY KEY CHECK (id = 1),
     commits INTEGER NOT NULL,
     in_use INTEGER NOT NULL
   ) STRICT;
   INSERT INTO state VALUES (1, 0, 0);
   PRAGMA application_id = ${APPLICATION_ID};`,
];

/** The schema this program writes. */
export const SCHEMA_VERSION = STEPS.length;

export interface Row {
  readonly tag: string;
  readonly kind: string;
  readonly value: string;
  readonly version: string;
  readonly expires_at: number | null;
  readonly sum: number;
}

/**
 * SQLite keeps no checksums of its pages: part of a long value can be zeroed by a truncation or a bad disk and still
 * be read without an error. With a sum in each row, damage is reported instead of served.
 */
export function sumOf(row: Omit<Row, 'sum'>): number {
  return crc32(`${row.tag} ${row.kind} ${row.version} ${row.expires_at ?? ''} ${row.value}`);
}

/**
 * Brings the schema up to date. All steps in one transaction: two processes that start together agree, and a kill in
 * between leaves the old schema.
 */
export function migrate(db: DatabaseSync): void {
  if (versionOf(db) === SCHEMA_VERSION) return;
  db.exec('BEGIN IMMEDIATE');
  try {
    // Read again: the other process may have migrated while we waited for the lock.
    for (const step of STEPS.slice(versionOf(db))) db.exec(step);
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

export const versionOf = (db: DatabaseSync): number => pragma(db, 'user_version');

/** A pragma that answers one integer. */
export function pragma(db: DatabaseSync, name: string): number {
  const row = db.prepare(`PRAGMA ${name}`).get();
  return Number(Object.values(row ?? {})[0]);
}
