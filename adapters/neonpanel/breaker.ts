import { tell } from '../../facts.ts';
import type { Log } from '../../log.ts';
import { NeonpanelError } from './neonpanel.ts';

/**
 * Stops asking a NeonPanel that does not answer, so that its outage costs milliseconds instead of everybody's deadline.
 * After a pause one request is let through; when that is answered, all are. One for the API and sign-in together: they are
 * one host.
 *
 * Our own, because of what the one of cockatiel can't be told: that a request has shown nothing (its caller left), that many
 * late answers of one operation are no outage, and that while one request is tried the others are refused at once instead
 * of waiting, without their deadline, for what comes of it.
 */
export interface Breaker {
  /** @throws NeonpanelError as `run`; for who would have to wait before it may ask */
  assertAsked(): void;
  /**
   * @param ask one request to NeonPanel, which is sent at once
   * @param hear what came of it says about NeonPanel
   * @throws NeonpanelError kind `unavailable`, not sent, while NeonPanel is not asked; what `ask` throws
   */
  run<T>(ask: () => Promise<T>, hear: (settled: PromiseSettledResult<T>) => Heard): Promise<T>;
}

/**
 * What a request has shown:
 *
 * - `answer`: somebody is there; a refusal, or a fault in one operation, is an answer
 * - `silence`: nobody is there
 * - `late`: it was sent, and its time was over before the answer came; by itself that may be this operation's fault
 * - `nothing`: its caller left, or it never was sent
 */
export type Heard = 'answer' | 'silence' | 'nothing' | { readonly late: string };

/** In a row, over all operations and users. */
const SILENCES = 10;
/** Of those, late answers of one operation: a report that takes too long must not keep people from signing in. */
const LATE_OF_ONE = 5;
const PAUSE_MS = 2_000;
/** The one request that is let through has this long; then the next one is. It goes on itself, and is heard all the same. */
const TRIAL_MS = 3_000;

export function createBreaker(log: Log): Breaker {
  let silences = 0;
  /** By operation; no more entries than silences. */
  const late = new Map<string, number>();
  let isOpen = false;
  /** By performance.now(): until then nobody is let through. */
  let closedUntil = 0;
  let trials = 0;

  function assertAsked(): void {
    if (isOpen && performance.now() < closedUntil) throw notAsked();
  }

  function learn(heard: Heard, trial: number): void {
    if (heard === 'answer') {
      silences = 0;
      if (late.size > 0) late.clear();
      if (isOpen) turn(false);
    } else if (isOpen) {
      // What was sent before, or has been tried for too long, changes nothing.
      if (trial === 0 || trial !== trials) return;
      closedUntil = heard === 'nothing' ? 0 : performance.now() + PAUSE_MS;
    } else if (heard !== 'nothing') {
      count(heard);
      if (silences >= SILENCES) turn(true);
    }
  }

  function count(heard: 'silence' | { readonly late: string }): void {
    if (heard !== 'silence') {
      const before = late.get(heard.late) ?? 0;
      if (before >= LATE_OF_ONE) return;
      late.set(heard.late, before + 1);
    }
    silences++;
  }

  function turn(open: boolean): void {
    isOpen = open;
    if (open) closedUntil = performance.now() + PAUSE_MS;
    tell(log, 'neonpanel.breaker', { isOpen });
    if (open) log.warn({ event: 'neonpanel.away' });
    else log.warn({ event: 'neonpanel.back' });
  }

  return {
    assertAsked,

    async run(ask, hear) {
      assertAsked();
      // Zero is nobody's trial.
      let trial = 0;
      if (isOpen) {
        closedUntil = performance.now() + TRIAL_MS;
        trial = ++trials;
      }
      try {
        const value = await ask();
        learn(hear({ status: 'fulfilled', value }), trial);
        return value;
      } catch (reason) {
        learn(hear({ status: 'rejected', reason }), trial);
        throw reason;
      }
    },
  };
}

const notAsked = () =>
  new NeonpanelError('unavailable', 'NeonPanel does not answer', {
    detail: 'not asked, because nobody was answered before',
    retryAfterSeconds: Math.ceil(PAUSE_MS / 1_000),
    wasSent: false,
  });

/** What an answer that is none of NeonPanel's API shows by its status: a proxy finds nobody behind it, or waits in vain. */
export function heardInStatus(status: number): 'answer' | 'silence' | 'late' {
  if (status === 504) return 'late';
  return status === 502 || status === 503 ? 'silence' : 'answer';
}
