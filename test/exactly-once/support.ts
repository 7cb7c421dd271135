import { setTimeout as wait } from 'node:timers/promises';
import { type Harness, startHarness, type StoreName } from '../support/harness.ts';
import {
  type Answer,
  type Attempt,
  authorizationRequest,
  callMcp,
  register,
  signIn,
  type TestClient,
} from '../support/oauth.ts';
import { holdWrites } from '../support/records.ts';

/** What all tests of "exactly once" need: two instances on one store, and crowds that ask them at the same time. */
export const startPair = (store: StoreName, env: Record<string, string> = {}): Promise<Harness> =>
  startHarness({ store, instances: 2, env });

/** Longer than anything is believed without asking the store: afterwards every instance knows. */
const KNOWN_EVERYWHERE_MS = 1_000;
export const untilKnownEverywhere = (): Promise<void> => wait(KNOWN_EVERYWHERE_MS);

/** The same done many times at once, at the instances in turn. */
export const atOnce = <T>(
  { instances }: Pick<Harness, 'instances'>,
  count: number,
  ask: (instance: string, index: number) => Promise<T>,
): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => ask(instances[i % instances.length]!, i)));

const HELD_MS = 200;

/**
 * Nobody can write until everybody has asked. Without it the first one may be done before the last one has come.
 */
export async function heldBack<T>(harness: Harness, crowd: () => Promise<T>): Promise<T> {
  const release = await holdWrites(harness);
  const answers = crowd();
  await wait(HELD_MS);
  await release();
  return answers;
}

/** Many of something, made a few at a time: two processors are not quicker with more. */
export async function many<T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const index = next++;
      made[index] = await make(index);
    }
  };
  await Promise.all(Array.from({ length: 10 }, worker));
  return made;
}

/** A fresh, unredeemed code. @param client default: one of its own */
export async function newCode(
  harness: Harness,
  client?: TestClient,
): Promise<{ attempt: Attempt; code: string }> {
  const by = client ?? (await register(harness.url)).body;
  const attempt = authorizationRequest(harness.url, by);
  const callback = await signIn(harness, attempt);
  return { attempt, code: callback.searchParams.get('code')! };
}

export const errorOf = ({ body }: Answer<unknown>) => (body as { error?: string }).error;

/** The status of an answer and, if it is one, its error: `400 invalid_grant`. */
export const outcomeOf = (answer: Answer<unknown>): string =>
  [answer.status, errorOf(answer)].filter(Boolean).join(' ');

/** How often each outcome occurred. */
export function tally(answers: readonly Answer<unknown>[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const answer of answers) {
    const outcome = outcomeOf(answer);
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

/** What every instance says to an access token: `[200, 200]`. */
export const livesAt = ({ instances }: Pick<Harness, 'instances'>, accessToken: string) =>
  Promise.all(
    instances.map(async (base) => (await callMcp(base, accessToken, 'tools/list')).status),
  );
