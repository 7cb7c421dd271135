import { parseArgs } from 'node:util';
import { STORES, type StoreName } from '../support/harness.ts';
import { slopePer100k, soak, type SoakResult } from './soak.ts';
import { heapOf, megabytes, rssOf, verdict } from './verdict.ts';

/**
 * `npm run soak`: has a server work for hours and says what it holds afterwards. Exit code 1 if that is out of bounds.
 *
 *   --store sqlite|redis   default: both, one after the other
 *   --calls N              MCP calls, default 1,000,000
 *   --flows N              connections from registration to revocation, default 100,000
 */
const CONNECTIONS = 20;
const LOOKS = 50;
/** The server remembers 10,000 grants and as many tokens, and V8 gives itself room for the work; it grows until all is there. */
const WARM_UP = { calls: 100_000, flows: 20_000 };
const MB = 1e6;
/** X36. */
const SLOPE = 1 * MB;
const HEAP = 5 * MB;
/** Less than this says nothing about a slope: garbage comes and goes by megabytes. */
const MIN_CALLS = 100_000;
const MIN_FLOWS = 10_000;

const { values } = parseArgs({
  options: {
    store: { type: 'string' },
    calls: { type: 'string', default: '1000000' },
    flows: { type: 'string', default: '100000' },
  },
});
const calls = Number(values.calls);
const flows = Number(values.flows);
const stores = values.store === undefined ? STORES : [values.store as StoreName];
const isCount = (n: number) => Number.isSafeInteger(n) && n > 0;
if (!isCount(calls) || !isCount(flows) || !stores.every((store) => STORES.includes(store))) {
  process.stderr.write('usage: npm run soak -- [--store sqlite|redis] [--calls N] [--flows N]\n');
  process.exit(2);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

for (const store of stores) {
  say(
    `${store}: ${calls} calls, ${flows} flows, after ${WARM_UP.calls} and ${WARM_UP.flows} to warm up`,
  );
  const started = performance.now();
  const result = await soak({
    store,
    connections: CONNECTIONS,
    calls,
    flows,
    looks: LOOKS,
    warmUp: WARM_UP,
    onLook: (work, done, sample) =>
      say(`  ${done} ${work}: rss ${megabytes(sample.rss)}, heap ${megabytes(sample.heap)}`),
  });
  describe(result);
  const problems = verdict(result, {
    callSlope: calls >= MIN_CALLS ? SLOPE : undefined,
    flowSlope: flows >= MIN_FLOWS ? SLOPE : undefined,
    heap: HEAP,
  });
  for (const problem of problems) say(`  OUT OF BOUNDS ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
  say(`  ${Math.round((performance.now() - started) / 1000)} s`);
}

function describe({ during, rest, stored }: SoakResult): void {
  for (const work of ['calls', 'flows'] as const) {
    const slope = (of: typeof rssOf) => megabytes(slopePer100k(during[work], of));
    say(`  for each 100,000 ${work}: rss ${slope(rssOf)}, heap ${slope(heapOf)}`);
  }
  const { before, after } = rest;
  say(`  heap at rest: ${megabytes(before.heap)} before, ${megabytes(after.heap)} after`);
  say(`  handles at rest: ${JSON.stringify(before.handles)}, ${JSON.stringify(after.handles)}`);
  for (const [when, { bytes, records }] of Object.entries(stored)) {
    say(`  store, ${when}: ${megabytes(bytes)} ${JSON.stringify(records)}`);
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
