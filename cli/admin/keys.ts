import { Command } from 'commander';
import type { Terminal } from './terminal.ts';

/** `admin keys …`, for short `npm run keys -- …` */
export function keysCommand(_terminal: Terminal): Command {
  return new Command('keys').description('Signing keys: next → current → retired → gone (D12).');
}
