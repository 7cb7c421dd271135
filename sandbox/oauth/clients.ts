import type { Clock } from '../clock.ts';
import { oauthRefusal } from '../errors.ts';
import type { State, Table } from '../state.ts';
import type { ClientMetadata } from './client-metadata.ts';
import { digest, randomHex } from './secrets.ts';

export type Client = {
  id: string;
  metadata: ClientMetadata;
  secretDigest?: string;
  issuedAt: number;
  registrationDigest: string;
  registrationExpiresAt: number;
};

export type Clients = {
  find(id: string): Client | undefined;
  /** Secrets are returned once and kept as digests only. */
  create(metadata: ClientMetadata): { client: Client; secret?: string; registrationToken: string };
  update(client: Client): void;
  delete(id: string): void;
  renewRegistrationToken(client: Client): string;
  renewSecret(client: Client): string;
};

export const registrationTokenMs = 30 * 86_400_000;
const clientsMax = 20_000;

/** The registered clients. */
export function createClients(state: State, now: Clock): Clients {
  const table: Table<Client> = state.table('clients');
  const update = (client: Client) => table.put(client.id, client);

  return {
    find: (id) => table.get(id),
    create(metadata) {
      if (table.count() >= clientsMax) {
        throw oauthRefusal('temporarily_unavailable', 'Too many clients are registered.', 503);
      }
      const registrationToken = randomHex();
      const hasSecret = metadata.token_endpoint_auth_method.startsWith('client_secret');
      const secret = hasSecret ? randomHex() : undefined;
      const client: Client = {
        id: randomHex(),
        metadata,
        ...(secret && { secretDigest: digest(secret) }),
        issuedAt: now(),
        registrationDigest: digest(registrationToken),
        registrationExpiresAt: now() + registrationTokenMs,
      };
      update(client);
      return { client, registrationToken, ...(secret && { secret }) };
    },
    update,
    delete: (id) => table.delete(id),
    renewRegistrationToken(client) {
      const token = randomHex();
      update({
        ...client,
        registrationDigest: digest(token),
        registrationExpiresAt: now() + registrationTokenMs,
      });
      return token;
    },
    renewSecret(client) {
      const secret = randomHex();
      update({ ...client, secretDigest: digest(secret) });
      return secret;
    },
  };
}
