import { alternate } from '../measure.ts';
import { cheaper, faster } from '../ratios.ts';
import type { Row } from '../row.ts';
import { authorityPeer, flowing } from '../sides.ts';

export default {
  id: 'G7',
  name: 'refresh',
  why: `Chains of refreshes, each client with its newest token. Ours rotates atomically in the store, answers a repeat with the same
successor, and signs an RS256 access token. The limit is a node:http server that makes one RS256 signature per request and nothing
else. workers-oauth-provider (on a map in place of Cloudflare's KV) and oidc-provider (in memory) lose all at a restart; the former
signs nothing. better-auth is on SQLite in memory.`,
  async measure(stage, plan) {
    const side = flowing.bind(undefined, stage, plan);
    const flow = 'refresh' as const;
    const sides = await alternate(
      [
        side('ours', stage.ours, { flow, kind: 'ours' }),
        side('one RS256 signature', await authorityPeer(stage, 'rs256'), { flow, kind: 'rs256' }),
        side('workers-oauth-provider', await authorityPeer(stage, 'workers-oauth-provider'), {
          ...{ flow, kind: 'workers-oauth-provider' },
        }),
        side('oidc-provider, in memory', await authorityPeer(stage, 'oidc-provider'), {
          ...{ flow, kind: 'oidc-provider' },
        }),
        side('better-auth', await authorityPeer(stage, 'better-auth'), {
          ...{ flow, kind: 'better-auth' },
        }),
      ],
      plan,
    );
    const [ours, limit, workers] = sides.map(({ figures }) => figures);
    return {
      sides,
      verdicts: [
        {
          ...{ goal: 'of the RS256 limit, by CPU', unit: '%', more: true },
          ...{ value: 100 * cheaper(ours!, limit!), must: 50, aim: 55 },
        },
        {
          ...{ goal: 'refreshes a second to workers-oauth-provider', unit: '×', more: true },
          ...{ value: faster(ours!, workers!), must: 1, aim: 1.3 },
        },
      ],
    };
  },
} satisfies Row;
