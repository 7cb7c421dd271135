import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * How long a request waits for the store, all its calls together: each call has a limit of its own, but a request makes
 * several, and with a slow store their waits would add up to more than a client's patience.
 */
export const REQUEST_PATIENCE_MS = 1_700;

interface Waiting {
  calls: number;
  /** When the first of the calls under way began, by performance.now(). */
  since: number;
  spentMs: number;
}

const requests = new AsyncLocalStorage<Waiting | undefined>();

/** Runs one request, whose calls of the store share one patience. */
export const withPatience = <T>(request: () => T): T =>
  requests.run({ calls: 0, since: 0, spentMs: 0 }, request);

/** Runs work that goes on after its request was answered. */
export const withoutPatience = <T>(work: () => T): T => requests.run(undefined, work);

/**
 * A call of the store begins to wait. Calls at the same time count once.
 * @param maxMs limit of the call itself
 */
export function startWaiting(maxMs: number): { readonly leftMs: number; stop(): void } {
  const request = requests.getStore();
  if (!request) return { leftMs: maxMs, stop: () => {} };
  const now = performance.now();
  if (request.calls++ === 0) request.since = now;
  const left = REQUEST_PATIENCE_MS - request.spentMs - (now - request.since);
  return {
    leftMs: Math.max(0, Math.min(maxMs, left)),
    stop() {
      if (--request.calls === 0) request.spentMs += performance.now() - request.since;
    },
  };
}
