import type { Command } from 'commander';
import { audit, type AuditFacts } from '../../audit.ts';
import { loadConfig } from '../../config.ts';
import { AdminError, Found } from '../errors.ts';
import { finishing } from './finish.ts';
import { JSON_OPTION } from './options.ts';
import { missingPlace } from './place.ts';
import { type Session, withSession } from './session.ts';
import type { Terminal } from '../terminal.ts';

/**
 * Every command either looks (`query`) or changes something (`change`). Options that all of them have, the question
 * before a change, its dry run and its line in the audit log are here, so that no command can do without.
 */

/** The same thing for people and, with --json, for scripts. */
export interface Report {
  /** Lines, the last one without an end. */
  readonly text: string;
  readonly json: object;
  /** The command did its work, and what it found is not as it should be. */
  readonly failed?: boolean;
}

export interface Change {
  /** What is going to happen. It is all that --dry-run prints; `text` is what the question is about. */
  readonly plan: Report;
  /**
   * Nothing is going to happen: there is nothing to ask and nothing to write down. The JSON is that of a report of `apply`,
   * so that a script meets one shape.
   */
  readonly nothing?: object | undefined;
  /** @returns what has happened, and what the audit log says of it */
  apply(): Promise<{ report: Report; facts?: Omit<AuditFacts<'admin'>, 'outcome'> }>;
}

type Options = Readonly<Record<string, unknown>>;

/** A command that only looks. @param look gets the options, then the arguments in their order */
export function query<A extends readonly string[]>(
  command: Command,
  terminal: Terminal,
  look: (session: Session, options: Options, ...args: A) => Promise<Report>,
): Command {
  return command.option(...JSON_OPTION).action(async () => {
    const options = command.opts<Options>();
    await withSession(terminal, async (session) =>
      print(terminal, options, await look(session, options, ...(command.processedArgs as never))),
    );
  });
}

/** The same for one that must say something even where the environment or the store can't be used. */
export function inspection(
  command: Command,
  terminal: Terminal,
  look: (options: Options) => Promise<Report>,
): Command {
  return command.option(...JSON_OPTION).action(async () => {
    const options = command.opts<Options>();
    print(terminal, options, await look(options));
  });
}

/**
 * A command that changes something. Without --yes it asks; where nobody can answer, it refuses.
 *
 * @param prepare finds out what would happen and changes nothing
 * @param options.mayBegin it may be the first that ever happens to this store, and makes it then
 */
export function change<A extends readonly string[]>(
  command: Command,
  terminal: Terminal,
  prepare: (session: Session, options: Options, ...args: A) => Promise<Change>,
  { mayBegin = false }: { mayBegin?: boolean } = {},
): Command {
  return command
    .option(...JSON_OPTION)
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--yes', 'do not ask')
    .action(async () => {
      const options = command.opts<Options>();
      const planIn = (session: Session): Promise<Change> =>
        prepare(session, options, ...(command.processedArgs as never));
      const missing = mayBegin ? missingPlace(loadConfig(terminal.env)) : undefined;
      if (missing) {
        // Planned beside the place, so that nothing is made before somebody has said yes.
        const ask = async (session: Session) =>
          asked(terminal, options, await planIn(session), missing);
        if (!(await withSession(terminal, ask, 'scratch'))) return;
      }
      const work = async (session: Session) => {
        const planned = await planIn(session);
        if (!missing && !(await asked(terminal, options, planned))) return;
        const name = commandName(command);
        print(terminal, options, await finishing(terminal, () => applied(session, name, planned)));
      };
      await withSession(terminal, work, missing ? 'new' : 'existing');
    });
}

/**
 * @param missing what is made besides
 * @returns false if all has been said: nothing is to be done
 * @throws AdminError if nobody says yes
 */
async function asked(
  terminal: Terminal,
  options: Options,
  { plan, nothing }: Change,
  missing?: string,
): Promise<boolean> {
  const text = missing ? `${beginning(missing)}\n${plan.text}` : plan.text;
  if (options.dryRun || nothing) {
    const json = options.dryRun ? { dryRun: true, ...plan.json } : nothing!;
    const said =
      options.dryRun && !nothing ? `This would happen; nothing was changed:\n${text}` : text;
    print(terminal, options, { ...plan, text: said, json });
    return false;
  }
  if (options.yes) {
    if (missing) terminal.err(`${beginning(missing)}\n`);
    return true;
  }
  if (!terminal.isInteractive) {
    throw new AdminError('not_confirmed', `Nobody is there to confirm; add --yes.\n${text}`);
  }
  terminal.err(`${text}\n`);
  if (await terminal.confirm('Go on?')) return true;
  throw new AdminError('not_confirmed', 'Nothing done.');
}

const beginning = (missing: string): string =>
  `There is no ${missing} yet, so it is made. If the server has been started before, then DATA_DIR or SQLITE_PATH are not its.`;

async function applied(session: Session, name: string, planned: Change): Promise<Report> {
  const { log, actor } = session;
  try {
    const { report, facts } = await planned.apply();
    audit(log, 'admin', { outcome: 'success', command: name, actor, ...facts });
    return report;
  } catch (error) {
    const isRefusal = error instanceof AdminError && error.code !== 'failed';
    const outcome = isRefusal ? 'refused' : 'failed';
    audit(log, 'admin', { outcome, command: name, actor, cause: (error as Error).message });
    throw error;
  }
}

/** `keys rotate` */
function commandName(command: Command): string {
  const parent = command.parent?.parent ? `${commandName(command.parent)} ` : '';
  return parent + command.name();
}

function print(terminal: Terminal, options: Options, report: Report): void {
  terminal.out(`${options.json ? JSON.stringify(report.json, undefined, 2) : report.text}\n`);
  if (report.failed) throw new Found();
}
