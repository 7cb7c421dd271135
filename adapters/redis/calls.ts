import { setTimeout as pause } from 'node:timers/promises';
import { StoreUnavailable } from '../../errors.ts';
import { startWaiting } from '../patience.ts';
import { isReadOnly } from './client.ts';
import type { Connection } from './connection.ts';
import { wordsOf } from './reasons.ts';
import { NotCarriedOut } from './tracking.ts';

/**
 * How a command is sent: with a limit on its time, and once more if the connection broke before its answer came. That
 * is always allowed, because reads change nothing and commits recognise themselves (commit-script.ts). What was
 * certainly not carried out is sent again as long as there is time.
 */

/** How long one call of the store may take, its repetition included. */
const MAX_CALL_MS = 1_000;
/** Calls under way; more would only be memory waiting for a Redis that does not keep up. */
const MAX_CALLS = 5_000;
/** How often a command may be sent whose answer did not come. */
const MAX_UNANSWERED = 2;
/** After an error of the connection its new state needs a moment to be known; a node that moves or starts needs longer. */
const FIRST_PAUSE_MS = 15;
const LAST_PAUSE_MS = 120;

/** @param send gets the moment, by performance.now(), from which on nobody waits for the answer any more */
export type Call = <T>(send: (deadline: number) => Promise<T>) => Promise<T>;

/** @param refusal why nothing may be sent at all, if so */
export function createCalls(connection: Connection, refusal: () => string | undefined): Call {
  let underWay = 0;

  /** @throws StoreUnavailable, whatever went wrong: Redis answered with an error, too late, or not at all */
  return async function call(send) {
    const refused = refusal();
    if (refused) throw new StoreUnavailable(`redis: ${refused}`);
    if (underWay >= MAX_CALLS) throw new StoreUnavailable('redis: too many calls are under way');
    const waiting = startWaiting(MAX_CALL_MS);
    underWay++;
    try {
      if (waiting.leftMs === 0) throw new StoreUnavailable('redis: this request has waited enough');
      return await attempt(send, performance.now() + waiting.leftMs);
    } catch (error) {
      if (error instanceof StoreUnavailable) throw error;
      // Not as its cause: it carries the command, and with it the record.
      throw new StoreUnavailable(`redis: ${wordsOf(error as Error)}`);
    } finally {
      underWay--;
      waiting.stop();
    }
  };

  async function attempt<T>(send: (deadline: number) => Promise<T>, deadline: number): Promise<T> {
    let unanswered = 0;
    for (let ms = FIRST_PAUSE_MS; ; ms = Math.min(2 * ms, LAST_PAUSE_MS)) {
      if (!(await connection.ready(left(deadline)))) throw away(connection);
      try {
        return await inTime(send(deadline), left(deadline));
      } catch (error) {
        const again =
          error instanceof NotCarriedOut ||
          (isOfConnection(error) && ++unanswered < MAX_UNANSWERED);
        if (!again || left(deadline) <= ms) throw error;
        await pause(ms);
      }
    }
  }
}

const left = (deadline: number): number => Math.max(0, Math.ceil(deadline - performance.now()));

async function inTime<T>(answer: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    // Timers come before what has arrived: if this process stood still, the answer may be there.
    timer = setTimeout(setImmediate, ms, () =>
      reject(new StoreUnavailable('redis: no answer in time')),
    );
  });
  // An answer that comes too late may be an error, and nobody would hear it.
  answer.catch(() => {});
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

function away({ problem }: Connection): StoreUnavailable {
  return new StoreUnavailable(`redis: not connected${problem ? ` (${problem})` : ''}`);
}

/** Everything but an answer of Redis, and one answer that says it is the wrong server. */
function isOfConnection(error: unknown): boolean {
  if (error instanceof StoreUnavailable) return false;
  return (error as Error).name !== 'ReplyError' || isReadOnly(error as Error);
}
