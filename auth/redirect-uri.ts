import { readCanonicalUri } from './canonical-uri.ts';

/**
 * Which redirect URIs a client may register: the one policy for every way of registering (RFC 8252 §7, RFC 9700 §2.1).
 * Matching at the authorization endpoint is exact and done by the engine; this decides what may be matched at all.
 */

const MAX_LENGTH = 2_048;
/** What the answer adds to the query: beside one already there, a client might read the wrong one. */
const RESPONSE_PARAMETERS = ['code', 'state', 'iss', 'error', 'error_description', 'response'];
const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost']);

/**
 * https with a host; http on loopback, any port; private-use schemes from the configured list. No wildcards: matching is
 * exact, so one could only mean something to others.
 *
 * @param raw as sent by the client
 * @param schemes private-use schemes of native apps that are accepted, without colon (REDIRECT_SCHEMES)
 * @returns undefined if it is acceptable, else what is wrong with it in a few words
 */
export function redirectUriProblem(raw: unknown, schemes: readonly string[]): string | undefined {
  // VS Code registers a bare authority without the final slash.
  const url = readCanonicalUri(raw, { maxLength: MAX_LENGTH, bareAuthority: true });
  if (typeof url === 'string') return url;
  if (url.href.includes('*')) return 'must not contain a wildcard';
  if (RESPONSE_PARAMETERS.some((name) => url.searchParams.has(name))) {
    return 'must not contain response parameters';
  }
  const scheme = url.protocol.slice(0, -1);
  if (scheme === 'https') return url.hostname === '' ? 'must have a host' : undefined;
  if (scheme === 'http') {
    return LOOPBACK.has(url.hostname) ? undefined : 'with http must use a loopback host';
  }
  return schemes.includes(scheme) ? undefined : `must not use the scheme ${scheme.slice(0, 20)}`;
}

/** How a redirect URI is described to people: its host, or the app's scheme without colon. */
export function redirectTarget(redirectUri: string): {
  kind: 'web' | 'loopback' | 'app';
  name: string;
} {
  const url = new URL(redirectUri);
  if (!/^https?:$/.test(url.protocol)) return { kind: 'app', name: url.protocol.slice(0, -1) };
  return { kind: LOOPBACK.has(url.hostname) ? 'loopback' : 'web', name: url.host };
}
