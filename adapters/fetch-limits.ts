import { createBoundedMap } from '../bounded-map.ts';
import { Unfetchable } from './guarded-fetch.ts';

/**
 * How much we fetch for strangers, so that we are no tool to flood somebody with, and nobody's flood keeps the others
 * out: a host that has served something useful is counted apart from hosts nobody has heard of.
 */
export interface FetchLimits {
  /**
   * Counts one fetch.
   * @param asker who made us fetch, where that is one person's browser
   * @throws Unfetchable if it is one too many
   */
  start(host: string, asker: string | undefined): void;
  /** The fetch has ended. */
  end(): void;
  /** The host has served what it was asked for. */
  trust(host: string): void;
}

const WINDOW_MS = 60_000;
/** Fetches in a minute. */
const PER_HOST = 120;
const PER_ASKER = 30;
const TO_NEW_HOSTS = 300;
const TO_KNOWN_HOSTS = 1_200;
/** Fetches at the same time. */
const MAX_UNDER_WAY = 20;
const MAX_REMEMBERED = 2_000;

/**
 * Windows rather than rate-limiter-flexible, whose timers don't follow an injected clock.
 *
 * @param options.factor multiplies the limits per minute; 0 turns them off
 * @param options.now epoch milliseconds
 */
export function createFetchLimits(options: { factor: number; now: () => number }): FetchLimits {
  const { factor, now } = options;
  const counts = createBoundedMap<{ window: number; count: number }>(MAX_REMEMBERED);
  const knownHosts = createBoundedMap<true>(MAX_REMEMBERED);
  let underWay = 0;

  return {
    start(host, asker) {
      if (underWay >= MAX_UNDER_WAY) throw new Unfetchable('too many fetches at once', 1);
      const known = knownHosts.get(host) === true;
      const limits: [string, number][] = [
        ...(asker === undefined ? [] : [[`asker ${asker}`, PER_ASKER] as [string, number]]),
        [`host ${host}`, PER_HOST],
        [known ? 'known hosts' : 'new hosts', known ? TO_KNOWN_HOSTS : TO_NEW_HOSTS],
      ];
      if (factor > 0) {
        for (const [name, max] of limits) refuseAbove(name, max * factor);
        for (const [name] of limits) counts.set(name, { window: window(), count: used(name) + 1 });
      }
      underWay += 1;
    },
    end() {
      underWay -= 1;
    },
    trust: (host) => knownHosts.set(host, true),
  };

  function window(): number {
    return Math.floor(now() / WINDOW_MS);
  }

  function used(name: string): number {
    const last = counts.get(name);
    return last?.window === window() ? last.count : 0;
  }

  function refuseAbove(name: string, max: number): void {
    if (used(name) < max) return;
    const leftMs = WINDOW_MS - (now() % WINDOW_MS);
    throw new Unfetchable(`limit of fetches: ${name}`, Math.ceil(leftMs / 1000));
  }
}
