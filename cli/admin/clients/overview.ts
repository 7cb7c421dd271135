import { type ClientRecords, type KnownClient } from '../../../adapters/client-records.ts';
import type { Grants } from '../../../adapters/grants.ts';
import { redirectTarget } from '../../../auth/redirect-uri.ts';

/** One client as the list shows it. */
export interface ClientRow {
  readonly clientId: string;
  /** `document`: known by its metadata document, without a record; `gone`: its grants are all that is left. */
  readonly kind: KnownClient['kind'] | 'document' | 'gone';
  readonly name: string;
  /** Where its answers go, and nowhere else: hosts, schemes of apps, `loopback`. Of a document its own host. */
  readonly hosts: readonly string[];
  readonly liveGrants: number;
  /** Epoch milliseconds of its newest token; without a live grant, to a day. */
  readonly lastUsed: number | undefined;
  readonly registeredAt: number | undefined;
  readonly expiresAt: number | undefined;
}

/** What the grants say about one client. */
export interface Use {
  grants: number;
  lastUsed: number;
}

/** A few bytes for each client that has a grant; the grants themselves pass by. */
export async function useByClient(grants: Grants): Promise<Map<string, Use>> {
  const use = new Map<string, Use>();
  for await (const { grant } of grants.all()) {
    const of = use.get(grant.clientId) ?? { grants: 0, lastUsed: 0 };
    of.grants++;
    of.lastUsed = Math.max(of.lastUsed, grant.rotatedAt);
    use.set(grant.clientId, of);
  }
  return use;
}

/** Every client: those with a record, and those of which there are only grants. */
export async function* allClients(
  records: ClientRecords,
  use: Map<string, Use>,
): AsyncGenerator<ClientRow> {
  const left = new Map(use);
  for await (const client of records.all()) {
    left.delete(client.clientId);
    yield rowOf(client, use.get(client.clientId));
  }
  for (const [clientId, of] of left) yield rowWithout(clientId, of);
}

export function rowOf(client: KnownClient, use: Use | undefined): ClientRow {
  const { clientId, kind, metadata, registeredAt, expiresAt } = client;
  return {
    clientId,
    kind,
    name: metadata.client_name ?? '',
    hosts: [...new Set((metadata.redirect_uris ?? []).map(hostOf))],
    liveGrants: use?.grants ?? 0,
    lastUsed: latest(use?.lastUsed, client.usedAt),
    registeredAt,
    expiresAt,
  };
}

export function rowWithout(clientId: string, use: Use | undefined): ClientRow {
  const url = URL.parse(clientId);
  return {
    clientId,
    kind: url ? 'document' : 'gone',
    name: '',
    hosts: url ? [url.host] : [],
    liveGrants: use?.grants ?? 0,
    lastUsed: use?.lastUsed,
    registeredAt: undefined,
    expiresAt: undefined,
  };
}

function hostOf(redirectUri: string): string {
  const { kind, name } = redirectTarget(redirectUri);
  if (kind === 'app') return `${name}:`;
  return kind === 'loopback' ? 'loopback' : name;
}

function latest(...times: (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length > 0 ? Math.max(...known) : undefined;
}

export function matches({ clientId, name, hosts }: ClientRow, search: string): boolean {
  const wanted = search.toLowerCase();
  return [clientId, name, ...hosts].some((text) => text.toLowerCase().includes(wanted));
}

/** By the newest or most first; names and hosts from a to z. */
export const ORDERS = {
  used: (a, b) => (b.lastUsed ?? 0) - (a.lastUsed ?? 0),
  registered: (a, b) => (b.registeredAt ?? 0) - (a.registeredAt ?? 0),
  grants: (a, b) => b.liveGrants - a.liveGrants,
  name: (a, b) => a.name.localeCompare(b.name),
  host: (a, b) => (a.hosts[0] ?? '').localeCompare(b.hosts[0] ?? ''),
} satisfies Record<string, (a: ClientRow, b: ClientRow) => number>;
