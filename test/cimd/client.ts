import { assertionForm, type AssertionKey, assertionKey, clientAssertion } from '../client-auth.ts';
import type { Harness } from '../support/harness.ts';
import {
  type Answer,
  type Attempt,
  authorizationRequest,
  postForm,
  signIn,
  type TestClient,
  type Tokens,
} from '../support/oauth.ts';
import type { DocumentHost } from './host.ts';
import type { Shape } from './shapes.ts';

/** A client that is known by its document alone. */
export interface DocumentedClient {
  readonly client: TestClient;
  /** Its key, if it has one; another one may be put in its place. */
  key: AssertionKey | undefined;
  post<T = Record<string, any>>(url: string, form: Record<string, string>): Promise<Answer<T>>;
}

/** Puts a shape's document (and keys) on the web. @param prefix makes another client of the same shape */
export async function publish(
  host: DocumentHost,
  shape: Shape,
  base: string,
  prefix = '',
): Promise<DocumentedClient> {
  const key = shape.keys && (await assertionKey(shape.algorithm!));
  const jwks = { keys: key ? [key.publicJwk] : [] };
  const clientId = host.origin + prefix + shape.path;
  const keysPath = `${prefix}${shape.path}/jwks.json`;
  host.serve(prefix + shape.path, {
    client_id: clientId,
    ...shape.document,
    ...(shape.keys === 'inline' && { jwks }),
    ...(shape.keys === 'beside' && { jwks_uri: host.serve(keysPath, jwks) }),
  });
  return documented(
    clientId,
    shape.uses.map(([uri]) => uri),
    base,
    key,
  );
}

export function documented(
  clientId: string,
  redirectUris: readonly string[],
  base: string,
  key?: AssertionKey,
): DocumentedClient {
  const client: TestClient = {
    client_id: clientId,
    redirect_uris: redirectUris,
    token_endpoint_auth_method: key ? 'private_key_jwt' : 'none',
  };
  return {
    client,
    key,
    async post(url, form) {
      const proof = this.key
        ? assertionForm(await clientAssertion(this.key, clientId, { aud: base }))
        : { client_id: clientId };
      return postForm(url, { ...form, ...proof });
    },
  };
}

export const codeForm = (attempt: Attempt, callback: URL) => ({
  grant_type: 'authorization_code',
  code: callback.searchParams.get('code')!,
  redirect_uri: attempt.redirectUri,
  code_verifier: attempt.verifier,
});

/** Consent, login, code, tokens. */
export async function connectDocumented(
  harness: Harness,
  app: DocumentedClient,
  parameters: Record<string, string> = {},
  tokenBase: string = harness.url,
): Promise<Tokens> {
  const attempt = authorizationRequest(harness.url, app.client, parameters);
  const callback = await signIn(harness, attempt);
  const { status, body } = await app.post<Tokens>(
    `${tokenBase}/oauth2/token`,
    codeForm(attempt, callback),
  );
  if (status !== 200) throw new Error(`redemption: ${status} ${JSON.stringify(body)}`);
  return body;
}

export const refreshForm = (tokens: Tokens) => ({
  grant_type: 'refresh_token',
  refresh_token: tokens.refresh_token,
});
