import test from 'ava';
import { openRedisStore } from '../../adapters/redis/redis.ts';
import { startRedis } from '../support/redis.ts';
import { storeConformance } from './conformance.ts';

/** The conformance suite on a real Redis. What is special about Redis is in the redis-*.test.ts beside this. */

const server = await startRedis();
test.after.always(() => server.stop());

storeConformance(
  'redis',
  async () => {
    const open = () =>
      openRedisStore({ config: { kind: 'redis', mode: 'single', urls: [server.url] } });
    const opened = [await open()];
    return {
      store: opened[0]!,
      second: async () => {
        opened.push(await open());
        return opened.at(-1)!;
      },
      cleanup: async () => {
        for (const store of opened) await store.close();
      },
    };
  },
  { clock: 'real' },
);
