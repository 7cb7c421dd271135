import { isFresh } from '../../clock.ts';
import type { BoundedFetch } from './bounded-fetch.ts';
import { notReached } from './neonpanel.ts';
import { createRegistrations, MANAGEMENT_TOKEN_MS, registerAt } from './registration.ts';
import type { Secrets } from '../secrets.ts';
import type { Entry, Expectation, Store } from '../store.ts';

/** Our client at NeonPanel. */
export interface NeonpanelClient {
  readonly clientId: string;
  readonly clientSecret?: string;
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
  now?: () => number;
}) {
  const { configured, neonpanelUrl, redirectUri, fetch, store, secrets, now = Date.now } = options;
  const registrations = createRegistrations({ store, secrets });
  let known: { client: NeonpanelClient; asOf: number } | undefined;
  let checking: Promise<NeonpanelClient> | undefined;

  /** @throws NeonpanelError kind `unavailable`, StoreUnavailable */
  return async function client(): Promise<NeonpanelClient> {
    if (configured) return configured;
    if (known && isFresh(known.asOf, now(), BELIEVED_MS)) return known.client;
    checking ??= storedOrNew()
      .then((client) => {
        known = { client, asOf: now() };
        return client;
      })
      .finally(() => (checking = undefined));
    return checking;
  };

  async function storedOrNew(): Promise<NeonpanelClient> {
    const entry = await registrations.read();
    return (entry && (await usable(entry))) ?? register(entry);
  }

  /** The one we registered earlier, if it was for the same addresses and NeonPanel still knows it. */
  async function usable(entry: Entry): Promise<NeonpanelClient | undefined> {
    const registration = await registrations.open(entry);
    if (registration?.neonpanelUrl !== neonpanelUrl || registration.redirectUri !== redirectUri) {
      return undefined;
    }
    const { managementUri, managementToken, registeredAt = 0 } = registration;
    // Once the token is over, a 401 says nothing about the client, and a new one would cost everybody their connection.
    const over = now() - registeredAt > MANAGEMENT_TOKEN_MS;
    if (!managementUri || over) return registration;
    const answer = await fetch(managementUri, {
      headers: { authorization: `Bearer ${managementToken}`, accept: 'application/json' },
    }).catch((cause) => {
      // No answer is no reason to stop using what worked so far.
      if (known?.client.clientId !== registration.clientId) {
        throw notReached('NeonPanel could not be reached', cause);
      }
    });
    return answer?.status === 401 || answer?.status === 404 ? undefined : registration;
  }

  async function register(replaced: Entry | undefined): Promise<NeonpanelClient> {
    const endpoint = await options.registrationEndpoint();
    const registration = await registerAt(endpoint, { fetch, neonpanelUrl, redirectUri, now });
    const expect: Expectation = replaced ? { version: replaced.version } : 'absent';
    // If another instance was quicker, its client is the one for all.
    return (await registrations.keep(registration, expect)) ? registration : storedOrNew();
  }
}

/** A client that NeonPanel forgets meanwhile is replaced after this, without a restart. */
const BELIEVED_MS = 60_000;
