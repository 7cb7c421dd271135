import { randomBytes } from 'node:crypto';
import type { OAuthClientProvider as ProviderV2 } from '@modelcontextprotocol/client';
import type { OAuthClientProvider as ProviderV1 } from '@modelcontextprotocol/sdk/client/auth.js';

type TokensV1 = NonNullable<Awaited<ReturnType<ProviderV1['tokens']>>>;
type ClientV1 = NonNullable<Awaited<ReturnType<ProviderV1['clientInformation']>>>;

export const CALLBACK = 'http://localhost:6276/oauth/callback';

/**
 * The memory of a client of the SDK, either major version: what an application would keep on disk. A new client object
 * with the same provider is the same application started again.
 */
export class MemoryProvider implements ProviderV1, ProviderV2 {
  readonly redirectUrl = CALLBACK;
  readonly clientMetadata = {
    client_name: 'Journey',
    redirect_uris: [CALLBACK],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  };

  /** Everything that was saved as tokens, in order: one entry for each sign-in and each refresh. */
  readonly saved: TokensV1[] = [];
  /** Where the user is to be sent; taken by the test that plays the user. */
  authorizationUrl: URL | undefined;
  client: ClientV1 | undefined;
  #tokens: TokensV1 | undefined;
  #verifier = '';
  #state = '';
  #discovery: unknown;

  state(): string {
    this.#state = randomBytes(16).toString('base64url');
    return this.#state;
  }

  /** The state of the request under way, which the callback must bring back. */
  get expectedState(): string {
    return this.#state;
  }

  clientInformation(): ClientV1 | undefined {
    return this.client;
  }

  saveClientInformation(client: ClientV1): void {
    this.client = client;
  }

  tokens(): TokensV1 | undefined {
    return this.#tokens;
  }

  saveTokens(tokens: TokensV1): void {
    this.#tokens = tokens;
    this.saved.push(tokens);
  }

  redirectToAuthorization(url: URL): void {
    this.authorizationUrl = url;
  }

  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier;
  }

  codeVerifier(): string {
    return this.#verifier;
  }

  saveDiscoveryState(state: unknown): void {
    this.#discovery = state;
  }

  discoveryState(): never {
    return this.#discovery as never;
  }

  invalidateCredentials(what: 'all' | 'client' | 'tokens' | 'verifier' | 'discovery'): void {
    if (what === 'all' || what === 'tokens') this.#tokens = undefined;
    if (what === 'all' || what === 'client') this.client = undefined;
    if (what === 'all' || what === 'discovery') this.#discovery = undefined;
  }
}
