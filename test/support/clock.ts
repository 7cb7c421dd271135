/** A clock that stands still until it is moved. Pass `clock.now` wherever the product takes `now`. */
export interface Clock {
  /** Milliseconds since the epoch. Bound: may be passed on as a bare function. */
  readonly now: () => number;
  /** Moves forward, or backwards for a negative amount. @returns the new time */
  advance(milliseconds: number): number;
}

/** @param startMs default: the real time at the call, so that tokens made elsewhere are valid */
export function createClock(startMs: number = Date.now()): Clock {
  let current = startMs;
  return {
    now: () => current,
    advance(milliseconds) {
      current += milliseconds;
      return current;
    },
  };
}
