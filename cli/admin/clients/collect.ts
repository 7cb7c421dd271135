import { createClientRecords, type KnownClient } from '../../../adapters/client-records.ts';
import { LIFETIME_AFTER_GRANT_MS } from '../../../adapters/clients.ts';
import { DAY_MS } from '../../../clock.ts';
import { createGrants } from '../../../adapters/grants.ts';
import { AdminError } from '../../errors.ts';
import type { Session } from '../session.ts';
import { counted, dateTime, table } from '../table.ts';
import type { Change } from '../verbs.ts';
import { useByClient } from './overview.ts';

/** Who registers has at least so long to sign in, however crowded it is (adapters/waiting-clients.ts). */
const MIN_WAIT_MS = DAY_MS;

interface Collectable {
  readonly client: KnownClient;
  readonly why: string;
}

/** What is listed of them. */
const SHOWN = 50;

/**
 * `clients gc`: clients that nobody needs by D13. Records end by themselves, so these are what was left by shorter
 * lifetimes, restored backups, or a flood of registrations. Those of an operator are never among them.
 *
 * @param waitingFor milliseconds since the registration of one that never completed a login
 */
export async function collectedClients(session: Session, waitingFor: number): Promise<Change> {
  if (waitingFor < MIN_WAIT_MS) {
    throw new AdminError(
      'usage',
      'Who registers has a day to sign in: --waiting-for takes 1d or more.',
    );
  }
  const records = createClientRecords(session);
  // The records before the grants: whoever gets a grant in between has changed its record by then.
  const candidates: Collectable[] = [];
  for await (const client of records.all()) {
    const why = await reason(session, client, waitingFor);
    if (why) candidates.push({ client, why });
  }
  const use = candidates.length > 0 ? await useByClient(createGrants(session.store)) : new Map();
  const found = candidates.filter(({ client }) => !use.has(client.clientId));

  const rows = found
    .slice(0, SHOWN)
    .map(({ client, why }) => [client.clientId, client.metadata.client_name ?? '', why]);
  const rest = found.length > SHOWN ? `\nand ${found.length - SHOWN} more` : '';
  const text = `${table(['CLIENT', 'NAME', 'WHY'], rows, 'There is nothing to collect.')}${rest}`;
  const clients = found.map(({ client, why }) => ({ clientId: client.clientId, why }));
  return {
    plan: { text, json: { count: found.length, clients } },
    nothing: found.length === 0 ? { removed: 0, spared: 0 } : undefined,
    async apply() {
      let removed = 0;
      for (const { client } of found) if (await records.removeIfUnchanged(client)) removed++;
      const spared = found.length - removed;
      const besides = spared > 0 ? ` ${spared} were used meanwhile and stay.` : '';
      const report = {
        text: `Removed ${counted(removed, 'client')}.${besides}`,
        json: { removed, spared },
      };
      return { report, facts: { count: removed } };
    },
  };
}

async function reason(
  { config, store, secrets, now }: Session,
  client: KnownClient,
  waitingFor: number,
): Promise<string | undefined> {
  const { kind, waiting, registeredAt, usedAt, hasSecret } = client;
  if (kind !== 'registered') return undefined;
  if (waiting && registeredAt !== undefined && now() - registeredAt >= waitingFor) {
    return `never completed a login since ${dateTime(registeredAt)}`;
  }
  if (usedAt !== undefined) {
    // As late as it can have been: `usedAt` is right to a day, and the grant may have slid on until then.
    const lastGrantEnded = usedAt + DAY_MS + config.refreshTokenTtlSeconds * 1000;
    if (now() > lastGrantEnded + LIFETIME_AFTER_GRANT_MS) {
      return `its last grant ended before ${dateTime(lastGrantEnded)}`;
    }
  }
  const usable =
    !hasSecret || (await createClientRecords({ store, secrets }).isUsable(client.clientId));
  return usable ? undefined : 'MASTER_KEYS no longer open its secret, so it is unknown already';
}
