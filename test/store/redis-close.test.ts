import test, { type ExecutionContext } from 'ava';
import { freePort } from '../support/ports.ts';
import { startRedisCluster } from '../support/redis-cluster.ts';
import { startRedisSentinels } from '../support/redis-sentinel.ts';
import { startRedis } from '../support/redis.ts';
import { createTcpShim } from '../support/tcp-shim.ts';
import { type RedisConfig, runChild } from './redis-modes-support.ts';

/** A store that was closed keeps no process alive, whatever stood behind it. */

const LINGER_MS = 3_000;

const PRESENT: Record<RedisConfig['mode'], () => Promise<{ urls: string[]; stop(): unknown }>> = {
  async single() {
    const { url, stop } = await startRedis();
    return { urls: [url], stop };
  },
  async cluster() {
    const { urls, stop } = await startRedisCluster({ replicas: 1 });
    return { urls: [...urls], stop };
  },
  async sentinel() {
    const { urls, stop } = await startRedisSentinels();
    return { urls: [...urls], stop };
  },
};

for (const [name, start] of Object.entries(PRESENT)) {
  const mode = name as RedisConfig['mode'];
  const many = mode === 'single' ? [1] : [1, 2, 3];

  test(`[D11] redis ${mode}: once it is closed the process ends`, async (t) => {
    const { urls, stop } = await start();
    t.teardown(stop);
    await ends(t, { mode, urls }, 0);
  });

  test(`[D11] redis ${mode}: once it is closed the process ends, though nobody was there`, async (t) => {
    const ports = await Promise.all(many.map(freePort));
    await ends(t, { mode, urls: ports.map((port) => `redis://127.0.0.1:${port}`) }, 3);
  });

  test(`[D11] redis ${mode}: once it is closed the process ends, though nobody ever answered`, async (t) => {
    const shims = await Promise.all(
      many.map(async () => createTcpShim({ port: await freePort() })),
    );
    t.teardown(() => Promise.all(shims.map((shim) => shim.close())));
    for (const shim of shims) shim.blackhole();
    await ends(t, { mode, urls: shims.map(({ port }) => `redis://127.0.0.1:${port}`) }, 3);
  });
}

async function ends(
  t: ExecutionContext,
  config: Pick<RedisConfig, 'mode' | 'urls'>,
  code: number,
): Promise<void> {
  const isSentinel = config.mode === 'sentinel';
  const ended = await runChild({ ...config, ...(isSentinel && { sentinelName: 'mymaster' }) });
  t.is(ended.code, code, ended.output);
  t.true(ended.lingeredMs < LINGER_MS, `${ended.lingeredMs} ms after it was closed`);
  t.log(`${Math.round(ended.lingeredMs)} ms`);
}
