import { createBoundedMap } from '../bounded-map.ts';
import { DAY_MS, isFresh } from '../clock.ts';
import type { AdapterPayload } from 'oidc-provider';
import { sealContext } from './sealed-kinds.ts';
import { openIfPossible, type Secrets } from './secrets.ts';
import { type Entry, type Key, type Store, update } from './store.ts';
import { endWaiting, startWaiting } from './waiting-clients.ts';

/**
 * Registered clients. One that never completed a login lives 30 days; one that ever had a grant lives until 180 days
 * after its last grant ended: hosted clients keep one client_id for a connector and can't recover a lost one. When too
 * many wait for their first login, the oldest of those go sooner (waiting-clients.ts). Those that an operator made live
 * until they are revoked (client-records.ts).
 */
export interface Clients {
  /** RFC 7591 metadata, client_secret in the clear. @throws StoreUnavailable */
  find(clientId: string): Promise<AdapterPayload | undefined>;
  /** Stores a newly registered client. @throws StoreUnavailable */
  put(clientId: string, metadata: AdapterPayload): Promise<void>;
  /**
   * Keeps a client that has, or is about to get, a grant until `grantEndsAt` (epoch ms), and lets nobody collect it any
   * more. Writes at most once a day per client.
   * @returns false if the client is gone: it must not get the grant
   * @throws StoreUnavailable
   */
  keepFor(clientId: string, grantEndsAt: number): Promise<boolean>;
  remove(clientId: string): Promise<void>;
}

export interface ClientRecord {
  /** Metadata without the secret. */
  readonly metadata: AdapterPayload;
  /** The client_secret, sealed: it is needed again in the clear to compare it. */
  readonly secret?: string;
  /** Epoch milliseconds at which the record goes; one without it is never collected. */
  readonly expiresAt?: number;
  /** Made by an operator; one that registered itself has none. */
  readonly kind?: 'pre-registered' | 'service';
  /** Epoch milliseconds at which it was last given a grant or had one prolonged, to a day. */
  readonly usedAt?: number;
}

export const UNUSED_LIFETIME_MS = 30 * DAY_MS;
export const LIFETIME_AFTER_GRANT_MS = 180 * DAY_MS;
/** What a removed client may still do for: the same bound that holds for revoked grants. */
const CACHE_MS = 800;
const CACHE_SIZE = 1_000;

export function createClients(options: {
  store: Store;
  secrets: Secrets;
  now: () => number;
}): Clients {
  const { store, secrets, now } = options;
  const cache = createBoundedMap<{ metadata: AdapterPayload; entry: Entry; asOf: number }>(
    CACHE_SIZE,
  );

  return {
    async find(clientId) {
      if (!isClientId(clientId)) return undefined;
      const cached = cache.get(clientId);
      if (cached && isFresh(cached.asOf, now(), CACHE_MS)) return cached.metadata;
      cache.delete(clientId);
      const asOf = now();
      const [entry] = await store.read(clientKey(clientId));
      if (!entry) return undefined;
      const record = JSON.parse(entry.value) as ClientRecord;
      let { metadata } = record;
      if (record.secret) {
        const secret = await openIfPossible(secrets, record.secret, secretContext(clientId));
        // A secret that can't be compared makes the client unknown; it then registers itself anew.
        if (typeof secret !== 'string') return undefined;
        metadata = { ...metadata, client_secret: secret };
      }
      cache.set(clientId, { metadata, entry, asOf });
      return metadata;
    },

    async put(clientId, { client_secret: secret, ...metadata }) {
      const asOf = now();
      const record: ClientRecord = {
        metadata,
        ...(typeof secret === 'string' && {
          secret: await secrets.seal(secret, secretContext(clientId)),
        }),
        expiresAt: asOf + UNUSED_LIFETIME_MS,
      };
      const value = JSON.stringify(record);
      const key = clientKey(clientId);
      const lifetime = UNUSED_LIFETIME_MS / 1000;
      const version = await store.commit([
        { key, expect: 'any', put: value, lifetime },
        startWaiting(clientId, asOf, lifetime),
      ]);
      // Who registers comes back at once.
      const known = secret === undefined ? metadata : { ...metadata, client_secret: secret };
      cache.set(clientId, { metadata: known, entry: { value, version: version! }, asOf });
    },

    async keepFor(clientId, grantEndsAt) {
      // Not one that registered with us, so not ours to keep.
      if (!isClientId(clientId)) return true;
      const expiresAt = grantEndsAt + LIFETIME_AFTER_GRANT_MS;
      const extend = (old: string | undefined) => {
        if (!old) return undefined;
        const record = JSON.parse(old) as ClientRecord;
        if (record.expiresAt === undefined) return usedToday(record) ? undefined : usedNow(record);
        if (record.expiresAt > expiresAt - DAY_MS) return undefined;
        const lifetime = Math.ceil((expiresAt - now()) / 1000);
        const put = JSON.stringify({ ...record, expiresAt, usedAt: now() });
        return { put, lifetime, also: [endWaiting(clientId)] };
      };
      const known = cache.get(clientId)?.entry;
      const kept = await update(store, clientKey(clientId), extend, known);
      if (kept !== known?.value) cache.delete(clientId);
      return kept !== undefined;
    },

    async remove(clientId) {
      cache.delete(clientId);
      if (!isClientId(clientId)) return;
      await store.commit([
        { key: clientKey(clientId), expect: 'any', remove: true },
        endWaiting(clientId),
      ]);
    },
  };

  function usedToday({ usedAt }: ClientRecord): boolean {
    return usedAt !== undefined && usedAt > now() - DAY_MS;
  }

  function usedNow(record: ClientRecord) {
    const put = JSON.stringify({ ...record, usedAt: now() });
    return { put, lifetime: 'forever', also: [] } as const;
  }
}

export const clientKey = (clientId: string): Key => ({ tag: clientId, kind: 'client' });
const secretContext = sealContext.clientSecret;

/** Strangers send any client_id; only our own form reaches the store. */
export const isClientId = (text: string) => /^[\w.~-]{8,128}$/.test(text);
