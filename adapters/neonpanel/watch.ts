import { type NeonpanelOutcome, tell } from '../../facts.ts';
import type { Log } from '../../log.ts';

/** Whether NeonPanel answers, as far as our own requests show: nothing is asked for the sake of knowing. */
export type NeonpanelState = 'ok' | 'unavailable' | 'unknown';

/** Sees what comes of every request to NeonPanel. */
export interface NeonpanelWatch {
  /**
   * @param request its path without query; of a second attempt `isRetry`
   * @param started when it began, by performance.now()
   */
  saw(
    request: { method: string; path: string; isRetry?: boolean },
    outcome: NeonpanelOutcome,
    started: number,
  ): void;
  state(): NeonpanelState;
}

/** What was seen longer ago says nothing about now. */
const BELIEVED_MS = 5 * 60_000;
/** In a row: a connection that was reset says little, and its request is made again. */
const SILENCES = 2;

export function createNeonpanelWatch(log: Log): NeonpanelWatch {
  let silences = 0;
  let heardAt = -Infinity;

  return {
    saw({ method, path, isRetry = false }, outcome, started) {
      const now = performance.now();
      tell(log, 'neonpanel.request', { method, path, outcome, ms: now - started, isRetry });
      if (outcome === 'abandoned' || outcome === 'no_room') return;
      heardAt = now;
      if (outcome === 'not_asked') silences = SILENCES;
      else silences = outcome === 'silent' ? silences + 1 : 0;
    },

    state() {
      if (performance.now() - heardAt > BELIEVED_MS) return 'unknown';
      return silences >= SILENCES ? 'unavailable' : 'ok';
    },
  };
}
