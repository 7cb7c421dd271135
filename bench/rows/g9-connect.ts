import { alternate } from '../measure.ts';
import { cheaper, faster } from '../ratios.ts';
import type { Row } from '../row.ts';
import { authorityPeer, flowing } from '../sides.ts';

export default {
  id: 'G9',
  name: 'a whole connection',
  why: `Registration, authorization with PKCE, code, tokens. Ours also draws a consent page, sends the user to NeonPanel's login (the
sandbox, a process of its own on the same two cores, whose work counts into the wall clock but not into our CPU), verifies
NeonPanel's token, tries its API and seals the credential. oidc-provider signs in and consents by itself and keeps all in memory;
so does workers-oauth-provider; better-auth's user is signed in before.`,
  async measure(stage, plan) {
    const side = flowing.bind(undefined, stage, plan);
    const flow = 'connect' as const;
    const sides = await alternate(
      [
        side('ours', stage.ours, { flow, kind: 'ours' }),
        side('oidc-provider, in memory', await authorityPeer(stage, 'oidc-provider'), {
          ...{ flow, kind: 'oidc-provider' },
        }),
        side('workers-oauth-provider', await authorityPeer(stage, 'workers-oauth-provider'), {
          ...{ flow, kind: 'workers-oauth-provider' },
        }),
        side('better-auth', await authorityPeer(stage, 'better-auth'), {
          ...{ flow, kind: 'better-auth' },
        }),
      ],
      plan,
    );
    const [ours, engine, , betterAuth] = sides.map(({ figures }) => figures);
    return {
      sides,
      verdicts: [
        {
          ...{
            goal: 'connections for the same CPU, to oidc-provider in memory',
            unit: '×',
            more: true,
          },
          ...{ value: cheaper(ours!, engine!), must: 0.8, aim: 1 },
        },
        {
          ...{ goal: 'the same by the clock', unit: '×', more: true },
          ...{ value: faster(ours!, engine!), must: 0.8, aim: 1 },
        },
        {
          ...{ goal: 'connections for the same CPU, to better-auth', unit: '×', more: true },
          ...{ value: cheaper(ours!, betterAuth!), must: 0, aim: 4 },
        },
      ],
    };
  },
} satisfies Row;
