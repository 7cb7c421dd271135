import { ECHOED, echoCall, type Era } from '../mcp-requests.ts';
import { alternate } from '../measure.ts';
import { byClockAndCpu } from '../ratios.ts';
import type { Row } from '../row.ts';
import { repeating } from '../sides.ts';

const ERAS: readonly Era[] = ['2025-11-25', '2026-07-28'];

export default {
  id: 'G2',
  name: 'tools/call beside plain HTTP',
  why: `The same call beside the least that koa does for the same bytes (read the JSON, answer it), and beside JSON-RPC by hand
on node:http with validated arguments. Neither peer asks who is calling, so what they have over us is the price of a protocol,
of authentication and of a log.`,
  async measure(stage, plan) {
    const koa = await stage.world.peer('koa-echo');
    const byHand = await stage.peerWithTools('json-rpc');
    const side = repeating.bind(undefined, stage, plan);
    const ours = ERAS.map((era) => {
      const shots = stage.tokens.map((token) => echoCall(era, token));
      return side(`ours, ${era}`, stage.ours, { shots, expect: ECHOED });
    });
    const open = { shots: [echoCall('2025-11-25')], expect: ECHOED };
    const sides = await alternate(
      [...ours, side('koa JSON echo', koa, open), side('JSON-RPC by hand', byHand, open)],
      plan,
    );
    const [legacy, modern, echo] = sides;
    return {
      sides,
      verdicts: [legacy!, modern!].flatMap(({ name, figures }) =>
        byClockAndCpu(`calls a second of ${name} to a koa JSON echo`, [figures, echo!.figures], {
          unit: '%',
          must: 20,
          aim: 40,
        }),
      ),
    };
  },
} satisfies Row;
