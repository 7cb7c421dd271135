import { randomBytes } from 'node:crypto';
import type { AdapterPayload } from 'oidc-provider';
import { type ClientRecord, clientKey, isClientId } from './clients.ts';
import { credentialKey, grantKey } from './grants.ts';
import { recordsOf } from './records.ts';
import { isOfClient, sealContext } from './sealed-kinds.ts';
import { openIfPossible, type Secrets } from './secrets.ts';
import { type Entry, type Store, update, type Write } from './store.ts';
import { endWaiting, waitingKey } from './waiting-clients.ts';

/**
 * The records of clients as an operator works with them: all of them, those that the operator makes, and their end. What
 * serves requests is clients.ts.
 */
export type ClientMetadata = AdapterPayload;

export interface KnownClient {
  readonly clientId: string;
  readonly kind: 'registered' | 'pre-registered' | 'service';
  /** RFC 7591 metadata, without the secret. */
  readonly metadata: AdapterPayload;
  readonly hasSecret: boolean;
  /** Epoch milliseconds. */
  readonly registeredAt: number | undefined;
  /** Epoch milliseconds, to a day: when it was last given a grant or had one prolonged. */
  readonly usedAt: number | undefined;
  /** Epoch milliseconds at which the record goes by itself, if it does. */
  readonly expiresAt: number | undefined;
  /** It has never had a grant. */
  readonly waiting: boolean;
  /** Of the record that was read: it is removed only if it is still the same. */
  readonly version: string;
}

/** Records read in one round trip. */
const BATCH = 100;

export function createClientRecords({ store, secrets }: { store: Store; secrets: Secrets }) {
  return {
    /** Every client that has a record, in no order. @throws StoreUnavailable */
    async *all(): AsyncGenerator<KnownClient> {
      const how = { size: BATCH, only: isOfClient, beside: [waitingKey] };
      for await (const { key, entry, beside } of recordsOf(store, 'client', how)) {
        yield known(key.tag, entry, beside[0]);
      }
    },

    async find(clientId: string): Promise<KnownClient | undefined> {
      if (!isClientId(clientId) || !isOfClient(clientId)) return undefined;
      const [client, waiting] = await store.read(clientKey(clientId), waitingKey(clientId));
      return client && known(clientId, client, waiting);
    },

    /** Whether the secret can be opened: without it nobody finds the client any more. */
    async isUsable(clientId: string): Promise<boolean> {
      const [entry] = await store.read(clientKey(clientId));
      const { secret } = entry ? (JSON.parse(entry.value) as ClientRecord) : {};
      if (secret === undefined) return entry !== undefined;
      return (
        (await openIfPossible(secrets, secret, sealContext.clientSecret(clientId))) !== undefined
      );
    },

    /**
     * Stores a client that is never collected.
     * @param metadata with its client_id, and client_secret in the clear
     * @param also records of the same tag that are to be there with it
     */
    async add(
      kind: 'pre-registered' | 'service',
      { client_secret, ...metadata }: AdapterPayload & { client_id: string },
      also: readonly Write[] = [],
    ): Promise<void> {
      const id = metadata.client_id;
      const secret =
        typeof client_secret === 'string'
          ? { secret: await secrets.seal(client_secret, sealContext.clientSecret(id)) }
          : {};
      const put = JSON.stringify({ metadata, ...secret, kind } satisfies ClientRecord);
      const write = { key: clientKey(id), expect: 'absent', put, lifetime: 'forever' } as const;
      if (!(await store.commit([write, ...also]))) throw new Error('the client id is taken');
    },

    /** @returns false if the client is gone */
    async replaceSecret(clientId: string, clientSecret: string): Promise<boolean> {
      const secret = await secrets.seal(clientSecret, sealContext.clientSecret(clientId));
      const stored = await update(store, clientKey(clientId), (old) =>
        old === undefined
          ? undefined
          : { put: JSON.stringify({ ...JSON.parse(old), secret }), lifetime: 'keep' },
      );
      return stored !== undefined;
    },

    /** Of a service client its grant and credential go with it, all at once. */
    async remove(clientId: string): Promise<void> {
      const keys = [clientKey, waitingKey, grantKey, credentialKey].map((key) => key(clientId));
      await store.commit(keys.map((key) => ({ key, expect: 'any', remove: true })));
    },

    /**
     * Removes a client that nobody needs, unless somebody has begun to use it since it was read: a first grant, and one
     * after a long time, is written into the client's record before it is opened (clients.ts, keepFor).
     *
     * @returns false if it stays
     */
    async removeIfUnchanged({ clientId, version }: KnownClient): Promise<boolean> {
      const writes: Write[] = [
        { key: clientKey(clientId), expect: { version }, remove: true },
        endWaiting(clientId),
      ];
      return (await store.commit(writes)) !== undefined;
    },
  };
}

export type ClientRecords = ReturnType<typeof createClientRecords>;

/** A client id or a client_secret: 256 bits, as the engine makes them. */
export const newSecret = (): string => randomBytes(32).toString('base64url');

function known(clientId: string, client: Entry, waiting: Entry | undefined): KnownClient {
  const record = JSON.parse(client.value) as ClientRecord;
  const { metadata, kind = 'registered', usedAt, expiresAt } = record;
  const issuedAt: unknown = metadata.client_id_issued_at;
  return {
    clientId,
    kind,
    metadata,
    hasSecret: record.secret !== undefined,
    registeredAt: waiting
      ? Number(waiting.value)
      : typeof issuedAt === 'number'
        ? issuedAt * 1000
        : undefined,
    usedAt,
    expiresAt,
    waiting: waiting !== undefined,
    version: client.version,
  };
}
