import test from 'ava';
import { startRedis } from './redis.ts';

test('a redis-server of our own answers, keeps nothing and goes away', async (t) => {
  const redis = await startRedis();
  t.is(await redis.command('PING'), '+PONG\r\n');
  await redis.command('SET', 'k', 'v');
  t.is(await redis.command('GET', 'k'), '$1\r\nv\r\n');

  await redis.kill();
  await t.throwsAsync(redis.command('PING'));
  await redis.start();
  t.is(await redis.command('GET', 'k'), '$-1\r\n');

  await redis.stop();
  await t.throwsAsync(redis.command('PING'));
});

test('with persist it keeps its data over a kill', async (t) => {
  const redis = await startRedis({ persist: true });
  t.teardown(redis.stop);
  await redis.command('SET', 'k', 'v');
  await redis.kill();
  await redis.start();
  t.is(await redis.command('GET', 'k'), '$1\r\nv\r\n');
});

test('a redis-server that cannot start is an error with its words', async (t) => {
  await t.throwsAsync(startRedis({ args: ['--no-such-option', '1'] }), { message: /ended with 1/ });
});

test.serial('a missing redis-server is an error, not a reason to skip', async (t) => {
  process.env['REDIS_SERVER_PATH'] = '/nowhere/redis-server';
  t.teardown(() => delete process.env['REDIS_SERVER_PATH']);
  await t.throwsAsync(startRedis(), { message: /npm run setup/ });
});
