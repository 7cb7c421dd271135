import { setTimeout as wait } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import type { Harness } from '../support/harness.ts';
import { connect, refresh, type TestClient } from '../support/oauth.ts';
import { createStoreTest } from '../support/stores.ts';
import {
  atOnce,
  heldBack,
  livesAt,
  outcomeOf,
  startPair,
  tally,
  untilKnownEverywhere,
} from './support.ts';

/** A family of refresh tokens never forks, however many refresh at the same time and wherever. */
const storeTest = await createStoreTest((store) => startPair(store));

const PARALLEL = 50;
const ROUNDS = 10;

storeTest(
  '[T6] [D8] [F10] of 50 parallel refreshes over two instances each gets the same successor and an access token that works, generation after generation',
  async (t, harness) => {
    const { client, tokens } = await connect(harness);
    let refreshToken = tokens.refresh_token;
    for (let round = 1; round <= ROUNDS; round++) {
      const crowd = () => atOnce(harness, PARALLEL, (at) => refresh(at, client, refreshToken));
      const answers = await (round % 2 ? heldBack(harness, crowd) : crowd());
      t.deepEqual(tally(answers), { 200: PARALLEL });
      const successors = new Set(answers.map(({ body }) => body.refresh_token));
      t.is(successors.size, 1, `round ${round}`);
      const lives = await Promise.all(
        answers.map(({ body }) => livesAt(harness, body.access_token)),
      );
      t.true(lives.flat().every((status) => status === 200));
      [refreshToken = ''] = successors;
      t.is(Number(refreshToken.split('.')[1]), round, 'one generation further');
    }
  },
);

storeTest(
  '[T6] [D8] two generations back, within the grace, is a replay: the family ends on both instances',
  async (t, harness) => {
    const { instances } = harness;
    const [a, b] = instances as [string, string];
    const { client, tokens } = await connect(harness);
    const first = await refresh(a, client, tokens.refresh_token);
    const second = await refresh(b, client, first.body.refresh_token);
    const bystander = await connect(harness, { client });
    t.is(outcomeOf(await refresh(a, client, tokens.refresh_token)), '400 invalid_grant');
    const all = [tokens, first.body, second.body];
    await endedEverywhere(t, harness, client, all);
    t.is((await refresh(b, client, bystander.tokens.refresh_token)).status, 200);
  },
);

storeTest(
  '[T6] 50 parallel replays of one token end one family, and answer nothing but invalid_grant',
  async (t, harness) => {
    const { client, tokens } = await connect(harness);
    const first = await refresh(harness.url, client, tokens.refresh_token);
    const second = await refresh(harness.url, client, first.body.refresh_token);
    const answers = await atOnce(harness, PARALLEL, (at) =>
      refresh(at, client, tokens.refresh_token),
    );
    t.deepEqual(tally(answers), { '400 invalid_grant': PARALLEL });
    await endedEverywhere(t, harness, client, [first.body, second.body]);
  },
);

const GRACE_SECONDS = 1;
storeTest(
  '[T6] [D8] after the grace the token before is a replay: the family ends on both instances',
  async (t, _, store) => {
    const strict = await startPair(store, { REFRESH_GRACE_SECONDS: String(GRACE_SECONDS) });
    t.teardown(() => strict.close());
    const [a, b] = strict.instances as [string, string];
    const { client, tokens } = await connect(strict);
    const rotated = await refresh(a, client, tokens.refresh_token);
    await wait(GRACE_SECONDS * 1_000 + 200);
    t.deepEqual(await livesAt(strict, tokens.access_token), [200, 200]);
    t.is(outcomeOf(await refresh(b, client, tokens.refresh_token)), '400 invalid_grant');
    await endedEverywhere(t, strict, client, [tokens, rotated.body]);
  },
);

/** Neither a refresh token nor an access token of the family works at any instance. */
async function endedEverywhere(
  t: ExecutionContext,
  harness: Harness,
  client: TestClient,
  all: readonly { access_token: string; refresh_token: string }[],
): Promise<void> {
  await untilKnownEverywhere();
  for (const { access_token, refresh_token } of all) {
    t.deepEqual(await livesAt(harness, access_token), [401, 401]);
    for (const at of harness.instances) {
      t.is(outcomeOf(await refresh(at, client, refresh_token)), '400 invalid_grant');
    }
  }
}
