import type { Log } from '../../log.ts';
import type { SharedCounts } from '../rate-sharing.ts';
import type { Client } from './client.ts';
import { wordsOf } from './reasons.ts';

/**
 * Counts of rate limits, on the connection of the store. One key each, `neonpanel-mcp:{limit.caller}:rate`, with an expiry
 * from its first moment on.
 */
const SCRIPT = `
redis.call('SET', KEYS[1], 0, 'PX', ARGV[2], 'NX')
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
  let isTold = false;

  return {
    async add(name, count, leftMs) {
      if (!isReady()) throw new Error('Redis is away');
      try {
        const key = `${prefix}:{${name}}:rate`;
        const reply = await client.eval(SCRIPT, 1, key, count, Math.max(1, Math.ceil(leftMs)));
        const [total, left] = reply as [number, number];
        return { total, leftMs: left };
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
