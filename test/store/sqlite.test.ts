import { openSqliteStore } from '../../adapters/sqlite/sqlite.ts';
import { storeConformance } from './conformance.ts';
import { temporaryFolder } from './sqlite-support.ts';

/** The conformance suite on the embedded store. What is special about files is in the sqlite-*.test.ts beside this. */

storeConformance('sqlite', async (options) => {
  const folder = temporaryFolder({ flushed: false });
  const path = `${folder.path}/store.db`;
  const store = await openSqliteStore({ path, ...options });
  const opened = [store];
  return {
    store,
    second: async () => {
      const other = await openSqliteStore({ path, ...options });
      opened.push(other);
      return other;
    },
    cleanup: async () => {
      for (const each of opened) await each.close();
      folder.remove();
    },
  };
});

storeConformance('sqlite in memory', async (options) => {
  const store = await openSqliteStore({ path: ':memory:', ...options });
  return { store, second: async () => store, cleanup: () => store.close() };
});
