import { createBoundedMap } from '../bounded-map.ts';
import { isFresh } from '../clock.ts';

/** What one caller has asked in its minute, which begins with its first request. */
export interface Window {
  /** As far as is known here: of all instances, once somebody has told. */
  total: number;
  /** Of it, what the others have not been told. */
  unshared: number;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  endsAt: number;
}

export const WINDOW_MS = 60_000;

/** Who is away for its whole minute starts anew. A clock that was set back ends a window, rather than prolonging it. */
export function createWindows(options: { maxCallers: number; now: () => number }) {
  const { maxCallers, now } = options;
  const windows = createBoundedMap<Window>(maxCallers, (window) => !isOpen(window, now()));

  function of(caller: string): Window | undefined {
    const window = windows.get(caller);
    return window && isOpen(window, now()) ? window : undefined;
  }

  return {
    of,
    /** @returns the caller's window, with so many more in it */
    add(caller: string, count: number): Window {
      const window = of(caller) ?? start(now());
      window.total += count;
      window.unshared += count;
      // Who is counted is remembered longest.
      windows.set(caller, window);
      return window;
    },
    get size() {
      return windows.size;
    },
  };
}

const start = (now: number): Window => ({
  total: 0,
  unshared: 0,
  startedAt: now,
  endsAt: now + WINDOW_MS,
});

export const isOpen = ({ startedAt, endsAt }: Window, now: number): boolean =>
  isFresh(startedAt, now, endsAt - startedAt);
