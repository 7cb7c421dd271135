import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { STORES } from '../support/harness.ts';
import { titleOn } from '../support/stores.ts';
import { soak } from './soak.ts';
import { heapOf, megabytes, verdict } from './verdict.ts';

/** The short form of `npm run soak`: too short for slopes, long enough for what is kept of every request. */

const ROOT = join(import.meta.dirname, '../..');
const CONNECTIONS = 3;
const CALLS = 400;
const FLOWS = 8;
/** With each request keeping 5 kB it is exceeded. */
const HEAP_BYTES = 2.5e6;

for (const store of STORES) {
  test.serial(
    titleOn(
      store,
      '[X36] after hundreds of calls and some whole connections a server holds what it held before: heap, sockets, timers, records',
    ),
    async (t) => {
      const result = await soak({
        store,
        connections: CONNECTIONS,
        calls: CALLS,
        flows: FLOWS,
        looks: 1,
        warmUp: { calls: 200, flows: 4 },
      });
      t.deepEqual(verdict(result, { heap: HEAP_BYTES }), []);
      const { before, after } = result.rest;
      t.log(`heap at rest ${megabytes(heapOf(before))}, ${megabytes(heapOf(after))}`);
      const { calls, flows } = result.stored;
      t.is(flows.records.client, calls.records.client! + FLOWS, 'it has done its work');
    },
  );
}

test('[X36] no cookie is asked for by a name of its own: the library keeps a pattern for every name for ever', (t) => {
  const sources = globSync('{auth,http,mcp}/**/*.ts', { cwd: ROOT });
  const names = sources.flatMap((file) =>
    [...readFileSync(join(ROOT, file), 'utf8').matchAll(/cookies\.get\(([^,)]*)/g)].map(
      ([, name]) => name,
    ),
  );
  t.true(names.length > 0);
  t.deepEqual(
    names.filter((name) => name !== 'COOKIE'),
    [],
  );
});
