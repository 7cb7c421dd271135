import { DAY_MS } from '../../clock.ts';
import { NEONPANEL_TAG, sealContext } from '../sealed-kinds.ts';
import { openIfPossible, type Secrets } from '../secrets.ts';
import type { Entry, Expectation, Key, Store } from '../store.ts';
import type { BoundedFetch } from './bounded-fetch.ts';
import type { NeonpanelClient } from './client.ts';
import { NeonpanelError, notReached } from './neonpanel.ts';
import { saidBy } from './settle.ts';

/** What came of registering at NeonPanel (RFC 7591), with what the registration is managed by (RFC 7592). */
export interface Registration extends NeonpanelClient {
  readonly neonpanelUrl: string;
  readonly redirectUri: string;
  readonly managementUri?: string;
  readonly managementToken?: string;
  /** Epoch milliseconds. */
  readonly registeredAt?: number;
}

/** How long NeonPanel takes a registration access token. */
export const MANAGEMENT_TOKEN_MS = 30 * DAY_MS;

/**
 * Registers a client of ours by NeonPanel's open registration (RFC 7591 §3).
 *
 * @param endpoint NeonPanel's registration endpoint
 * @param options.authMethod how it authenticates at the token endpoint; default: it does not, PKCE protects it
 * @throws NeonpanelError kind `unavailable`
 */
export async function registerAt(
  endpoint: string,
  options: {
    fetch: BoundedFetch;
    neonpanelUrl: string;
    redirectUri: string;
    authMethod?: 'none' | 'client_secret_post';
    now: () => number;
  },
): Promise<Registration> {
  const { fetch, neonpanelUrl, redirectUri, authMethod = 'none', now } = options;
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({
      client_name: 'NeonPanel MCP server',
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: authMethod,
    }),
  }).catch((cause: unknown) => {
    throw notReached('NeonPanel could not be reached', cause);
  });
  const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  if (response.status !== 201 || typeof body.client_id !== 'string') {
    const said = saidBy(response);
    throw new NeonpanelError('unavailable', 'NeonPanel refused to register us', said);
  }
  return {
    clientId: body.client_id,
    ...text('clientSecret', body.client_secret),
    ...text('managementUri', body.registration_client_uri),
    ...text('managementToken', body.registration_access_token),
    neonpanelUrl,
    redirectUri,
    registeredAt: now(),
  };
}

/** The one registration that is kept: sealed, the same for all instances. */
export function createRegistrations({ store, secrets }: { store: Store; secrets: Secrets }) {
  return {
    async read(): Promise<Entry | undefined> {
      const [entry] = await store.read(KEY);
      return entry;
    },

    /** @returns undefined if it can't be opened, because its master key is gone */
    async open(entry: Entry): Promise<Registration | undefined> {
      return (await openIfPossible(secrets, entry.value, CONTEXT)) as Registration | undefined;
    },

    /** @returns false if somebody else has written it meanwhile */
    async keep(registration: Registration, expect: Expectation): Promise<boolean> {
      const put = await secrets.seal(registration, CONTEXT);
      return (await store.commit([{ key: KEY, expect, put, lifetime: 'forever' }])) !== undefined;
    },
  };
}

const KEY: Key = { tag: NEONPANEL_TAG, kind: 'client' };
const CONTEXT = sealContext.neonpanelClient();

const text = (name: string, value: unknown) => (typeof value === 'string' ? { [name]: value } : {});
