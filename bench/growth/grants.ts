import { ECHOED, echoCall } from '../mcp-requests.ts';
import { alternate } from '../measure.ts';
import type { Plan } from '../plan.ts';
import { flowing, repeating } from '../sides.ts';
import type { Stage } from '../stage.ts';
import { authorityAt } from '../world.ts';
import { seed } from './seed.ts';
import type { Point, Series } from './series.ts';

const SIZES: Readonly<Record<Plan['name'], readonly number[]>> = {
  full: [10, 100, 1_000, 10_000, 100_000],
  quick: [10, 100, 1_000],
  smoke: [2, 4],
};
/** Whose tokens take turns: all, or so many of them, spread evenly. */
const MOST_USED = 1_000;

export async function measureGrants(stage: Stage, plan: Plan): Promise<Series> {
  const authority = authorityAt('ours', stage.ours);
  const redisBytes = async () => {
    const info = await stage.world.redis.command('INFO', 'memory');
    return Number(/used_memory:(\d+)/.exec(info)![1]);
  };
  const points: Point[] = [];
  const empty = await redisBytes();
  let live = 0;
  for (const size of SIZES[plan.name]) {
    const connections = await seed(stage.program, size - live, Math.min(size, MOST_USED));
    live = size;
    const bytes = (await redisBytes()) - empty;
    const tokens = await stage.world.generator.connect({ kind: 'adopt', authority, connections });
    const shots = tokens.map((token) => echoCall('2026-07-28', token));
    const request = { shots, expect: ECHOED };
    const refresh = { flow: 'refresh', kind: 'ours' } as const;
    const sides = await alternate(
      [
        repeating(stage, plan, 'tools/call', stage.ours, request),
        flowing(stage, plan, 'refresh', stage.ours, refresh),
      ],
      plan,
    );
    points.push({ x: size, sides, beside: { 'Redis, MB': (bytes / 1e6).toFixed(1) } });
  }
  return {
    title: 'Live connections',
    about: `Connections written into Redis by the product's own adapters. Calls and refreshes come from all of them, from ${MOST_USED.toLocaleString('en')} on from so many, spread evenly.`,
    across: 'connections',
    file: 'connections.svg',
    points,
  };
}
