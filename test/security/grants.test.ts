import test from 'ava';
import fc from 'fast-check';
import { loadMasterKeys } from '../../adapters/master-keys.ts';
import { createSecrets } from '../../adapters/secrets.ts';
import type { Store } from '../../adapters/store.ts';
import { createClock } from '../support/clock.ts';
import { startHarness } from '../support/harness.ts';
import { register } from '../support/oauth.ts';
import { handlersDriver, httpDriver } from './grant-drivers.ts';
import { emptyModel, histories, judgeAll, type Driver, type Lifetimes } from './grant-model.ts';

const LONG = process.env.LONG_TESTS !== undefined;
const ORDINARY: Lifetimes = { codeMs: 60_000, familyMs: 3_600_000, graceMs: 60_000 };

/** Random histories against the model. @returns fast-check's report */
function compare(
  lifetimes: Lifetimes,
  makeDriver: () => Driver,
  options: { runs: number; maxCommands: number; secrets?: boolean },
) {
  const { runs, maxCommands, secrets = false } = options;
  return fc.check(
    fc.asyncProperty(histories({ maxCommands, secrets, lifetimes }), async (commands) => {
      const model = emptyModel(lifetimes);
      const real = makeDriver();
      await fc.asyncModelRun(() => ({ model, real }), commands);
      await judgeAll(model, real);
    }),
    { numRuns: runs, endOnFailure: LONG },
  );
}

for (const [name, graceMs, runs] of [
  ['a grace of 60 s', 60_000, 10_000],
  ['no grace', 0, 2_000],
] as const) {
  test.serial(
    `[T4] [T6] [D8] [T14] no history of codes and refresh tokens forks a family, wakes a dead one or touches another, with ${name}`,
    async (t) => {
      const lifetimes = { ...ORDINARY, graceMs };
      const report = await compare(
        lifetimes,
        () => handlersDriver(createClock(1_700_000_000_000), lifetimes),
        { runs: LONG ? runs * 100 : runs, maxCommands: 30 },
      );
      t.false(report.failed, fc.defaultReportMessage(report));
    },
  );
}

/** Stores that forget what makes them one: the histories must notice. */
const BROKEN: Record<string, (store: Store) => Store> = {
  'writes whatever was there': (store) => ({
    ...store,
    commit: (writes) => store.commit(writes.map((write) => ({ ...write, expect: 'any' as const }))),
  }),
  'never removes': (store) => ({
    ...store,
    commit: async (writes) => {
      const kept = writes.filter((write) => !('remove' in write));
      return kept.length === 0 ? 'version' : store.commit(kept);
    },
  }),
};

for (const [what, change] of Object.entries(BROKEN)) {
  test.serial(`the same histories over a store that ${what} are caught`, async (t) => {
    const report = await compare(
      ORDINARY,
      () => handlersDriver(createClock(1_700_000_000_000), ORDINARY, change),
      { runs: 2_000, maxCommands: 30 },
    );
    t.true(report.failed);
  });
}

test.serial('[T4] [T6] [D8] [T14] the same histories over HTTP', async (t) => {
  const clock = createClock();
  const harness = await startHarness({
    now: clock.now,
    env: { RATE_LIMIT_FACTOR: '0', REFRESH_TOKEN_TTL_SECONDS: '3600' },
  });
  t.teardown(() => harness.close());
  const metadata = { token_endpoint_auth_method: 'client_secret_post' };
  const clients = [
    (await register(harness.url, metadata)).body,
    (await register(harness.url, metadata)).body,
  ];
  const secrets = createSecrets(loadMasterKeys(undefined, harness.dataDir));
  const report = await compare(ORDINARY, () => httpDriver(harness, clock, clients, secrets), {
    runs: LONG ? 4_000 : 40,
    maxCommands: 20,
    secrets: true,
  });
  t.false(report.failed, fc.defaultReportMessage(report));
});
