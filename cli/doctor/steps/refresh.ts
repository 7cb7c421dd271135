import { describe, jsonOf } from '../http.ts';
import { bearer, initialize } from '../mcp.ts';
import { authenticated, resourceOf } from '../oauth.ts';
import type { Examination, Step } from '../step.ts';
import { checkTokenResponse } from './tokens.ts';

export const refreshSteps: readonly Step[] = [
  {
    id: 'refresh',
    title: 'The refresh token works, twice, and rotates',
    needs: ['tokens'],
    skipIf: ({ facts }) => (facts.tokens!.refresh_token ? undefined : 'there is no refresh token'),
    async run(x, says) {
      for (const which of ['the refresh token', 'its successor']) {
        const { refresh_token: old } = x.facts.tokens!;
        const answer = await refresh(x, old!);
        const tokens = checkTokenResponse(x, answer, which, says);
        if (!tokens) return void delete x.facts.tokens;
        if (tokens.refresh_token === old && x.facts.client!.method === 'none') {
          says.fail(
            'the refresh token does not rotate; a stolen one of a public client lives on unnoticed',
            'Issue a new one with every use (RFC 9700 §2.2.2).',
          );
        }
        x.facts.tokens = { refresh_token: old!, ...tokens };
        const call = await x.http.ask(x.target.mcpUrl, initialize(bearer(tokens.access_token)));
        if (call.status !== 200) {
          says.fail(
            `MCP answers ${describe(call)} to a refreshed token`,
            'Give refreshed tokens the same issuer, audience and scope as the first.',
          );
        }
        if (!tokens.refresh_token) return;
      }
    },
  },
  {
    id: 'refresh-parallel',
    title: 'Two refreshes at once get the same successor',
    needs: ['tokens'],
    skipIf: ({ facts }) =>
      !facts.tokens!.refresh_token
        ? 'there is no refresh token'
        : facts.ours
          ? undefined
          : 'elsewhere a second use may rightly end the connection',
    async run(x, says) {
      const token = x.facts.tokens!.refresh_token!;
      const answers = await Promise.all([refresh(x, token), refresh(x, token)]);
      const [first, second] = answers.map((answer) => jsonOf(answer)?.refresh_token);
      if (answers.some(({ status }) => status !== 200)) {
        says.fail(
          `of two refreshes at once, one is answered ${describe(answers.find(({ status }) => status !== 200)!)}: a client with two windows is signed out`,
          'Within the grace (REFRESH_GRACE_SECONDS) the previous token gets the same successor, from any instance.',
        );
      } else if (first !== second) {
        says.fail(
          'two refreshes at once get different successors: the connection forks',
          'Answer the same successor within the grace, from any instance.',
        );
      }
      const good = answers.find(({ status }) => status === 200);
      if (good)
        x.facts.tokens = { refresh_token: token, ...(jsonOf(good) as { access_token: string }) };
    },
  },
];

export const refresh = (x: Examination, refreshToken: string) =>
  x.http.ask(
    String(x.facts.server!.token_endpoint),
    authenticated(x.facts.client!, {
      grant_type: 'refresh_token',
      refresh_token: refreshToken,
      resource: resourceOf(x.facts, x.target.mcpUrl),
    }),
  );
