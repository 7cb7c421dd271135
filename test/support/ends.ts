import { setTimeout as wait } from 'node:timers/promises';
import type { Harness } from './harness.ts';
import { callMcp } from './oauth.ts';

/** Every instance refuses it: within the second that is promised, and some for a machine that is busy. */
export async function endsEverywhere(
  { instances }: Pick<Harness, 'instances'>,
  accessToken: string,
): Promise<boolean> {
  for (let tries = 0; tries < 20; tries++) {
    const answers = await Promise.all(instances.map((i) => callMcp(i, accessToken, 'tools/list')));
    if (answers.every(({ status }) => status === 401)) return true;
    await wait(100);
  }
  return false;
}
