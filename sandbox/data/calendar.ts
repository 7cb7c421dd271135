/** The days the invented books cover. Fixed, so that a figure asked for twice is the same figure. */
export const period = { start: '2025-01-01', end: '2026-12-31' } as const;

const dayMs = 86_400_000;

/** Every day of the period as YYYY-MM-DD; such strings compare as dates do. */
export const days: readonly string[] = Array.from(
  { length: (Date.parse(period.end) - Date.parse(period.start)) / dayMs + 1 },
  (_, index) => isoDay(Date.parse(period.start) + index * dayMs),
);

/** The UTC day a moment belongs to. */
export function isoDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** True for a day that exists, written YYYY-MM-DD. */
export function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const ms = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(ms) && isoDay(ms) === text;
}

/** The day `count` days after (or, negative, before) a day. */
export function addDays(day: string, count: number): string {
  return isoDay(Date.parse(`${day}T00:00:00Z`) + count * dayMs);
}
