import { RateLimiterRedis } from 'rate-limiter-flexible';
import type { Log } from '../../log.ts';
import type { SharedCounts } from '../rate-sharing.ts';
import type { Client } from './client.ts';
import { wordsOf } from './reasons.ts';

/**
 * Counts of rate limits, on the connection of the store. One key each, `neonpanel-mcp:{limit.caller}:rate`, with an expiry
 * from its first moment on.
 */
const WINDOW_SECONDS = 60;

/** The library's own, but for a command that it needs only for keys that somebody else made. */
const SCRIPT = `
redis.call('SET', KEYS[1], 0, 'EX', ARGV[2], 'NX')
local counted = redis.call('INCRBY', KEYS[1], ARGV[1])
return { counted, redis.call('PTTL', KEYS[1]) }
`;

/**
 * Nothing is repeated, and nothing waits for Redis to come back: the next message to the others says the same.
 * What Redis refuses is told once.
 */
export function createRedisCounts(options: {
  client: Client;
  prefix: string;
  isReady: () => boolean;
  log: Log | undefined;
}): SharedCounts {
  const { client, prefix, isReady, log } = options;
  const limiter = new RateLimiterRedis({
    storeClient: client,
    keyPrefix: prefix,
    points: 1,
    duration: WINDOW_SECONDS,
    customIncrTtlLuaScript: SCRIPT,
  });
  let isTold = false;

  return {
    async add(name, count) {
      if (!isReady()) throw new Error('Redis is away');
      try {
        const { consumedPoints, msBeforeNext } = await limiter.penalty(`{${name}}:rate`, count);
        return { total: consumedPoints, leftMs: msBeforeNext };
      } catch (error) {
        if ((error as Error).name === 'ReplyError' && !isTold) {
          isTold = true;
          const problem = wordsOf(error as Error);
          log?.warn({ event: 'store', problem }, 'store: instances count rate limits apart');
        }
        throw error;
      }
    },
  };
}
