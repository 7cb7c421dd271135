import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { assertionForm, assertionKey, clientAssertion } from '../client-auth.ts';
import { authorizationRequest, redeem, refresh, register, signIn } from '../support/oauth.ts';
import { assertUnavailable, untilReady } from './judge.ts';
import { startWorld, type World } from './world.ts';

/**
 * A client that authenticates by private_key_jwt and sends the very same request again after a 503: its assertion, which
 * is good for one request, was not spent by the one that failed.
 */

const WAYS = {
  'after the first byte of': ({ shim }: World) => {
    shim.cutAfter(1, 'up');
    setTimeout(() => shim.down(), 10);
  },
  'before the reply to': ({ shim }: World) => {
    shim.blackhole('down');
    setTimeout(() => shim.down(), 50);
  },
} as const;

for (const [way, goAway] of Object.entries(WAYS)) {
  test(`[X2] [X8] [T74] redis: when Redis goes away ${way} any command of a refresh, the same request with the same assertion succeeds afterwards, and once`, async (t) => {
    const world = await startWorld();
    t.teardown(world.close);
    const { base } = world;
    const key = await assertionKey('ES256');
    const { body: client } = await register(base, {
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [key.publicJwk] },
    });
    const assertion = async () => {
      const claims = { aud: base, jti: randomUUID() };
      return assertionForm(await clientAssertion(key, client.client_id, claims));
    };
    const attempt = authorizationRequest(base, client);
    const callback = await signIn(world.harness, attempt);
    const code = callback.searchParams.get('code')!;
    let newest = (await redeem(base, attempt, code, await assertion())).body.refresh_token;

    const refused: string[] = [];
    for (let nth = 1; nth < 20; nth++) {
      // Nothing is believed any more.
      world.advance(1);
      const form = await assertion();
      const send = () => refresh(base, client, newest, form);
      let commands = 0;
      let lost: string | undefined;
      world.watch((purpose) => {
        if (++commands !== nth) return;
        lost = purpose;
        goAway(world);
      });
      let answer = await send();
      world.unwatch();
      world.shim.pass();
      await untilReady(base);
      if (lost === undefined) {
        t.is(answer.status, 200);
        break;
      }
      if (answer.status === 503) {
        assertUnavailable(t, lost, 'program', answer);
        refused.push(lost);
        answer = await send();
      }
      t.is(answer.status, 200, `${lost}: ${JSON.stringify(answer.body)}`);
      newest = answer.body.refresh_token;
      // Whatever was given back is spent by now.
      await sleep(300);
      const replayed = await send();
      t.is(replayed.status, 401, lost);
    }
    t.log(refused.join(' · '));
    t.true(refused.some((purpose) => purpose.includes('grant')));
  });
}
