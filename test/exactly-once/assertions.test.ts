import { randomUUID } from 'node:crypto';
import { assertionForm, assertionKey, clientAssertion } from '../client-auth.ts';
import { redeem, refresh, register } from '../support/oauth.ts';
import { createStoreTest } from '../support/stores.ts';
import { atOnce, heldBack, newCode, outcomeOf, startPair, tally } from './support.ts';

/** An assertion of private_key_jwt is good for one request, however many come with it and wherever. */
const storeTest = await createStoreTest((store) => startPair(store));

const PARALLEL = 50;
const ROUNDS = 10;

storeTest(
  '[T74] [D15] of 50 parallel requests with one assertion over two instances one is served, the others are 401 invalid_client',
  async (t, harness) => {
    const { url, instances } = harness;
    const { client, assert } = await registerWithKey(url);
    const { attempt, code } = await newCode(harness, client);
    const redeemed = await redeem(url, attempt, code, await assert());
    t.is(redeemed.status, 200);
    let newest = redeemed.body.refresh_token;

    for (let round = 0; round < ROUNDS; round++) {
      const assertion = await assert();
      const send = (at: string) => refresh(at, client, newest, assertion);
      const crowd = () => atOnce(harness, PARALLEL, send);
      const answers = await (round % 2 ? heldBack(harness, crowd) : crowd());
      t.deepEqual(tally(answers), { 200: 1, '401 invalid_client': PARALLEL - 1 });
      for (const at of instances) t.is(outcomeOf(await send(at)), '401 invalid_client');
      newest = answers.find(({ status }) => status === 200)!.body.refresh_token;
    }
  },
);

storeTest('[T74] two clients may use the same jti at the same time', async (t, harness) => {
  const clients = await Promise.all([1, 2].map(() => registerWithKey(harness.url)));
  const jti = randomUUID();
  const assertions = await Promise.all(clients.map(({ assert }) => assert(jti)));
  const answers = await heldBack(harness, () =>
    atOnce(harness, clients.length, (at, i) =>
      refresh(at, clients[i]!.client, 'none of ours', assertions[i]),
    ),
  );
  t.deepEqual(tally(answers), { '400 invalid_grant': 2 }, 'authenticated, both of them');
});

/** @returns also a way to make form parameters that authenticate it once */
async function registerWithKey(base: string) {
  const key = await assertionKey('ES256');
  const jwks = { keys: [key.publicJwk] };
  const { body } = await register(base, { token_endpoint_auth_method: 'private_key_jwt', jwks });
  return {
    client: body,
    assert: async (jti: string = randomUUID()) =>
      assertionForm(await clientAssertion(key, body.client_id, { aud: base, jti })),
  };
}
