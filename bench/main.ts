import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measure, type Measured, type Plan } from './measure.ts';
import { page, table } from './report.ts';
import type { Row } from './row.ts';

/**
 * The benchmark suite. Every file in rows/ is one comparison.
 *
 *   node bench/main.ts                  all rows, writes bench/results.md
 *   node bench/main.ts --quick          seconds instead of minutes, writes nothing; shows that it runs, not how fast
 *   node bench/main.ts --row healthz    rows whose file name contains this
 */

const FULL: Plan = { rounds: 7, secondsPerRound: 5, warmUpSeconds: 3, connections: 32 };
const QUICK: Plan = { rounds: 2, secondsPerRound: 1, warmUpSeconds: 1, connections: 8 };

const { values } = parseArgs({
  options: { quick: { type: 'boolean' }, row: { type: 'string' } },
});
const plan = values.quick ? QUICK : FULL;

const results: Measured[] = [];
for (const row of await rows(values.row ?? '')) {
  process.stderr.write(`${row.name} against ${row.peer} …\n`);
  results.push(await measure(row, plan));
}
process.stdout.write(`${table(results)}\n`);
if (!values.quick && values.row === undefined)
  writeFileSync(join(import.meta.dirname, 'results.md'), page(results, plan));

async function rows(wanted: string): Promise<Row[]> {
  const files = readdirSync(join(import.meta.dirname, 'rows')).toSorted();
  const chosen = files.filter((file) => file.endsWith('.ts') && file.includes(wanted));
  if (chosen.length === 0) throw new Error(`no row matches ${wanted}`);
  const modules = chosen.map((file) => import(`./rows/${file}`) as Promise<{ default: Row }>);
  return (await Promise.all(modules)).map((module) => module.default);
}
