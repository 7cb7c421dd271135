import { companiesCall, FROM_UPSTREAM } from '../mcp-requests.ts';
import type { Shot } from '../generator/protocol.ts';
import { alternate, type Side } from '../measure.ts';
import type { Plan } from '../plan.ts';
import type { Running } from '../process.ts';
import type { Row } from '../row.ts';
import { repeating } from '../sides.ts';
import type { Stage } from '../stage.ts';
import { UPSTREAM_PATH } from '../world.ts';

const PER_SECOND = 200;
const UPSTREAM_MS = 20;

export default {
  id: 'G6',
  name: 'latency at 200 calls a second',
  why: `An open loop: 200 calls a second, sent whether the last one was answered or not, over an upstream that takes 20 ms. What is
added is the difference to calling that upstream directly, at the same rate, from the same generator. Each side is warmed up by as
many calls as it can take, because at this rate that would last for minutes.`,
  async measure(stage, plan) {
    const { upstream } = stage.world;
    const proxy = await stage.world.peer('proxy', {
      UPSTREAM_TARGET: upstream.origin + UPSTREAM_PATH,
    });
    const naive = await stage.peerWithTools('naive');
    const calls = stage.tokens.map((token) => companiesCall('2026-07-28', token));
    const legacyCalls = stage.tokens.map((token) => companiesCall('2025-11-25', token));
    const straight: Shot[] = [{ method: 'GET', path: UPSTREAM_PATH }];
    await stage.world.delayUpstream(UPSTREAM_MS);
    try {
      const sides = await alternate(
        [
          steady(stage, plan, 'the upstream, directly', upstream, straight),
          steady(stage, plan, 'ours', stage.ours, calls),
          steady(stage, plan, 'pass-through proxy', proxy, calls),
          steady(stage, plan, 'naive', naive, legacyCalls),
        ],
        plan,
      );
      const [direct, ours] = sides.map(({ figures }) => figures);
      const added = (which: 'p50Ms' | 'p99Ms') => ours![which].median - direct![which].median;
      return {
        sides,
        verdicts: [
          {
            goal: 'added latency, p50',
            unit: 'ms',
            more: false,
            value: added('p50Ms'),
            must: 1.5,
            aim: 1,
          },
          {
            goal: 'added latency, p99',
            unit: 'ms',
            more: false,
            value: added('p99Ms'),
            must: 6,
            aim: 3,
          },
        ],
      };
    } finally {
      await stage.world.delayUpstream(0);
    }
  },
} satisfies Row;

const steady = (
  stage: Stage,
  plan: Plan,
  name: string,
  server: Running,
  shots: readonly Shot[],
): Side => ({
  name,
  warmUp: repeating(stage, plan, name, server, { shots, expect: FROM_UPSTREAM }).run,
  run: (seconds) =>
    stage.sample([server], () =>
      stage.world.generator.load({
        kind: 'open',
        origin: server.origin,
        shots,
        expect: FROM_UPSTREAM,
        seconds,
        perSecond: plan.name === 'smoke' ? 20 : PER_SECOND,
      }),
    ),
});
