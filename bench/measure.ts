import { type Figures, figuresOf, type Sample } from './figures.ts';
import type { Plan } from './plan.ts';

/** One side of a comparison: does its work for so long, and says what that took. */
export interface Side {
  readonly name: string;
  run(seconds: number): Promise<Sample>;
  /** How it is warmed up, if its rounds have too little work for that. */
  readonly warmUp?: (seconds: number) => Promise<Sample>;
}

/**
 * Measures in alternating rounds (A B C A B C …), because a machine's speed drifts: what disturbs one disturbs the others.
 * The load generator shares the machine, so CPU per request is the steadier figure.
 */
export async function alternate<const Sides extends readonly Side[]>(
  sides: Sides,
  plan: Plan,
): Promise<{ [I in keyof Sides]: { readonly name: string; readonly figures: Figures } }> {
  for (const side of sides) await warmUp(side, plan);
  const samples: Sample[][] = sides.map(() => []);
  for (let round = 0; round < plan.rounds; round++) {
    for (const [i, side] of sides.entries()) {
      samples[i]!.push(await side.run(plan.secondsPerRound));
    }
  }
  const measured = sides.map(({ name }, i) => ({ name, figures: figuresOf(samples[i]!) }));
  return measured as { [I in keyof Sides]: { readonly name: string; readonly figures: Figures } };
}

/** As the plan says; see there why. */
async function warmUp(
  side: Side,
  { warmUp: { seconds, requests, mostSeconds } }: Plan,
): Promise<void> {
  const work = side.warmUp ?? side.run;
  const since = performance.now();
  const gone = () => (performance.now() - since) / 1_000;
  for (let served = 0; gone() < seconds || (served < requests && gone() < mostSeconds);) {
    served += (await work(seconds)).requests;
  }
}
