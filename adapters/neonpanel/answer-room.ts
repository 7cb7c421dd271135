import { Refusal } from '../../errors.ts';
import { limitDetail, reportRefusal } from '../limit-refusals.ts';

/**
 * How many bytes of NeonPanel's answers this process works on at a time: an answer is held several times over, as text,
 * as values and as the answer to the client, from its first byte until the client has taken what it was for, or has gone.
 *
 * A large answer gets all the room that it may need before it is read on, or waits; so of any number of large ones some are
 * always finished. A small one is read without asking, and waits afterwards, if it has to.
 */
export interface AnswerRoomLimits {
  /** Bytes of all requests together. */
  readonly inAll: number;
  /** Bytes of one HTTP request, whose batch may hold twenty calls. */
  readonly perRequest: number;
}

const MEBIBYTE = 1024 * 1024;
export const ANSWER_ROOM: AnswerRoomLimits = { inAll: 128 * MEBIBYTE, perRequest: 64 * MEBIBYTE };
/** What is read without asking. */
export const SMALL_ANSWER_BYTES = 256 * 1024;

/** What one HTTP request holds. */
export interface AnswerAccount {
  /**
   * Waits until there is room.
   *
   * @param signal ends the wait
   * @returns to be called when it is known how large the answer is; 0 if there is none
   * @throws TooMuchAtOnce if this request holds so much that it would wait for itself, or the wait has ended
   */
  reserve(bytes: number, signal: AbortSignal): Promise<(actualBytes: number) => void>;
  /**
   * An answer that was read without asking.
   *
   * @returns nothing, or a promise if there is no room for it yet
   * @throws TooMuchAtOnce as `reserve`
   */
  add(bytes: number, signal: AbortSignal): Promise<void> | void;
  /** The client has taken the answer, or has gone: nothing of it is needed any more. */
  close(): void;
}

export interface AnswerRoom {
  open(): AnswerAccount;
  /** Bytes that are held now. */
  readonly held: number;
}

/** There was no room for an answer. What NeonPanel was asked for has happened. */
export class TooMuchAtOnce extends Refusal {
  constructor() {
    reportRefusal('answers');
    const description =
      'NeonPanel’s answer is large, and too many large answers are being worked on. Ask for less at a time: a shorter period, fewer items, one call after another.';
    super('temporarily_unavailable', 503, description, {
      detail: limitDetail('answers'),
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
    this.name = 'TooMuchAtOnce';
  }
}

const RETRY_AFTER_SECONDS = 5;

interface Account {
  /** Of answers that have been read. */
  read: number;
  /** Of answers that are being read. */
  reserved: number;
  closed: boolean;
}

interface Waiting {
  readonly account: Account;
  readonly bytes: number;
  readonly begin: () => void;
  readonly giveUp: () => void;
}

export function createAnswerRoom(limits: AnswerRoomLimits = ANSWER_ROOM): AnswerRoom {
  let held = 0;
  const queue = new Set<Waiting>();

  const isHopeless = ({ account, bytes }: Waiting): boolean =>
    account.read + bytes > limits.perRequest || bytes > limits.inAll;
  const isOwnTurn = ({ account, bytes }: Waiting): boolean =>
    account.read + account.reserved + bytes <= limits.perRequest;

  /** In the order of their coming, but nobody waits for somebody who waits for himself. */
  function admit(): void {
    for (const waiting of queue) {
      if (isHopeless(waiting)) waiting.giveUp();
      else if (!isOwnTurn(waiting)) continue;
      else if (held + waiting.bytes > limits.inAll) return;
      else waiting.begin();
    }
  }

  function settle(account: Account, reserved: number, actual: number): void {
    const kept = account.closed ? 0 : actual;
    account.reserved -= reserved;
    account.read += kept;
    held += kept - reserved;
    admit();
  }

  function reserve(
    account: Account,
    bytes: number,
    signal: AbortSignal,
  ): Promise<(actualBytes: number) => void> {
    return new Promise((resolve, reject) => {
      const over = () => {
        queue.delete(waiting);
        signal.removeEventListener('abort', giveUp);
      };
      const giveUp = () => {
        over();
        reject(new TooMuchAtOnce());
      };
      const begin = () => {
        over();
        account.reserved += bytes;
        held += bytes;
        resolve((actual) => settle(account, bytes, actual));
      };
      const waiting: Waiting = { account, bytes, begin, giveUp };
      if (signal.aborted) return giveUp();
      signal.addEventListener('abort', giveUp);
      queue.add(waiting);
      admit();
    });
  }

  return {
    get held() {
      return held;
    },

    open() {
      const account: Account = { read: 0, reserved: 0, closed: false };
      return {
        reserve: (bytes, signal) => reserve(account, bytes, signal),
        add(bytes, signal) {
          if (account.closed) return;
          const own = account.read + account.reserved + bytes;
          if (own > limits.perRequest || held + bytes > limits.inAll) {
            return reserve(account, bytes, signal).then((settled) => settled(bytes));
          }
          account.read += bytes;
          held += bytes;
        },
        close() {
          if (account.closed) return;
          account.closed = true;
          held -= account.read;
          account.read = 0;
          admit();
        },
      };
    },
  };
}
