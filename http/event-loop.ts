import { type Histogram, monitorEventLoopDelay } from 'node:perf_hooks';

/**
 * Whether this process keeps up. Every request shares one thread, so what holds it up holds up all of them; the delay of
 * a timer shows by how much.
 *
 * - `slow`: it was held up by more than 100 ms for ten seconds. It is told, and changes nothing: where everybody is slow because
 *   there is much to do, an instance that withdraws makes it worse for the others.
 * - `stuck`: it was held up by more than a second for half a minute, so that health checks barely get through. Such an instance
 *   does better without new requests; five seconds without such a delay, and it is back.
 */
export type LoopState = 'ok' | 'slow' | 'stuck';

export interface LoopLimits {
  /** What is measured at a time. */
  readonly windowMs: number;
  readonly slowMs: number;
  /** Windows in a row. */
  readonly slowWindows: number;
  readonly stuckMs: number;
  readonly stuckWindows: number;
}

export const LOOP_LIMITS: LoopLimits = {
  windowMs: 5_000,
  slowMs: 100,
  slowWindows: 2,
  stuckMs: 1_000,
  stuckWindows: 6,
};

const RESOLUTION_MS = 10;
const NS_PER_MS = 1e6;

export interface LoopWatch {
  state(): LoopState;
  close(): void;
}

/** @param lowered by tests */
export function watchEventLoop(lowered: Partial<LoopLimits> = {}): LoopWatch {
  const limits = { ...LOOP_LIMITS, ...lowered };
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  const judge = createLoopJudge(limits);
  let since = performance.now();
  delay.enable();
  const timer = setInterval(() => {
    const now = performance.now();
    // Without a single measurement, nothing has run in all that time. Else the measuring timer is part of what it measures.
    const ms = delay.count === 0 ? now - since : heldUpMs(delay);
    judge.add(ms - RESOLUTION_MS);
    since = now;
    delay.reset();
  }, limits.windowMs).unref();
  return {
    state: judge.state,
    close() {
      clearInterval(timer);
      delay.disable();
    },
  };
}

/**
 * By how much the loop is held up: the p99 of its delays, or, if that is longer, the steady delay that would let
 * requests wait for as long. The p99 counts delays, of which a few long ones are less than a hundredth, although most
 * requests come during them. Who comes during a delay d waits d/2, and more come during longer ones: together Σd²/2Σd.
 *
 * @param delays of timers, nanoseconds
 */
export function heldUpMs(delays: Pick<Histogram, 'mean' | 'stddev' | 'percentile'>): number {
  const { mean, stddev } = delays;
  const steady = mean + stddev ** 2 / mean;
  return Math.max(delays.percentile(99), steady) / NS_PER_MS;
}

/** Judges windows by how much they were held up, in milliseconds; without a clock, for tests. */
export function createLoopJudge(limits: LoopLimits) {
  let slow = 0;
  let stuck = 0;
  return {
    add(ms: number): void {
      slow = ms > limits.slowMs ? slow + 1 : 0;
      stuck = ms > limits.stuckMs ? stuck + 1 : 0;
    },
    state(): LoopState {
      if (stuck >= limits.stuckWindows) return 'stuck';
      return slow >= limits.slowWindows ? 'slow' : 'ok';
    },
  };
}
