import { setTimeout as wait } from 'node:timers/promises';
import type { Harness } from './harness.ts';

/** Ids of the signing keys that an instance publishes: the current one, the next, and those that are on their way out. */
export const kidsOf = async (instance: string): Promise<[string, string, ...string[]]> => {
  const { keys } = (await (await fetch(`${instance}/.well-known/jwks.json`)).json()) as {
    keys: { kid: string }[];
  };
  return keys.map(({ kid }) => kid) as [string, string, ...string[]];
};

/** Until every instance publishes these keys, in whatever order. @throws after some seconds */
export async function followed(
  { instances }: Pick<Harness, 'instances'>,
  kids: readonly string[],
): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const published = await Promise.all(instances.map(kidsOf));
    if (published.every((each) => each.toSorted().join() === [...kids].toSorted().join())) return;
    await wait(25);
  }
  throw new Error(`not every instance publishes ${kids.join()}`);
}
