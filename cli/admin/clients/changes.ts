import { setTimeout as wait } from 'node:timers/promises';
import { createClientRecords, newSecret } from '../../../adapters/client-records.ts';
import { clientKey } from '../../../adapters/clients.ts';
import { createGrants, noTokensBefore, serviceGrant } from '../../../adapters/grants.ts';
import { tellOfServices } from '../../../adapters/services.ts';
import type { Store } from '../../../adapters/store.ts';
import { READ } from '../../../resource.ts';
import { AdminError } from '../../errors.ts';
import { countOf } from '../first.ts';
import { describeOutcome, endAll, type Outcome, outcomeJson, selected } from '../grants/grants.ts';
import type { Session } from '../session.ts';
import type { Change } from '../verbs.ts';
import { counted, lines } from '../table.ts';
import { unknownClient } from './list.ts';
import { neonpanelCredential } from './neonpanel-credential.ts';
import { atNeonpanel, connectionOf, scopeOf } from './service.ts';

/** Instances believe for 800 ms that they know a client: so long somebody may still redeem a code for one that is gone. */
const UNKNOWN_EVERYWHERE_MS = 1_000;

/** `clients revoke` */
export async function revokedClient(session: Session, clientId: string): Promise<Change> {
  const records = createClientRecords(session);
  const client = await records.find(clientId);
  const ofClient = () => selected(session, { client: clientId });
  const count = await countOf(ofClient());
  if (!client && count === 0) throw unknownClient(clientId);
  const name = client?.metadata.client_name ? ` (${client.metadata.client_name})` : '';
  const isDocument = URL.canParse(clientId);
  const more = isDocument
    ? '\nIt is known by its document: nothing keeps it from being connected again.'
    : '';
  const what = client ? 'The client and' : 'Of the client';
  const text = `${what} its ${counted(count, 'live grant')} end: ${clientId}${name}${more}`;
  return {
    plan: { text, json: { clientId, hasRecord: client !== undefined, grants: count } },
    async apply() {
      // The record last of a service client: its grant is part of it.
      if (client && client.kind !== 'service') await records.remove(clientId);
      const outcome = await endAll(session, ofClient());
      if (client?.kind === 'service') await removeService(session, clientId);
      if (client) await endLate(session, clientId, outcome);
      const report = {
        text: `${client ? `The client ${clientId} is gone. ` : ''}${describeOutcome(outcome)}`,
        json: { clientId, ...outcomeJson(outcome) },
      };
      return { report, facts: { client_id: clientId, count: outcome.ended } };
    },
  };
}

/** What was opened by an instance that did not know yet. */
async function endLate(session: Session, client: string, outcome: Outcome): Promise<void> {
  await wait(UNKNOWN_EVERYWHERE_MS);
  const late = await endAll(session, selected(session, { client }));
  for (const [what, count] of Object.entries(late) as [keyof Outcome, number][]) {
    outcome[what] = (outcome[what] ?? 0) + count;
  }
}

async function removeService(session: Session, clientId: string): Promise<void> {
  const records = createClientRecords(session);
  await records.remove(clientId);
  for await (const { kind } of records.all()) if (kind === 'service') return;
  await tellOfServices(session.store, false);
}

/** `clients rotate-secret` */
export async function rotatedSecret(session: Session, clientId: string): Promise<Change> {
  const records = createClientRecords(session);
  const client = await records.find(clientId);
  if (!client) throw unknownClient(clientId);
  if (!client.hasSecret) throw new AdminError('refused', 'This client has no secret.');
  const isService = client.kind === 'service';
  const ends = isService ? ' Tokens that were had with the old one end, too.' : '';
  const text = `${clientId} gets a new secret; the old one is refused within a second.${ends}`;
  return {
    plan: { text, json: { clientId, tokensEnd: isService } },
    async apply() {
      const clientSecret = newSecret();
      if (!(await records.replaceSecret(clientId, clientSecret))) throw unknownClient(clientId);
      if (isService) {
        // Whoever has the old secret may get one more token as long as an instance believes in it.
        await wait(UNKNOWN_EVERYWHERE_MS);
        await createGrants(session.store).endTokens(clientId, session.now());
      }
      const members = { clientId, clientSecret };
      const report = {
        text: `${lines(members)}\nThe client secret is shown this once only.`,
        json: members,
      };
      return { report, facts: { client_id: clientId } };
    },
  };
}

/** `clients reconnect`: a service client whose grant has ended, or whose NeonPanel credential is to be another. */
export async function reconnectedService(
  session: Session,
  options: { scope?: string; neonpanelCredentials?: string },
  clientId: string,
): Promise<Change> {
  const { store, now } = session;
  const client = await createClientRecords(session).find(clientId);
  if (!client) throw unknownClient(clientId);
  if (client.kind !== 'service') throw new AdminError('refused', 'This is no service client.');
  const old = await createGrants(store).find(clientId);
  const scope = options.scope ? scopeOf(options.scope) : (old?.grant.scope ?? READ);
  const credential = await neonpanelCredential(session, options.neonpanelCredentials);
  const plan = { clientId, scope, ...atNeonpanel(credential) };
  return {
    plan: {
      text: `The service client works with this credential from now on:\n${lines(plan)}`,
      json: plan,
    },
    async apply() {
      // Tokens from before were given for another credential or scope, or are revoked.
      const grant = { ...serviceGrant(clientId, scope, now()), ...noTokensBefore(now()) };
      const { accountId: subject } = grant;
      const expect = old ? { version: old.version } : 'absent';
      const records = await connectionOf(session, grant, credential, expect);
      if (!(await store.commit(records))) {
        throw new AdminError('conflict', 'Its grant was changed meanwhile; try again.');
      }
      await assertClientIsThere(store, clientId);
      const { neonpanelClient: neonpanel_client } = plan;
      const report = { text: `Connected.\n${lines(plan)}`, json: plan };
      return { report, facts: { client_id: clientId, grant: clientId, subject, neonpanel_client } };
    },
  };
}

/** Revoked at the same moment: then nothing of it may be left. */
async function assertClientIsThere(store: Store, clientId: string): Promise<void> {
  const [client] = await store.read(clientKey(clientId));
  if (client) return;
  await createGrants(store).revoke(clientId);
  throw unknownClient(clientId);
}
