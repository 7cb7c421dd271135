import { setTimeout as wait } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import type { Harness } from '../support/harness.ts';
import {
  callTool,
  clientParameters,
  connect,
  type Connection,
  postForm,
  refresh,
  type Tokens,
} from '../support/oauth.ts';
import { recordsOf } from '../support/records.ts';
import { createStoreTest } from '../support/stores.ts';
import {
  atOnce,
  heldBack,
  livesAt,
  many,
  outcomeOf,
  startPair,
  untilKnownEverywhere,
} from './support.ts';

/** What is revoked stays revoked: nothing that was under way at that moment brings it back. */
const storeTest = await createStoreTest((store) => startPair(store));

const ROUNDS = 50;

/** Never in step: in every round a little earlier or later. */
const aMoment = (maxMs: number) => wait(Math.random() * maxMs);

const revokeAt = (instance: string, { client, tokens }: Connection) =>
  postForm(`${instance}/oauth2/revoke`, {
    token: tokens.refresh_token,
    ...clientParameters(client),
  });

/** All that a client ever held of one grant. */
type Held = Pick<Connection, 'client'> & { readonly tokens: readonly Tokens[] };

storeTest(
  '[D8] [F24] a grant that is revoked at one instance while the other refreshes it stays dead',
  async (t, harness) => {
    const [a, b] = harness.instances as [string, string];
    const outcomes = new Set<string>();
    const ended = await many(ROUNDS, async (): Promise<Held> => {
      const connection = await connect(harness);
      const { client } = connection;
      const tokens = [connection.tokens];
      const revoking = aMoment(6).then(() => revokeAt(a, connection));
      // Each time with the newest token, until that is refused.
      for (let refused = false; !refused;) {
        const answer = await refresh(b, client, tokens.at(-1)!.refresh_token);
        outcomes.add(outcomeOf(answer));
        refused = answer.status !== 200;
        if (!refused) tokens.push(answer.body);
      }
      t.is((await revoking).status, 200);
      return { client, tokens };
    });
    t.deepEqual([...outcomes].toSorted(), ['200', '400 invalid_grant']);
    await nothingIsLeft(t, harness, ended);
  },
);

storeTest(
  '[D8] [F24] of revocations and refreshes that have all read the same grant, the revocation wins',
  async (t, harness) => {
    const ended: Held[] = [];
    for (let round = 0; round < 5; round++) {
      const connection = await connect(harness);
      const { client, tokens } = connection;
      const answers = await heldBack(harness, () =>
        atOnce(harness, 20, async (at, i) => {
          // Both kinds at both instances.
          if (i % 4 < 2) return void (await revokeAt(at, connection));
          return refresh(at, client, tokens.refresh_token);
        }),
      );
      const refreshed = answers.filter((answer) => answer !== undefined);
      t.true(refreshed.every((answer) => ['200', '400 invalid_grant'].includes(outcomeOf(answer))));
      const won = refreshed.filter(({ status }) => status === 200).map(({ body }) => body);
      ended.push({ client, tokens: [tokens, ...won] });
    }
    await nothingIsLeft(t, harness, ended);
  },
);

storeTest(
  '[D10] [F24] a grant that is revoked at one instance while the other renews its NeonPanel credential stays dead',
  async (t, harness) => {
    const [a, b] = harness.instances as [string, string];
    const { faults, recorder } = harness.sandbox;
    t.teardown(() => faults.clear());
    // Every token of NeonPanel's is about to expire, and renewing it takes longer than a revocation.
    faults.set('token-lifetime', { seconds: 20 });
    const connections = await many(ROUNDS, () => connect(harness));
    await callTool(b, (await connect(harness)).tokens.access_token, 'listCompanies');
    faults.set('slow', { path: '/oauth2/token', ms: 20 });
    recorder.clear();
    const ended = await many(ROUNDS, async (i): Promise<Held> => {
      const connection = connections[i]!;
      const { client, tokens } = connection;
      const [called, revoked] = await Promise.all([
        callTool(b, tokens.access_token, 'listCompanies'),
        aMoment(60).then(() => revokeAt(a, connection)),
      ]);
      t.true([200, 401].includes(called.status), JSON.stringify(called.body));
      t.is(revoked.status, 200);
      return { client, tokens: [tokens] };
    });
    const renewals = recorder.requests().filter(({ path }) => path === '/oauth2/token');
    t.true(renewals.length > 0, 'some were under way');
    await nothingIsLeft(t, harness, ended);
  },
);

/** None of the tokens works anywhere, and the store holds neither grant nor credential. */
async function nothingIsLeft(
  t: ExecutionContext,
  harness: Harness,
  ended: readonly Held[],
): Promise<void> {
  await untilKnownEverywhere();
  const all = ended.flatMap(({ client, tokens }) => tokens.map((held) => ({ client, ...held })));
  const results = await many(all.length, async (i) => {
    const { client, access_token, refresh_token } = all[i]!;
    const answer = await refresh(harness.instances[i % 2]!, client, refresh_token);
    return `${await livesAt(harness, access_token)} ${outcomeOf(answer)}`;
  });
  t.deepEqual([...new Set(results)], ['401,401 400 invalid_grant']);

  const ids = new Set(all.map(({ refresh_token }) => refresh_token.split('.')[0]!));
  const left = (await recordsOf(harness)).filter(
    ({ tag, kind }) => ids.has(tag) && ['grant', 'credential'].includes(kind),
  );
  t.deepEqual(left, []);
}
