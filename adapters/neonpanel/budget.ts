/** The time a call has, and the signal that ends it: the deadline passed or the caller left. */
export interface Budget {
  readonly signal: AbortSignal;
  remainingMs(): number;
  /** Releases the timer and the listener; call it when the work is over. */
  end(): void;
}

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
  const onCallerGone = () => controller.abort('caller gone');
  const timer = setTimeout(() => controller.abort('deadline'), Math.max(totalMs, 0));
  caller?.addEventListener('abort', onCallerGone, { once: true });
  if (caller?.aborted) onCallerGone();
  if (totalMs <= 0) controller.abort('deadline');
  return {
    signal: controller.signal,
    remainingMs: () => totalMs - (performance.now() - startedAt),
    end: () => {
      clearTimeout(timer);
      caller?.removeEventListener('abort', onCallerGone);
    },
  };
}
