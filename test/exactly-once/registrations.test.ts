import { authorizationRequest, redeem, refresh, register } from '../support/oauth.ts';
import { createStoreTest } from '../support/stores.ts';
import { atOnce, many, newCode, outcomeOf, startPair, tally } from './support.ts';

/** Clients that register at one instance and are known at the other. */
const storeTest = await createStoreTest((store) => startPair(store));

const PARALLEL = 50;

storeTest(
  '[D13] [A14] 50 parallel registrations over two instances make 50 clients, each known at once where it did not register',
  async (t, harness) => {
    const { instances } = harness;
    const clients = await atOnce(harness, PARALLEL, async (at, i) => {
      const { status, body } = await register(at);
      const { pathname, search } = authorizationRequest(at, body).url;
      const elsewhere = instances[1 - (i % 2)]!;
      const asked = await fetch(elsewhere + pathname + search, { redirect: 'manual' });
      t.deepEqual([status, asked.status], [201, 303]);
      t.regex(asked.headers.get('location')!, /\/interaction\//);
      return body;
    });
    t.is(new Set(clients.map(({ client_id }) => client_id)).size, PARALLEL);
  },
);

storeTest(
  '[D13] [T14] a client with a secret may redeem and refresh at both instances at once, and the secret is compared at both',
  async (t, harness) => {
    const metadata = { token_endpoint_auth_method: 'client_secret_post' };
    const { body: client } = await register(harness.url, metadata);
    const codes = await many(10, () => newCode(harness, client));
    const wrong = { client_secret: 'wrong' };
    const refused = await atOnce(harness, codes.length, (at, i) =>
      redeem(at, codes[i]!.attempt, codes[i]!.code, wrong),
    );
    t.deepEqual(tally(refused), { '401 invalid_client': codes.length });
    const redeemed = await atOnce(harness, codes.length, (at, i) =>
      redeem(at, codes[i]!.attempt, codes[i]!.code),
    );
    t.deepEqual(tally(redeemed), { 200: codes.length });
    const renewed = await atOnce(harness, codes.length, async (at, i) => {
      const { refresh_token } = redeemed[i]!.body;
      const first = await refresh(at, client, refresh_token, wrong);
      return [outcomeOf(first), (await refresh(at, client, refresh_token)).status];
    });
    t.true(renewed.every(([first, then]) => first === '401 invalid_client' && then === 200));
  },
);
