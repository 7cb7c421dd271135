import { mcpShot, type Era } from '../mcp-requests.ts';
import { alternate } from '../measure.ts';
import { byClockAndCpu } from '../ratios.ts';
import type { Row } from '../row.ts';
import { repeating } from '../sides.ts';

const ERAS: readonly Era[] = ['2025-11-25', '2026-07-28'];

export default {
  id: 'G4',
  name: 'tools/list',
  why: `The list of all tools, the same for ours and the peers. Ours asks who is calling; the peers do not, and make the list
anew each time, as the documentation has it.`,
  async measure(stage, plan) {
    const v1 = await stage.peerWithTools('sdk-v1');
    const v2 = await stage.peerWithTools('sdk-v2');
    const side = repeating.bind(undefined, stage, plan);
    const list = (era: Era, tokens: readonly (string | undefined)[]) => ({
      shots: tokens.map((token) => mcpShot(era, 'tools/list', {}, token)),
      expect: '"listCompanies"',
    });
    const sides = await alternate(
      [
        ...ERAS.map((era) => side(`ours, ${era}`, stage.ours, list(era, stage.tokens))),
        side('SDK v1 stateless, no auth', v1, list('2025-11-25', [undefined])),
        side('SDK v2 createMcpHandler, no auth', v2, list('2026-07-28', [undefined])),
      ],
      plan,
    );
    const [legacy, modern, sdk] = sides;
    return {
      sides,
      verdicts: [legacy!, modern!].flatMap(({ name, figures }) =>
        byClockAndCpu(`lists a second of ${name} to SDK v1 stateless`, [figures, sdk!.figures], {
          unit: '×',
          must: 30,
          aim: 70,
        }),
      ),
    };
  },
} satisfies Row;
