import type { BoundedFetch } from './bounded-fetch.ts';
import { NeonpanelError } from './neonpanel.ts';
import type { Secrets } from './secrets.ts';
import type { Key, Store } from './store.ts';

/** Our client at NeonPanel. */
export interface NeonpanelClient {
  readonly clientId: string;
  readonly clientSecret?: string;
}

interface Registration extends NeonpanelClient {
  readonly neonpanelUrl: string;
  readonly redirectUri: string;
  readonly managementUri?: string;
  readonly managementToken?: string;
}

/**
 * Our client at NeonPanel: the configured one, or, where none is configured, one that registers itself there by
 * NeonPanel's open registration (RFC 7591) and is kept sealed in the store.
 */
export function createNeonpanelClient(options: {
  configured: NeonpanelClient | undefined;
  neonpanelUrl: string;
  redirectUri: string;
  registrationEndpoint: () => Promise<string>;
  fetch: BoundedFetch;
  store: Store;
  secrets: Secrets;
}) {
  const { configured, neonpanelUrl, redirectUri, fetch, store, secrets } = options;
  let ours: Promise<NeonpanelClient> | undefined;

  /** @throws NeonpanelError kind `unavailable`, StoreUnavailable */
  return async function client(): Promise<NeonpanelClient> {
    if (configured) return configured;
    ours ??= (async () => (await stored()) ?? register())();
    return ours.catch((error) => {
      ours = undefined;
      throw error;
    });
  };

  /** The one we registered earlier, if it was for the same addresses and NeonPanel still knows it. */
  async function stored(): Promise<NeonpanelClient | undefined> {
    const [entry] = await store.read(KEY);
    if (!entry) return undefined;
    const registration = (await secrets.open(entry.value, CONTEXT)) as Registration;
    if (registration.neonpanelUrl !== neonpanelUrl || registration.redirectUri !== redirectUri) {
      return undefined;
    }
    const { managementUri, managementToken } = registration;
    if (!managementUri) return registration;
    const { status } = await fetch(managementUri, {
      headers: { authorization: `Bearer ${managementToken}`, accept: 'application/json' },
    }).catch(unavailable);
    return status === 401 || status === 404 ? undefined : registration;
  }

  async function register(): Promise<NeonpanelClient> {
    const response = await fetch(await options.registrationEndpoint(), {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({
        client_name: 'NeonPanel MCP server',
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
      }),
    }).catch(unavailable);
    const { status } = response;
    const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
    if (status !== 201 || typeof body.client_id !== 'string') {
      throw new NeonpanelError('unavailable', 'NeonPanel refused to register us', { status });
    }
    const registration: Registration = {
      clientId: body.client_id,
      ...text('clientSecret', body.client_secret),
      ...text('managementUri', body.registration_client_uri),
      ...text('managementToken', body.registration_access_token),
      neonpanelUrl,
      redirectUri,
    };
    const put = await secrets.seal(registration, CONTEXT);
    await store.commit([{ key: KEY, expect: 'any', put, lifetime: 'forever' }]);
    return registration;
  }
}

const KEY: Key = { tag: 'neonpanel', kind: 'client' };
const CONTEXT = 'client at NeonPanel';

const text = (name: string, value: unknown) => (typeof value === 'string' ? { [name]: value } : {});

const unavailable = (cause: unknown): never => {
  throw new NeonpanelError('unavailable', 'NeonPanel could not be reached', { cause });
};
