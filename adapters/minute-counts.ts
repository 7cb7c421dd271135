import { createBoundedMap } from '../bounded-map.ts';

/**
 * How often things happened in the current minute, by name. When there are too many names, the one that was counted
 * longest ago is forgotten.
 */
export interface MinuteCounts {
  of(name: string): number;
  add(name: string): void;
  /** Until everything is counted anew: at least 1. */
  secondsLeft(): number;
}

const MINUTE_MS = 60_000;

/**
 * Not rate-limiter-flexible: it keeps every name a stranger makes up for its minute, can't ask several limits before it
 * counts for any without as much code, and its timers follow no injected clock.
 *
 * @param options.now epoch milliseconds
 */
export function createMinuteCounts(options: { maxNames: number; now: () => number }): MinuteCounts {
  const { maxNames, now } = options;
  const minute = () => Math.floor(now() / MINUTE_MS);
  const counts = createBoundedMap<{ minute: number; count: number }>(
    maxNames,
    (last) => last.minute !== minute(),
  );
  const of = (name: string) => {
    const last = counts.get(name);
    return last?.minute === minute() ? last.count : 0;
  };
  return {
    of,
    add: (name) => counts.set(name, { minute: minute(), count: of(name) + 1 }),
    secondsLeft: () => Math.ceil((MINUTE_MS - (now() % MINUTE_MS)) / 1000),
  };
}
