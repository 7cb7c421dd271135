import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { createServerClock } from '../../adapters/redis/server-clock.ts';
import { type RedisServer, startRedis, until } from '../support/redis.ts';
import {
  beside,
  COMMIT_KINDS,
  commitsSeen,
  newKey,
  openStore,
  put,
  startAddress,
  startBench,
  unavailable,
  untilBack,
  urlOf,
  valueOf,
} from './redis-support.ts';

/** A commit whose caller was told 503 is not carried out later; one that is in time is, whatever the clocks say. */

/** What is kept for the answer to be read. */
const READING_MS = 20;
const MINUTE_MS = 60_000;
/** Where Redis's clock stands when ours stands at 0. */
const EPOCH = 1_800_000_000_000;

test.serial('[D11] server clock: nothing is known before the first answer', (t) => {
  atTimes((clock) => t.is(clock.latest(1_000), undefined));
});

test.serial(
  '[D11] server clock: the nearest estimate is that of the fastest answer, in whatever order they come',
  (t) => {
    const answers = [300, 2, 900, 40, 150];
    for (const ways of [answers, answers.toReversed(), answers.toSorted((a, b) => a - b)]) {
      atTimes((clock, at) => {
        let seen = Infinity;
        for (const [i, wayBack] of ways.entries()) {
          at(i * 1_000 + wayBack);
          clock.learn(performance.now(), EPOCH + i * 1_000);
          seen = Math.min(seen, wayBack);
          // Never later than Redis's true clock: what is late by that is late.
          t.is(clock.latest(50_000), EPOCH + 50_000 - seen - READING_MS);
        }
      });
    }
  },
);

test.serial(
  '[D11] server clock: it is never late, whatever the ways take; and never earlier than the fastest way back',
  (t) => {
    atTimes((clock, at) => {
      let fastest = Infinity;
      for (let i = 0; i < 1_000; i++) {
        const wayBack = 1 + ((i * 7_919) % 997);
        fastest = Math.min(fastest, wayBack);
        at(i * 10 + 1_000);
        clock.learn(performance.now(), EPOCH + performance.now() - wayBack);
        const late = clock.latest(performance.now())! - (EPOCH + performance.now() - READING_MS);
        t.is(late, -fastest);
      }
    });
  },
);

test.serial(
  '[D11] server clock: a clock that is set forward is followed at the next answer',
  (t) => {
    atTimes((clock, at) => {
      clock.learn(0, EPOCH);
      at(1_000);
      clock.learn(1_000, EPOCH + 1_000 + 3_600_000);
      t.is(clock.latest(2_000), EPOCH + 3_600_000 + 2_000 - READING_MS);
    });
  },
);

test.serial(
  '[D11] server clock: a clock that is set back is too kind for two minutes at most, and then right',
  (t) => {
    atTimes((clock, at) => {
      clock.learn(0, EPOCH);
      const back = 10_000;
      let rightAt = Infinity;
      for (let now = 1_000; now <= 3 * MINUTE_MS; now += 1_000) {
        at(now);
        clock.learn(now, EPOCH + now - back);
        const right = EPOCH + now + 500 - back - READING_MS;
        const latest = clock.latest(now + 500)!;
        if (latest === right) rightAt = Math.min(rightAt, now);
        else t.is(latest, right + back, 'kind: a commit in time is never refused for it');
        t.true(rightAt === Infinity || latest === right, 'once it is right it stays right');
      }
      t.true(rightAt <= 2 * MINUTE_MS, `right after ${rightAt} ms`);
    });
  },
);

test.serial(
  '[D11] server clock: what was learned goes on to hold for a while without answers, then it is forgotten',
  (t) => {
    for (const [pauseMs, isKnown] of [
      [MINUTE_MS - 1, true],
      [MINUTE_MS + 1, true],
      [2 * MINUTE_MS - 1, true],
      [2 * MINUTE_MS + 1, false],
      [24 * 60 * MINUTE_MS, false],
    ] as const) {
      atTimes((clock, at) => {
        clock.learn(0, EPOCH);
        at(pauseMs);
        const latest = clock.latest(pauseMs + 500);
        t.is(latest, isKnown ? EPOCH + pauseMs + 500 - READING_MS : undefined, `${pauseMs} ms`);
      });
    }
  },
);

test.serial('[D11] server clock: fractions of a millisecond are no reason to be early', (t) => {
  atTimes((clock) => {
    clock.learn(0.4, EPOCH);
    t.is(clock.latest(1_000), EPOCH + 1_000 - READING_MS);
  });
});

for (const kind of COMMIT_KINDS) {
  test.serial(
    `[X7] [D11] redis: ${kind.title} that reaches Redis too late is not carried out`,
    async (t) => {
      const { server, store } = await startBench(t);
      const key = newKey();
      const other = beside(key);
      const version = kind.onRecord ? await put(store, key, 'old') : '';
      const before = await Promise.all([commitsSeen(server), server.command('PTTL', nameOf(key))]);
      const more = (await openStore(t, server.url)).store;
      const [entry, otherEntry] = [await more.read(key), await put(more, other, 'beside')];

      process.kill(server.pid, 'SIGSTOP');
      await unavailable(t, () => store.commit(kind.writes(key, version)));
      process.kill(server.pid, 'SIGCONT');
      await untilBack(store);
      await until('it has reached Redis', async () => (await commitsSeen(server)) > before[0] + 1);
      // Whatever is still in Redis's queue is behind it.
      await sleep(100);

      t.deepEqual(await more.read(key), entry);
      t.deepEqual(await more.read(other), [{ value: 'beside', version: otherEntry }]);
      t.deepEqual(
        await namesOf(server, key.tag),
        [nameOf(other), ...(version ? [nameOf(key)] : [])].sort(),
      );
      const lifetime = Number((await server.command('PTTL', nameOf(key))).slice(1));
      t.true(lifetime <= Number(before[1].slice(1)), 'its lifetime is what it was');
      // Who was told to try again can.
      t.truthy(await store.commit(kind.writes(key, version)));
    },
  );
}

test.serial(
  '[X7] redis: a commit that is held up, but not for too long, is carried out',
  async (t) => {
    const { server, shim, store } = await startBench(t);
    const key = newKey();
    shim.delay(150);
    t.truthy(await put(store, key, 'slow'));
    shim.pass();
    process.kill(server.pid, 'SIGSTOP');
    const commit = put(store, key, 'held');
    await sleep(400);
    process.kill(server.pid, 'SIGCONT');
    t.truthy(await commit);
    t.is(await valueOf(store, key), 'held');
  },
);

test.serial('[X29] redis: a wrong clock of our own is no matter, nor one that jumps', async (t) => {
  const { store } = await startBench(t);
  const { now } = Date;
  t.teardown(() => (Date.now = now));
  for (const off of [-86_400_000, 3_600_000, -5_000, 5_000, 0]) {
    Date.now = () => now() + off;
    const key = newKey();
    const version = await put(store, key, 'x');
    t.truthy(await store.commit([{ key, expect: { version }, remove: true }]), `${off} ms`);
  }
});

for (const off of [-3_600_000, -5_000, 5_000, 3_600_000]) {
  test.serial(
    `[X29] redis: when Redis's clock was ${off} ms from where it is, commits go on`,
    async (t) => {
      const server = await start(t);
      // The store learns a wrong time when it connects; each commit then tells it the true one.
      const address = await startAddress(t, server, (reply) =>
        reply.replace(TIME_REPLY, (_, seconds) => timeReply(Number(seconds) + off / 1_000)),
      );
      const { store } = await openStore(t, urlOf(address));
      const before = await commitsSeen(server);
      const key = newKey();
      const version = await put(store, key, 'x');
      t.truthy(version);
      // If it was set forward the first one was too early by what was known, and is sent again.
      t.is((await commitsSeen(server)) - before, off < 0 ? 2 : 1);
      t.truthy(await store.commit([{ key, expect: { version }, put: 'y', lifetime: 60 }]));
      t.is(await valueOf(store, key), 'y');
    },
  );
}

/** The answer to TIME. */
const TIME_REPLY = /\*2\r\n\$10\r\n(\d{10})\r\n\$\d\r\n\d+\r\n/;
const timeReply = (seconds: number): string => `*2\r\n$10\r\n${Math.round(seconds)}\r\n$1\r\n0\r\n`;

/** Runs it with a clock of its own, without leaving the turn: nobody else sees that clock. */
function atTimes(
  run: (clock: ReturnType<typeof createServerClock>, at: (time: number) => void) => void,
): void {
  const { now } = performance;
  let time = 0;
  performance.now = () => time;
  try {
    run(createServerClock(), (next) => (time = next));
  } finally {
    performance.now = now;
  }
}

async function start(t: ExecutionContext): Promise<RedisServer> {
  const server = await startRedis();
  t.teardown(server.stop);
  return server;
}

const nameOf = ({ tag, kind }: { tag: string; kind: string }): string =>
  `neonpanel-mcp:{${tag}}:${kind}`;

/** All that is stored under a tag, traces of commits included. */
async function namesOf(server: RedisServer, tag: string): Promise<string[]> {
  const reply = await server.command('KEYS', `*{${tag}}*`);
  return reply
    .split('\r\n')
    .filter((line) => line.includes(tag))
    .sort();
}
