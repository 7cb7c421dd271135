import { createBoundedMap } from '../bounded-map.ts';
import { TooManyFetches } from './guarded-fetch.ts';
import { reportRefusal } from './limit-refusals.ts';
import { createMinuteCounts } from './minute-counts.ts';

/** Who makes us fetch. */
export interface Asker {
  /** Of a person's browser, or of a program. */
  readonly address: string;
  /** Programs are counted apart where hosts are new: what they make us fetch keeps no person out. */
  readonly place: 'page' | 'endpoint';
}

/**
 * How much we fetch for strangers, so that we are no tool to flood somebody with, and nobody's flood keeps the others
 * out: a host that has served something useful is counted apart from hosts nobody has heard of.
 */
export interface FetchLimits {
  /**
   * Counts one fetch.
   * @param asker who made us fetch
   * @returns to be called when the fetch has ended
   * @throws TooManyFetches if it is one too many
   */
  start(host: string, asker: Asker | undefined): () => void;
  /** The host has served what it was asked for. */
  trust(host: string): void;
}

/** Fetches in a minute. */
const PER_HOST = 120;
const PER_ASKER = 30;
const TO_NEW_HOSTS = 300;
const TO_KNOWN_HOSTS = 1_200;
/** Fetches at the same time. Of the new hosts all may be slow on purpose. */
const NEW_AT_ONCE = 20;
const KNOWN_AT_ONCE = 50;
const MAX_REMEMBERED = 2_000;

/**
 * @param options.factor multiplies the limits per minute; 0 turns them off
 * @param options.now epoch milliseconds
 */
export function createFetchLimits(options: { factor: number; now: () => number }): FetchLimits {
  const { factor, now } = options;
  const counts = createMinuteCounts({ maxNames: MAX_REMEMBERED, now });
  const knownHosts = createBoundedMap<true>(MAX_REMEMBERED);
  const underWay = { known: 0, 'new, for pages': 0, 'new, for endpoints': 0 };

  return {
    start(host, asker) {
      const isKnown = knownHosts.get(host) === true;
      const kind = isKnown
        ? 'known'
        : asker?.place === 'page'
          ? 'new, for pages'
          : 'new, for endpoints';
      const [atOnce, perMinute] = isKnown
        ? [KNOWN_AT_ONCE, TO_KNOWN_HOSTS]
        : [NEW_AT_ONCE, TO_NEW_HOSTS];
      if (underWay[kind] >= atOnce) throw tooMany('too many fetches at once', 1);
      if (factor > 0) {
        const limits: [name: string, max: number][] = [
          [`host ${host}`, PER_HOST],
          [`hosts that are ${kind}`, perMinute],
        ];
        // Hosted clients ask for all their users, of hosts that are known.
        if (asker && !(isKnown && asker.place === 'endpoint')) {
          limits.push([`asker ${asker.address}`, PER_ASKER]);
        }
        for (const [name, max] of limits) refuseAbove(name, max * factor);
        for (const [name] of limits) counts.add(name);
      }
      underWay[kind] += 1;
      return () => void (underWay[kind] -= 1);
    },
    trust: (host) => knownHosts.set(host, true),
  };

  function refuseAbove(name: string, max: number): void {
    if (counts.of(name) < max) return;
    throw tooMany(`limit of fetches: ${name}`, counts.secondsLeft());
  }
}

function tooMany(problem: string, retryAfterSeconds: number): TooManyFetches {
  reportRefusal('fetches');
  return new TooManyFetches(problem, retryAfterSeconds);
}
