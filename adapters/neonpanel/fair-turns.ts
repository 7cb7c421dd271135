import { Refusal } from '../../errors.ts';
import { limitDetail, reportRefusal } from '../limit-refusals.ts';

/** How many calls of the API are under way at a time. */
export interface TurnLimits {
  /** As many as there are connections: so nobody waits for one of those, where his deadline does not hold. */
  readonly inAll: number;
  /** Of one grant. */
  readonly perGrant: number;
}

/**
 * Turns for calls of NeonPanel's API, so that one user whose calls take long takes it from nobody else: of one grant only so
 * many are under way, and what becomes free is given to the waiting grants in turn, not to who has asked most.
 */
export interface FairTurns {
  /**
   * @param grant whose call it is; `undefined` is a caller of its own each time
   * @param signal ends the wait
   * @returns to be called when the call is over; at once, without a promise, if nobody has to wait
   * @throws NoTurn when the wait has ended; nothing was sent
   */
  take(grant: string | undefined, signal: AbortSignal): (() => void) | Promise<() => void>;
  /** Calls that wait. */
  readonly waiting: number;
}

/** There was no turn for a call within its time, and nothing was sent. */
export class NoTurn extends Refusal {
  constructor() {
    reportRefusal('turns');
    const description =
      'Too many calls of NeonPanel are under way at the same time, so nothing was done. Ask for less at a time: one call after another.';
    super('temporarily_unavailable', 503, description, { detail: limitDetail('turns') });
    this.name = 'NoTurn';
  }
}

interface Caller {
  readonly grant: string | undefined;
  underWay: number;
  /** In the order of their coming. */
  readonly waiting: Set<() => void>;
}

export function createFairTurns({ inAll, perGrant }: TurnLimits): FairTurns {
  /** Those with something under way or waiting. */
  const callers = new Map<string, Caller>();
  /** Those who could go on if there was a turn; who got one goes to the end. */
  const next = new Set<Caller>();
  let underWay = 0;
  let waiting = 0;

  function callerOf(grant: string | undefined): Caller {
    const known = grant === undefined ? undefined : callers.get(grant);
    if (known) return known;
    const caller: Caller = { grant, underWay: 0, waiting: new Set() };
    if (grant !== undefined) callers.set(grant, caller);
    return caller;
  }

  function begin(caller: Caller): () => void {
    underWay++;
    caller.underWay++;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      underWay--;
      caller.underWay--;
      settle(caller);
      admit();
    };
  }

  function settle(caller: Caller): void {
    if (caller.waiting.size === 0 || caller.underWay >= perGrant) next.delete(caller);
    else next.add(caller);
    if (caller.waiting.size + caller.underWay === 0 && caller.grant !== undefined)
      callers.delete(caller.grant);
  }

  function admit(): void {
    for (const caller of next) {
      if (underWay >= inAll) return;
      next.delete(caller);
      const [go] = caller.waiting;
      go!();
      settle(caller);
    }
  }

  function wait(caller: Caller, signal: AbortSignal): Promise<() => void> {
    return new Promise((resolve, reject) => {
      const over = () => {
        waiting--;
        caller.waiting.delete(go);
        signal.removeEventListener('abort', giveUp);
      };
      const go = () => {
        over();
        resolve(begin(caller));
      };
      const giveUp = () => {
        over();
        settle(caller);
        reject(new NoTurn());
      };
      waiting++;
      caller.waiting.add(go);
      // Its time was over before it came here, and no event will say so.
      if (signal.aborted) return giveUp();
      signal.addEventListener('abort', giveUp);
      settle(caller);
    });
  }

  return {
    take(grant, signal) {
      const caller = callerOf(grant);
      const isFree = underWay < inAll && caller.underWay < perGrant && caller.waiting.size === 0;
      return isFree ? begin(caller) : wait(caller, signal);
    },
    get waiting() {
      return waiting;
    },
  };
}
