import { spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import test, { type ExecutionContext } from 'ava';
import { openSqliteStore } from '../../adapters/sqlite/sqlite.ts';
import type { Store } from '../../adapters/store.ts';
import { StoreUnavailable } from '../../errors.ts';
import { createLog } from '../../log.ts';
import { historyWrites, lastOfHistory } from './sqlite-history.ts';
import { temporaryFolder } from './sqlite-support.ts';

/** A full disk: commits get 503, reads go on, and all is well again once there is room. */

test.serial('[X30] sqlite: a disk of 4 MB that is full', async (t) => {
  const folder = temporaryFolder();
  t.teardown(folder.remove);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder.path]);
  if (mounted.status !== 0) {
    // Only root may mount. The next tests have the same course of events without a disk of their own.
    t.log(
      'NOT RUN: mounting is not permitted here; the limit on the size of files stands for the disk',
    );
    t.pass();
    return;
  }
  t.teardown(() => spawnSync('umount', ['-l', folder.path]));
  const path = `${folder.path}/store.db`;
  const filler = `${folder.path}/filler`;

  const store = await openSqliteStore({ path });
  await fullAndFreed(t, store, {
    fill: () => fillDisk(filler),
    free: () => rmSync(filler),
  });
  fillDisk(filler);
  await store.close();
  // Without room for SQLite's own helper file it cannot open; with one left over from before it reads.
  const log = createLog('silent');
  try {
    const full = await openSqliteStore({ path, log });
    t.is(await lastOfHistory(full), 59);
    await full.close();
  } catch (error) {
    t.regex((error as Error).message, /^Cannot open the store .*\.$/);
  }
  rmSync(filler);
  const again = await openSqliteStore({ path, log });
  t.is(await lastOfHistory(again), 59, 'closing on a full disk lost nothing');
  await again.close();
});

test.serial('[X30] sqlite: a system that lets no file grow', async (t) => {
  const folder = temporaryFolder();
  t.teardown(folder.remove);
  // Else the signal ends the process; the write that follows fails by itself (EFBIG).
  const ignored = () => {};
  process.on('SIGXFSZ', ignored);
  t.teardown(() => void process.off('SIGXFSZ', ignored));
  const limitFiles = (bytes: number | 'unlimited') => {
    const done = spawnSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:`]);
    if (done.status !== 0) throw new Error(`prlimit: ${done.error ?? done.stderr}`);
  };
  t.teardown(() => limitFiles('unlimited'));
  const path = `${folder.path}/store.db`;
  const store = await openSqliteStore({ path });
  await fullAndFreed(t, store, {
    fill: () => limitFiles(1_000_000),
    free: () => limitFiles('unlimited'),
  });
  await store.close();
  const again = await openSqliteStore({ path });
  t.is(await lastOfHistory(again), 59);
  await again.close();
});

test.serial('[X30] sqlite: a file that may not grow', async (t) => {
  const folder = temporaryFolder();
  t.teardown(folder.remove);
  const { store, connection } = await withConnection(() =>
    openSqliteStore({ path: `${folder.path}/store.db` }),
  );
  await fullAndFreed(t, store, {
    // SQLite answers SQLITE_FULL as on a full disk. A limit below the present size means the present size.
    fill: () => connection.exec('PRAGMA max_page_count = 1'),
    free: () => connection.exec('PRAGMA max_page_count = 1000000'),
  });
  await store.close();
});

async function fullAndFreed(
  t: ExecutionContext,
  store: Store,
  disk: { fill(): void; free(): void },
): Promise<void> {
  for (let i = 0; i < 30; i++) await store.commit(historyWrites(i));
  disk.fill();
  let last = 29;
  const unavailable = await t.throwsAsync(async () => {
    for (;;) {
      await store.commit([...historyWrites(last + 1), ...ballast(last)]);
      last++;
    }
  });
  t.true(unavailable instanceof StoreUnavailable, String(unavailable));
  t.regex((unavailable as StoreUnavailable).detail ?? '', /full|input\/output/);
  t.is(await lastOfHistory(store), last, 'reads go on, and nothing is half done');

  disk.free();
  await store.ping();
  for (let i = last + 1; i < 60; i++) t.truthy(await store.commit(historyWrites(i)));
  t.is(await lastOfHistory(store), 59);
}

/** Something that needs room of its own in every commit. */
function ballast(i: number) {
  return [
    {
      key: { tag: 'history', kind: `ballast${i}` },
      expect: 'any',
      put: 'x'.repeat(100_000),
      lifetime: 'forever',
    },
  ] as const;
}

function fillDisk(filler: string): void {
  const file = openSync(filler, 'w');
  try {
    for (const bytes of [65_536, 1]) {
      try {
        for (;;) writeSync(file, Buffer.alloc(bytes));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
  } finally {
    closeSync(file);
  }
}

/** Opens a store and gets hold of the connection inside it, the last one that prepared a statement. */
async function withConnection(
  open: () => Promise<Store>,
): Promise<{ store: Store; connection: DatabaseSync }> {
  const { prepare } = DatabaseSync.prototype;
  let connection: DatabaseSync | undefined;
  DatabaseSync.prototype.prepare = function (...sql) {
    connection = this;
    return prepare.apply(this, sql);
  };
  try {
    const store = await open();
    return { store, connection: connection! };
  } finally {
    DatabaseSync.prototype.prepare = prepare;
  }
}
