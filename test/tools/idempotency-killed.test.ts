import { randomBytes } from 'node:crypto';
import test from 'ava';
import { startRedis } from '../support/redis.ts';
import { startServerProcess } from '../support/server-process.ts';
import { create, errorOf, holdBill, newBill, resultOf, start, UNKNOWN } from './support/bills.ts';

/** An instance that dies while NeonPanel works on its request; all it leaves behind is in Redis. */

/** Longer than any call lives. */
const DEAD_SECONDS = 61;

test('[T55] redis: when an instance is killed in the middle of a call, the key never sends anything again', async (t) => {
  const redis = await startRedis({ persist: true });
  t.teardown(redis.stop);
  const env = {
    REDIS_URL: redis.url,
    MASTER_KEYS: randomBytes(32).toString('base64url'),
    RATE_LIMIT_FACTOR: '0',
  };
  const world = await start({ lifetimeSeconds: 3000 }, { env });
  t.teardown(world.close);
  const mortal = await startServerProcess(t, {
    stdout: 'pipe',
    env: { ...env, PUBLIC_URL: world.url, NEONPANEL_URL: world.standIn.url },
  });
  mortal.child.stdout!.resume();
  const connection = await world.connect();
  const { args, asked, number } = newBill();

  const held = holdBill(world, number);
  const lost = t.throwsAsync(create(mortal.url, connection, args));
  await held.reached;
  mortal.child.kill('SIGKILL');
  await mortal.ended;
  await lost;
  held.go();
  world.advance(DEAD_SECONDS);
  for (let n = 0; n < 3; n++) {
    const text = errorOf(t, await create(world.url, connection, args));
    t.regex(text, UNKNOWN);
    t.regex(text, /new idempotencyKey/);
  }
  t.is(asked(world), 1);
  // As the error says, if the user has looked and found nothing.
  resultOf(t, await create(world.url, connection, { ...args, idempotencyKey: 'another' }));
  t.is(asked(world), 2);
});
