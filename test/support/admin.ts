import { runAdmin } from '../../cli/admin/program.ts';
import type { Terminal } from '../../cli/terminal.ts';
import type { Harness } from './harness.ts';

export interface FakeTerminal extends Terminal {
  /** What was printed so far: results, and everything else. */
  readonly printed: { readonly out: () => string; readonly err: () => string };
}

/**
 * A terminal that keeps what is printed.
 *
 * @param options.answers what somebody answers to the questions, in their order: yes or no, or a secret. Without it
 * nobody is there to answer
 * @param options.now epoch milliseconds, where the store's instances have a clock of their own
 */
export function createTerminal(
  env: Terminal['env'],
  {
    answers,
    now,
  }: { answers?: readonly (boolean | string)[]; now?: (() => number) | undefined } = {},
): FakeTerminal {
  const out: string[] = [];
  const err: string[] = [];
  const left = [...(answers ?? [])];
  const answer = (question: string) => {
    err.push(`${question}\n`);
    if (left.length === 0) throw new Error(`nobody answers: ${question}`);
    return left.shift()!;
  };
  return {
    env,
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    isInteractive: answers !== undefined,
    confirm: async (question) => answer(question) === true,
    secret: async (prompt) => String(answer(prompt)),
    ...(now && { now }),
    printed: { out: () => out.join(''), err: () => err.join('') },
  };
}

export interface AdminRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** What --json printed. */
  readonly json: <T = any>() => T;
}

/** Runs `npm run admin -- …` in this process on the store of a harness, while its instances run. */
export const admin = (
  harness: Pick<Harness, 'env' | 'now'>,
  ...args: string[]
): Promise<AdminRun> => runIn(createTerminal(harness.env, { now: harness.now }), ...args);

export async function runIn(terminal: FakeTerminal, ...args: string[]): Promise<AdminRun> {
  const code = await runAdmin(args, terminal);
  const [out, err] = [terminal.printed.out(), terminal.printed.err()];
  return { code, out, err, json: () => JSON.parse(out) };
}
