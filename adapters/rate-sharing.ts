import { isOpen, type Window } from './rate-windows.ts';

/** Counts that all instances share, each until the minute of whoever told first is over. */
export interface SharedCounts {
  /**
   * @param name of what is counted, in the form of a store's tag
   * @param leftMs after which a count that begins with this ends
   * @returns how many there are now, those of others included, and the milliseconds after which it begins anew
   * @throws if it can't be counted now
   */
  add(name: string, count: number, leftMs: number): Promise<{ total: number; leftMs: number }>;
}

/** Tells the other instances what was counted here, behind the requests that are counted. */
export interface Sharing {
  /** This window has something that the others should know soon. */
  note(name: string, window: Window): void;
  close(): void;
}

/** Requests meanwhile are told in one go. */
const EVERY_MS = 50;
/** Counts that are sent at once: the commands of requests wait behind them. */
const BATCH = 200;
/** While the store is away everybody counts for himself. */
const PAUSE_MS = 1_000;
/** Windows that wait to be told of. */
const MAX_WAITING = 10_000;

/** @param now epoch milliseconds */
export function createSharing(counts: SharedCounts, now: () => number): Sharing {
  const waiting = new Map<Window, string>();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  function wake(ms: number): void {
    if (!closed && waiting.size > 0) timer ??= setTimeout(tell, ms).unref();
  }

  async function tell(): Promise<void> {
    const batch = [...waiting].slice(0, BATCH);
    for (const [window] of batch) waiting.delete(window);
    const told = await Promise.all(batch.map(([window, name]) => share(name, window)));
    timer = undefined;
    wake(told.every(Boolean) ? EVERY_MS : PAUSE_MS);
  }

  /** @returns false if it has to be told again */
  async function share(name: string, window: Window): Promise<boolean> {
    const count = window.unshared;
    if (count === 0 || !isOpen(window, now())) return true;
    window.unshared = 0;
    try {
      const { total, leftMs } = await counts.add(name, count, window.endsAt - now());
      // A store that lost its data, or began anew, knows less than we do.
      window.total = Math.max(window.total, total + window.unshared);
      // What was counted here at first is not held against anybody for more than its minute.
      window.endsAt = Math.min(window.endsAt, now() + Math.max(leftMs, 1));
      return true;
    } catch {
      window.unshared += count;
      keep(name, window);
      return false;
    }
  }

  function keep(name: string, window: Window): void {
    if (waiting.size >= MAX_WAITING) waiting.delete(waiting.keys().next().value!);
    waiting.set(window, name);
  }

  return {
    note(name, window) {
      keep(name, window);
      wake(EVERY_MS);
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
