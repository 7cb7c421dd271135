import { Command } from 'commander';
import { countVault } from '../../adapters/sealed-records.ts';
import { example } from './options.ts';
import type { Terminal } from '../terminal.ts';
import { describeVault } from './vault/describe.ts';
import { rekeyedVault } from './vault/rekey.ts';
import { change, query } from './verbs.ts';

/** `admin vault …`: what is sealed or signed under which of the MASTER_KEYS. */
export function vaultCommand(terminal: Terminal): Command {
  const vault = new Command('vault').description(
    'Master keys: what is sealed or made with which, and sealing it anew.',
  );

  const check = new Command('check')
    .description('Count what depends on each master key, and say which of them can go.')
    .addHelpText('after', example('vault check'));
  vault.addCommand(
    query(check, terminal, async ({ store, secrets }) =>
      describeVault(await countVault(store), secrets.masterKeyIds),
    ),
  );

  const rekey = new Command('rekey')
    .description(
      'Seal everything anew under the first master key, while the instances run; may be repeated.',
    )
    .addHelpText('after', example('vault rekey --yes'));
  vault.addCommand(change(rekey, terminal, rekeyedVault));
  return vault;
}
