import { Command, CommanderError } from 'commander';
import { SealBroken } from '../../adapters/secrets.ts';
import { ConfigError } from '../../config.ts';
import { StoreUnavailable } from '../../errors.ts';
import { StageError } from '../../keys/stages.ts';
import { doctorCommand } from '../doctor/command.ts';
import { AdminError, EXIT, type ErrorCode, Found } from '../errors.ts';
import { clientsCommand } from './clients.ts';
import { configCommand } from './config.ts';
import { grantsCommand } from './grants.ts';
import { keysCommand } from './keys.ts';
import { neonpanelCommand } from './neonpanel.ts';
import { asForbidden } from './place.ts';
import type { Terminal } from '../terminal.ts';
import { vaultCommand } from './vault.ts';

/**
 * `npm run admin -- …`: the one command by which this server is run. It works on the store of the running instances,
 * while they run.
 *
 * @param args what follows the command's name
 * @returns the exit code, one of EXIT
 */
export async function runAdmin(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    const program = createProgram(terminal);
    await program.parseAsync(idsLast(asHelp(args), flagsOf(program)), { from: 'user' });
    return EXIT.done;
  } catch (error) {
    return failed(error as Error, args.includes('--json'), terminal);
  }
}

function createProgram(terminal: Terminal): Command {
  const program = new Command('admin')
    .description('Runs this server: keys, clients, grants, sealed records, and what is wrong.')
    .exitOverride()
    .enablePositionalOptions()
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err })
    .showHelpAfterError('(add --help for what there is)')
    .addHelpText('after', EXIT_CODES);
  program.addCommand(keysCommand(terminal));
  program.addCommand(clientsCommand(terminal));
  program.addCommand(grantsCommand(terminal));
  program.addCommand(neonpanelCommand(terminal));
  program.addCommand(configCommand(terminal));
  program.addCommand(vaultCommand(terminal));
  program.addCommand(doctorCommand(terminal));
  return inheritSettings(program);
}

/**
 * Ids are random base64url, and one in 64 begins with a dash. It must not be taken for options: there are none with one
 * dash but -h. One in 4,096 begins with two, and is told by its length. What follows an option may be its value, and stays.
 */
function idsLast(args: readonly string[], { all, flags }: Flags): string[] {
  const isId = (arg: string, i: number) =>
    /^-[\w-]{9,}$/.test(arg) &&
    (!arg.startsWith('--') || (arg.length === ID_LENGTH && !all.has(arg))) &&
    (!args[i - 1]?.startsWith('--') || flags.has(args[i - 1]!));
  if (args.includes('--') || !args.some(isId)) return [...args];
  return [...args.filter((arg, i) => !isId(arg, i)), '--', ...args.filter(isId)];
}

const ID_LENGTH = 43;

interface Flags {
  /** Every option of every command. */
  readonly all: ReadonlySet<string>;
  /** Those that take no value. */
  readonly flags: ReadonlySet<string>;
}

function flagsOf(program: Command): Flags {
  const commandsOf = (command: Command): Command[] => [
    command,
    ...command.commands.flatMap(commandsOf),
  ];
  const options = commandsOf(program).flatMap((command) => command.options);
  const names = (of: typeof options) => new Set(of.flatMap(({ long }) => long ?? []));
  return { all: names(options), flags: names(options.filter((option) => option.isBoolean())) };
}

/** `help keys rotate`: commander's own goes one level deep. */
const asHelp = (args: readonly string[]): readonly string[] =>
  args[0] === 'help' && args.length > 1 ? [...args.slice(1), '--help'] : args;

/** `addCommand` hands nothing on, as `command` would. */
function inheritSettings(command: Command): Command {
  for (const child of command.commands) inheritSettings(child.copyInheritedSettings(command));
  return command;
}

const EXIT_CODES = `
Exit codes: ${Object.entries(EXIT)
  .map(([code, value]) => `${value} ${code}`)
  .join(', ')}`;

function failed(error: Error, asJson: boolean, terminal: Terminal): number {
  if (error instanceof Found) return error.exitCode;
  const isCommander = error instanceof CommanderError;
  // Help that was asked for is none of our failures.
  if (isCommander && error.exitCode === 0) return EXIT.done;
  const { code, message } = isCommander ? usage(error) : explain(error);
  // For people, commander has written what it has to say.
  if (isCommander && !asJson) return EXIT.usage;
  if (asJson) terminal.out(`${JSON.stringify({ error: code, message }, undefined, 2)}\n`);
  else terminal.err(`${message}\n`);
  return EXIT[code];
}

function usage({ code, message }: CommanderError): { code: ErrorCode; message: string } {
  const isWithoutVerb = code === 'commander.help';
  const text = isWithoutVerb ? 'a command is missing; --help lists them' : message;
  return { code: 'usage', message: text.replace(/^error: /, '') };
}

function explain(error: Error): { code: ErrorCode; message: string } {
  if (error instanceof AdminError) return { code: error.code, message: error.message };
  if (error instanceof StageError) return { code: 'refused', message: error.message };
  if (error instanceof ConfigError) return { code: 'usage', message: error.message };
  if (error instanceof SealBroken) {
    return {
      code: 'failed',
      message: 'MASTER_KEYS does not contain the key that this store was sealed with.',
    };
  }
  if (error instanceof StoreUnavailable) {
    return { code: 'failed', message: `The store does not answer: ${error.detail}.` };
  }
  const forbidden = asForbidden(error);
  if (forbidden) return { code: forbidden.code, message: forbidden.message };
  if (/^(Exit|Abort)PromptError$/.test(error.name))
    return { code: 'not_confirmed', message: 'Nothing done.' };
  return { code: 'failed', message: `Failed: ${error.message}` };
}
