import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { openSqliteStore } from '../../adapters/sqlite/sqlite.ts';
import { StoreUnavailable } from '../../errors.ts';
import { createLog } from '../../log.ts';
import { historyWrites, lastOfHistory } from './sqlite-history.ts';
import { child, temporaryFolder } from './sqlite-support.ts';

/** Several processes on one file: the server, the command line, and whoever is killed in between. */

// One after the other: they measure waiting, and share the machine with everything else as it is.
test.serial('[D11] sqlite: two processes count one record up and lose nothing', async (t) => {
  const folder = temporaryFolder();
  t.teardown(folder.remove);
  const path = `${folder.path}/store.db`;
  const children = [child('count', path, 1_500), child('count', path, 1_500)];
  await Promise.all(children.map((each) => each.ended()));
  t.deepEqual(
    children.map((each) => each.lines.at(-1)),
    ['done', 'done'],
  );
  const store = await openSqliteStore({ path });
  t.is((await store.read({ tag: 'shared', kind: 'count' }))[0]?.value, '3000');
  await store.close();
});

test.serial(
  '[D11] sqlite: a commit waits for a lock of 1 s, the event loop does not',
  async (t) => {
    const folder = temporaryFolder();
    t.teardown(folder.remove);
    const path = `${folder.path}/store.db`;
    const store = await openSqliteStore({ path });
    const holder = child('hold', path, 1_000);
    await holder.said(1);

    let ticks = 0;
    const ticker = setInterval(() => ticks++, 10);
    const versions = await Promise.all(
      Array.from({ length: 20 }, (_, i) => store.commit(historyWrites(i))),
    );
    clearInterval(ticker);
    await holder.ended();
    t.is(holder.lines.at(-1), 'released');
    t.true(versions.every(Boolean));
    t.is(await lastOfHistory(store), 19, 'in the order they were asked for');
    // 100 if nothing ever blocked. Twenty commits that each block for the busy time-out would leave next to none.
    t.true(ticks >= 25, `${ticks} ticks`);
    await store.close();
  },
);

test.serial('[D11] sqlite: a lock of 5 s ends in 503 after 2 s, and reads go on', async (t) => {
  const folder = temporaryFolder();
  t.teardown(folder.remove);
  const path = `${folder.path}/store.db`;
  const store = await openSqliteStore({ path });
  await store.commit(historyWrites(0));
  const holder = child('hold', path, 5_000);
  t.teardown(() => holder.process.kill('SIGKILL'));
  await holder.said(1);

  const started = performance.now();
  const commits = Array.from({ length: 10 }, () =>
    t.throwsAsync(store.commit(historyWrites(1)), { instanceOf: StoreUnavailable }),
  );
  await t.throwsAsync(store.ping(), { instanceOf: StoreUnavailable });
  await Promise.all(commits);
  const waited = performance.now() - started;
  t.true(waited >= 1_500 && waited < 4_500, `${waited} ms`);
  t.is(await lastOfHistory(store), 0);
  t.deepEqual(holder.lines, ['held'], 'the lock was still held');

  holder.process.kill('SIGKILL');
  await holder.ended();
  t.truthy(await store.commit(historyWrites(1)), 'works again at once');
  t.is(await lastOfHistory(store), 1, 'none of the refused commits was applied later');
  await store.close();
});

test.serial('[D11] sqlite: opening waits for a lock, too', async (t) => {
  const folder = temporaryFolder();
  t.teardown(folder.remove);
  const path = `${folder.path}/store.db`;
  await (await openSqliteStore({ path })).close();
  const holder = child('hold', path, 300);
  await holder.said(1);
  const store = await openSqliteStore({ path });
  await t.notThrowsAsync(store.ping());
  await store.close();
  await holder.ended();
});

test.serial('[D11] [X31] sqlite: kill -9 loses nothing that was acknowledged', async (t) => {
  const folder = temporaryFolder();
  t.teardown(folder.remove);
  const path = `${folder.path}/store.db`;
  let next = 0;
  for (let round = 0; round < 6; round++) {
    const writer = child('write', path, next);
    await writer.said(200);
    await delay(Math.random() * 150);
    writer.process.kill('SIGKILL');
    await writer.ended();
    const acknowledged = Number(writer.lines.at(-1));
    // Silent: the commit under way is reported as unfinished, as it should be.
    const store = await openSqliteStore({ path, log: createLog('silent') });
    const last = await lastOfHistory(store);
    await store.close();
    // The one commit under way may have been made and not been told.
    t.true(last === acknowledged || last === acknowledged + 1, `${acknowledged} but ${last}`);
    next = last + 1;
  }
});

test.serial(
  '[D11] sqlite: a process ends with its store open, and nothing is missed',
  async (t) => {
    const folder = temporaryFolder();
    t.teardown(folder.remove);
    const path = `${folder.path}/store.db`;
    for (const part of ['open', 'exit']) {
      const idler = child(part, path);
      await idler.ended();
      t.is(idler.process.exitCode, 0, 'the open store kept it alive');
      const reports: string[] = [];
      const log = createLog('warn', { write: (line) => reports.push(line) });
      const store = await openSqliteStore({ path, log });
      await store.close();
      t.deepEqual(reports, []);
    }
  },
);

test.serial('[D11] sqlite: processes that start together make one store', async (t) => {
  const folder = temporaryFolder();
  t.teardown(folder.remove);
  const path = `${folder.path}/new/folder/store.db`;
  const children = Array.from({ length: 4 }, () => child('count', path, 5));
  await Promise.all(children.map((each) => each.ended()));
  const store = await openSqliteStore({ path });
  t.is((await store.read({ tag: 'shared', kind: 'count' }))[0]?.value, '20');
  await store.close();
});
