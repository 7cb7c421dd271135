import { tooManyRequests } from './limit-refusals.ts';
import { MAX_CALLERS, RATE_LIMITS, type RateLimitName } from './rate-limit-table.ts';
import { createWindows } from './rate-windows.ts';
import { digest } from './secrets.ts';
import { createSharing, type SharedCounts } from './rate-sharing.ts';

/**
 * How often a caller may ask. Counting and deciding is done in this process and takes no time; where there are several
 * instances, each tells the others what it has counted, soon after and behind the requests. So no request waits for a
 * limit, and none fails because the store is away: then each instance counts for itself until it is back.
 * See docs/decisions/010-rate-limits.md.
 */
export interface RateLimit {
  readonly name: RateLimitName;
  /**
   * Whether so many more would be too many; counts nothing.
   *
   * @param caller who asks, in the terms of the table's `by`
   * @returns undefined if it may go on, else the seconds after which it may ask again (at least 1)
   */
  secondsToWait(caller: string, count?: number): number | undefined;
  count(caller: string, count?: number): void;
  /** Callers that are remembered. */
  readonly size: number;
}

export type RateLimits = { readonly [name in RateLimitName]: RateLimit } & { close(): void };

/**
 * What others don't know yet is at most this part of a limit: who asks less costs the store nothing, and of several
 * instances each may let so much more through.
 */
const UNSHARED = 1 / 16;

/**
 * @param options.factor multiplies all limits (RATE_LIMIT_FACTOR); 0 turns them off
 * @param options.shared where instances tell each other; absent if there is only this one
 * @param options.now epoch milliseconds
 */
export function createRateLimits(options: {
  factor: number;
  shared?: SharedCounts | undefined;
  now: () => number;
}): RateLimits {
  const { factor, shared, now } = options;
  const sharing = shared && createSharing(shared, now);

  function createLimit(name: RateLimitName): RateLimit {
    const max = Math.max(1, Math.round(RATE_LIMITS[name].perMinute * factor));
    const windows = createWindows({ maxCallers: MAX_CALLERS, now });
    const share = Math.max(1, Math.floor(max * UNSHARED));

    function secondsToWait(caller: string, count = 1): number | undefined {
      const window = windows.of(caller);
      // More at once than there is at all passes alone: it could never be waited for.
      if (!window || window.total === 0 || window.total + count <= max) return undefined;
      return Math.max(1, Math.ceil((window.endsAt - now()) / 1_000));
    }

    function add(caller: string, count: number): void {
      const window = windows.add(caller, count);
      // Not by its name: it may be a person's address.
      if (window.unshared >= share) sharing?.note(`${name}.${digest(caller)}`, window);
    }

    return {
      name,
      secondsToWait,
      count: (caller, count = 1) => add(caller, count),
      get size() {
        return windows.size;
      },
    };
  }

  const names = Object.keys(RATE_LIMITS) as RateLimitName[];
  const limits = names.map((name) => [name, factor === 0 ? unlimited(name) : createLimit(name)]);
  return { ...Object.fromEntries(limits), close: () => sharing?.close() } as RateLimits;
}

const unlimited = (name: RateLimitName): RateLimit => ({
  name,
  secondsToWait: () => undefined,
  count: () => {},
  size: 0,
});

/** @throws Refusal 429 if it is one too many */
export function takeTurn(limit: RateLimit, caller: string, description?: string): void {
  takeTurnOfEach([[limit, caller]], description);
}

/** Of all together, the caller's own included. */
const EVERYBODY = 'all';

/**
 * A limit of each, and one of all together. While that one is used up nobody is counted, and what one asks in vain takes
 * nothing from the others.
 *
 * @throws Refusal 429 if it is one too many
 */
export function takeTurnAmongAll(
  [own, all]: readonly [own: RateLimit, all: RateLimit],
  caller: string,
  description?: string,
): void {
  const turns = [[all, EVERYBODY] as const, [own, caller] as const];
  takeTurnOfEach(turns, description);
}

/**
 * Counts by each of several limits, or, if one of them refuses, by none.
 *
 * @param turns `count` is 1 unless it is given
 * @param description for whoever is refused; a function gets the seconds to wait
 * @throws Refusal 429 of the first limit that refuses
 */
export function takeTurnOfEach(
  turns: readonly (readonly [limit: RateLimit, caller: string, count?: number])[],
  description?: string | ((wait: number) => string),
): void {
  for (const [limit, caller, count] of turns) {
    const wait = limit.secondsToWait(caller, count);
    if (wait === undefined) continue;
    const words = typeof description === 'function' ? description(wait) : description;
    throw tooManyRequests(limit.name, wait, words);
  }
  for (const [limit, caller, count] of turns) limit.count(caller, count);
}
