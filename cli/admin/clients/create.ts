import {
  type ClientMetadata,
  createClientRecords,
  newSecret,
} from '../../../adapters/client-records.ts';
import { serviceGrant } from '../../../adapters/grants.ts';
import { tellOfServices } from '../../../adapters/services.ts';
import {
  acceptRegistration,
  acceptServiceClient,
  inPolicyWords,
} from '../../../auth/registration.ts';
import { READ } from '../../../resource.ts';
import { AdminError } from '../../errors.ts';
import type { Session } from '../session.ts';
import { lines } from '../table.ts';
import type { Change } from '../verbs.ts';
import { readJsonFile } from './json-file.ts';
import { neonpanelCredential } from './neonpanel-credential.ts';
import { atNeonpanel, connectionOf, scopeOf } from './service.ts';

export interface CreateOptions {
  readonly name: string;
  readonly redirectUri?: readonly string[];
  readonly authMethod?: string;
  readonly jwks?: string;
  readonly service?: boolean;
  readonly scope?: string;
  readonly neonpanelCredentials?: string;
}

/** `clients create` */
export async function createdClient(session: Session, options: CreateOptions): Promise<Change> {
  if (!options.name.trim()) throw new AdminError('usage', '--name must not be empty.');
  return options.service ? createdService(session, options) : createdOrdinary(session, options);
}

async function createdOrdinary(session: Session, options: CreateOptions): Promise<Change> {
  const { name, redirectUri = [], authMethod = 'none', scope, neonpanelCredentials } = options;
  if (scope !== undefined || neonpanelCredentials !== undefined) {
    throw new AdminError('usage', '--scope and --neonpanel-credentials are for --service.');
  }
  if (redirectUri.length === 0) {
    throw new AdminError('usage', 'Say with --redirect-uri where its answers go.');
  }
  const metadata = accepted(() =>
    acceptRegistration(
      {
        client_name: name,
        redirect_uris: redirectUri,
        token_endpoint_auth_method: authMethod,
        ...jwksOf(options),
      },
      session.config,
    ),
  );
  const client = withIds(metadata, session);
  const plan = {
    name: client.client_name,
    kind: 'pre-registered',
    redirectUris: client.redirect_uris,
    authMethod: client.token_endpoint_auth_method,
  };
  return {
    plan: {
      text: `A client is made that lives until it is revoked:\n${lines(plan)}`,
      json: plan,
    },
    async apply() {
      await createClientRecords(session).add('pre-registered', client);
      return created(client, plan);
    },
  };
}

async function createdService(session: Session, options: CreateOptions): Promise<Change> {
  const { name, redirectUri, authMethod = 'client_secret_basic', scope = READ } = options;
  if (redirectUri) throw new AdminError('usage', 'A service client has no redirect URI.');
  const { store, now } = session;
  const granted = scopeOf(scope);
  const metadata = accepted(() =>
    acceptServiceClient({
      client_name: name,
      token_endpoint_auth_method: authMethod,
      ...jwksOf(options),
    }),
  );
  const client = withIds(metadata, session);
  const credential = await neonpanelCredential(session, options.neonpanelCredentials);
  const { client_id } = client;
  const grant = serviceGrant(client_id, granted, now());
  const plan = {
    name: client.client_name,
    kind: 'service',
    scope: granted,
    authMethod: client.token_endpoint_auth_method,
    ...atNeonpanel(credential),
  };
  return {
    plan: {
      text: `A service client is made that lives until it is revoked. NeonPanel has taken its credential.\n${lines(plan)}`,
      json: plan,
    },
    async apply() {
      const records = await connectionOf(session, grant, credential, 'absent');
      // First, so that there is never one that the metadata does not know of for long.
      await tellOfServices(store, true);
      await createClientRecords(session).add('service', client, records);
      return created(client, plan, {
        grant: client_id,
        subject: grant.accountId,
        neonpanel_client: plan.neonpanelClient,
      });
    },
  };
}

/** The one time that the secret is shown. */
function created(
  client: NewClient,
  plan: object,
  facts: { grant?: string; subject?: string; neonpanel_client?: string } = {},
) {
  const { client_id: clientId, client_secret: clientSecret } = client;
  const identity = { clientId, ...(clientSecret && { clientSecret }) };
  const once = clientSecret ? '\nThe client secret is shown this once only.' : '';
  const text = `${lines({ ...identity, ...plan })}${once}`;
  const json = { ...identity, ...plan };
  return { report: { text, json }, facts: { client_id: clientId, ...facts } };
}

type NewClient = ClientMetadata & { client_id: string; client_secret?: string };

function withIds(metadata: Record<string, unknown>, { now }: Session): NewClient {
  const hasSecret = String(metadata.token_endpoint_auth_method).startsWith('client_secret');
  return {
    ...(metadata as ClientMetadata),
    client_id: newSecret(),
    client_id_issued_at: Math.floor(now() / 1000),
    ...(hasSecret && { client_secret: newSecret(), client_secret_expires_at: 0 }),
  };
}

function jwksOf({ authMethod, jwks }: CreateOptions): { jwks?: unknown } {
  if (authMethod !== 'private_key_jwt') {
    if (jwks) throw new AdminError('usage', '--jwks is for --auth-method private_key_jwt.');
    return {};
  }
  if (!jwks) throw new AdminError('usage', 'Give its public keys with --jwks FILE.');
  return { jwks: readJsonFile(jwks) };
}

const accepted = <T>(accept: () => T): T =>
  inPolicyWords(accept, (words) => new AdminError('usage', `Not acceptable: ${words}.`));
