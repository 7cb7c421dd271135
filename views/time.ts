import type { Language } from './languages.ts';

/** Whole minutes from one moment to another, at least one, e.g. `14 minutes`. @param from, to epoch milliseconds */
export function minutesBetween(from: number, to: number, language: Language): string {
  return minutesIn(language).format(Math.max(1, Math.floor((to - from) / 60_000)));
}

/** Hours and minutes in UTC, which is said: without a script nobody knows the reader's own time. */
export const clockTime = (at: number, language: Language): string => clockIn(language).format(at);

/** A moment as machines read it, and as people do: day and time in UTC, which is said. @param at epoch milliseconds */
export const moment = (at: number, language: Language): { iso: string; text: string } => ({
  iso: new Date(at).toISOString(),
  text: momentIn(language).format(at),
});

const CLOCK = {
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
  timeZone: 'UTC',
  timeZoneName: 'short',
} as const;
const DAY = { year: 'numeric', month: 'short', day: 'numeric' } as const;
const MINUTES = { style: 'unit', unit: 'minute', unitDisplay: 'long' } as const;

const minutesIn = ofEach((language) => new Intl.NumberFormat(language, MINUTES));
const clockIn = ofEach((language) => new Intl.DateTimeFormat(language, CLOCK));
const momentIn = ofEach((language) => new Intl.DateTimeFormat(language, { ...DAY, ...CLOCK }));

/** One for each language, made when it is first needed: making one takes longer than drawing a page. */
function ofEach<Format>(make: (language: Language) => Format): (language: Language) => Format {
  const made: Partial<Record<Language, Format>> = {};
  return (language) => (made[language] ??= make(language));
}
