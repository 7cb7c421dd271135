import type { AuthorizationServer } from 'oauth4webapi';
import { isFresh } from '../../clock.ts';
import type { BoundedFetch } from './bounded-fetch.ts';
import { NeonpanelError, notReached } from './neonpanel.ts';
import { saidBy } from './settle.ts';

const FRESH_MS = 300_000;

/**
 * NeonPanel's OAuth metadata (RFC 8414), read when needed and kept for five minutes. A server that publishes none is
 * taken to have the documented paths.
 *
 * @param url NEONPANEL_URL
 */
export function createNeonpanelMetadata(options: {
  url: string;
  fetch: BoundedFetch;
  now: () => number;
}) {
  const { url, fetch, now } = options;
  let cached: { server: AuthorizationServer; asOf: number } | undefined;

  const documented: AuthorizationServer = {
    issuer: url,
    authorization_endpoint: `${url}/oauth2/authorize`,
    token_endpoint: `${url}/oauth2/token`,
    registration_endpoint: `${url}/oauth2/register`,
    jwks_uri: `${url}/.well-known/jwks.json`,
  };

  /** @throws NeonpanelError kind `unavailable` */
  return async function metadata(): Promise<AuthorizationServer> {
    if (cached && isFresh(cached.asOf, now(), FRESH_MS)) return cached.server;
    const asOf = now();
    const server = { ...documented, ...(await read()) };
    cached = { server, asOf };
    return server;
  };

  async function read(): Promise<Partial<AuthorizationServer>> {
    const response = await fetch(`${url}/.well-known/oauth-authorization-server`, {
      headers: { accept: 'application/json' },
      mayRepeat: true,
    }).catch((cause: unknown) => {
      throw notReached('NeonPanel metadata could not be read', cause);
    });
    if (response.status === 404) return {};
    if (!response.ok) {
      const said = saidBy(response);
      throw new NeonpanelError('unavailable', 'NeonPanel metadata was refused', said);
    }
    // A page instead of a document is how some servers say 404.
    const document: unknown = await response.json().catch(() => ({}));
    return pickUrls(Object(document) as Record<string, unknown>);
  }
}

/** Only what we use; its other claims (scopes, methods) are known to be incomplete. */
function pickUrls(document: Record<string, unknown>): Partial<AuthorizationServer> {
  const names = [
    'issuer',
    'authorization_endpoint',
    'token_endpoint',
    'registration_endpoint',
    'jwks_uri',
    'revocation_endpoint',
  ];
  const urls = names
    .map((name) => [name, document[name]] as const)
    .filter(([, value]) => typeof value === 'string' && URL.canParse(value));
  return Object.fromEntries(urls) as Record<string, string>;
}
