import { monitorEventLoopDelay } from 'node:perf_hooks';

/**
 * Whether this process keeps up. Every request shares one thread, so what holds it up holds up all of them; the delay of
 * a timer shows by how much.
 *
 * - `slow`: the p99 was above 100 ms for ten seconds. It is told, and changes nothing: where everybody is slow because
 *   there is much to do, an instance that withdraws makes it worse for the others.
 * - `stuck`: the p99 was above a second for half a minute, so that health checks barely get through. Such an instance
 *   does better without new requests; five seconds without such a delay, and it is back.
 */
export type LoopState = 'ok' | 'slow' | 'stuck';

export interface LoopLimits {
  /** A p99 is made of so much time. */
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
    const p99Ms = delay.count === 0 ? now - since : delay.percentile(99) / NS_PER_MS;
    judge.add(p99Ms - RESOLUTION_MS);
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

/** Judges windows by their p99, in milliseconds; without a clock, for tests. */
export function createLoopJudge(limits: LoopLimits) {
  let slow = 0;
  let stuck = 0;
  return {
    add(p99Ms: number): void {
      slow = p99Ms > limits.slowMs ? slow + 1 : 0;
      stuck = p99Ms > limits.stuckMs ? stuck + 1 : 0;
    },
    state(): LoopState {
      if (stuck >= limits.stuckWindows) return 'stuck';
      return slow >= limits.slowWindows ? 'slow' : 'ok';
    },
  };
}
