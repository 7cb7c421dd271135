import { alternate } from '../measure.ts';
import { byClockAndCpu, cheaper } from '../ratios.ts';
import type { Row } from '../row.ts';
import { flowSides } from '../sides.ts';

export default {
  id: 'G9',
  name: 'a whole connection',
  why: `Registration, authorization with PKCE, code, tokens. Ours also draws a consent page, sends the user to NeonPanel's login (the
sandbox, a process of its own on the same two cores, whose work counts into the wall clock but not into our CPU), verifies
NeonPanel's token, tries its API and seals the credential. oidc-provider signs in and consents by itself and keeps all in memory;
so does workers-oauth-provider; better-auth's user is signed in before.`,
  async measure(stage, plan) {
    const peers = ['oidc-provider', 'workers-oauth-provider', 'better-auth'] as const;
    const sides = await alternate(await flowSides(stage, plan, 'connect', peers), plan);
    const [ours, engine, , betterAuth] = sides.map(({ figures }) => figures);
    return {
      sides,
      verdicts: [
        ...byClockAndCpu('connections a second to oidc-provider in memory', [ours!, engine!], {
          unit: '×',
          must: 0.8,
          aim: 1,
        }),
        {
          goal: 'connections for the same CPU, to better-auth',
          unit: '×',
          more: true,
          value: cheaper(ours!, betterAuth!),
          aim: 4,
        },
      ],
    };
  },
} satisfies Row;
