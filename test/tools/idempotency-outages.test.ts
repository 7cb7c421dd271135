import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { startRedis } from '../support/redis.ts';
import { createTcpShim } from '../support/tcp-shim.ts';
import { create, errorOf, faultFor, newBill, NOT_SENT, resultOf, start } from './support/bills.ts';

/** The idempotency key of the tools that write, on a Redis whose connections break. */

/** Longer than any call lives. */
const DEAD_SECONDS = 61;

async function startShimmed(t: ExecutionContext) {
  const redis = await startRedis({ persist: true });
  t.teardown(redis.stop);
  const shim = await createTcpShim({ port: redis.port });
  t.teardown(shim.close);
  const env = { REDIS_URL: `redis://127.0.0.1:${shim.port}` };
  const world = await start({ lifetimeSeconds: 3000 }, { instances: 2, env });
  t.teardown(world.close);
  const records = async () =>
    (await redis.command('KEYS', '*:idempotency')).split('neonpanel').length - 1;
  return { world, shim, records };
}

test('[T55] redis: a key whose record was written without our hearing of it is free again', async (t) => {
  const { world, shim, records } = await startShimmed(t);
  const connection = await world.connect();
  const { args, asked } = newBill();
  shim.swallowReply((request) => request.includes(':idempotency'));
  t.regex(errorOf(t, await create(world.url, connection, args)), NOT_SENT);
  t.is(await records(), 1, 'this is what is to be taken back');
  t.is(asked(world), 0);
  shim.pass();
  resultOf(t, await create(world.instances[1]!, connection, args));
  resultOf(t, await create(world.url, connection, args));
  t.is(asked(world), 1);
});

test('[T55] redis: an answer that came during an outage is what a repeated call gets after it', async (t) => {
  const { world, shim } = await startShimmed(t);
  const connection = await world.connect();
  const { args, asked, number } = newBill();
  faultFor(world, number, async (_, answer) => {
    shim.down();
    // Long enough for both instances to notice.
    await sleep(3_500);
    world.advance(DEAD_SECONDS);
    return answer();
  });
  const first = resultOf(t, await create(world.url, connection, args));
  shim.pass();
  let again;
  do again = await create(world.instances[1]!, connection, args);
  while (again.status === 503);
  t.deepEqual(resultOf(t, again), first);
  t.is(asked(world), 1);
});
