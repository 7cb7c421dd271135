import { ECHOED, echoCall, type Era } from '../mcp-requests.ts';
import { alternate } from '../measure.ts';
import { byClockAndCpu } from '../ratios.ts';
import type { Row } from '../row.ts';
import { repeating } from '../sides.ts';

const ERAS: readonly Era[] = ['2025-11-25', '2026-07-28'];

export default {
  id: 'G1',
  name: 'tools/call',
  why: `One tool that answers at once, so that everything around it is measured. All have the same tools with the same
schemas. Ours checks origin, token and grant of a different user each time and writes its log; the peers, built as the SDK's
documentation builds them (a server for every request), ask nobody who they are.`,
  async measure(stage, plan) {
    const v1 = await stage.peerWithTools('sdk-v1');
    const v2 = await stage.peerWithTools('sdk-v2');
    const shots = (era: Era) => stage.tokens.map((token) => echoCall(era, token));
    const request = (era: Era) => ({ shots: shots(era), expect: ECHOED });
    const open = (era: Era) => ({ shots: [echoCall(era)], expect: ECHOED });
    const side = repeating.bind(undefined, stage, plan);
    const sides = await alternate(
      [
        ...ERAS.map((era) => side(`ours, ${era}`, stage.ours, request(era))),
        side('SDK v1 stateless, no auth', v1, open('2025-11-25')),
        ...ERAS.map((era) => side(`SDK v2 createMcpHandler, ${era}, no auth`, v2, open(era))),
      ],
      plan,
    );
    const [legacy, modern, sdk] = sides;
    return {
      sides,
      verdicts: [legacy!, modern!].flatMap(({ name, figures }) =>
        byClockAndCpu(`calls a second of ${name} to SDK v1 stateless`, [figures, sdk!.figures], {
          unit: '×',
          must: 10,
          aim: 20,
        }),
      ),
    };
  },
} satisfies Row;
