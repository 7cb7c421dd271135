import { createHash, randomBytes } from 'node:crypto';
import { assertionForm, basic, clientAssertion } from '../../client-auth.ts';
import { publish } from '../../cimd/client.ts';
import type { DocumentHost } from '../../cimd/host.ts';
import { SHAPES as DOCUMENTS } from '../../cimd/shapes.ts';
import { SHAPES as REGISTRATIONS } from '../../registration-shapes.ts';
import type { Answers, TestClient } from '../../support/oauth.ts';
import type { Server } from './needs.ts';
import type { Received, Stage } from './stage.ts';

type Headers = Readonly<Record<string, string>>;

/** A client that the server knows, and how it authenticates. */
export interface Known {
  readonly clientId: string;
  /** Posts a form to one of the server's endpoints as this client. */
  post(url: string, form: Record<string, string>, headers: Headers): Promise<Received>;
}

/** How a client becomes known: by a registration request, or by none because it has a document. */
export type Become = (stage: Stage, server: Server, headers: Headers) => Promise<Known>;

/** @param name of a body in registration-shapes.ts */
export function byRegistration(name: string): Become {
  const { body, method } = REGISTRATIONS.find((shape) => shape.name.startsWith(name))!;
  return async (stage, server, headers) => {
    const { t, send } = stage;
    const answer = await send('POST', server.registration_endpoint, { headers, json: body });
    t.is(answer.status, 201, answer.text);
    const client: TestClient = answer.json;
    t.truthy(client.client_id);
    t.deepEqual(client.redirect_uris, body['redirect_uris'] as string[]);
    t.is(client.token_endpoint_auth_method, method);
    t.is(client.client_secret !== undefined, method !== 'none');
    return {
      clientId: client.client_id,
      post: (url, form, more) =>
        method === 'client_secret_basic'
          ? send('POST', url, { form, headers: { ...more, authorization: basic(client) } })
          : send('POST', url, { form: { ...form, ...inBody(client) }, headers: more }),
    };
  };
}

const inBody = ({ client_id, client_secret }: TestClient) => ({
  client_id,
  ...(client_secret && { client_secret }),
});

/** @param name of a document in cimd/shapes.ts */
export function byDocument(host: DocumentHost, name: string): Become {
  const shape = DOCUMENTS.find((document) => document.name.startsWith(name))!;
  return async ({ url: issuer, send }) => {
    const { client, key } = await publish(
      host,
      shape,
      issuer,
      `/${randomBytes(6).toString('hex')}`,
    );
    const { client_id } = client;
    const proof = async () =>
      key ? assertionForm(await clientAssertion(key, client_id, { aud: issuer })) : {};
    return {
      clientId: client_id,
      post: async (url, form, headers) =>
        send('POST', url, { form: { ...form, client_id, ...(await proof()) }, headers }),
    };
  };
}

/**
 * Sends the person to the authorization endpoint with PKCE.
 *
 * @param asks redirect_uri and state at least; whatever else the client adds
 * @returns the form that redeems the code, without what the client adds to it
 */
export async function authorize(
  stage: Stage,
  server: Server,
  { clientId }: Known,
  asks: { redirect_uri: string; state: string; [name: string]: string },
  answers?: Answers,
): Promise<Record<string, string>> {
  const verifier = randomBytes(32).toString('base64url');
  const url = new URL(server.authorization_endpoint);
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...asks,
  }).toString();
  const callback = await stage.person(url, answers);
  return {
    grant_type: 'authorization_code',
    code: callback.searchParams.get('code')!,
    redirect_uri: asks.redirect_uri,
    code_verifier: verifier,
  };
}
