import { setTimeout as wait } from 'node:timers/promises';
import { describe, isHtml, jsonOf } from '../http.ts';
import { bearer, initialize } from '../mcp.ts';
import { authenticated, checkOAuthError, redemption } from '../oauth.ts';
import type { Examination, Step } from '../step.ts';
import { refresh } from './refresh.ts';
import { signIn } from './sign-in.ts';

/** What this project promises, and how long doctor looks, since its own requests take time too. */
const DEAD_WITHIN_MS = 1_000;
const LOOK_EVERY_MS = 200;

export const revocationSteps: readonly Step[] = [
  {
    id: 'revocation',
    title: 'After revocation both tokens are dead within a second',
    needs: ['tokens'],
    skipIf: ({ facts }) =>
      facts.server!.revocation_endpoint ? undefined : 'the server names no revocation endpoint',
    async run(x, says) {
      const { refresh_token: refreshToken, access_token: accessToken } = x.facts.tokens!;
      const answer = await revoke(x, refreshToken ?? accessToken);
      delete x.facts.tokens;
      if (answer.status !== 200) {
        return says.fail(
          `revocation is answered ${describe(answer)}`,
          'Answer 200, with client_id in the form for clients without a secret (RFC 7009).',
        );
      }
      const say = x.facts.ours ? says.fail : says.warn;
      const deadAfter = await untilRefused(x, accessToken);
      if (deadAfter === undefined) {
        say(
          'the access token still works a second after its grant was revoked',
          'Check on every call that the grant is alive; else tell people how long tokens live on.',
        );
      }
      if (!refreshToken) return;
      const again = await refresh(x, refreshToken);
      if (again.status === 200) {
        says.fail(
          'the refresh token still works after it was revoked',
          'Revocation must end the grant (RFC 7009 §2.1).',
        );
      } else if (jsonOf(again)?.error !== 'invalid_grant') {
        says.fail(
          `a dead refresh token is answered ${describe(again)} ${String(jsonOf(again)?.error ?? '')}`.trim(),
          'Answer 400 invalid_grant: that is what makes clients offer to sign in again.',
        );
      }
    },
  },
  {
    id: 'code-reuse',
    title: 'A code works once',
    needs: ['code'],
    async run(x, says) {
      // Whoever replays a code ends its connection, so it is done to one of its own.
      const url = String(x.facts.server!.token_endpoint);
      const code = await signIn(x);
      const first = await x.http.ask(url, redemption(x, code));
      x.spent = true;
      const token = jsonOf(first)?.refresh_token ?? jsonOf(first)?.access_token;
      if (first.status !== 200) {
        return says.fail(
          `a second sign-in of the same client ends with ${describe(first)} at the token endpoint`,
          'See the log of the server for the distinct cause.',
        );
      }
      const second = await x.http.ask(url, redemption(x, code));
      if (second.status === 200) {
        says.fail(
          'a code that was used is accepted again',
          'Claim codes once, and end the grant when one comes back (RFC 6749 §4.1.2).',
        );
      } else if (isHtml(second) || jsonOf(second)?.error !== 'invalid_grant') {
        checkOAuthError(second, 'a used code', says);
      }
      if (typeof token === 'string' && x.facts.server!.revocation_endpoint) await revoke(x, token);
    },
  },
];

const revoke = (x: Examination, token: string) =>
  x.http.ask(
    String(x.facts.server!.revocation_endpoint),
    authenticated(x.facts.client!, { token }),
  );

/** @returns after how many milliseconds the token was refused; undefined if it was not */
async function untilRefused(x: Examination, token: string): Promise<number | undefined> {
  const started = performance.now();
  for (;;) {
    const asked = performance.now() - started;
    const { status } = await x.http.ask(x.target.mcpUrl, initialize(bearer(token)));
    if (status === 401) return asked;
    if (asked > DEAD_WITHIN_MS) return undefined;
    await wait(LOOK_EVERY_MS);
  }
}
