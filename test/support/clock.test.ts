import test from 'ava';
import { createClock } from './clock.ts';

test('the clock stands still until it is moved, either way', (t) => {
  const clock = createClock(1000);
  const { now } = clock;
  t.is(now(), 1000);
  t.is(clock.advance(500), 1500);
  t.is(clock.advance(-1000), 500);
  t.is(now(), 500);
});

test('by default it starts a minute ahead of the real time', (t) => {
  const before = Date.now() + 60_000;
  const { now } = createClock();
  t.true(now() >= before && now() <= Date.now() + 60_000);
});
