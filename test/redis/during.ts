import type { ExecutionContext } from 'ava';
import { type Flow, isRefused, oneAtEachStep, type Sent, type StepName } from './flow.ts';
import { assertUnavailable, PATIENCE_MS, untilReady } from './judge.ts';
import type { World } from './world.ts';

export interface Trouble {
  begin(): unknown;
  /** While all requests are under way. @param waiting how many have no answer yet */
  meanwhile?(waiting: () => number): Promise<void>;
  /** When all of them were answered. */
  afterwards?(): Promise<unknown>;
  end(): unknown;
}

/**
 * Sends every step of a flow at once while something is wrong with Redis. Each is answered in time, as ever or refused;
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
  let waiting = flows.size;
  const sending = [...flows].map(async ([step, flow]): Promise<[StepName, Flow, Sent]> => {
    const answer = await flow.send(step);
    waiting--;
    return [step, flow, answer];
  });
  await trouble.meanwhile?.(() => waiting);
  const answers = await Promise.all(sending);
  await trouble.afterwards?.();
  await trouble.end();
  const ms = await untilReady(world.base);
  t.true(ms < PATIENCE_MS, `ready after ${Math.round(ms)} ms`);

  const refused: StepName[] = [];
  for (const [step, flow, answer] of answers) {
    t.true(answer.ms < PATIENCE_MS, `${step}: answered after ${Math.round(answer.ms)} ms`);
    if (isRefused(answer)) refused.push(step);
    if (answer.status === 503) assertUnavailable(t, step, flow.reader(step), answer);
    await t.notThrowsAsync(flow.goOn(step, answer), step);
  }
  await t.notThrowsAsync(world.flow().run());
  return refused;
}
