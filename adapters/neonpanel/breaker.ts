import {
  BrokenCircuitError,
  circuitBreaker,
  CircuitState,
  ConsecutiveBreaker,
  handleWhenResult,
} from 'cockatiel';
import { tell } from '../../facts.ts';
import type { Log } from '../../log.ts';
import { NeonpanelError } from './neonpanel.ts';

/**
 * Stops asking a NeonPanel that does not answer, so that its outage costs milliseconds instead of everybody's deadline.
 * After a pause one request is let through; when that is answered, all are. One for the API and sign-in together: they are
 * one host.
 */
export interface Breaker {
  /**
   * @param ask one request to NeonPanel
   * @param isSilence whether what came of it means that nobody is there; a refusal, or a fault in one operation, does not
   * @throws NeonpanelError kind `unavailable`, not sent, while NeonPanel is not asked; what `ask` throws
   */
  run<T>(
    ask: () => Promise<T>,
    isSilence: (settled: PromiseSettledResult<T>) => boolean,
  ): Promise<T>;
}

/** In a row, over all operations and users. */
const SILENCES = 10;
const PAUSE_MS = 2_000;

interface Settled {
  readonly result: PromiseSettledResult<unknown>;
  readonly isSilence: boolean;
}

export function createBreaker(log: Log): Breaker {
  const policy = circuitBreaker(
    handleWhenResult((settled) => (settled as Settled).isSilence),
    { breaker: new ConsecutiveBreaker(SILENCES), halfOpenAfter: PAUSE_MS },
  );
  policy.onStateChange((state) => {
    tell(log, 'neonpanel.breaker', { isOpen: state !== CircuitState.Closed });
    if (state === CircuitState.Open) log.warn({ event: 'neonpanel.away' });
    if (state === CircuitState.Closed) log.warn({ event: 'neonpanel.back' });
  });

  return {
    async run<T>(ask: () => Promise<T>, isSilence: (result: PromiseSettledResult<T>) => boolean) {
      const { result } = await policy
        .execute(async (): Promise<Settled> => {
          const [result] = await Promise.allSettled([ask()]);
          return { result, isSilence: isSilence(result) };
        })
        .catch(notAsked);
      if (result.status === 'rejected') throw result.reason;
      return result.value as T;
    },
  };
}

function notAsked(error: unknown): never {
  if (!(error instanceof BrokenCircuitError)) throw error;
  throw new NeonpanelError('unavailable', 'NeonPanel does not answer', {
    detail: 'not asked, because nobody was answered before',
    retryAfterSeconds: Math.ceil(PAUSE_MS / 1_000),
    wasSent: false,
    cause: error,
  });
}

/** What a proxy says when it finds nobody behind it. */
export const isNobodyHome = (status: number): boolean => [502, 503, 504].includes(status);
