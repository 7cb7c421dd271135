import { setTimeout as delay } from 'node:timers/promises';
import { StoreUnavailable } from '../../errors.ts';
import { startWaiting } from '../patience.ts';

/**
 * What SQLite's errors mean for a caller, and how to wait for another process without stopping the event loop.
 */

/** Primary result codes (sqlite.org/rescode.html) that are conditions of the machine, not mistakes of ours. */
const BUSY = 5;
const LOCKED = 6;
export const FULL = 13;
const CORRUPT = 11;
const NOT_A_DATABASE = 26;
const CONDITIONS: Readonly<Record<number, string>> = {
  7: 'out of memory',
  8: 'the file cannot be written',
  10: 'input/output error',
  [FULL]: 'the disk is full',
  14: 'the file cannot be opened',
  15: 'locking protocol error',
  [CORRUPT]: 'the file is damaged',
  [NOT_A_DATABASE]: 'the file is damaged',
};

/** How long a read or commit may wait for another process before the caller gets a 503. */
const MAX_WAIT_MS = 2_000;

/** The primary code of an error thrown by node:sqlite, undefined for any other error. */
export function sqliteCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === 'number' ? code & 0xff : undefined;
}

export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === BUSY || code === LOCKED;
}

export function isDamage(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === CORRUPT || code === NOT_A_DATABASE;
}

/** The error a caller of the store sees: a condition becomes StoreUnavailable, a mistake of ours stays what it is. */
export function asStoreError(error: unknown): unknown {
  const code = sqliteCode(error);
  if (code === undefined) return error;
  if (isBusy(error)) return new StoreUnavailable('sqlite: locked by another process', error);
  const condition = CONDITIONS[code];
  return condition ? new StoreUnavailable(`sqlite: ${condition}`, error) : error;
}

/**
 * Runs `work` again while SQLite says busy, with short waits that differ from process to process, until it succeeds or
 * the time is up.
 *
 * @param since when the caller began to wait, by performance.now()
 */
export async function whileBusy<T>(work: () => T, since = performance.now()): Promise<T> {
  try {
    return work();
  } catch (error) {
    if (!isBusy(error)) throw error;
  }
  const now = performance.now();
  const waiting = startWaiting(MAX_WAIT_MS - (now - since));
  const deadline = now + waiting.leftMs;
  try {
    for (;;) {
      await delay(5 + Math.random() * 20);
      try {
        return work();
      } catch (error) {
        if (!isBusy(error) || performance.now() > deadline) throw error;
      }
    }
  } finally {
    waiting.stop();
  }
}

/**
 * A waiting line for the write lock. The first commit that finds the lock taken may block for SQLite's busy time-out;
 * everybody after it queues behind it without blocking at all, so a held lock costs the event loop one short pause
 * and not one per request. It also keeps the order of commits within the process.
 *
 * @param blocking `work` with the busy time-out in force
 * @param instant the same, giving up at once
 */
export function createLine(): <T>(blocking: () => T, instant: () => T) => Promise<T> {
  let last: Promise<unknown> | undefined;

  return async (blocking, instant) => {
    const since = performance.now();
    if (!last) {
      try {
        return blocking();
      } catch (error) {
        if (!isBusy(error)) throw error;
      }
    }
    const before = last;
    const turn = (async () => {
      await before?.catch(() => {});
      return await whileBusy(instant, since);
    })();
    last = turn;
    try {
      return await turn;
    } finally {
      if (last === turn) last = undefined;
    }
  };
}
