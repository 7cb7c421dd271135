/** Milliseconds since 1970; tests hand in their own. */
export type Clock = () => number;

/** Whole seconds, as tokens and registrations count them. */
export function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}
