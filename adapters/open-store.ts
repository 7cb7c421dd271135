import type { StoreConfig } from '../config.ts';
import type { Log } from '../log.ts';
import { openRedisStore } from './redis/redis.ts';
import { openSqliteStore } from './sqlite/sqlite.ts';
import type { SharedCounts } from './rate-sharing.ts';
import type { Store } from './store.ts';

export interface OpenStore extends Store {
  /** Counts of rate limits, where there may be several instances. */
  readonly shared?: SharedCounts;
}

/**
 * Opens the store that the configuration names: Redis where REDIS_URL is set, else the embedded file (D11).
 *
 * @param options.now epoch milliseconds, by which the embedded store lets records end
 * @throws what the backend throws when its records can't be used: a newer schema, a damaged file
 */
export function openStore(
  config: StoreConfig,
  { log, now }: { log: Log; now: () => number },
): Promise<OpenStore> {
  if (config.kind === 'redis') return openRedisStore({ config, log });
  return openSqliteStore({ path: config.path, now, log });
}
