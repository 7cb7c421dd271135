/**
 * Redis's clock, as far as it is known here: a commit says until when, by that clock, it may still be carried out.
 *
 * A Redis that stood still for a while works off what it was sent meanwhile. A commit that waited there until its
 * request was answered with 503 must not be carried out after all: the client was told to try again.
 */
export interface ServerClock {
  /** @param answeredAt by performance.now() @param serverTime what that answer said, in epoch milliseconds */
  learn(answeredAt: number, serverTime: number): void;
  /**
   * @param deadline by performance.now()
   * @returns until when a commit has to be carried out, by Redis's clock, for its answer to be here before the deadline;
   * undefined while nothing is known of that clock
   */
  latest(deadline: number): number | undefined;
}

/** For the answer to be read, behind whatever this process is doing at that moment. */
const READING_MS = 20;

/** Two clocks may run apart by half a millisecond a second; what was learned longer ago than two of these is dropped. */
const MEMORY_MS = 60_000;

export function createServerClock(): ServerClock {
  // The way back of an answer is part of the difference, so the larger one is nearer to the truth. In a cluster, whose
  // nodes have clocks of their own, it is the kinder one.
  let newest = -Infinity;
  let before = -Infinity;
  let since = performance.now();

  function forget(): void {
    const now = performance.now();
    if (now - since < MEMORY_MS) return;
    before = now - since < 2 * MEMORY_MS ? newest : -Infinity;
    newest = -Infinity;
    since = now;
  }

  return {
    learn(answeredAt, serverTime) {
      forget();
      newest = Math.max(newest, serverTime - answeredAt);
    },
    latest(deadline) {
      forget();
      const difference = Math.max(newest, before);
      return difference === -Infinity ? undefined : Math.ceil(deadline - READING_MS + difference);
    },
  };
}
