import { isDay, isoDay } from '../data/calendar.ts';
import { invalid } from '../errors.ts';

/**
 * The query of a request, checked as Laravel checks: every complaint is collected, and `done` throws
 * them all at once as a 422. As in PHP the last of several equal names counts; `k[]` makes a list, and
 * because it is not known which spelling NeonPanel wants, a repeated `k` does so too.
 */
export type Query = {
  text(name: string): string | null;
  int(name: string, min: number, max: number, fallback: number): number;
  day(name: string): string | null;
  requiredDay(name: string): string;
  list(name: string): string[];
  fail(name: string, message: string): void;
  done(): void;
};

const textMax = 255;
const listMax = 500;

export function createQuery(search: string, today: () => number): Query {
  const values = new Map<string, string[]>();
  for (const [key, value] of new URLSearchParams(search)) {
    const name = key.replace(/\[\d*\]$/, '[]');
    values.set(name, [...(values.get(name) ?? []), value].slice(-listMax));
  }
  const errors: Record<string, string[]> = {};
  const fail = (name: string, message: string) => void (errors[name] ??= []).push(message);
  const label = (name: string) => name.replaceAll('_', ' ');

  const text = (name: string) => {
    if (values.has(`${name}[]`)) fail(name, `The ${label(name)} field must be a string.`);
    const value = values.get(name)?.at(-1)?.trim() || null;
    if (value === null || value.length <= textMax) return value;
    fail(name, `The ${label(name)} field must not be greater than ${textMax} characters.`);
    return null;
  };
  const day = (name: string) => {
    const value = text(name);
    if (value === null || isDay(value)) return value;
    fail(name, `The ${label(name)} field must match the format Y-m-d.`);
    return null;
  };

  return {
    text,
    day,
    int(name, min, max, fallback) {
      const value = text(name);
      if (value === null) return fallback;
      const number = /^-?\d{1,9}$/.test(value) ? Number(value) : NaN;
      if (Number.isNaN(number)) fail(name, `The ${label(name)} field must be an integer.`);
      if (number < min) fail(name, `The ${label(name)} field must be at least ${min}.`);
      if (number > max) fail(name, `The ${label(name)} field must not be greater than ${max}.`);
      return number;
    },
    requiredDay(name) {
      const value = day(name);
      if (value === null && !errors[name]) fail(name, `The ${label(name)} field is required.`);
      return value ?? isoDay(today());
    },
    list: (name) => [...(values.get(`${name}[]`) ?? []), ...(values.get(name) ?? [])],
    fail,
    done() {
      if (Object.keys(errors).length > 0) throw invalid(errors);
    },
  };
}

/** The page a list request asks for. */
export function readPaging(query: Query): { page: number; perPage: number } {
  return {
    page: query.int('page', 1, 1_000_000, 1),
    perPage: query.int('per_page', 10, 60, 30),
  };
}

/** A period: `start_date` is required, `end_date` is today unless given. */
export function readPeriod(query: Query, today: string): { start: string; end: string } {
  const start = query.requiredDay('start_date');
  const end = query.day('end_date');
  if (end !== null && end < start) {
    const message = 'The end date field must be a date after or equal to start date.';
    query.fail('end_date', message);
  }
  return { start, end: end ?? today };
}
