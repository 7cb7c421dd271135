/** The time a call has, and the signal that ends it: the deadline passed or the caller left. */
export interface Budget {
  readonly signal: AbortSignal;
  /** Rejects when the signal is aborted, for what does not listen to it. */
  readonly over: Promise<never>;
  remainingMs(): number;
  /** Releases the timer and the listener; call it when the work is over. */
  end(): void;
}

const ONCE = { once: true };
/** No call is allowed longer; also keeps a strange clock from overflowing a timer. */
const LONGEST_MS = 10 * 60 * 1000;

/**
 * Starts the clock of one call.
 *
 * @param remainingMs milliseconds until the deadline; 0 or less is over at once
 * @param caller aborted when whoever asked has left
 */
export function startBudget(remainingMs: number, caller: AbortSignal | undefined): Budget {
  const totalMs = Math.min(remainingMs, LONGEST_MS);
  const controller = new AbortController();
  const startedAt = performance.now();
  const { promise: over, reject } = Promise.withResolvers<never>();
  over.catch(() => {});
  controller.signal.addEventListener('abort', () => reject(controller.signal.reason), ONCE);
  const onCallerGone = () => controller.abort('caller gone');
  const timer = setTimeout(() => controller.abort('deadline'), Math.max(totalMs, 0));
  caller?.addEventListener('abort', onCallerGone, ONCE);
  if (caller?.aborted) onCallerGone();
  if (totalMs <= 0) controller.abort('deadline');
  return {
    signal: controller.signal,
    over,
    remainingMs: () => totalMs - (performance.now() - startedAt),
    end: () => {
      clearTimeout(timer);
      caller?.removeEventListener('abort', onCallerGone);
    },
  };
}
