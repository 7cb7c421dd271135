import test from 'ava';
import { STORES } from '../support/harness.ts';
import { titleOn } from '../support/stores.ts';
import { soak } from './soak.ts';
import { heapOf, megabytes, verdict } from './verdict.ts';

/** The short form of `npm run soak`: too short for slopes, long enough for what is kept of every request. */

const CONNECTIONS = 5;
const CALLS = 600;
const FLOWS = 12;
/** With each request keeping 4 kB it is exceeded. */
const HEAP_BYTES = 3e6;

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
        warmUp: { calls: 300, flows: 6 },
      });
      t.deepEqual(verdict(result, { heap: HEAP_BYTES }), []);
      const { before, after } = result.rest;
      t.log(`heap at rest ${megabytes(heapOf(before))}, ${megabytes(heapOf(after))}`);
      const { calls, flows } = result.stored;
      t.is(flows.records.client, calls.records.client! + FLOWS, 'it has done its work');
    },
  );
}
