import test from 'ava';
import { stopTime } from '../journeys/time.ts';
import { create, newBill, resultOf, start } from './support/bills.ts';

/** How long an idempotency key is remembered. */

const HOUR = 3600;
const { advance } = stopTime();

test('[T55] a key is remembered for 24 hours', async (t) => {
  const world = await start({ lifetimeSeconds: 100 * HOUR }, { instances: 2 });
  t.teardown(world.close);
  const { args, asked } = newBill();
  const first = resultOf(t, await create(world.url, await world.connect(), args));
  advance(23 * HOUR * 1000);
  const connection = await world.connect();
  t.deepEqual(resultOf(t, await create(world.instances[1]!, connection, args)), first);
  t.is(asked(world), 1);
  advance(2 * HOUR * 1000);
  const later = resultOf(t, await create(world.url, await world.connect(), args));
  t.notDeepEqual(later, first);
  t.is(asked(world), 2);
});
