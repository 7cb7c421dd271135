import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plan } from '../plan.ts';
import { PERFORMANCE, writePart } from '../pages.ts';
import { PROJECT } from '../process.ts';
import { createStage } from '../stage.ts';
import { createWorld } from '../world.ts';
import { chart } from './chart.ts';
import { type Series, tableOf } from './series.ts';
import { measureGrants } from './grants.ts';
import { measureTools } from './tools.ts';
import { measureUsers } from './users.ts';

const PICTURES = join(PROJECT, 'docs/performance');
/** What calls and refreshes cost as the work grows. The whole plan also writes the pictures and the tables of the page. */
export async function measureGrowth(plan: Plan): Promise<void> {
  const series: Series[] = [];
  const world = await createWorld();
  try {
    const stage = await createStage(world, 'redis', { users: 1 });
    for (const measure of [measureGrants, measureUsers, measureTools]) {
      const measured = await measure(stage, plan);
      process.stdout.write(`${measured.title}\n\n${tableOf(measured)}\n\n`);
      series.push(measured);
    }
  } finally {
    await world.close();
  }
  if (plan.name === 'full') write(series);
}

function write(series: readonly Series[]): void {
  mkdirSync(PICTURES, { recursive: true });
  for (const { file, title, across, points } of series) {
    const [first] = points;
    const lines = first!.sides.map(({ name }, i) => ({
      name,
      points: points.map(({ x, sides }) => ({ x, y: sides[i]!.figures.cpu?.median ?? 0 })),
    }));
    const picture = chart({ title, across, up: 'CPU of the server, µs', lines });
    writeFileSync(join(PICTURES, file), picture);
  }
  const text = series
    .map(
      (each) =>
        `### ${each.title}\n\n${each.about}\n\n<img src="performance/${each.file}" width="640" alt="${each.title}: the table below as lines.">\n\n<!-- prettier-ignore -->\n${tableOf(each)}`,
    )
    .join('\n\n');
  writePart(PERFORMANCE, 'growth', text);
}
