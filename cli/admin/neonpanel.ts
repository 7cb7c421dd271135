import { Command, Option } from 'commander';
import { reportOf } from './findings.ts';
import { neonpanelFindings } from './neonpanel/check.ts';
import { registeredAtNeonpanel, type RegisterOptions } from './neonpanel/register.ts';
import { example } from './options.ts';
import type { Terminal } from '../terminal.ts';
import { change, query } from './verbs.ts';

/** `admin neonpanel …` */
export function neonpanelCommand(terminal: Terminal): Command {
  const neonpanel = new Command('neonpanel').description('Our own client at NeonPanel.');

  const register = new Command('register')
    .description(
      'Register our client there, with our callback, and print what belongs into the environment.',
    )
    .option('--again', 'although there is one already')
    .addOption(
      new Option('--auth-method <method>', 'how it authenticates there')
        .choices(['none', 'client_secret_post'])
        .default('none'),
    )
    .addHelpText('after', example('neonpanel register --yes'));
  neonpanel.addCommand(
    change(
      register,
      beforeItIsRegistered(terminal),
      (session, options) =>
        registeredAtNeonpanel(
          session,
          options as unknown as RegisterOptions,
          terminal.env.NEONPANEL_CLIENT_ID?.trim() || undefined,
        ),
      // A set-up begins with it, before the server has ever been started.
      { mayBegin: true },
    ),
  );

  const check = new Command('check')
    .description(
      'Look whether NeonPanel answers, its metadata and keys are sound, it knows our client with our callback, and clocks agree.',
    )
    .addHelpText('after', example('neonpanel check --json'));
  neonpanel.addCommand(
    query(check, terminal, async (session) => reportOf(await neonpanelFindings(session))),
  );
  return neonpanel;
}

/** A deployment has to name its client; the command that makes it can't wait for that. */
function beforeItIsRegistered(terminal: Terminal): Terminal {
  const { NEONPANEL_CLIENT_ID: id, ...env } = terminal.env;
  return { ...terminal, env: { ...env, NEONPANEL_CLIENT_ID: id?.trim() || 'not-registered-yet' } };
}
