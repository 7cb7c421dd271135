import test from 'ava';
import { createDocumentCache, Unacceptable } from '../../adapters/document-cache.ts';
import { createFetchLimits } from '../../adapters/fetch-limits.ts';
import { type Fetched, Unfetchable } from '../../adapters/guarded-fetch.ts';
import { freshSeconds } from '../../adapters/http-freshness.ts';
import { createClock } from '../support/clock.ts';

/** How long a document is remembered, and how often anybody is asked for one. */
const URL_ = 'https://client.example/c.json';
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A cache over a host whose answer can be changed. */
function createWorld(options: { factor?: number } = {}) {
  // At the start of a minute, where the windows of the limits begin.
  const clock = createClock(Date.UTC(2026, 10, 1));
  const asked: string[] = [];
  const problems: (string | undefined)[] = [];
  let answer: () => Promise<Fetched> | Fetched = () => ok(1);
  const cache = createDocumentCache({
    fetch: async (url) => {
      asked.push(url);
      return answer();
    },
    limits: createFetchLimits({ factor: options.factor ?? 0, now: clock.now }),
    now: clock.now,
    maxBytes: 5_120,
    absentIsGone: true,
    accept: (json) => {
      if (json === 'bad') throw new Unacceptable('it is bad');
      return json as number;
    },
    onFetched: (_, problem) => problems.push(problem?.message),
  });
  return {
    clock,
    asked,
    problems,
    cache,
    value: async (url = URL_) => (await cache.get(url)).value,
    answers(next: () => Promise<Fetched> | Fetched) {
      answer = next;
    },
  };
}

function ok(json: unknown, headers: Record<string, string> = {}): Fetched {
  const text = JSON.stringify(json);
  return { status: 200, headers: { 'content-type': 'application/json', ...headers }, text };
}
const away = () => Promise.reject(new Unfetchable('connection failed: ECONNREFUSED'));

const NOW = Date.UTC(2026, 10, 1);
const date = (offsetMs: number) => new Date(NOW + offsetMs).toUTCString();

test('[A5] how long an answer may be kept is read as RFC 9111 says', (t) => {
  for (const [headers, seconds] of [
    [{}, undefined],
    [{ 'cache-control': '' }, undefined],
    [{ 'cache-control': 'public' }, undefined],
    [{ 'cache-control': 'max-age=600' }, 600],
    [{ 'cache-control': 'Public, MAX-AGE=600' }, 600],
    [{ 'cache-control': 'max-age="600"' }, 600],
    [{ 'cache-control': 'max-age = 600' }, 600],
    [{ 'cache-control': 'max-age=600', age: '100' }, 500],
    [{ 'cache-control': 'max-age=600', age: '700' }, 0],
    [{ 'cache-control': 'max-age=600', age: 'x' }, 600],
    [{ 'cache-control': 'max-age=600, s-maxage=60' }, 60],
    [{ 'cache-control': 's-maxage=60,max-age=600' }, 60],
    [{ 'cache-control': 'x-max-age=5, max-age=600' }, 600],
    [{ 'cache-control': 'max-age=0' }, 0],
    [{ 'cache-control': 'max-age=-1' }, undefined],
    [{ 'cache-control': 'max-age=1e9' }, 1],
    [{ 'cache-control': 'no-store' }, 0],
    [{ 'cache-control': 'no-cache, max-age=600' }, 0],
    [{ 'cache-control': 'private, max-age=600' }, 0],
    [{ 'cache-control': 'max-age=600,no-store' }, 0],
    [{ expires: date(600_000), date: date(0) }, 600],
    [{ expires: date(600_000) }, 600],
    [{ expires: date(-600_000), date: date(0) }, 0],
    [{ expires: '0' }, 0],
    [{ expires: 'soon' }, 0],
    [{ expires: date(600_000), 'cache-control': 'max-age=60' }, 60],
  ] as const) {
    t.is(freshSeconds(headers, NOW), seconds as number | undefined, JSON.stringify(headers));
  }
});

test('[A5] a document is fetched once for as long as it says, between a minute and a day', async (t) => {
  for (const [control, keptMs] of [
    [undefined, HOUR],
    ['max-age=600', 10 * MINUTE],
    ['max-age=0', MINUTE],
    ['no-store', MINUTE],
    ['max-age=31536000', DAY],
  ] as const) {
    const world = createWorld();
    world.answers(() => ok(1, control === undefined ? {} : { 'cache-control': control }));
    t.is(await world.value(), 1);
    world.answers(() => ok(2));
    world.clock.advance(keptMs - 1);
    t.is(await world.value(), 1, control);
    t.is(world.asked.length, 1);
    world.clock.advance(1);
    t.is(await world.value(), 2, control);
    t.is(world.asked.length, 2);
  }
});

test('[A5] a clock that was set back makes a copy old rather than fresh for longer', async (t) => {
  const world = createWorld();
  await world.value();
  world.clock.advance(-DAY);
  world.answers(() => ok(2));
  t.is(await world.value(), 2);
});

test('[T19] whoever wants the same document at the same time shares one fetch', async (t) => {
  const world = createWorld();
  const values = await Promise.all(Array.from({ length: 50 }, () => world.value()));
  t.deepEqual(new Set(values), new Set([1]));
  t.is(world.asked.length, 1);
  world.clock.advance(DAY);
  world.answers(away);
  const copies = await Promise.all(Array.from({ length: 50 }, () => world.cache.get(URL_)));
  t.true(copies.every(({ value, stale }) => value === 1 && stale !== undefined));
  t.is(world.asked.length, 2);
});

test('[T19] after a failure nothing is fetched for ten seconds, and then it is', async (t) => {
  for (const failure of [away, () => ok('bad'), () => ({ ...ok(1), status: 404 })]) {
    const world = createWorld();
    world.answers(failure);
    for (let i = 0; i < 20; i++) await t.throwsAsync(world.value());
    t.is(world.asked.length, 1);
    world.answers(() => ok(2));
    world.clock.advance(10 * SECOND - 1);
    await t.throwsAsync(world.value());
    world.clock.advance(1);
    t.is(await world.value(), 2);
    t.is(world.asked.length, 2);
  }
});

test('[A5] while its host is away a document that was good is used for a day longer', async (t) => {
  const world = createWorld();
  await world.value();
  world.answers(away);
  world.clock.advance(HOUR);
  const copy = await world.cache.get(URL_);
  t.is(copy.value, 1);
  t.is(copy.stale!.message, 'connection failed: ECONNREFUSED');
  world.clock.advance(DAY - 1);
  t.is(await world.value(), 1);
  world.clock.advance(1);
  await t.throwsAsync(world.value(), { instanceOf: Unfetchable });
  world.answers(() => ok(2));
  world.clock.advance(10 * SECOND);
  t.is(await world.value(), 2);
});

test('[A5] what a document says now holds at once: no older copy takes its place', async (t) => {
  for (const now of [() => ok('bad'), () => ({ ...ok(1), status: 404 })]) {
    const world = createWorld();
    await world.value();
    world.clock.advance(HOUR);
    world.answers(now);
    await t.throwsAsync(world.value(), { instanceOf: Unacceptable });
    world.answers(away);
    world.clock.advance(10 * SECOND);
    await t.throwsAsync(world.value(), { instanceOf: Unfetchable }, 'the old one is forgotten');
  }
});

test('[A5] a copy older than is wanted is fetched again, as often as failures allow', async (t) => {
  const world = createWorld();
  await world.value();
  world.clock.advance(20 * SECOND);
  const notBefore = () => world.clock.now() - 30 * SECOND;
  await world.cache.get(URL_, { notBefore: notBefore() });
  t.is(world.asked.length, 1, 'young enough');
  world.clock.advance(11 * SECOND);
  world.answers(() => ok(2));
  t.is((await world.cache.get(URL_, { notBefore: notBefore() })).value, 2);
  world.clock.advance(31 * SECOND);
  world.answers(away);
  for (let i = 0; i < 5; i++) {
    const { value, stale } = await world.cache.get(URL_, { notBefore: notBefore() });
    t.is(value, 2);
    t.truthy(stale);
  }
  t.is(world.asked.length, 3);
  t.is(await world.value(), 2, 'for everybody else it is fresh');
});

test('[T19] of documents and failures only so many are remembered', async (t) => {
  const world = createWorld();
  for (let i = 0; i < 10_001; i++) await world.value(`https://client.example/${i}`);
  await world.value('https://client.example/10000');
  t.is(world.asked.length, 10_001, 'the newest is there');
  await world.value('https://client.example/0');
  t.is(world.asked.length, 10_002, 'the oldest is not');

  world.answers(away);
  for (let i = 0; i < 5_000; i++) await t.throwsAsync(world.value(`https://junk.example/${i}`));
  world.asked.length = 0;
  await world.value('https://client.example/10000');
  t.deepEqual(world.asked, [], 'junk pushes out nothing good');
});

test('[T19] no host is asked more than 120 times a minute, nor all new ones more than 300 times', async (t) => {
  const world = createWorld({ factor: 1 });
  world.answers(away);
  const ask = async (host: string, times: number) => {
    for (let i = 0; i < times; i++) {
      const url = `https://${host}/${world.asked.length}-${i}`;
      await t.throwsAsync(world.value(url), { instanceOf: Unfetchable });
    }
  };
  await ask('one.example', 200);
  t.is(world.asked.length, 120);
  await ask('two.example', 200);
  await ask('three.example', 200);
  t.is(world.asked.length, 300);
  const error = await t.throwsAsync(world.value('https://four.example/'), {
    instanceOf: Unfetchable,
  });
  t.regex(error.message, /limit of fetches: hosts that are new/);
  t.is(error.retryAfterSeconds, 60);
  world.clock.advance(MINUTE);
  await ask('one.example', 1);
  t.is(world.asked.length, 301);
});

test('[T19] a flood of new hosts keeps nobody from those that are known', async (t) => {
  const world = createWorld({ factor: 1 });
  await world.value('https://known.example/1');
  world.answers(away);
  for (let i = 0; i < 400; i++) await t.throwsAsync(world.value(`https://${i}.example/`));
  t.is(world.asked.length, 300);
  world.answers(() => ok(2));
  t.is(await world.value('https://known.example/2'), 2);
});

test('[T19] a limit that is reached does not cost anybody the copy that is there', async (t) => {
  const world = createWorld({ factor: 1 });
  await world.value('https://one.example/good');
  world.clock.advance(HOUR);
  for (let i = 0; i < 120; i++) await world.value(`https://one.example/${i}`);
  const copy = await world.cache.get('https://one.example/good');
  t.is(copy.value, 1);
  t.regex(copy.stale!.message, /limit of fetches: host one.example/);
});

test('[T19] one browser makes us fetch 30 times a minute at most', async (t) => {
  const world = createWorld({ factor: 1 });
  const get = (asker: string, i: number) =>
    world.cache.get(`https://${i}.example/`, { asker: { address: asker, place: 'page' } });
  for (let i = 0; i < 30; i++) await get('10.1.1.1', i);
  await t.throwsAsync(get('10.1.1.1', 30), { message: /limit of fetches: asker/ });
  await get('10.1.1.1', 3);
  await get('10.1.1.2', 30);
  t.is(world.asked.length, 31);
});

test('[T19] RATE_LIMIT_FACTOR multiplies the limits, and 0 turns them off', async (t) => {
  for (const [factor, allowed] of [
    [2, 240],
    [0.5, 60],
    [0, 500],
  ] as const) {
    const world = createWorld({ factor });
    world.answers(away);
    for (let i = 0; i < 500; i++) await t.throwsAsync(world.value(`https://one.example/${i}`));
    t.is(world.asked.length, allowed);
  }
});

test('[T19] no more than 20 fetches to new hosts and 50 to known ones are under way at once', async (t) => {
  const world = createWorld();
  for (let i = 0; i < 60; i++) await world.value(`https://known-${i}.example/`);
  let finish = (_: Fetched): void => {};
  const finished = new Promise<Fetched>((resolve) => (finish = resolve));
  world.answers(() => finished);
  const open = (count: number, name: string) =>
    Array.from({ length: count }, (_, i) => world.value(`https://${name}-${i}.example/slow`));
  const slow = open(20, 'new');
  const error = await t.throwsAsync(world.value('https://new-20.example/'), {
    instanceOf: Unfetchable,
  });
  t.is(error.message, 'too many fetches at once');
  t.is(error.retryAfterSeconds, 1);
  slow.push(...open(50, 'known'));
  await t.throwsAsync(world.value('https://known-51.example/slow'), { instanceOf: Unfetchable });
  slow.push(world.value('https://new-3.example/slow'));
  finish(ok(1));
  t.deepEqual(new Set(await Promise.all(slow)), new Set([1]));
  t.is(await world.value('https://new-20.example/'), 1);
});

test('[A5] every fetch is told of, with the distinct cause of a failure', async (t) => {
  const world = createWorld();
  await world.value();
  world.clock.advance(HOUR);
  world.answers(away);
  await world.value();
  world.clock.advance(10 * SECOND);
  world.answers(() => ok('bad'));
  await t.throwsAsync(world.value());
  t.deepEqual(world.problems, [undefined, 'connection failed: ECONNREFUSED', 'it is bad']);
});
