import { ECHOED, echoCall } from '../mcp-requests.ts';
import { alternate } from '../measure.ts';
import type { Plan } from '../plan.ts';
import { repeating } from '../sides.ts';
import type { Stage } from '../stage.ts';
import { authorityAt } from '../world.ts';
import { seed } from './seed.ts';
import type { Series } from './series.ts';

const SIZES: Readonly<Record<Plan['name'], readonly number[]>> = {
  full: [1, 10, 100, 1_000],
  quick: [1, 10, 100],
  smoke: [1, 2],
};

export async function measureUsers(stage: Stage, plan: Plan): Promise<Series> {
  const sizes = SIZES[plan.name];
  const most = sizes.at(-1)!;
  const authority = authorityAt('ours', stage.ours);
  const connections = await seed(stage.program, most, most);
  const tokens = await stage.world.generator.connect({ kind: 'adopt', authority, connections });
  const shots = tokens.map((token) => echoCall('2026-07-28', token));
  const side = (size: number) => {
    const those = { ...plan, connections: size };
    const request = { shots: shots.slice(0, size), expect: ECHOED };
    return repeating(stage, those, 'tools/call', stage.ours, request);
  };
  const measured = await alternate(sizes.map(side), plan);
  return {
    title: 'Users at a time',
    about:
      'Each user on a connection of their own, sending the next call when the last was answered.',
    across: 'users',
    file: 'users.svg',
    points: sizes.map((x, i) => ({ x, sides: [measured[i]!] })),
  };
}
