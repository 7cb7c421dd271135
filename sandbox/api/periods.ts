import { addDays } from '../data/calendar.ts';

export const periodicities = ['total', 'yearly', 'quarterly', 'monthly'] as const;
export type Periodicity = (typeof periodicities)[number];

const monthsIn = { yearly: 12, quarterly: 3, monthly: 1 };

/** The calendar year, quarter or month a day lies in, cut to what was asked for. */
export function bucketOf(
  day: string,
  periodicity: Periodicity,
  start: string,
  end: string,
): [start: string, end: string] {
  if (periodicity === 'total') return [start, end];
  const months = monthsIn[periodicity];
  const year = Number(day.slice(0, 4));
  const month = Number(day.slice(5, 7)) - 1;
  const first = month - (month % months);
  const from = firstOfMonth(year, first);
  const to = addDays(firstOfMonth(year, first + months), -1);
  return [from < start ? start : from, to > end ? end : to];
}

function firstOfMonth(year: number, month: number): string {
  const text = String((month % 12) + 1).padStart(2, '0');
  return `${year + Math.floor(month / 12)}-${text}-01`;
}
