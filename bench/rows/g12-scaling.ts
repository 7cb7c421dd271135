import { companiesCall, ECHOED, echoCall, FROM_UPSTREAM } from '../mcp-requests.ts';
import type { Load } from '../generator/protocol.ts';
import { alternate, type Side } from '../measure.ts';
import type { Plan } from '../plan.ts';
import type { Running } from '../process.ts';
import { cheaper, faster } from '../ratios.ts';
import type { Row } from '../row.ts';
import type { Stage } from '../stage.ts';
import { amountOf, type Requests } from '../sides.ts';

export default {
  id: 'G12',
  name: 'two processes',
  why: `One instance, then two on one Redis, any user at either, half of the connections to each. On two cores the generator and
redis-server take their part of both, so the clock can't show a doubling; calls for a second of the servers' own CPU show whether
two instances stand in each other's way: 100 % is that each call costs what it costs alone.`,
  perStore: false,
  async measure(stage, plan) {
    const second = await stage.another();
    const calls = {
      echo: { shots: stage.tokens.map((t) => echoCall('2026-07-28', t)), expect: ECHOED },
      whole: {
        shots: stage.tokens.map((t) => companiesCall('2026-07-28', t)),
        expect: FROM_UPSTREAM,
      },
    };
    const side = serving.bind(undefined, stage, plan);
    const both = [stage.ours, second];
    const sides = await alternate(
      [
        side('one, tools/call', [stage.ours], calls.echo),
        side('two, tools/call', both, calls.echo),
        side('one, the whole way', [stage.ours], calls.whole),
        side('two, the whole way', both, calls.whole),
      ],
      plan,
    );
    await second.stop();
    const [one, two] = sides.map(({ figures }) => figures);
    return {
      sides,
      verdicts: [
        {
          goal: 'scaling of tools/call, by CPU',
          unit: '%',
          more: true,
          value: 100 * cheaper(two!, one!),
          must: 85,
          aim: 93,
        },
        {
          goal: 'by the clock, the generator on the same cores',
          unit: '%',
          more: true,
          value: (100 * faster(two!, one!)) / 2,
        },
      ],
    };
  },
} satisfies Row;

const serving = (
  stage: Stage,
  plan: Plan,
  name: string,
  servers: readonly Running[],
  { shots, expect }: Requests,
): Side => ({
  name,
  run: (seconds) =>
    stage.sample(servers, async () => {
      const loads = servers.map(({ origin }) =>
        stage.world.generator.load({
          kind: 'repeat',
          origin,
          shots,
          expect,
          ...amountOf(plan, seconds),
          connections: Math.ceil(plan.connections / servers.length),
        }),
      );
      return together(await Promise.all(loads));
    }),
});

const together = (loads: readonly Load[]): Load => ({
  requests: loads.reduce((sum, { requests }) => sum + requests, 0),
  seconds: Math.max(...loads.map(({ seconds }) => seconds)),
  p50Ms: Math.max(...loads.map(({ p50Ms }) => p50Ms)),
  p99Ms: Math.max(...loads.map(({ p99Ms }) => p99Ms)),
});
