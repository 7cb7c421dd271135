import type { Report } from './index.ts';
import type { Outcome, StepResult } from './step.ts';

/** The report for people: one line for each step, with cause and fix. */

const MARKS: Readonly<Record<Outcome, string>> = {
  pass: 'ok  ',
  warn: 'WARN',
  fail: 'FAIL',
  skip: '-   ',
};

export const headLine = (understood: string): string => printable(`Examining ${understood}`);

/** One line; further causes of the same step are lines of their own. */
export function stepLines(step: StepResult): string {
  const { id, title, outcome, cause, fix, detail, more = [] } = step;
  const line = (text: string) => `${MARKS[outcome]}  ${id.padEnd(30)} ${text}`;
  if (outcome === 'pass') return printable(line(detail ? `${title}: ${detail}` : title));
  if (outcome === 'skip') return printable(line(`skipped: ${cause}`));
  return [{ cause, fix }, ...more]
    .map((problem) => printable(line(`${problem.cause}. Fix: ${problem.fix}`)))
    .join('\n');
}

export function summary({ steps, leftBehind, ms, ours }: Report): string {
  const count = (outcome: Outcome) => steps.filter((step) => step.outcome === outcome).length;
  const left = leftBehind.length
    ? `Left behind there: ${leftBehind.length} registered client${leftBehind.length > 1 ? 's' : ''} (${leftBehind.map(({ clientId, name }) => `${clientId} "${name}"`).join(', ')}).`
    : 'Nothing was left behind there.';
  return printable(
    `${count('pass')} passed, ${count('warn')} warnings, ${count('fail')} failed, ${count('skip')} skipped, ${(ms / 1000).toFixed(1)} s${ours ? '' : '; not a server of this project, as far as can be seen'}. ${left}`,
  );
}

/** What a stranger's server says goes to a terminal: no control characters, no end of the line. */
const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
