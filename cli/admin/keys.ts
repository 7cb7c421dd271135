import { Command } from 'commander';
import { keySet } from '../../keys/key-set.ts';
import { describeKeys } from './keys/describe.ts';
import { keysOf } from './keys/keys.ts';
import { prunedKeys, retiredKey, rotatedKeys } from './keys/changes.ts';
import { keysExample as example } from './options.ts';
import type { Terminal } from '../terminal.ts';
import { change, query } from './verbs.ts';

/** `admin keys …`, for short `npm run keys -- …` */
export function keysCommand(terminal: Terminal): Command {
  const keys = new Command('keys').description(
    'Signing keys: next (published) → current (signs) → retired (still verifies) → gone.',
  );

  const list = new Command('list')
    .description('Show every key: state, id, when it was made and used, until when it is needed.')
    .addHelpText('after', example('list'));
  keys.addCommand(
    query(list, terminal, async (session) => {
      const { staged } = await keysOf(session);
      return describeKeys(staged.keys, session.config, session.now());
    }),
  );

  const rotate = new Command('rotate')
    .description('Let the next key sign, retire the current one, and publish a new next one.')
    .option('--now', 'also if others may not know the next key yet; says what breaks')
    .addHelpText('after', example('rotate --yes'));
  keys.addCommand(change(rotate, terminal, rotatedKeys));

  const retire = new Command('retire')
    .description(
      'For a key that leaked: take it out of the JWKS and refuse its tokens, everywhere, at once.',
    )
    .argument('<kid>', 'id of the key, as `list` shows it')
    .addHelpText('after', example('retire 5egYVEwHEeIniw0Y'));
  keys.addCommand(change(retire, terminal, retiredKey));

  const prune = new Command('prune')
    .description('Drop retired keys that no unexpired token can need.')
    .argument('[kid]', 'only this one; refused while it is needed')
    .addHelpText('after', example('prune'));
  keys.addCommand(change(prune, terminal, prunedKeys));

  const exported = new Command('export')
    .description('Print the JWKS document, as it is served. Private keys are never exported.')
    .requiredOption('--public', 'the public members, which is all there is')
    .addHelpText('after', example('export --public > jwks.json'));
  keys.addCommand(
    query(exported, terminal, async (session) => {
      const { jwks } = keySet((await keysOf(session)).staged.keys);
      return { text: JSON.stringify(jwks, undefined, 2), json: jwks };
    }),
  );
  return keys;
}
