import type { Figures } from './figures.ts';
import type { Plan } from './plan.ts';
import type { Stage } from './stage.ts';

/** One comparison: the same work by our server and by peers, in alternating rounds. */
export interface Row {
  /** As in the table of goals, e.g. `G1`. */
  readonly id: string;
  readonly name: string;
  /** What is compared, and why that is fair. */
  readonly why: string;
  /** Rows that do not depend on the store are measured on Redis only. Default: true. */
  readonly perStore?: boolean;
  measure(stage: Stage, plan: Plan): Promise<Outcome>;
}

export interface Outcome {
  readonly sides: readonly { readonly name: string; readonly figures: Figures }[];
  readonly verdicts: readonly Verdict[];
}

/** One figure of the table of goals. */
export interface Verdict {
  readonly goal: string;
  readonly unit: '×' | '%' | 'ms' | 'MB';
  readonly value: number;
  readonly must?: number | undefined;
  readonly aim?: number | undefined;
  /** Whether more is better. */
  readonly more: boolean;
}

export const reaches = ({ value, more }: Verdict, bound: number): boolean =>
  more ? value >= bound : value <= bound;
