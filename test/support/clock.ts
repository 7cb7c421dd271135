/** A clock that stands still until it is moved. Pass `clock.now` wherever the product takes `now`. */
export interface Clock {
  /** Milliseconds since the epoch. Bound: may be passed on as a bare function. */
  readonly now: () => number;
  /** Moves forward, or backwards for a negative amount. @returns the new time */
  advance(milliseconds: number): number;
}

/**
 * The engine stamps tokens by the machine's clock, and one of the future is not believed (15 s are). So a clock that stands
 * still begins somewhat ahead: by then the tests of a file are over, on a slow machine, too.
 */
const AHEAD_MS = 60_000;

/** @param startMs default: somewhat later than now, so that tokens made elsewhere are valid */
export function createClock(startMs: number = Date.now() + AHEAD_MS): Clock {
  let current = startMs;
  return {
    now: () => current,
    advance(milliseconds) {
      current += milliseconds;
      return current;
    },
  };
}
