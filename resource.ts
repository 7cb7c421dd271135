/**
 * The protected resource: its audience, the spellings under which clients name it, and its scopes. auth, mcp and cli
 * share these facts and nothing else.
 */

export const READ = 'neonpanel.read';
export const WRITE = 'neonpanel.write';
/** Scopes of the resource server, in the order they are shown. */
export const RESOURCE_SCOPES = [READ, WRITE] as const;
/** Scopes of the authorization server itself: `openid` brings an id_token, `offline_access` is accepted from everyone. */
export const OIDC_SCOPES = ['openid', 'offline_access'] as const;
/** Name under which the predecessor advertised everything; accepted as both resource scopes. */
const LEGACY_ALIAS = 'neonpanel.mcp';

/** The audience of every access token (RFC 8707, RFC 9068): `PUBLIC_URL/mcp`. */
export const audienceOf = (publicUrl: string): string => `${publicUrl}/mcp`;

/**
 * Maps the spellings clients really send (the origin, /mcp and /sse, each with or without a final slash, any case of
 * scheme and host) to the one audience. It is a fixed list of our own URLs, no general folding of slashes, dots or
 * escapes: that would let a foreign path on our host pass for ours.
 *
 * @param indicator the `resource` parameter as sent (RFC 8707 §2)
 * @returns the audience, or undefined for a resource that is not ours
 */
export function canonicalResource(publicUrl: string, indicator: string): string | undefined {
  const [, authority, path] = /^(\w+:\/\/[\w.:[\]-]+)(.*)$/s.exec(indicator) ?? [];
  const isOurs = authority !== undefined && URL.parse(authority)?.origin === publicUrl;
  return isOurs && PATHS.includes(path!) ? audienceOf(publicUrl) : undefined;
}

const PATHS = ['', '/', '/mcp', '/mcp/', '/sse', '/sse/'];

/**
 * Turns a requested scope string into the scopes we know: the legacy alias becomes both resource scopes, unknown
 * scopes are dropped (RFC 6749 §3.3 lets the server ignore them), and a request that names no resource scope asks for
 * both. Write implies read.
 */
export function normaliseScope(requested: string | undefined): string[] {
  const asked = (requested ?? '')
    .split(' ')
    .flatMap((s) => (s === LEGACY_ALIAS ? [READ, WRITE] : [s]));
  const scopes = new Set(asked);
  if (scopes.has(WRITE)) scopes.add(READ);
  if (!scopes.has(READ)) RESOURCE_SCOPES.forEach((s) => scopes.add(s));
  return [...OIDC_SCOPES, ...RESOURCE_SCOPES].filter((s) => scopes.has(s));
}
