import { Command } from 'commander';
import { checkConfiguration } from './config/check.ts';
import { example } from './options.ts';
import type { Terminal } from '../terminal.ts';
import { inspection } from './verbs.ts';

/** `admin config …` */
export function configCommand(terminal: Terminal): Command {
  const config = new Command('config').description('The environment, and what it leads to.');
  const check = new Command('check')
    .description(
      'Look at everything at once: environment, store, keys, NeonPanel, clocks. A line for each, with cause and fix.',
    )
    .addHelpText('after', example('config check', 'config check --json'));
  config.addCommand(inspection(check, terminal, () => checkConfiguration(terminal)));
  return config;
}
