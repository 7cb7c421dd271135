import { companiesCall, type Era, FROM_UPSTREAM } from '../mcp-requests.ts';
import { alternate } from '../measure.ts';
import { byClockAndCpu, cheaper } from '../ratios.ts';
import type { Row } from '../row.ts';
import { repeating } from '../sides.ts';
import { UPSTREAM_PATH } from '../world.ts';

const ERAS: readonly Era[] = ['2025-11-25', '2026-07-28'];

export default {
  id: 'G5',
  name: 'the whole way to the upstream',
  why: `A tool that asks the upstream one thing with the user's own credential, out of the sealed record in the store, and hands on
the answer. The naive server takes the same tokens and tools and asks the same upstream, written as one writes it first: koa, SDK
v1 for each request, jose for each token, two Redis reads, global fetch. The proxy sends bytes through an undici Pool and looks
at nothing. The upstream is one process for all, with a prepared answer.`,
  async measure(stage, plan) {
    const naive = await stage.peerWithTools('naive');
    const env = { UPSTREAM_TARGET: stage.world.upstream.origin + UPSTREAM_PATH };
    const proxy = await stage.world.peer('proxy', env);
    const side = repeating.bind(undefined, stage, plan);
    const calls = (era: Era) => ({
      shots: stage.tokens.map((token) => companiesCall(era, token)),
      expect: FROM_UPSTREAM,
    });
    const sides = await alternate(
      [
        ...ERAS.map((era) => side(`ours, ${era}`, stage.ours, calls(era))),
        side('naive', naive, calls('2025-11-25')),
        side('pass-through proxy', proxy, calls('2025-11-25')),
      ],
      plan,
    );
    const [legacy, modern, first, through] = sides;
    return {
      sides,
      verdicts: [legacy!, modern!].flatMap(({ name, figures }) => [
        ...byClockAndCpu(`calls a second of ${name} to naive`, [figures, first!.figures], {
          unit: '×',
          must: 8,
          aim: 14,
        }),
        {
          goal: 'of the proxy, by CPU',
          unit: '%',
          more: true,
          value: 100 * cheaper(figures, through!.figures),
          aim: 35,
        },
      ]),
    };
  },
} satisfies Row;
