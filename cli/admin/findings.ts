import { counted } from './table.ts';
import type { Report } from './verbs.ts';

/** One thing that was checked. */
export interface Finding {
  /** What was looked at, in a word or two. */
  readonly check: string;
  readonly status: 'pass' | 'warn' | 'fail';
  /** What was found; if it is not as it should be, the cause. */
  readonly detail: string;
  readonly fix?: string | undefined;
}

export const pass = (check: string, detail: string): Finding => ({ check, status: 'pass', detail });
export const warn = (check: string, detail: string, fix?: string): Finding => ({
  check,
  status: 'warn',
  detail,
  fix,
});
export const fail = (check: string, detail: string, fix?: string): Finding => ({
  check,
  status: 'fail',
  detail,
  fix,
});

/** A line for each, and one for its fix. What failed makes the command fail. */
export function reportOf(findings: readonly Finding[]): Report {
  const width = Math.max(0, ...findings.map(({ check }) => check.length));
  const lines = findings.flatMap(({ check, status, detail, fix }) => [
    `${status === 'fail' ? 'FAIL' : status}  ${check.padEnd(width)}  ${detail}`,
    ...(fix ? [`${' '.repeat(width + 8)}fix: ${fix}`] : []),
  ]);
  const count = (wanted: Finding['status']) =>
    findings.filter(({ status }) => status === wanted).length;
  const summary = { pass: count('pass'), warn: count('warn'), fail: count('fail') };
  const total = `${summary.pass} passed, ${counted(summary.warn, 'warning')}, ${summary.fail} failed`;
  return {
    text: [...lines, '', total].join('\n'),
    json: { ...summary, findings },
    failed: summary.fail > 0,
  };
}

/** How far a clock may be from ours before tokens are refused (keys/access-token.ts). */
const MAX_SKEW_MS = 15_000;
/** Beyond what the way there and a whole-second clock explain. */
const ODD_SKEW_MS = 5_000;

/** @param ms how far the other clock is ahead */
export function clockFinding(check: string, whose: string, ms: number): Finding {
  const seconds = (Math.abs(ms) / 1000).toFixed(1);
  const text = `${whose} clock is ${seconds} s ${ms < 0 ? 'behind' : 'ahead of'} this one`;
  const fix = 'synchronise the clocks of all machines (NTP)';
  if (Math.abs(ms) > MAX_SKEW_MS) return fail(check, `${text}; 15 s are tolerated`, fix);
  return Math.abs(ms) > ODD_SKEW_MS ? warn(check, text, fix) : pass(check, text);
}
