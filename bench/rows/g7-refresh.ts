import { alternate } from '../measure.ts';
import { cheaper, faster } from '../ratios.ts';
import type { Row } from '../row.ts';
import { flowSides } from '../sides.ts';

export default {
  id: 'G7',
  name: 'refresh',
  why: `Chains of refreshes, each client with its newest token. Ours rotates atomically in the store, answers a repeat with the same
successor, and signs an RS256 access token. The limit is a node:http server that makes one RS256 signature per request and nothing
else. workers-oauth-provider (on a map in place of Cloudflare's KV) and oidc-provider (in memory) lose all at a restart; the former
signs nothing. better-auth is on SQLite in memory.`,
  async measure(stage, plan) {
    const peers = ['rs256', 'workers-oauth-provider', 'oidc-provider', 'better-auth'] as const;
    const sides = await alternate(await flowSides(stage, plan, 'refresh', peers), plan);
    const [ours, limit, workers] = sides.map(({ figures }) => figures);
    return {
      sides,
      verdicts: [
        {
          goal: 'of the RS256 limit, by CPU',
          unit: '%',
          more: true,
          value: 100 * cheaper(ours!, limit!),
          must: 50,
          aim: 55,
        },
        {
          goal: 'refreshes a second to workers-oauth-provider',
          unit: '×',
          more: true,
          value: faster(ours!, workers!),
          must: 1,
          aim: 1.3,
        },
      ],
    };
  },
} satisfies Row;
