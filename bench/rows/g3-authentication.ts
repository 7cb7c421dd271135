import type { Figures } from '../figures.ts';
import { ECHOED, echoCall, mcpShot } from '../mcp-requests.ts';
import { alternate } from '../measure.ts';
import type { Row } from '../row.ts';
import { repeating } from '../sides.ts';

const ERA = '2025-11-25';

export default {
  id: 'G3',
  name: 'authentication',
  why: `Our server against itself: \`tools/list\` without a token (PUBLIC_DISCOVERY) and with one, of a different user each time. The
difference is what token and grant cost; nobody may call a tool without a token, so that difference is set against a tool call
with one. What share of its throughput would a server win that did not ask?`,
  async measure(stage, plan) {
    const side = repeating.bind(undefined, stage, plan);
    const list = (...tokens: (string | undefined)[]) => ({
      shots: tokens.map((token) => mcpShot(ERA, 'tools/list', {}, token)),
      expect: '"inputSchema"',
    });
    const sides = await alternate(
      [
        side('tools/list, no token', stage.ours, list(undefined)),
        side('tools/list, token', stage.ours, list(...stage.tokens)),
        side('tools/call, token', stage.ours, {
          shots: stage.tokens.map((token) => echoCall(ERA, token)),
          expect: ECHOED,
        }),
      ],
      plan,
    );
    const [open, known, call] = sides.map(({ figures }) => figures);
    const goal = 'throughput that authentication takes from tools/call';
    const bounds = { must: 25, aim: 18, more: false };
    return {
      sides,
      verdicts: [
        { goal, unit: '%', value: 100 * share(open!, known!, call!, timeOf), ...bounds },
        {
          goal: 'the same by CPU',
          unit: '%',
          value: 100 * share(open!, known!, call!, cpuOf),
          ...bounds,
        },
      ],
    };
  },
} satisfies Row;

const timeOf = ({ perSecond }: Figures): number => 1e6 / perSecond.median;
const cpuOf = (figures: Figures): number => figures.cpu?.median ?? timeOf(figures);

/** (known - open) / call: a call without authentication would take that much less. */
const share = (open: Figures, known: Figures, call: Figures, costOf: (f: Figures) => number) =>
  Math.max(0, costOf(known) - costOf(open)) / costOf(call);
