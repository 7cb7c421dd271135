import { randomBytes } from 'node:crypto';
import * as oauth from 'oauth4webapi';
import { createHeadlessBrowser, type Page } from './headless-browser.ts';

const REDIRECT_URI = 'https://connector.example/oauth/callback';

/**
 * A connector of the kind that assistants use, and the person who answers its questions: discovery from the challenge
 * (RFC 9728, RFC 8414), dynamic registration (RFC 7591), code and PKCE (RFC 7636, RFC 9207), refresh, revocation
 * (RFC 7009), and MCP in between. Its steps are meant to be called in this order.
 *
 * @param mcpUrl all that a person gives to a connector
 */
export function createConnector(mcpUrl: string) {
  const insecure = { [oauth.allowInsecureRequests]: true };
  const browser = createHeadlessBrowser((url) => url.href.startsWith(REDIRECT_URI));
  const verifier = oauth.generateRandomCodeVerifier();
  const state = randomBytes(16).toString('hex');
  let resource: string;
  let server: oauth.AuthorizationServer;
  let client: oauth.Client;
  let tokens: oauth.TokenEndpointResponse | undefined;

  return {
    post,
    call,

    async challenge() {
      const { status, headers } = await post('tools/list');
      const header = headers.get('www-authenticate') ?? '';
      return { status, metadataUrl: /resource_metadata="([^"]+)"/.exec(header)?.[1] };
    },

    async discover(metadataUrl: string) {
      const metadata = (await (await fetch(metadataUrl)).json()) as ResourceMetadata;
      resource = metadata.resource;
      const issuer = new URL(metadata.authorization_servers[0]!);
      const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure });
      server = await oauth.processDiscoveryResponse(issuer, response);
      return server;
    },

    async register() {
      const metadata = {
        client_name: 'Demo connector',
        redirect_uris: [REDIRECT_URI],
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
      };
      const response = await oauth.dynamicClientRegistrationRequest(server, metadata, insecure);
      client = await oauth.processDynamicClientRegistrationResponse(response);
      return client;
    },

    async authorize(): Promise<Page> {
      const request = new URL(server.authorization_endpoint!);
      request.search = new URLSearchParams({
        response_type: 'code',
        client_id: client.client_id,
        redirect_uri: REDIRECT_URI,
        scope: 'neonpanel.read neonpanel.write',
        resource,
        state,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }).toString();
      return browser.visit(request);
    },

    approve: (consent: Page): Promise<Page> =>
      browser.submit(consent, { scope: 'neonpanel.write', decision: 'approve' }),

    async signIn(login: Page, user: { email: string; password: string }): Promise<URL> {
      return (await browser.submit(login, user)).url;
    },

    async redeem(callback: URL) {
      const response = await oauth.authorizationCodeGrantRequest(
        server,
        client,
        oauth.None(),
        oauth.validateAuthResponse(server, client, callback, state),
        REDIRECT_URI,
        verifier,
        { additionalParameters: { resource }, ...insecure },
      );
      return (tokens = await oauth.processAuthorizationCodeResponse(server, client, response));
    },

    async listCompanies(): Promise<string[]> {
      const params = { name: 'listCompanies', arguments: {} };
      const { structuredContent } = await call<Companies>('tools/call', params);
      return structuredContent.data.map(({ name }) => name);
    },

    async refresh() {
      const response = await oauth.refreshTokenGrantRequest(
        server,
        client,
        oauth.None(),
        tokens!.refresh_token!,
        insecure,
      );
      return (tokens = await oauth.processRefreshTokenResponse(server, client, response));
    },

    async revoke(): Promise<void> {
      const token = tokens!.refresh_token!;
      const response = await oauth.revocationRequest(server, client, oauth.None(), token, insecure);
      await oauth.processRevocationResponse(response);
    },
  };

  /** One JSON-RPC request, in the 2025-11-25 manner. */
  function post(method: string, params: unknown = {}): Promise<Response> {
    return fetch(mcpUrl, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-11-25',
        ...(tokens && { authorization: `Bearer ${tokens.access_token}` }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    });
  }

  async function call<T>(method: string, params?: unknown): Promise<T> {
    const text = await (await post(method, params)).text();
    // The answer is one event of a stream.
    const data = /^data: (.*)$/m.exec(text)?.[1] ?? text;
    return (JSON.parse(data) as { result: T }).result;
  }
}

interface ResourceMetadata {
  readonly resource: string;
  readonly authorization_servers: readonly string[];
}

interface Companies {
  readonly structuredContent: { readonly data: readonly { readonly name: string }[] };
}
