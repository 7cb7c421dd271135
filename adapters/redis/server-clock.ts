/**
 * Redis's clock, as far as it is known here: a commit says until when, by that clock, it may still be carried out.
 *
 * A Redis that stood still for a while works off what it was sent meanwhile. A commit that waited there until its
 * request was answered with 503 must not be carried out after all: the client was told to try again.
 */
export interface ServerClock {
  /** @param sentAt by performance.now() @param serverTime what Redis's answer said, in epoch milliseconds */
  learn(sentAt: number, serverTime: number): void;
  /** @returns the same moment by Redis's clock, or undefined while nothing is known of it */
  at(moment: number): number | undefined;
}

/** Two clocks may run apart by half a millisecond a second; what was learned longer ago than two of these is dropped. */
const MEMORY_MS = 60_000;

export function createServerClock(): ServerClock {
  // The larger difference is the kinder one: the nodes of a cluster have clocks of their own.
  let latest = -Infinity;
  let before = -Infinity;
  let since = performance.now();

  function forget(): void {
    const now = performance.now();
    if (now - since < MEMORY_MS) return;
    before = now - since < 2 * MEMORY_MS ? latest : -Infinity;
    latest = -Infinity;
    since = now;
  }

  return {
    learn(sentAt, serverTime) {
      forget();
      latest = Math.max(latest, serverTime - sentAt);
    },
    at(moment) {
      forget();
      const difference = Math.max(latest, before);
      return difference === -Infinity ? undefined : Math.ceil(moment + difference);
    },
  };
}
