import { createBoundedMap } from '../bounded-map.ts';
import type { Asker, FetchLimits } from './fetch-limits.ts';
import { type GuardedFetch, RETRY_AFTER_SECONDS, Unfetchable } from './guarded-fetch.ts';
import { freshSeconds } from './http-freshness.ts';

/**
 * JSON documents on strangers' servers, remembered for as long as they say, within bounds. Every instance fetches and
 * remembers for itself.
 *
 * What can't be fetched and what is wrong are two things: a document that was good stays good for a while when its
 * server is away, but what it says now holds at once.
 */
export interface DocumentCache<T> {
  /**
   * @param options.asker who makes us fetch, see FetchLimits
   * @param options.notBefore epoch milliseconds; an older copy is fetched again
   * @throws Unfetchable if there is no usable answer and no copy that may still be used; Unacceptable
   */
  get(
    url: string,
    options?: { asker?: Asker | undefined; notBefore?: number | undefined },
  ): Promise<Copy<T>>;
}

export interface Copy<T> {
  readonly value: T;
  /** Why this is an older copy than was wanted, if it is. */
  readonly stale?: Unfetchable;
}

/** The document is there and can't be accepted, or its server says that it is gone. The message may be shown. */
export class Unacceptable extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Unacceptable';
  }
}

export interface DocumentCacheOptions<T> {
  readonly fetch: GuardedFetch;
  readonly limits: FetchLimits;
  readonly now: () => number;
  readonly maxBytes: number;
  /** Whether 404 and 410 say that it is gone, rather than that something is wrong over there. */
  readonly absentIsGone: boolean;
  /** What the JSON means. @throws Unacceptable */
  readonly accept: (json: unknown, url: string) => T;
  /** Told of every fetch. @param problem undefined if it succeeded */
  readonly onFetched: (url: string, problem: Error | undefined) => void;
}

/** How long a copy is used without asking again, whatever its headers say. */
const MIN_FRESH_MS = 60_000;
const MAX_FRESH_MS = 24 * 3_600_000;
/** If its headers say nothing. */
const DEFAULT_FRESH_MS = 3_600_000;
/** How much longer it is used while there is no usable answer (RFC 5861 §4). */
const STALE_IF_ERROR_MS = 24 * 3_600_000;
/**
 * After a failure nothing is fetched from this address for so long. Not a cache of errors, which the draft forbids, but a
 * pause: one request causes up to two look-ups, and an impatient person many.
 */
const PAUSE_MS = RETRY_AFTER_SECONDS * 1000;
const MAX_COPIES = 10_000;
/** Kept apart, so that addresses that lead nowhere don't push out the good ones. */
const MAX_FAILURES = 2_000;

interface Kept<T> {
  readonly value: T;
  readonly fetchedAt: number;
  readonly freshUntil: number;
}

export function createDocumentCache<T>(options: DocumentCacheOptions<T>): DocumentCache<T> {
  const { fetch, limits, now, maxBytes, absentIsGone, accept, onFetched } = options;
  const copies = createBoundedMap<Kept<T>>(
    MAX_COPIES,
    ({ fetchedAt, freshUntil }) => !isWithin(fetchedAt, freshUntil + STALE_IF_ERROR_MS),
  );
  const failures = createBoundedMap<{ error: Error; at: number }>(
    MAX_FAILURES,
    ({ at }) => !isWithin(at, at + PAUSE_MS),
  );
  const underWay = new Map<string, Promise<Kept<T>>>();

  return {
    async get(url, { asker, notBefore = -Infinity } = {}) {
      const kept = copies.get(url);
      if (kept && kept.fetchedAt >= notBefore && isWithin(kept.fetchedAt, kept.freshUntil)) {
        // The one that was used longest ago is the one to forget.
        copies.set(url, kept);
        return { value: kept.value };
      }
      try {
        const failure = failures.get(url);
        if (failure && isWithin(failure.at, failure.at + PAUSE_MS)) throw failure.error;
        return { value: (await fetchOnce(url, asker)).value };
      } catch (error) {
        if (!(error instanceof Unfetchable) || !kept) throw error;
        if (!isWithin(kept.fetchedAt, kept.freshUntil + STALE_IF_ERROR_MS)) throw error;
        return { value: kept.value, stale: error };
      }
    },
  };

  /** A clock that was set back makes everything old at once, rather than fresh for as long as the step was. */
  function isWithin(since: number, until: number): boolean {
    return now() >= since && now() < until;
  }

  /** Whoever wants the same at the same time waits for the same fetch. */
  function fetchOnce(url: string, asker: Asker | undefined): Promise<Kept<T>> {
    const shared = underWay.get(url);
    if (shared) return shared;
    const end = limits.start(new URL(url).host, asker);
    const own = load(url).finally(() => {
      end();
      underWay.delete(url);
    });
    underWay.set(url, own);
    return own;
  }

  async function load(url: string): Promise<Kept<T>> {
    try {
      const fetchedAt = now();
      const { status, headers, text } = await fetch(url, { maxBytes });
      const isAbsent = status === 404 || status === 410;
      if (isAbsent && absentIsGone) throw new Unacceptable(`it is not there (${status})`);
      if (status !== 200) throw new Unfetchable(`status ${status}`);
      const value = accept(jsonOf(headers['content-type'], text), url);
      const stated = freshSeconds(headers, fetchedAt);
      const freshMs = stated === undefined ? DEFAULT_FRESH_MS : stated * 1000;
      const bounded = Math.min(MAX_FRESH_MS, Math.max(MIN_FRESH_MS, freshMs));
      const kept = { value, fetchedAt, freshUntil: fetchedAt + bounded };
      copies.set(url, kept);
      failures.delete(url);
      limits.trust(new URL(url).host);
      onFetched(url, undefined);
      return kept;
    } catch (error) {
      // What it says now holds, and the copy does not any more.
      if (error instanceof Unacceptable) copies.delete(url);
      failures.set(url, { error: error as Error, at: now() });
      onFetched(url, error as Error);
      throw error;
    }
  }
}

/** An HTML page with status 200 is a server that has lost its document, not a document that is wrong. */
function jsonOf(contentType: string | undefined, text: string): unknown {
  const type = (contentType ?? '').split(';')[0]!.trim().toLowerCase();
  if (!/^application\/(?:[\w.!#$&^-]+\+)?json$/.test(type)) {
    throw new Unfetchable(`content type ${type.slice(0, 60) || 'missing'}`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new Unfetchable('not JSON');
  }
}
