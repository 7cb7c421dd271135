import { InvalidArgumentError } from 'commander';
import { DAY_MS } from '../../clock.ts';

/** Forms of options that several commands have. What they throw, commander turns into a line and exit code 2. */

const UNITS: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: DAY_MS,
  w: 7 * DAY_MS,
};

/** `90d`, `12h`. @returns milliseconds */
export function age(text: string): number {
  const [, count, unit] = /^(\d{1,6})([mhdw])$/.exec(text) ?? [];
  if (count === undefined) throw new InvalidArgumentError('Expected e.g. 90d, 12h, 30m or 4w.');
  return Number(count) * UNITS[unit!]!;
}

/** How many are shown; 0 is all. */
export function limit(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('Expected a whole number; 0 is all.');
  return Number(text) || Infinity;
}

/** An option that may be given several times. */
export const several = (text: string, before: readonly string[] = []): string[] => [
  ...before,
  text,
];

export const example = (...lines: string[]): string => examplesOf('admin', lines);
/** The same for what has a script of its own. */
export const keysExample = (...lines: string[]): string => examplesOf('keys', lines);

function examplesOf(script: string, lines: readonly string[]): string {
  const calls = lines.map((line) => `  npm run ${silently(line)}${script} -- ${line}`);
  return `\nExample${lines.length > 1 ? 's' : ''}:\n${calls.join('\n')}`;
}

/** npm prints a banner on stdout, which must not get into what a program reads. */
const silently = (line: string): string => (/--json|>/.test(line) ? '-s ' : '');

/** What is said of --json, wherever there is one. */
export const JSON_OPTION = ['--json', 'print JSON (with `npm run -s`: nothing else)'] as const;
