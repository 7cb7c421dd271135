import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

/**
 * How often something may be asked, by one address and by all together. Counted in this process: with several instances
 * behind a balancer the whole allows as many times more. A limiter that counts in Redis, with this one as its insurance,
 * can take its place without anybody noticing.
 */
export interface RateLimit {
  /**
   * Counts one request.
   *
   * @param address who asks, as `addressOf` (http/address.ts) names it
   * @returns undefined if it may go on, else the seconds after which another one may (at least 1)
   */
  secondsToWait(address: string): Promise<number | undefined>;
}

export interface RateLimitOptions {
  /** Requests per minute. */
  readonly perAddress: number;
  /** Requests per minute of all addresses together. */
  readonly inAll: number;
  /** Multiplies both (RATE_LIMIT_FACTOR); 0 = no limit. */
  readonly factor: number;
}

const MINUTE_SECONDS = 60;

export function createRateLimit({ perAddress, inAll, factor }: RateLimitOptions): RateLimit {
  if (factor === 0) return { secondsToWait: async () => undefined };
  const limiter = (perMinute: number) =>
    new RateLimiterMemory({
      points: Math.max(1, Math.round(perMinute * factor)),
      duration: MINUTE_SECONDS,
    });
  const ofAddress = limiter(perAddress);
  const ofAll = limiter(inAll);

  return {
    async secondsToWait(address) {
      // While the whole is used up, nobody is counted: so there are never more addresses to remember than it allows.
      const all = await ofAll.get(EVERYBODY);
      if (all && all.remainingPoints <= 0) return seconds(all);
      // What one address asks in vain takes nothing from the others.
      return (await take(ofAddress, address)) ?? (await take(ofAll, EVERYBODY));
    },
  };
}

const EVERYBODY = 'all';

async function take(limiter: RateLimiterMemory, key: string): Promise<number | undefined> {
  try {
    await limiter.consume(key);
    return undefined;
  } catch (refused) {
    if (refused instanceof RateLimiterRes) return seconds(refused);
    throw refused;
  }
}

const seconds = ({ msBeforeNext }: RateLimiterRes): number =>
  Math.max(1, Math.ceil(msBeforeNext / 1_000));
