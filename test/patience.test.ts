import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import {
  REQUEST_PATIENCE_MS,
  startWaiting,
  withoutPatience,
  withPatience,
} from '../adapters/patience.ts';
import { newKey, put, startBench, unavailable, untilBack } from './store/redis-support.ts';

/** How long one request waits for the store, all its calls together. */

const CALL_MS = 1_000;

test.serial(
  '[X7] patience: waits one after the other add up to 1.7 s, and then nothing is left',
  (t) => {
    atTimes((at) =>
      withPatience(() => {
        t.is(REQUEST_PATIENCE_MS, 1_700);
        for (const [now, left] of [
          [0, CALL_MS],
          [500, CALL_MS],
          [1_000, 700],
          [1_500, 200],
          [2_000, 0],
        ] as const) {
          at(now);
          const waiting = startWaiting(CALL_MS);
          t.is(waiting.leftMs, left);
          at(now + Math.min(left, 500));
          waiting.stop();
        }
        t.is(startWaiting(CALL_MS).leftMs, 0, 'and so it stays');
      }),
    );
  },
);

test.serial('[X7] patience: what is not spent waiting is not counted', (t) => {
  atTimes((at) =>
    withPatience(() => {
      const first = startWaiting(CALL_MS);
      at(700);
      first.stop();
      at(60_000);
      t.is(startWaiting(5_000).leftMs, 1_000);
    }),
  );
});

test.serial('[X7] patience: calls at the same time count once, from the first to the last', (t) => {
  atTimes((at) =>
    withPatience(() => {
      const first = startWaiting(CALL_MS);
      at(300);
      const second = startWaiting(CALL_MS);
      t.is(second.leftMs, CALL_MS);
      at(500);
      first.stop();
      at(900);
      const third = startWaiting(CALL_MS);
      t.is(third.leftMs, 800, 'it began with the first, and has not ended');
      second.stop();
      at(1_000);
      third.stop();
      at(5_000);
      t.is(startWaiting(CALL_MS).leftMs, 700);
    }),
  );
});

test.serial('[X7] patience: a call never gets more than its own limit', (t) => {
  withPatience(() => {
    t.is(startWaiting(10).leftMs, 10);
    t.is(startWaiting(0).leftMs, 0);
  });
});

test.serial('[X7] patience: work without a request, and work that outlives it, is free', (t) => {
  atTimes((at) => {
    for (const free of [(run: () => void) => run(), inRequestWithout]) {
      free(() => {
        for (let i = 0; i < 10; i++) {
          const waiting = startWaiting(CALL_MS);
          t.is(waiting.leftMs, CALL_MS);
          at(performance.now() + CALL_MS);
          waiting.stop();
        }
      });
    }
  });
  function inRequestWithout(run: () => void): void {
    withPatience(() => {
      const waiting = startWaiting(CALL_MS);
      withoutPatience(run);
      // What it waited is not this request's; that time went by here is.
      t.is(startWaiting(CALL_MS).leftMs, 0);
      waiting.stop();
    });
  }
});

test.serial(
  '[X7] patience: what free work waits is not charged to the request it came from',
  (t) => {
    atTimes((at) =>
      withPatience(() => {
        const waiting = withoutPatience(() => startWaiting(CALL_MS));
        at(1_500);
        waiting.stop();
        t.is(startWaiting(CALL_MS).leftMs, CALL_MS);
      }),
    );
  },
);

test.serial(
  '[X7] patience: every request has its own; the next one of the same caller is not charged',
  (t) => {
    atTimes((at) => {
      for (let i = 0; i < 3; i++) {
        withPatience(() => {
          const waiting = startWaiting(CALL_MS);
          t.is(waiting.leftMs, CALL_MS);
          at(performance.now() + 1_600);
          waiting.stop();
          t.is(startWaiting(CALL_MS).leftMs, 100);
          // A request inside another one, as a test or a command may have it.
          withPatience(() => t.is(startWaiting(CALL_MS).leftMs, CALL_MS));
        });
      }
    });
  },
);

test.serial(
  '[X7] patience: it follows a request through everything it awaits, and requests do not mix',
  async (t) => {
    const request = (waitMs: number) =>
      withPatience(async () => {
        await sleep(1);
        const before = performance.now();
        const waiting = startWaiting(CALL_MS);
        const began = performance.now();
        await sleep(waitMs);
        const ended = await Promise.resolve().then(() => {
          const now = performance.now();
          waiting.stop();
          return now;
        });
        const after = performance.now();
        const left = startWaiting(10_000).leftMs;
        t.true(left <= REQUEST_PATIENCE_MS - (ended - began), `${left} ms are left`);
        t.true(left >= REQUEST_PATIENCE_MS - (after - before), `${left} ms are left`);
      });
    await Promise.all([request(1), request(600), request(300), request(0)]);
  },
);

test.serial(
  '[X7] redis: a request of many slow calls ends within 2 s, and its last calls are refused at once',
  async (t) => {
    const { shim, store } = await startBench(t);
    shim.delay(150);
    const started = performance.now();
    let done = 0;
    const { error, ms } = await unavailable(t, () =>
      withPatience(async () => {
        for (;;) {
          await put(store, newKey(), 'x');
          done++;
        }
      }),
    );
    // Each takes 0.3 s; the sixth would need more than what is left.
    t.true(done >= 2 && done <= 5, `${done} calls were answered`);
    t.true(ms < 4_000, `${ms} ms`);
    t.regex(error.detail!, /no answer in time|waited enough/);

    const refused = await withPatience(async () => {
      // Each call in vain; after the second the request has waited enough.
      shim.blackhole();
      await unavailable(t, () => store.read(newKey()));
      await unavailable(t, () => store.read(newKey()));
      return unavailable(t, () => store.read(newKey()));
    });
    t.regex(refused.error.detail!, /waited enough/);
    // Less than the second that a call has.
    t.true(refused.ms < 900, `${refused.ms} ms`);
    t.true(performance.now() - started < 6_000);

    shim.pass();
    await untilBack(store);
    const next = await withPatience(() => put(store, newKey(), 'x'));
    t.truthy(next, 'the next request is not charged');
  },
);

test.serial('[X7] redis: without a request every call has its second', async (t) => {
  const { shim, store } = await startBench(t);
  shim.delay(150);
  await withPatience(() =>
    withoutPatience(async () => {
      const started = performance.now();
      while (performance.now() - started < 2_200) await put(store, newKey(), 'x');
    }),
  );
  t.pass();
});

/** Runs it with a clock of its own, without leaving the turn: nobody else sees that clock. */
function atTimes(run: (at: (time: number) => void) => void): void {
  const { now } = performance;
  let time = 0;
  performance.now = () => time;
  try {
    run((next) => (time = next));
  } finally {
    performance.now = now;
  }
}
