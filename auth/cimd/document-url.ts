import { isIP } from 'node:net';
import { isPublicHost } from '../../adapters/public-host.ts';
import { readCanonicalUri } from '../canonical-uri.ts';

const MAX_LENGTH = 1_024;

/** Client ids that are meant as addresses, good ones or not. Ours never have a colon. */
export const isUrlShaped = (clientId: string): boolean => clientId.includes(':');

/**
 * Which addresses a client's metadata document (draft-ietf-oauth-client-id-metadata-document §3) and its key set may
 * have: https, in canonical spelling, because an id is compared as text. What the draft leaves to us:
 *
 * - a port: no. No client is known to use one, and with ports we would be a scanner of other people's machines
 * - an address in place of a name: no. The page shows people the name
 * - `/` alone as the path, and a query: yes, though neither is recommended
 *
 * What the name resolves to is checked where the connection is made (adapters/guarded-fetch.ts).
 *
 * @param testOrigin CIMD_TEST_ORIGIN, whose host and port are not looked at
 * @returns undefined if it is acceptable, else what is wrong with it in a few words
 */
export function documentUrlProblem(raw: unknown, testOrigin?: string): string | undefined {
  const url = readCanonicalUri(raw, { maxLength: MAX_LENGTH });
  if (typeof url === 'string') return url;
  const isExempt = testOrigin !== undefined && url.origin === testOrigin;
  if (url.protocol !== 'https:' && !isExempt) return 'must be https';
  if (isExempt) return undefined;
  if (url.port !== '') return 'must not name a port';
  const { hostname } = url;
  if (isIP(hostname) !== 0 || hostname.startsWith('[')) return 'must have a host name';
  if (hostname.endsWith('.') || !isPublicHost(hostname)) return 'must have a public host name';
  return undefined;
}
