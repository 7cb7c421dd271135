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
  if (outcome === 'skip') return printable(line(`skipped: ${bare(cause)}`));
  return [{ cause, fix }, ...more]
    .map((problem) => printable(line(`${bare(problem.cause)}. Fix: ${problem.fix}`)))
    .join('\n');
}

/** What a stranger's server says may end with a full stop already. */
const bare = (text = ''): string => text.replace(/[.\s]+$/, '');

/** So many skipped in a row are one line: they have one reason, and hide what matters. */
const FEW = 2;

/**
 * Prints results as they come, long runs of skipped steps as one line.
 * @param print one line, or several, without an end
 */
export function createProgress(print: (text: string) => void) {
  let skipped: StepResult[] = [];
  function flush(): void {
    if (skipped.length <= FEW) skipped.forEach((step) => print(stepLines(step)));
    else print(printable(`${MARKS.skip}  ${skipped.length} steps skipped: ${reasonOf(skipped)}`));
    skipped = [];
  }
  return {
    result(step: StepResult): void {
      if (step.outcome === 'skip') return void skipped.push(step);
      flush();
      print(stepLines(step));
    },
    end: flush,
  };
}

/** That of the first: the others follow from it. */
const reasonOf = ([first]: readonly StepResult[]): string =>
  bare(first!.cause).replace(/^needs /, 'they need ');

/** Once more at the end, where people look; nothing if nothing failed. */
export const failures = ({ steps }: Report): string =>
  steps
    .filter(({ outcome }) => outcome === 'fail')
    .map((step) => `${stepLines(step)}\n`)
    .join('');

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
