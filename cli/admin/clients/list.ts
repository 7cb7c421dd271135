import { createClientRecords } from '../../../adapters/client-records.ts';
import { createGrants, type StoredGrant } from '../../../adapters/grants.ts';
import { AdminError } from '../../errors.ts';
import { andMore, firstOf } from '../first.ts';
import type { Session } from '../session.ts';
import { dateTime, iso, table } from '../table.ts';
import type { Report } from '../verbs.ts';
import {
  allClients,
  type ClientRow,
  matches,
  ORDERS,
  rowOf,
  rowWithout,
  useByClient,
} from './overview.ts';

export interface ListOptions {
  readonly search?: string;
  readonly kind?: string;
  readonly sort: keyof typeof ORDERS;
  readonly limit: number;
}

/** `clients list` */
export async function listClients(session: Session, options: ListOptions): Promise<Report> {
  const records = createClientRecords(session);
  const { search, kind, sort, limit } = options;
  const use = await useByClient(createGrants(session.store));
  async function* wanted() {
    for await (const row of allClients(records, use)) {
      if ((!search || matches(row, search)) && (!kind || row.kind === kind)) yield row;
    }
  }
  const { first, count } = await firstOf(wanted(), limit, ORDERS[sort]);
  const rows = first.map((row) => [
    row.clientId,
    row.kind,
    short(row.name, 30),
    short(row.hosts.join(' '), 40),
    String(row.liveGrants),
    time(row.lastUsed),
    time(row.registeredAt),
  ]);
  const head = ['CLIENT', 'KIND', 'NAME', 'REDIRECTS TO', 'LIVE GRANTS', 'LAST USED', 'REGISTERED'];
  const text = table(head, rows, 'No such client.') + andMore(first.length, count);
  return { text, json: { count, clients: first.map(rowJson) } };
}

/** `clients show` */
export async function showClient(session: Session, clientId: string): Promise<Report> {
  const client = await createClientRecords(session).find(clientId);
  const grants = await grantsOf(session, clientId);
  if (!client && grants.count === 0) throw unknownClient(clientId);
  const use = {
    grants: grants.count,
    lastUsed: Math.max(0, ...grants.first.map(({ grant }) => grant.rotatedAt)),
  };
  const row = client ? rowOf(client, use.grants > 0 ? use : undefined) : rowWithout(clientId, use);
  // Its grant is part of it: without one it gets no token.
  const isCut = row.kind === 'service' && row.liveGrants === 0;
  const metadata = client?.metadata;
  const lines: [string, string | undefined][] = [
    ['client', clientId],
    ['kind', row.kind],
    ['name', row.name],
    ['redirect URIs', metadata?.redirect_uris?.join('\n')],
    ['redirects to', row.hosts.join(' ')],
    ['authenticates by', metadata?.token_endpoint_auth_method],
    ['grant types', metadata?.grant_types?.join(' ')],
    ['registered', time(row.registeredAt)],
    ['last used', time(row.lastUsed)],
    ['record goes', client && (row.expiresAt ? `after ${time(row.expiresAt)}` : 'when revoked')],
    [
      'live grants',
      isCut ? `0: not connected: clients reconnect ${clientId}` : String(row.liveGrants),
    ],
    ...grants.first.map(({ grantId, grant }): [string, string] => [
      '',
      `${grantId}  ${grant.accountId}  ${grant.scope}  since ${dateTime(grant.createdAt)}`,
    ]),
  ];
  const text = lines
    .filter(([, value]) => value)
    .flatMap(([name, value]) =>
      value!.split('\n').map((line, i) => `${(i === 0 ? name : '').padEnd(18)}${line}`),
    )
    .join('\n');
  const json = {
    ...rowJson(row),
    ...(metadata && { metadata }),
    grants: grants.first.map(({ grantId, grant }) => ({
      grant: grantId,
      subject: grant.accountId,
      scope: grant.scope,
      createdAt: iso(grant.createdAt),
      lastUsed: iso(grant.rotatedAt),
    })),
  };
  return { text, json };
}

const SHOWN_GRANTS = 20;

function grantsOf({ store }: Session, clientId: string) {
  async function* own() {
    for await (const one of createGrants(store).all()) {
      if (one.grant.clientId === clientId) yield one;
    }
  }
  const newestFirst = (a: StoredGrant, b: StoredGrant) => b.grant.rotatedAt - a.grant.rotatedAt;
  return firstOf(own(), SHOWN_GRANTS, newestFirst);
}

export const unknownClient = (clientId: string) =>
  new AdminError('not_found', `There is no client ${clientId}.`);

const rowJson = ({ lastUsed, registeredAt, expiresAt, ...row }: ClientRow) => ({
  ...row,
  lastUsed: iso(lastUsed),
  registeredAt: iso(registeredAt),
  expiresAt: iso(expiresAt),
});

const time = (ms: number | undefined) => (ms ? dateTime(ms) : '–');
const short = (text: string, most: number) =>
  text.length > most ? `${text.slice(0, most - 1)}…` : text;
