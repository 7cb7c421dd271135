/**
 * The headers by which a browser tells a server where a navigation comes from. Behaviour checked against Chromium in
 * browser-parity.test.ts.
 */

/** One navigation with its redirects. */
export interface Trip {
  /** The page whose link or form started it; undefined when the user typed the address. */
  readonly initiator: URL | undefined;
  /** Referrer-Policy of that page, or of the last redirect that named one. */
  referrerPolicy: string | undefined;
  /** Every address asked so far, the present one last. */
  readonly chain: URL[];
}

/** Schemeful same-site, without the public suffix list: tests use whole host names only. */
const sameSite = (a: URL, b: URL): boolean =>
  a.protocol === b.protocol && a.hostname === b.hostname;

/**
 * Which SameSite cookies go along (RFC 6265bis §5.2). Only the initiator counts, not the redirects in between.
 */
export function sameSiteContext(trip: Trip, url: URL, method: string): 'strict' | 'lax' | 'none' {
  if (!trip.initiator || sameSite(trip.initiator, url)) return 'strict';
  return method === 'GET' || method === 'HEAD' ? 'lax' : 'none';
}

/** Fetch Metadata Request Headers §2; one foreign address on the way makes all later ones cross-site. */
export function fetchMetadata(trip: Trip): Record<string, string> {
  return {
    'sec-fetch-dest': 'document',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-site': relation(trip),
    'sec-fetch-user': '?1',
  };
}

function relation({ initiator, chain }: Trip): string {
  if (!initiator) return 'none';
  if (chain.every((url) => url.origin === initiator.origin)) return 'same-origin';
  return chain.every((url) => sameSite(url, initiator)) ? 'same-site' : 'cross-site';
}

/**
 * Fetch §3.1 and Referrer Policy §8.3. Note `no-referrer`: it makes the Origin of a POST `null`, even on our own
 * origin.
 */
export function originAndReferer(trip: Trip, url: URL, method: string): Record<string, string> {
  const { initiator } = trip;
  const policy = trip.referrerPolicy ?? 'strict-origin-when-cross-origin';
  if (!initiator) return method === 'GET' || method === 'HEAD' ? {} : { origin: 'null' };

  const ownOrigin = initiator.origin === url.origin;
  const hidden = policy === 'no-referrer' || (policy === 'same-origin' && !ownOrigin);
  const wandered = trip.chain.some((hop, i) => i > 0 && hop.origin !== trip.chain[i - 1]!.origin);
  const originOnly = !ownOrigin || policy === 'origin' || policy === 'strict-origin' || wandered;
  const plain = initiator.href.slice(0, initiator.href.length - initiator.hash.length);
  return {
    ...(!hidden && { referer: originOnly ? `${initiator.origin}/` : plain }),
    ...(method !== 'GET' &&
      method !== 'HEAD' && { origin: hidden || wandered ? 'null' : initiator.origin }),
  };
}
