import { openRedisStore } from '../../adapters/redis/redis.ts';
import { StoreUnavailable } from '../../errors.ts';
import { createLog } from '../../log.ts';

/**
 * The other process of the tests: opens the store, uses it, and closes it; then nothing may keep the process alive.
 *
 *   node redis-child.ts '{"mode":"single","urls":["redis://…"]}'
 *
 * Ends with 0, or with 3 if Redis was unavailable.
 */
const config = JSON.parse(process.argv[2]!);
const log = createLog('debug', process.stdout);
const store = await openRedisStore({ config: { kind: 'redis', ...config }, log });
console.log('open');
try {
  const key = { tag: 'child', kind: 'record' };
  await store.commit([{ key, expect: 'any', put: 'x', lifetime: 60 }]);
  const [entry] = await store.read(key);
  const { length } = await Array.fromAsync(store.keys('record'));
  if (entry?.value !== 'x' || length !== 1) throw new Error('the record is not there');
  console.log('done');
} catch (error) {
  if (!(error instanceof StoreUnavailable)) throw error;
  console.log('unavailable');
  process.exitCode = 3;
}
await store.close();
console.log('closed');
