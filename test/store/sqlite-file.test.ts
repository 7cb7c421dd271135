import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { mock } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { openSqliteStore } from '../../adapters/sqlite/sqlite.ts';
import { StoreUnavailable } from '../../errors.ts';
import { createLog } from '../../log.ts';
import { put, valueOf } from './conformance-basics.ts';
import { temporaryFolder } from './sqlite-support.ts';

/** The file itself: who may read it, whose it is, and what is in it over time. */

const key = { tag: 'tag', kind: 'kind' };

test('[D11] sqlite: folder 0700, files 0600, whatever they were', async (t) => {
  const folder = pathFor(t).folder;
  const path = `${folder}/a/b/store.db`;
  const store = await openSqliteStore({ path });
  await put(store, key, 'value');
  t.is(modeOf(`${folder}/a`), 0o700);
  t.is(modeOf(`${folder}/a/b`), 0o700);
  for (const file of readdirSync(`${folder}/a/b`)) {
    t.is(modeOf(`${folder}/a/b/${file}`), 0o600, file);
  }
  await store.close();

  chmodSync(path, 0o644);
  await (await openSqliteStore({ path })).close();
  t.is(modeOf(path), 0o600);
});

test('[D11] sqlite: records outlive a restart, and a clean close leaves one file', async (t) => {
  const { folder, path } = pathFor(t);
  const lines: string[] = [];
  const log = createLog('info', { write: (line) => lines.push(line) });
  const store = await openSqliteStore({ path, log });
  const version = await put(store, key, 'value');
  await store.close();
  t.deepEqual(readdirSync(folder), ['store.db']);

  const again = await openSqliteStore({ path, log });
  t.deepEqual(await again.read(key), [{ value: 'value', version }]);
  await again.close();
  t.is(lines.length, 1, 'it says that it made a store, and has nothing else to report');
  t.regex(lines[0]!, /created an empty store/);
});

test('[D11] sqlite: a file that was taken away while in use is not ready', async (t) => {
  const { path } = pathFor(t);
  const store = await openSqliteStore({ path });
  await store.ping();
  renameSync(path, `${path}.moved`);
  await t.throwsAsync(store.ping(), { instanceOf: StoreUnavailable });
  writeFileSync(path, 'another file');
  await t.throwsAsync(store.ping(), { instanceOf: StoreUnavailable });
  await store.close();
});

for (const [what, takeAway] of [
  ['deleted', (path: string) => rmSync(path)],
  ['replaced', (path: string) => renameSync(`${path}.other`, path)],
] as const) {
  test(`[X31] sqlite: commits into a file that was ${what} stop within a moment, said once`, async (t) => {
    const { path } = pathFor(t);
    await (await openSqliteStore({ path: `${path}.other` })).close();
    const lines: string[] = [];
    const log = createLog('error', { write: (line) => lines.push(line) });
    const store = await openSqliteStore({ path, log });
    await put(store, key, 'value');
    linkSync(path, `${path}.kept`);
    takeAway(path);

    const refused = async () => {
      try {
        await put(store, key, 'lost');
        return undefined;
      } catch (error) {
        return error;
      }
    };
    let error = await refused();
    for (let i = 0; !error && i < 200; i++) {
      await delay(50);
      error = await refused();
    }
    t.true(error instanceof StoreUnavailable, `${error}`);
    for (let i = 0; i < 3; i++) t.true((await refused()) instanceof StoreUnavailable);
    await t.throwsAsync(store.ping(), { instanceOf: StoreUnavailable });
    t.is(lines.length, 1);
    t.like(JSON.parse(lines[0]!), { event: 'store', path });

    renameSync(`${path}.kept`, path);
    await t.notThrowsAsync(store.ping());
    await put(store, key, 'back again');
    t.is(await valueOf(store, key), 'back again');
    await store.close();
  });
}

test('[D11] sqlite: a newer schema is refused and left alone', async (t) => {
  const { path } = pathFor(t);
  await (await openSqliteStore({ path })).close();
  alter(path, 'PRAGMA user_version = 99');
  await t.throwsAsync(openSqliteStore({ path }), {
    message: /store\.db: a newer version of this program wrote it \(schema 99, .*run the newer/,
  });
  alter(path, 'PRAGMA user_version = 1');
  await t.notThrowsAsync(async () => (await openSqliteStore({ path })).close());
});

test("[D11] sqlite: another program's database is refused and left alone", async (t) => {
  const { path } = pathFor(t);
  alter(path, 'CREATE TABLE precious (x); INSERT INTO precious VALUES (1)');
  const before = statSync(path).mtimeMs;
  await t.throwsAsync(openSqliteStore({ path }), { message: /a database of another program/ });
  t.is(statSync(path).mtimeMs, before);
});

test('[X31] sqlite: an empty file is no new store', async (t) => {
  const { path } = pathFor(t);
  writeFileSync(path, '');
  await t.throwsAsync(openSqliteStore({ path }), { message: /it is cut short, 0 bytes/ });
  t.is(statSync(path).size, 0);
});

test('[X31] sqlite: a log without its file is no new store', async (t) => {
  const { path } = pathFor(t);
  writeFileSync(`${path}-wal`, 'log');
  await t.throwsAsync(openSqliteStore({ path }), { message: /the file is gone/ });
  t.true(existsSync(`${path}-wal`));
  rmSync(`${path}-wal`);
  await (await openSqliteStore({ path })).close();
});

test('[X28] sqlite: a path that cannot be a file is refused in one line', async (t) => {
  const { folder } = pathFor(t);
  mkdirSync(`${folder}/folder`);
  writeFileSync(`${folder}/file`, 'x');
  symlinkSync('/no/such/folder', `${folder}/dangling`);
  for (const path of [
    `${folder}/folder`,
    `${folder}/file/store.db`,
    `${folder}/dangling/store.db`,
  ]) {
    const error = await t.throwsAsync(openSqliteStore({ path }));
    t.regex(error!.message, /^Cannot open the store .*\.$/);
  }
  await t.throwsAsync(openSqliteStore({ path: '' }));
});

test('[X31] sqlite: a record that is not as written is never served', async (t) => {
  const { path } = pathFor(t);
  const store = await openSqliteStore({ path });
  await put(store, key, 'value');
  await put(store, { ...key, kind: 'other' }, 'value');
  alter(path, `UPDATE records SET value = 'eulav' WHERE kind = 'kind'`);
  await t.throwsAsync(store.read(key), { instanceOf: StoreUnavailable });
  await t.throwsAsync(put(store, key, 'new'), { instanceOf: StoreUnavailable });
  t.is(await valueOf(store, { ...key, kind: 'other' }), 'value');
  await store.close();
  await t.throwsAsync(openSqliteStore({ path }), {
    message: /record kind of tag is not as written/,
  });
});

test.serial('[D11] sqlite: expired records leave the file, in small batches', async (t) => {
  const { path } = pathFor(t);
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  let time = Date.now();
  const store = await openSqliteStore({ path, now: () => time });
  for (let i = 0; i < 450; i++) await put(store, { tag: `tag${i}`, kind: 'brief' }, 'x', 10);
  await put(store, key, 'value');
  time += 20_000;

  const rows = () => Number(alter(path, 'SELECT count(*) AS n FROM records')?.n);
  t.is(rows(), 451);
  const left: number[] = [];
  mock.timers.tick(30_000);
  left.push(rows());
  for (let i = 0; i < 3; i++) {
    mock.timers.tick(1_000);
    left.push(rows());
  }
  t.deepEqual(left, [251, 51, 1, 1]);
  t.is(await valueOf(store, key), 'value');
  await store.close();
});

function pathFor(t: ExecutionContext): { folder: string; path: string } {
  const folder = temporaryFolder();
  t.teardown(folder.remove);
  return { folder: folder.path, path: `${folder.path}/store.db` };
}

const modeOf = (path: string): number => statSync(path).mode & 0o777;

/** Does something to the file behind the store's back. */
function alter(path: string, sql: string): Record<string, unknown> | undefined {
  const db = new DatabaseSync(path);
  try {
    if (sql.startsWith('SELECT')) return db.prepare(sql).get();
    db.exec(sql);
    return undefined;
  } finally {
    db.close();
  }
}
