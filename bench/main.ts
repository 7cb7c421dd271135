import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PERFORMANCE, writePart } from './pages.ts';
import { type Plan, PLANS } from './plan.ts';
import { goals, measurements, page, progress, type Result } from './report.ts';
import type { Row } from './row.ts';
import { sizes } from './sizes.ts';
import { createStage, type StoreName } from './stage.ts';
import { createWorld } from './world.ts';

/**
 * The benchmark suite. Every file in rows/ is one comparison.
 *
 *   node bench/main.ts                  all rows on Redis, then on SQLite; writes bench/results.md and docs/performance.md
 *   node bench/main.ts --quick          under two minutes, Redis only; writes nothing
 *   node bench/main.ts --smoke          seconds: shows that it runs, and nothing about speed
 *   node bench/main.ts --only G1,G5     some rows; with --store redis or sqlite on one store only
 *   node bench/main.ts --growth         what it costs as the work grows; writes docs/performance/
 */
const { values } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    smoke: { type: 'boolean' },
    growth: { type: 'boolean' },
    only: { type: 'string' },
    store: { type: 'string' },
  },
});
const plan: Plan = values.smoke ? PLANS.smoke : values.quick ? PLANS.quick : PLANS.full;

if (values.growth) {
  if (values.only !== undefined || values.store !== undefined)
    throw new Error('--growth has no rows and measures on Redis: leave out --only and --store');
  const { measureGrowth } = await import('./growth/main.ts');
  await measureGrowth(plan);
} else {
  const results = await measureRows();
  process.stdout.write(`${goals(results)}\n\n${measurements(results)}\n`);
  if (plan.name !== 'full')
    process.stdout.write(`\n--${plan.name}: cold and short, a sketch only.\n`);
  const isWhole = plan.name === 'full' && values.only === undefined && values.store === undefined;
  if (isWhole && process.exitCode === undefined) {
    writeFileSync(join(import.meta.dirname, 'results.md'), page(results, plan));
    writePart(PERFORMANCE, 'sizes', sizes(results));
  }
}

async function measureRows(): Promise<Result[]> {
  const rows = await chosenRows();
  const stores = chosenStores();
  const rowsOn = (store: StoreName) =>
    rows.filter(({ perStore = true }) => perStore || store === 'redis');
  if (stores.flatMap(rowsOn).length === 0) throw new Error('these are measured on Redis only');
  const results: Result[] = [];
  const world = await createWorld();
  try {
    for (const store of stores) {
      const here = rowsOn(store);
      if (here.length === 0) continue;
      const stage = await createStage(world, store, plan);
      for (const row of here) {
        process.stderr.write(`${row.id} ${row.name}, ${store} …\n`);
        try {
          const result = { row, store, outcome: await row.measure(stage, plan) };
          process.stderr.write(`${progress(result)}\n`);
          results.push(result);
        } catch (error) {
          // What the others measured in the meantime must not be lost with it.
          process.stderr.write(`${row.id}, ${store}: ${(error as Error).stack}\n`);
          process.exitCode = 1;
        }
      }
      await stage.ours.stop();
    }
  } finally {
    await world.close();
  }
  return results;
}

function chosenStores(): StoreName[] {
  const { store } = values;
  if (store === 'redis' || store === 'sqlite') return [store];
  if (store !== undefined) throw new Error(`no store is called ${store}`);
  return plan.name === 'full' ? ['redis', 'sqlite'] : ['redis'];
}

async function chosenRows(): Promise<Row[]> {
  const files = readdirSync(join(import.meta.dirname, 'rows')).filter((f) => f.endsWith('.ts'));
  const modules = files.map((file) => import(`./rows/${file}`) as Promise<{ default: Row }>);
  const rows = (await Promise.all(modules)).map((module) => module.default);
  const wanted = values.only?.split(',');
  const chosen = rows.filter(({ id }) => wanted?.includes(id) ?? true);
  const missing = wanted?.filter((id) => !rows.some((row) => row.id === id)) ?? [];
  if (missing.length > 0) throw new Error(`no row is called ${missing.join(', ')}`);
  return chosen.toSorted((a, b) => Number(a.id.slice(1)) - Number(b.id.slice(1)));
}
