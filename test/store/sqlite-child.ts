import { writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { openSqliteStore } from '../../adapters/sqlite/sqlite.ts';
import { update, type Store } from '../../adapters/store.ts';
import { historyWrites } from './sqlite-history.ts';

/**
 * The other process of the tests: `node sqlite-child.ts <part> <path> <number>`. Each line it prints is written
 * before it goes on, so what the parent reads has happened.
 */

const [part = '', path = '', number = '0'] = process.argv.slice(2);
const say = (line: string | number): void => void writeSync(1, `${line}\n`);

const parts: Record<string, () => Promise<void>> = {
  /** Takes the write lock and keeps it for `number` milliseconds. */
  async hold() {
    const db = new DatabaseSync(path);
    db.exec('BEGIN IMMEDIATE');
    say('held');
    setTimeout(() => {
      db.exec('COMMIT');
      db.close();
      say('released');
    }, Number(number));
  },

  /** Counts one shared record up `number` times, against whoever else does. */
  async count() {
    const store = await openSqliteStore({ path });
    say('ready');
    for (let i = 0; i < Number(number); i++) {
      await update(store, { tag: 'shared', kind: 'count' }, (old) => ({
        put: `${Number(old ?? 0) + 1}`,
        lifetime: 'forever',
      }));
    }
    await store.close();
    say('done');
  },

  /** Commits the history (sqlite-history.ts) from entry `number` on and says each number once it is acknowledged. */
  async write() {
    const store = await openSqliteStore({ path });
    for (let i = Number(number); ; i++) {
      if (await store.commit(historyWrites(i))) say(i);
    }
  },

  /** Commits entries 0 to `number` - 1 and dies without a goodbye; the log was never copied into the main file. */
  async die() {
    await commitHistory(0, Number(number));
    process.kill(process.pid, 'SIGKILL');
  },

  /** The same, but the log was copied and is still there. */
  async dieCopied() {
    await commitHistory(0, Number(number));
    copyLog();
    process.kill(process.pid, 'SIGKILL');
  },

  /** The same, and its beginning has been written over since. */
  async dieStartedOver() {
    await commitHistory(0, Number(number) - 6);
    copyLog();
    await commitHistory(Number(number) - 6, Number(number));
    process.kill(process.pid, 'SIGKILL');
  },

  /** The same, and that was copied, too: what the log holds is only the newest part of the main file. */
  async dieCopiedAgain() {
    await commitHistory(0, Number(number) - 6);
    copyLog();
    await commitHistory(Number(number) - 6, Number(number));
    copyLog();
    process.kill(process.pid, 'SIGKILL');
  },

  /** Two records far apart, counted up in turn by commits that leave the file's structure as it is; then as above. */
  async dieCounting() {
    const store = await openSqliteStore({ path });
    const put = (i: number, count: number) =>
      store.commit([
        {
          key: { tag: 'counting', kind: `n${i}` },
          expect: 'any',
          put: `${count}`.padEnd(900, '.'),
          lifetime: 'forever',
        },
      ]);
    for (let i = 100; i < 300; i++) await put(i, 0);
    copyLog();
    for (let count = 1; count <= Number(number); count++) {
      await put(100, count);
      await put(299, count);
    }
    copyLog();
    process.kill(process.pid, 'SIGKILL');
  },

  /** Closes as it should. */
  async close() {
    await (await commitHistory(0, Number(number))).close();
  },

  /** Opens and has nothing more to do. */
  async open() {
    await openSqliteStore({ path });
  },

  async exit() {
    await openSqliteStore({ path });
    process.exit(0);
  },
};

function copyLog(): void {
  const db = new DatabaseSync(path);
  db.exec('PRAGMA wal_checkpoint(PASSIVE)');
  db.close();
}

let store: Store | undefined;

async function commitHistory(from: number, to: number): Promise<Store> {
  store ??= await openSqliteStore({ path });
  for (let i = from; i < to; i++) await store.commit(historyWrites(i));
  return store;
}

await parts[part]!();
