import { batches } from '../../../adapters/batches.ts';
import { createConnections } from '../../../adapters/connections.ts';
import { createGrantEnding, type GrantEnding, type Told } from '../../../adapters/grant-ending.ts';
import { createGrants, type Grant, isService } from '../../../adapters/grants.ts';
import { connectNeonpanel } from '../../../adapters/neonpanel/connect.ts';
import { type NeonpanelCredential, NeonpanelError } from '../../../adapters/neonpanel/neonpanel.ts';
import { createVault } from '../../../adapters/vault.ts';
import { audit } from '../../../audit.ts';
import { PATHS } from '../../../auth/paths.ts';
import { counted } from '../table.ts';
import type { Session } from '../session.ts';

/** Which grants are meant: all of these hold. */
export interface Selection {
  readonly id?: string | undefined;
  readonly user?: string | undefined;
  readonly client?: string | undefined;
  /** Milliseconds since the code was redeemed. */
  readonly olderThan?: number | undefined;
  /** Milliseconds since the last token. */
  readonly unusedFor?: number | undefined;
  /** Leave out those of service clients. */
  readonly usersOnly?: boolean | undefined;
}

export interface FoundGrant {
  readonly grantId: string;
  readonly grant: Grant;
}

/** Goes through all grants, unless there can be but one. */
export async function* selected(
  { store, now }: Pick<Session, 'store' | 'now'>,
  selection: Selection,
): AsyncGenerator<FoundGrant> {
  const grants = createGrants(store);
  const { id, user, client, olderThan = -Infinity, unusedFor = -Infinity } = selection;
  const isMeant = ({ clientId, accountId, createdAt, rotatedAt }: Grant): boolean =>
    !(selection.usersOnly && isService({ accountId })) &&
    (user === undefined || accountId === user) &&
    (client === undefined || clientId === client) &&
    now() - createdAt >= olderThan &&
    now() - rotatedAt >= unusedFor;
  if (id !== undefined) {
    const found = await grants.find(id);
    if (found && isMeant(found.grant)) yield { grantId: id, grant: found.grant };
    return;
  }
  for await (const { grantId, grant } of grants.all()) {
    if (isMeant(grant)) yield { grantId, grant };
  }
}

/** What became of ending grants: how many, and how NeonPanel took it. */
export type Outcome = { ended: number } & Partial<Record<Told, number>>;

/** At a time: NeonPanel is told of each. */
const AT_ONCE = 8;
/** After so many failures in a row NeonPanel is left alone: it is away, and its time-outs would add up to hours. */
const MAX_FAILURES = 5;

/** Ends grants as they come, each with a line in the audit log. */
export async function endAll(
  session: Session,
  grants: AsyncIterable<FoundGrant>,
): Promise<Outcome> {
  const { log } = session;
  const outcome: Outcome = { ended: 0 };
  await withEnding(session, async (ending) => {
    for await (const batch of batches(grants, AT_ONCE)) {
      await Promise.all(
        batch.map(async ({ grantId }) => {
          const { grant, told } = await ending.end(grantId, 'operator');
          // It ended by itself meanwhile.
          if (!grant) return;
          const { clientId: client_id, accountId: subject } = grant;
          audit(log, 'grant.ended', { outcome: 'revoked', client_id, grant: grantId, subject });
          outcome.ended++;
          const how = await told;
          outcome[how] = (outcome[how] ?? 0) + 1;
        }),
      );
    }
  });
  return outcome;
}

async function withEnding(session: Session, work: (ending: GrantEnding) => Promise<void>) {
  const { config, store, secrets, log, now } = session;
  const redirectUri = config.publicUrl + PATHS.callback;
  const neonpanel = connectNeonpanel({ ...session, redirectUri });
  let failures = 0;
  async function revoke(credential: NeonpanelCredential): Promise<boolean> {
    if (failures >= MAX_FAILURES) {
      throw new NeonpanelError('unavailable', 'NeonPanel did not answer the ones before');
    }
    try {
      const offered = await neonpanel.login.revoke(credential);
      failures = 0;
      return offered;
    } catch (error) {
      if (error instanceof NeonpanelError) failures++;
      throw error;
    }
  }
  const grantLifetimeSeconds = config.refreshTokenTtlSeconds;
  const connections = createConnections({ store, log, grantLifetimeSeconds, now });
  const ending = createGrantEnding({
    grants: createGrants(store),
    vault: createVault({ store, secrets }),
    connections,
    login: { revoke },
    log,
  });
  try {
    await work(ending);
  } finally {
    await ending.close();
    await connections.close();
    await neonpanel.close();
  }
}

export const outcomeJson = ({ ended, success = 0, failed = 0 }: Outcome) => ({
  ended,
  atNeonpanel: { revoked: success, failed },
});

/** `Ended 3 grants. At NeonPanel: 2 revoked there, too, 1 could not be revoked there …` */
export function describeOutcome({ ended, ...told }: Outcome): string {
  const of = (told: number | undefined, what: string) => (told ? [`${told} ${what}`] : []);
  const parts = [
    ...of(told.success, 'revoked there, too'),
    ...of(told.failed, 'could not be revoked there and end by themselves'),
  ];
  const atNeonpanel = parts.length > 0 ? ` At NeonPanel: ${parts.join(', ')}.` : '';
  const notOffered = told['not offered'] ? ' NeonPanel offers no revocation.' : '';
  return `Ended ${counted(ended, 'grant')}.${atNeonpanel}${notOffered}`;
}
