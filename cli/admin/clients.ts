import { Command, Option } from 'commander';
import { UNUSED_LIFETIME_MS } from '../../adapters/clients.ts';
import { DAY_MS } from '../../clock.ts';
import { AUTH_METHODS } from '../../auth/supported.ts';
import { reconnectedService, revokedClient, rotatedSecret } from './clients/changes.ts';
import { collectedClients } from './clients/collect.ts';
import { createdClient, type CreateOptions } from './clients/create.ts';
import { listClients, type ListOptions, showClient } from './clients/list.ts';
import { ORDERS } from './clients/overview.ts';
import { age, example, limit, several } from './options.ts';
import type { Terminal } from '../terminal.ts';
import { change, query } from './verbs.ts';

const KINDS = ['registered', 'pre-registered', 'service', 'document', 'gone'];

/** `admin clients …` */
export function clientsCommand(terminal: Terminal): Command {
  const clients = new Command('clients').description(
    'Clients: registered by themselves, pre-registered, service accounts, and those known by a document.',
  );

  const list = new Command('list')
    .description('Show clients: kind, name, where they redirect to, live grants, last use.')
    .option('--search <text>', 'in name, host or id')
    .addOption(new Option('--kind <kind>', 'only these').choices(KINDS))
    .addOption(new Option('--sort <by>', 'order').choices(Object.keys(ORDERS)).default('used'))
    .option('--limit <n>', 'how many; 0 is all', limit, 50)
    .addHelpText('after', example('clients list --search claude --sort grants'));
  clients.addCommand(
    query(list, terminal, (session, options) =>
      listClients(session, options as unknown as ListOptions),
    ),
  );

  const show = new Command('show')
    .argument('<id>', 'client_id')
    .description('Show one client and its live grants.')
    .addHelpText('after', example('clients show P4X2WrVb6jjqjDYOFGnjsFvljrAH8arP7__pmYlX9Mu'));
  clients.addCommand(
    query<[string]>(show, terminal, (session, _options, id) => showClient(session, id)),
  );

  const create = new Command('create')
    .description(
      'Make a client by hand: public or confidential, or with --service one that works without a user. It lives until it is revoked.',
    )
    .requiredOption('--name <name>', 'what users see on the consent page')
    .option('--redirect-uri <uri>', 'where its answers go; may be given up to 10 times', several)
    .addOption(
      new Option(
        '--auth-method <method>',
        'at the token endpoint; default none, with --service client_secret_basic',
      ).choices([...AUTH_METHODS]),
    )
    .option('--jwks <file>', 'its public keys, for private_key_jwt')
    .option('--service', 'a service account, with a NeonPanel credential of its own')
    .option('--scope <scope>', 'what a service account may do; default neonpanel.read')
    .option('--neonpanel-credentials <file>', CREDENTIALS)
    .addHelpText(
      'after',
      example(
        'clients create --name "Desk app" --redirect-uri https://desk.example/callback',
        'clients create --service --name "Nightly report" --neonpanel-credentials cred.json',
      ),
    );
  clients.addCommand(
    change(create, terminal, (session, options) =>
      createdClient(session, options as unknown as CreateOptions),
    ),
  );

  const reconnect = new Command('reconnect')
    .argument('<id>', 'client_id')
    .description('Give a service client a NeonPanel credential anew; its own secret stays.')
    .option('--scope <scope>', 'what it may do; default as before')
    .option('--neonpanel-credentials <file>', CREDENTIALS)
    .addHelpText('after', example('clients reconnect ID --neonpanel-credentials cred.json'));
  clients.addCommand(change<[string]>(reconnect, terminal, reconnectedService));

  const rotate = new Command('rotate-secret')
    .argument('<id>', 'client_id')
    .description('Give a confidential client a new client_secret, shown once.')
    .addHelpText('after', example('clients rotate-secret ID'));
  clients.addCommand(
    change<[string]>(rotate, terminal, (session, _options, id) => rotatedSecret(session, id)),
  );

  const revoke = new Command('revoke')
    .argument('<id>', 'client_id; of a client with a document its address')
    .description('Remove a client and end all its grants, everywhere within a second.')
    .addHelpText('after', example('clients revoke ID --dry-run'));
  clients.addCommand(
    change<[string]>(revoke, terminal, (session, _options, id) => revokedClient(session, id)),
  );

  const gc = new Command('gc')
    .description(
      'Remove clients that nobody needs: without a login for 30 days, or without a grant for 180. Never one with a live grant, or one made here.',
    )
    .addOption(
      new Option('--waiting-for <age>', 'without a login for; at least 1d')
        .argParser(age)
        .default(UNUSED_LIFETIME_MS, `${UNUSED_LIFETIME_MS / DAY_MS}d`),
    )
    .addHelpText('after', example('clients gc --dry-run', 'clients gc --waiting-for 7d'));
  clients.addCommand(
    change(gc, terminal, (session, { waitingFor }) =>
      collectedClients(session, Number(waitingFor)),
    ),
  );
  return clients;
}

const CREDENTIALS = 'JSON with client_id and client_secret at NeonPanel; else they are asked for';
