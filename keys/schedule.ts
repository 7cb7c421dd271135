import { DAY_MS } from '../clock.ts';
import { audit } from '../audit.ts';
import type { Log } from '../log.ts';
import type { Staged } from './key-record.ts';
import type { KeyTimes, Rotation } from './rotation.ts';
import {
  currentOf,
  firstUseOf,
  isPrunable,
  maySignFrom,
  nextOf,
  type SigningKey,
} from './stages.ts';

/**
 * Rotation by schedule (KEY_ROTATION_DAYS), done by whichever instance gets there first, and pruning with it. It takes
 * its time after every change of the set, by whomever (`Rotation.isSettling`), so clocks that jump can make it early
 * or late once, but can't make it hurry.
 *
 * @param options.days 0: never
 * @returns to be called with the set as it is known, again and again; answers the set that it made, if it did
 */
export function createSchedule(options: {
  rotation: Rotation;
  days: number;
  times: KeyTimes;
  log: Log;
  now: () => number;
}): (staged: Staged) => Promise<Staged | undefined> {
  const { rotation, days, times, log, now } = options;

  return async function keepSchedule(staged) {
    if (days === 0) return undefined;
    const { keys } = staged;
    const isDue = isRotationDue(keys, now(), days, times);
    const isLitter = keys.some((key) => isPrunable(key, now()));
    if ((!isDue && !isLitter) || (await rotation.isSettling())) return undefined;
    const changed = await (isLitter ? rotation.prune(staged) : rotation.rotate(staged));
    const kids = changed?.keys.map(({ kid }) => kid);
    if (kids) audit(log, 'keys.changed', { outcome: isLitter ? 'pruned' : 'rotated', kids });
    return changed;
  };
}

/** Times in the future were written by a clock that was wrong; the schedule does not wait for them. */
function isRotationDue(
  keys: readonly SigningKey[],
  now: number,
  days: number,
  { jwksCacheSeconds }: KeyTimes,
): boolean {
  const [current, next] = [currentOf(keys), nextOf(keys)];
  const age = current ? now - firstUseOf(current)! : Infinity;
  const isOld = age >= days * DAY_MS || age < -DAY_MS;
  const isKnown = !next || maySignFrom(next, jwksCacheSeconds) <= now || next.createdAt > now;
  return isOld && isKnown;
}
