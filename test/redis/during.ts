import type { ExecutionContext } from 'ava';
import { type Flow, oneAtEachStep, type Sent, type StepName } from './flow.ts';
import { assertUnavailable, PATIENCE_MS, untilReady } from './judge.ts';
import type { World } from './world.ts';

export interface Trouble {
  begin(): unknown;
  /** While all requests are under way. @param answered how many have their answer by now */
  meanwhile?(answered: () => number): Promise<void>;
  /** When all of them were answered. */
  afterwards?(): Promise<unknown>;
  end(): unknown;
}

/**
 * Sends every step of a flow at once while something is wrong with Redis. Each is answered in time, as ever or with 503;
 * what was refused is repeated when it is over, and each flow goes on to its end.
 *
 * @returns the steps that were refused
 */
export async function duringTrouble(
  t: ExecutionContext,
  world: World,
  trouble: Trouble,
): Promise<StepName[]> {
  const flows = await oneAtEachStep(world.flow);
  // Nothing is believed any more.
  world.advance(1);
  await trouble.begin();
  let answered = 0;
  const sending = [...flows].map(async ([step, flow]): Promise<[StepName, Flow, Sent]> => {
    const answer = await flow.send(step);
    answered++;
    return [step, flow, answer];
  });
  await trouble.meanwhile?.(() => answered);
  const answers = await Promise.all(sending);
  await trouble.afterwards?.();
  await trouble.end();
  const ms = await untilReady(world.base);
  t.true(ms < PATIENCE_MS, `ready after ${Math.round(ms)} ms`);

  const refused: StepName[] = [];
  for (const [step, flow, answer] of answers) {
    t.true(answer.ms < PATIENCE_MS, `${step}: answered after ${Math.round(answer.ms)} ms`);
    if (answer.status === 503) {
      assertUnavailable(t, step, flow.reader(step), answer);
      refused.push(step);
    }
    await t.notThrowsAsync(flow.goOn(step, answer), step);
  }
  await t.notThrowsAsync(world.flow().run());
  return refused;
}
