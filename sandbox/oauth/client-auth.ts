import { createLocalJWKSet, jwtVerify } from 'jose';
import type { SandboxContext } from '../context.ts';
import { oauthRefusal } from '../errors.ts';
import type { Client } from './clients.ts';
import type { Form } from './form.ts';
import { matches } from './secrets.ts';

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/**
 * Who asks at the token endpoint: `none`, a secret in the form or by HTTP Basic, or a signed assertion.
 * `basic` is the Authorization header, undefined when there is none or it is to be ignored.
 */
export async function authenticateClient(
  context: SandboxContext,
  form: Form,
  basic: string | undefined,
): Promise<Client> {
  const header = basic === undefined ? undefined : readBasic(basic);
  if (header && (form.client_secret || form.client_assertion)) {
    throw oauthRefusal('invalid_request', 'The client authenticates in more than one way.');
  }
  const id = header?.id ?? form.client_id ?? assertedId(form);
  const client = id === undefined ? undefined : context.clients.find(id);
  if (!client) throw invalidClient(header !== undefined);

  const method = client.metadata.token_endpoint_auth_method;
  const secret = header?.secret ?? form.client_secret;
  if (method === 'private_key_jwt') await verifyAssertion(context, client, form);
  else if (method !== 'none' && !(secret && matches(secret, client.secretDigest ?? ''))) {
    throw invalidClient(header !== undefined);
  }
  return client;
}

/** RFC 6749 §2.3.1: both parts are form-encoded before they are base64-encoded. */
function readBasic(header: string): { id: string; secret: string } {
  const encoded = /^Basic\s+([A-Za-z0-9+/=]+)$/i.exec(header)?.[1];
  const [id, secret] = Buffer.from(encoded ?? '', 'base64')
    .toString('utf8')
    .split(':');
  if (!id || secret === undefined) throw invalidClient(true);
  try {
    const decode = (text: string) => decodeURIComponent(text.replaceAll('+', ' '));
    return { id: decode(id), secret: decode(secret) };
  } catch {
    throw invalidClient(true);
  }
}

/** An assertion names its client itself; it is verified later. */
function assertedId({ client_assertion }: Form): string | undefined {
  try {
    const payload = Buffer.from(client_assertion?.split('.')[1] ?? '', 'base64url');
    return String(JSON.parse(payload.toString('utf8')).sub);
  } catch {
    return undefined;
  }
}

async function verifyAssertion({ issuer, now }: SandboxContext, client: Client, form: Form) {
  const { client_assertion, client_assertion_type } = form;
  if (!client_assertion || client_assertion_type !== assertionType) throw invalidClient(false);
  try {
    await jwtVerify(client_assertion, createLocalJWKSet(client.metadata.jwks ?? { keys: [] }), {
      issuer: client.id,
      subject: client.id,
      audience: [issuer, `${issuer}/oauth2/token`],
      requiredClaims: ['exp'],
      currentDate: new Date(now()),
    });
  } catch {
    throw invalidClient(false);
  }
}

function invalidClient(byBasic: boolean) {
  const challenge: Record<string, string> = byBasic
    ? { 'WWW-Authenticate': 'Basic realm="neonpanel-sandbox"' }
    : {};
  return oauthRefusal('invalid_client', 'Client authentication failed.', 401, challenge);
}
