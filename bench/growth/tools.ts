import { ECHOED, echoCall, mcpShot } from '../mcp-requests.ts';
import { alternate } from '../measure.ts';
import type { Plan } from '../plan.ts';
import { repeating } from '../sides.ts';
import type { Stage } from '../stage.ts';
import { authorityAt } from '../world.ts';
import { seed } from './seed.ts';
import type { Series } from './series.ts';

const SIZES: Readonly<Record<Plan['name'], readonly number[]>> = {
  full: [16, 32, 64, 100],
  quick: [16, 100],
  smoke: [16, 17],
};

export async function measureTools(stage: Stage, plan: Plan): Promise<Series> {
  const sizes = SIZES[plan.name];
  const authority = authorityAt('ours', stage.ours);
  const connections = await seed(stage.program, plan.users, plan.users);
  const tokens = await stage.world.generator.connect({ kind: 'adopt', authority, connections });
  const servers = await Promise.all(sizes.map((tools) => stage.another({ tools })));
  const era = '2026-07-28';
  const calls = { shots: tokens.map((token) => echoCall(era, token)), expect: ECHOED };
  const lists = {
    shots: tokens.map((token) => mcpShot(era, 'tools/list', {}, token)),
    expect: '"listCompanies"',
  };
  const sides = servers.flatMap((server) => [
    repeating(stage, plan, 'tools/call', server, calls),
    repeating(stage, plan, 'tools/list', server, lists),
  ]);
  const measured = await alternate(sides, plan);
  await Promise.all(servers.map((server) => server.stop()));
  return {
    title: 'Tools',
    about: 'The real tools, and copies of them under other names.',
    across: 'tools',
    file: 'tools.svg',
    points: sizes.map((x, i) => ({ x, sides: measured.slice(2 * i, 2 * i + 2) })),
  };
}
