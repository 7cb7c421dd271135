import { type Figures, figuresOf, type Sample } from './figures.ts';
import type { Plan } from './plan.ts';

/** One side of a comparison: does its work for so long, and says what that took. */
export interface Side {
  readonly name: string;
  run(seconds: number): Promise<Sample>;
}

/**
 * Measures in alternating rounds (A B C A B C …), because a machine's speed drifts: what disturbs one disturbs the others.
 * The load generator shares the machine, so CPU per request is the steadier figure.
 */
export async function alternate<const Sides extends readonly Side[]>(
  sides: Sides,
  plan: Plan,
): Promise<{ [I in keyof Sides]: { readonly name: string; readonly figures: Figures } }> {
  if (plan.warmUpSeconds > 0) for (const side of sides) await side.run(plan.warmUpSeconds);
  const samples: Sample[][] = sides.map(() => []);
  for (let round = 0; round < plan.rounds; round++) {
    for (const [i, side] of sides.entries()) {
      samples[i]!.push(await side.run(plan.secondsPerRound));
    }
  }
  const measured = sides.map(({ name }, i) => ({ name, figures: figuresOf(samples[i]!) }));
  return measured as { [I in keyof Sides]: { readonly name: string; readonly figures: Figures } };
}
