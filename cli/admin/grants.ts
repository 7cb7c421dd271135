import { Command } from 'commander';
import { createClientRecords } from '../../adapters/client-records.ts';
import { unknownClient } from './clients/list.ts';
import { AdminError } from '../errors.ts';
import { andMore, firstOf, isAny } from './first.ts';
import {
  describeOutcome,
  endAll,
  type FoundGrant,
  outcomeJson,
  selected,
  type Selection,
} from './grants/grants.ts';
import { age, example, limit } from './options.ts';
import type { Session } from './session.ts';
import { counted, dateTime, iso, table } from './table.ts';
import type { Terminal } from '../terminal.ts';
import { type Change, change, query, type Report } from './verbs.ts';

/** `admin grants …` */
export function grantsCommand(terminal: Terminal): Command {
  const grants = new Command('grants').description(
    'Grants: what a user allowed a client, with its NeonPanel credential and all its tokens.',
  );

  const list = select(new Command('list'))
    .description('Show live grants, the newest first.')
    .option('--limit <n>', 'how many; 0 is all', limit, 50)
    .addHelpText('after', example('grants list --user 90417', 'grants list --unused-for 30d'));
  grants.addCommand(
    query(list, terminal, (session, options) =>
      listGrants(session, options as Selection, Number(options.limit)),
    ),
  );

  const revoke = select(new Command('revoke'))
    .argument('[id]', 'one grant, as `list` and the audit log name it')
    .description(
      'End grants: their tokens stop working everywhere within a second, their NeonPanel credentials are deleted, and revoked there if NeonPanel offers it. By age alone, service accounts are spared.',
    )
    .addHelpText(
      'after',
      example('grants revoke --user 90417', 'grants revoke --client ID --older-than 90d --yes'),
    );
  grants.addCommand(
    change<string[]>(revoke, terminal, (session, options, ...[id]) =>
      revokedGrants(session, { ...(options as Selection), id }),
    ),
  );
  return grants;
}

const select = (command: Command): Command =>
  command
    .option('--user <subject>', 'of this NeonPanel user (`subject` in the audit log)')
    .option('--client <id>', 'of this client')
    .option('--older-than <age>', 'made longer ago than, e.g. 90d', age)
    .option('--unused-for <age>', 'without a new token for, e.g. 30d', age);

const newestFirst = (a: FoundGrant, b: FoundGrant) => b.grant.createdAt - a.grant.createdAt;
const HEAD = ['GRANT', 'USER', 'CLIENT', 'SCOPE', 'SINCE', 'LAST USED'];

async function listGrants(session: Session, selection: Selection, most: number): Promise<Report> {
  const { first, count } = await firstOf(selected(session, selection), most, newestFirst);
  const text = tableOf(first, 'No such grant.') + andMore(first.length, count);
  return { text, json: { count, grants: first.map(grantJson) } };
}

/** What is shown of the grants that a question is about. */
const SHOWN = 10;

async function revokedGrants(session: Session, options: Selection): Promise<Change> {
  const { id, user, client, olderThan, unusedFor } = options;
  if ([id, user, client, olderThan, unusedFor].every((given) => given === undefined)) {
    const message = 'Say which grants: an id, --user, --client, --older-than or --unused-for.';
    throw new AdminError('usage', message);
  }
  // A service account lives until it is revoked by name: being old is no reason.
  const usersOnly = [id, user, client].every((given) => given === undefined);
  const selection = { ...options, usersOnly };
  const { first, count } = await firstOf(selected(session, selection), SHOWN, newestFirst);
  if (count === 0) await assertSomeoneIsMeant(session, options);
  const rest = count > first.length ? `\nand ${count - first.length} more` : '';
  const text = `To be ended: ${counted(count, 'grant')}.\n${tableOf(first, 'none')}${rest}`;
  return {
    plan: { text, json: { count, grants: first.map(grantJson) } },
    nothing: count === 0 ? outcomeJson({ ended: 0 }) : undefined,
    async apply() {
      const outcome = await endAll(session, selected(session, selection));
      const facts = { grant: id, subject: user, client_id: client, count: outcome.ended };
      return { report: { text: describeOutcome(outcome), json: outcomeJson(outcome) }, facts };
    },
  };
}

/**
 * Of somebody who has connections nothing may be old enough; but of nobody there is nothing to end.
 * @throws AdminError
 */
async function assertSomeoneIsMeant(session: Session, { id, user, client }: Selection) {
  const exists = (selection: Selection) => isAny(selected(session, selection));
  if (id !== undefined) {
    const message = (await exists({ id }))
      ? `The grant ${id} is live, and not one that the options mean: nothing is ended.`
      : `There is no live grant ${id}.`;
    throw new AdminError('not_found', message);
  }
  if (user !== undefined && !(await exists({ user }))) {
    throw new AdminError('not_found', `There is no live grant of the user ${user}.`);
  }
  if (client === undefined || (await exists({ client }))) return;
  if (!(await createClientRecords(session).find(client))) throw unknownClient(client);
}

const tableOf = (grants: readonly FoundGrant[], empty: string): string =>
  table(
    HEAD,
    grants.map(({ grantId, grant: { accountId, clientId, scope, createdAt, rotatedAt } }) => [
      grantId,
      accountId,
      clientId,
      scope,
      dateTime(createdAt),
      dateTime(rotatedAt),
    ]),
    empty,
  );

const grantJson = ({ grantId, grant }: FoundGrant) => ({
  grant: grantId,
  subject: grant.accountId,
  client: grant.clientId,
  scope: grant.scope,
  createdAt: iso(grant.createdAt),
  lastUsed: iso(grant.rotatedAt),
});
