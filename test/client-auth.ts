import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { type Answer, postForm, register, type TestClient } from './support/oauth.ts';

/** A registered client together with its way of authenticating: every way the metadata advertises. */
export interface AuthenticatedClient {
  readonly client: TestClient;
  /** Posts a form to one of the server's endpoints as this client. */
  post<T = Record<string, any>>(url: string, form: Record<string, string>): Promise<Answer<T>>;
}

export interface AssertionKey {
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
  readonly algorithm: string;
}

export async function assertionKey(algorithm: string): Promise<AssertionKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  const publicJwk = { ...(await exportJWK(publicKey)), kid: randomUUID(), use: 'sig' };
  return { privateKey, publicJwk, algorithm };
}

/** A client assertion (RFC 7523 §3). @param claims override; undefined leaves out */
export function clientAssertion(
  key: AssertionKey,
  clientId: string,
  claims: Record<string, unknown>,
): Promise<string> {
  const seconds = Math.floor(Date.now() / 1000);
  const all = {
    iss: clientId,
    sub: clientId,
    jti: randomUUID(),
    iat: seconds,
    exp: seconds + 60,
    ...claims,
  };
  return new SignJWT(all)
    .setProtectedHeader({ alg: key.algorithm, kid: key.publicJwk.kid! })
    .sign(key.privateKey);
}

export const assertionForm = (assertion: string) => ({
  client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  client_assertion: assertion,
});

export const basic = (client: TestClient) =>
  `Basic ${Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64')}`;

/**
 * @param method one of token_endpoint_auth_methods_supported
 * @param algorithm of private_key_jwt
 */
export async function registerWith(
  base: string,
  method: string,
  algorithm = 'ES256',
): Promise<AuthenticatedClient> {
  if (method === 'private_key_jwt') {
    const key = await assertionKey(algorithm);
    const jwks = { keys: [key.publicJwk] };
    const client = (await register(base, { token_endpoint_auth_method: method, jwks })).body;
    return {
      client,
      post: async (url, form) =>
        postForm(url, {
          ...form,
          ...assertionForm(await clientAssertion(key, client.client_id, { aud: base })),
        }),
    };
  }
  const client = (await register(base, { token_endpoint_auth_method: method })).body;
  const { client_id, client_secret } = client;
  return {
    client,
    post: (url, form) => {
      if (method === 'client_secret_basic')
        return postForm(url, form, { authorization: basic(client) });
      return postForm(url, { ...form, client_id, ...(client_secret && { client_secret }) });
    },
  };
}
