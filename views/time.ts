import type { Language } from './languages.ts';

/** Whole minutes from one moment to another, at least one, e.g. `14 minutes`. @param from, to epoch milliseconds */
export function minutesBetween(from: number, to: number, language: Language): string {
  const minutes = Math.max(1, Math.floor((to - from) / 60_000));
  const format = { style: 'unit', unit: 'minute', unitDisplay: 'long' } as const;
  return new Intl.NumberFormat(language, format).format(minutes);
}

/** Hours and minutes in UTC, which is said: without a script nobody knows the reader's own time. */
export const clockTime = (at: number, language: Language): string =>
  new Intl.DateTimeFormat(language, {
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZone: 'UTC',
    timeZoneName: 'short',
  }).format(at);

/** A moment as machines read it, and as people do: day and time in UTC, which is said. @param at epoch milliseconds */
export const moment = (at: number, language: Language): { iso: string; text: string } => ({
  iso: new Date(at).toISOString(),
  text: new Intl.DateTimeFormat(language, {
    year: 'numeric',
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZone: 'UTC',
    timeZoneName: 'short',
  }).format(at),
});
