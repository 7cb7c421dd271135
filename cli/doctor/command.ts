import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { AdminError, Found } from '../errors.ts';
import type { Terminal } from '../terminal.ts';
import { diagnose, type DoctorOptions } from './index.ts';
import { createProgress, failures, headLine, summary } from './print.ts';
import { type SignIn, signInByBrowser, signInHeadless } from './sign-in.ts';
import { NotAnAddress, understand } from './target.ts';

interface Flags {
  readonly json?: boolean;
  readonly login?: boolean;
  readonly browser?: boolean;
  readonly email?: string;
  readonly passwordFile?: string;
  readonly everyShape?: boolean;
  readonly registrationTokenFile?: string;
  readonly caFile?: string;
}

/**
 * `admin doctor URL`: speaks to a server from outside and says what is wrong with it. Ends with `Found`, exit code 1, if
 * something failed; with a usage error, exit code 2, if it was called in a way that makes no sense.
 */
export function doctorCommand(terminal: Terminal): Command {
  return new Command('doctor')
    .description('Examines a server from outside, as a client would; names cause and fix.')
    .argument('<url>', 'its origin, its MCP address, or any address of it')
    .option(
      '--json',
      'print JSON; progress goes to stderr (with `npm run -s`: nothing else on stdout)',
    )
    .option('--login', 'look at what is behind the login too, filling in the forms (sandbox)')
    .option('--email <address>', 'who signs in, with --login')
    .option('--password-file <path>', 'their password, with --login; else it is asked for')
    .option(
      '--browser',
      'the same, but you sign in, in a browser that is opened on this machine (twice)',
    )
    .option('--every-shape', 'register each client shape by itself, leaving five clients behind')
    .option('--registration-token-file <path>', 'initial access token, if registration takes one')
    .option('--ca-file <path>', 'trust this authority too (PEM)')
    .addHelpText('after', EXAMPLES)
    .action(async (url: string, flags: Flags) => {
      const signIn = await signInFor(terminal, flags);
      try {
        await examine(terminal, url, flags, signIn);
      } finally {
        await signIn?.close();
      }
    });
}

const EXAMPLES = `
Examples:
  npm run admin -- doctor https://mcp.neonpanel.com
  npm run admin -- doctor http://localhost:3000 --login --email ada@harborpine.example
  npm run -s admin -- doctor https://mcp.neonpanel.com --browser --json > report.json

Exit codes: 0 nothing failed, 1 something failed, 2 wrong usage. See docs/doctor.md.`;

async function examine(
  terminal: Terminal,
  url: string,
  flags: Flags,
  signIn: SignIn | undefined,
): Promise<void> {
  const { understood } = addressed(url);
  const print = flags.json ? terminal.err : terminal.out;
  const progress = createProgress((text) => print(`${text}\n`));
  const options: DoctorOptions = {
    signIn,
    everyShape: flags.everyShape ?? false,
    ca: contentOf(flags.caFile, '--ca-file'),
    initialAccessToken: contentOf(flags.registrationTokenFile, '--registration-token-file'),
    onResult: progress.result,
  };
  print(`${headLine(understood)}\n`);
  const report = await diagnose(url, options);
  progress.end();
  if (flags.json) terminal.out(`${JSON.stringify(report, undefined, 2)}\n`);
  else terminal.out(`\n${failures(report)}${summary(report)}\n`);
  if (!report.ok) throw new Found();
}

function addressed(url: string) {
  try {
    return understand(url);
  } catch (error) {
    if (error instanceof NotAnAddress) throw new AdminError('usage', error.message);
    throw error;
  }
}

/** @throws AdminError */
async function signInFor(terminal: Terminal, flags: Flags): Promise<SignIn | undefined> {
  if (flags.login && flags.browser) {
    throw new AdminError('usage', 'Either --login or --browser, not both.');
  }
  if (!flags.login && (flags.email !== undefined || flags.passwordFile !== undefined)) {
    throw new AdminError('usage', '--email and --password-file belong to --login.');
  }
  if (flags.browser) {
    return signInByBrowser((url) => {
      terminal.openBrowser?.(url);
      terminal.err(`Sign in, in the browser that opens; else open this yourself:\n  ${url.href}\n`);
    });
  }
  if (!flags.login) return undefined;
  if (flags.email === undefined) {
    throw new AdminError('usage', '--login needs --email (npm start prints the sandbox users).');
  }
  return signInHeadless({ email: flags.email, password: await passwordFor(terminal, flags) });
}

async function passwordFor(terminal: Terminal, { passwordFile, email }: Flags): Promise<string> {
  const password = contentOf(passwordFile, '--password-file');
  if (password !== undefined) return password;
  if (terminal.isInteractive) return terminal.secret(`Password of ${email}`);
  throw new AdminError('usage', 'Nobody is there to type the password; add --password-file.');
}

/** @throws AdminError */
function contentOf(path: string | undefined, option: string): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new AdminError('usage', `${option}: ${(error as Error).message}`);
  }
}
