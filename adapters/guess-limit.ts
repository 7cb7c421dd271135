import { createMinuteCounts } from './minute-counts.ts';

/**
 * How often one address may be wrong about a secret. There is no limit for all together: it would let one who guesses
 * keep out those who know. Counted in this process, as rate limits are.
 */
export interface GuessLimit {
  /** @returns undefined if this address may try, else the seconds after which it may (at least 1) */
  secondsToWait(address: string): number | undefined;
  countWrong(address: string): void;
}

/**
 * @param options.perAddress wrong guesses in a minute
 * @param options.factor multiplies it (RATE_LIMIT_FACTOR); 0 = no limit
 * @param options.now epoch milliseconds
 */
export function createGuessLimit(options: {
  perAddress: number;
  factor: number;
  now: () => number;
}): GuessLimit {
  const { perAddress, factor, now } = options;
  const max = factor === 0 ? Infinity : Math.max(1, Math.round(perAddress * factor));
  const wrong = createMinuteCounts({ maxNames: MAX_ADDRESSES, now });
  return {
    secondsToWait: (address) => (wrong.of(address) < max ? undefined : wrong.secondsLeft()),
    countWrong: (address) => wrong.add(address),
  };
}

/** Who has more has so many guesses anyway. */
const MAX_ADDRESSES = 10_000;
