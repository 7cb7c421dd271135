export const DAY_MS = 86_400_000;

/**
 * Whether something seen at `since` may still be believed at `now`. A clock that was set back makes it stale at once,
 * rather than believed for as long as the step was.
 *
 * @param since epoch milliseconds
 * @param now epoch milliseconds
 */
export const isFresh = (since: number, now: number, maxAgeMs: number): boolean =>
  now >= since && now - since < maxAgeMs;
