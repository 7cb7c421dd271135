import type { Context } from 'koa';
import { tooManyRequests } from '../adapters/limit-refusals.ts';
import type { RateLimit } from '../adapters/rate-limits.ts';
import { addressOf } from '../http/address.ts';

/**
 * How often an address may be refused. What succeeds is not counted, because behind one address there may be thousands of
 * users; and what proves itself to be theirs is served whatever others there have done.
 */
export type FailureLimit = ReturnType<typeof createFailureLimit>;

export function createFailureLimit(limit: RateLimit) {
  /**
   * Serves a request, and counts it if it comes to nothing.
   *
   * @param isGenuine asked only if the address has failed too often: whether the request carries something that we signed
   * @throws Refusal 429
   */
  return async function run(
    ctx: Context,
    serve: () => Promise<void>,
    isGenuine: () => boolean | Promise<boolean>,
  ): Promise<void> {
    const address = addressOf(ctx);
    const wait = limit.secondsToWait(address);
    if (wait !== undefined && !(await isGenuine())) throw tooManyRequests(limit.name, wait);
    try {
      await serve();
    } catch (error) {
      if (isRefused((error as { status?: unknown }).status)) limit.count(address);
      throw error;
    }
    if (isRefused(ctx.status)) limit.count(address);
  };
}

/** By the other side's doing. What was too much has been counted already. */
const isRefused = (status: unknown): boolean =>
  typeof status === 'number' && status >= 400 && status < 500 && status !== 429;
