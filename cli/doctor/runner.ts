import type { Explanation } from './failures.ts';
import { Unanswered } from './http.ts';
import { type Examination, FACT_NAMES, type Says, type Step, type StepResult } from './step.ts';

/** Takes one step. Whatever happens in it becomes its result. */
export async function takeStep(step: Step, x: Examination, isLate: boolean): Promise<StepResult> {
  const reason = isLate ? 'the time for the whole examination was up' : reasonToSkip(step, x);
  if (reason !== undefined) return { ...named(step), outcome: 'skip', cause: reason };
  const notes = createNotes();
  try {
    await step.run(x, notes.says);
  } catch (error) {
    const { cause, fix } = error instanceof Unanswered ? error.explanation : unexpected(error);
    notes.says.fail(cause, fix);
  }
  return { ...named(step), ...notes.result() };
}

function reasonToSkip(step: Step, x: Examination): string | undefined {
  const missing = step.needs?.find((fact) => x.facts[fact] === undefined);
  if (missing) return `needs ${FACT_NAMES[missing]}, and there is none (see above)`;
  return step.skipIf?.(x);
}

const named = ({ id, title }: Step) => ({ id, title });

/** A failure of ours; said so, and the other steps go on. */
const unexpected = (error: unknown): Explanation => ({
  cause: `what the server answered could not be understood: ${(error as Error).message}`.slice(
    0,
    300,
  ),
  fix: 'Look at the answer with curl -i; if it is in order, doctor is not.',
});

function createNotes() {
  const failures: Explanation[] = [];
  const warnings: Explanation[] = [];
  let undecided: string | undefined;
  const details: string[] = [];
  const says: Says = {
    fail: (cause, fix) => void failures.push({ cause, fix }),
    warn: (cause, fix) => void warnings.push({ cause, fix }),
    note: (detail) => void details.push(detail),
    leaveOpen: (cause) => void (undecided = cause),
  };
  return {
    says,
    result(): Omit<StepResult, 'id' | 'title'> {
      if (undecided !== undefined) return { outcome: 'skip', cause: undecided };
      const [first, ...more] = [...failures, ...warnings];
      return {
        outcome: failures.length ? 'fail' : warnings.length ? 'warn' : 'pass',
        ...first,
        ...(details.length && { detail: details.join(', ') }),
        ...(more.length && { more }),
      };
    },
  };
}
