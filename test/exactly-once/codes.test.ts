import { setTimeout as wait } from 'node:timers/promises';
import { redeem, refresh } from '../support/oauth.ts';
import { createStoreTest } from '../support/stores.ts';
import {
  atOnce,
  heldBack,
  livesAt,
  many,
  newCode,
  outcomeOf,
  startPair,
  tally,
  untilKnownEverywhere,
} from './support.ts';

/** A code is redeemed once, however many come with it and wherever. */
const storeTest = await createStoreTest((store) => startPair(store));

const PARALLEL = 50;
const CODES = process.env.LONG_TESTS ? { sqlite: 100, redis: 200 } : { sqlite: 30, redis: 40 };
/** So many are prepared at a time; a code is good for a minute. */
const BATCH = 25;
/** What comes later than this after the redemption is no race any more, but a replay. */
const RACE_MS = 2_000;

storeTest(
  '[T4] [D9] of 50 parallel redemptions over two instances exactly one succeeds, and the losers revoke nothing; a later replay ends the family everywhere',
  async (t, harness, store) => {
    const { url, instances } = harness;
    const won: (Awaited<ReturnType<typeof newCode>> & { tokens: Record<string, string> })[] = [];
    while (won.length < CODES[store]) {
      for (const { attempt, code } of await many(BATCH, () => newCode(harness))) {
        const crowd = () => atOnce(harness, PARALLEL, (at) => redeem(at, attempt, code));
        const isSample = won.length % 10 === 0;
        const answers = await (isSample ? heldBack(harness, crowd) : crowd());
        t.deepEqual(tally(answers), { 200: 1, '400 invalid_grant': PARALLEL - 1 });
        const { body } = answers.find(({ status }) => status === 200)!;
        const tokens = { access: body.access_token, refresh: body.refresh_token };
        if (isSample) {
          t.deepEqual(await livesAt(harness, tokens.access), [200, 200]);
          const renewed = await refresh(instances[1]!, attempt.client, tokens.refresh);
          t.is(renewed.status, 200);
          tokens.refresh = renewed.body.refresh_token;
        }
        won.push({ attempt, code, tokens });
      }
    }

    await wait(RACE_MS + 100);
    const replays = await many(won.length, (i) =>
      redeem(instances[i % 2]!, won[i]!.attempt, won[i]!.code),
    );
    t.deepEqual(tally(replays), { '400 invalid_grant': won.length });
    await untilKnownEverywhere();
    const afterwards = await many(won.length, async (i) => {
      const { attempt, tokens } = won[i]!;
      const renewed = await refresh(i % 3 ? url : instances[1]!, attempt.client, tokens.refresh!);
      return `${await livesAt(harness, tokens.access!)} ${outcomeOf(renewed)}`;
    });
    t.deepEqual([...new Set(afterwards)], ['401,401 400 invalid_grant']);
  },
);

storeTest(
  '[T4] [T14] codes of one client, redeemed all at once, each yield their own grant',
  async (t, harness) => {
    const { attempt } = await newCode(harness);
    const codes = await many(20, () => newCode(harness, attempt.client));
    const answers = await heldBack(harness, () =>
      atOnce(harness, codes.length, (at, i) => redeem(at, codes[i]!.attempt, codes[i]!.code)),
    );
    t.deepEqual(tally(answers), { 200: codes.length });
    const families = answers.map(({ body }) => body.refresh_token.split('.')[0]!);
    t.deepEqual(
      families,
      codes.map(({ code }) => code.split('.')[0]!),
    );
    for (const { body } of answers)
      t.deepEqual(await livesAt(harness, body.access_token), [200, 200]);
  },
);
