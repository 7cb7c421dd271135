/** Client metadata documents as real clients publish them, with the address of their host left out. */
export interface Shape {
  readonly name: string;
  readonly path: string;
  readonly document: Readonly<Record<string, unknown>>;
  /** Redirect URIs used at authorization, and what the page calls the target. */
  readonly uses: readonly (readonly [uri: string, target: string])[];
  readonly asks?: Readonly<Record<string, string>>;
  /** Authenticates with a key, found in the document or beside it. */
  readonly keys?: 'inline' | 'beside';
  readonly algorithm?: string;
}

const CODE = { grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] };
const SCOPE = 'neonpanel.read neonpanel.write';

export const SHAPES: readonly Shape[] = [
  {
    name: 'ChatGPT with private_key_jwt and a jwks_uri',
    path: '/oauth/client.json',
    document: {
      client_name: 'ChatGPT',
      client_uri: 'https://chatgpt.com',
      logo_uri: 'https://chatgpt.com/logo.png',
      redirect_uris: ['https://chatgpt.com/connector_platform_oauth_redirect'],
      ...CODE,
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_methods_supported: ['private_key_jwt', 'none'],
      token_endpoint_auth_signing_alg: 'RS256',
    },
    uses: [['https://chatgpt.com/connector_platform_oauth_redirect', 'chatgpt.com']],
    asks: { scope: `openid offline_access ${SCOPE}`, prompt: 'consent' },
    keys: 'beside',
    algorithm: 'RS256',
  },
  {
    name: 'ChatGPT with a document of one connector that leaves the choice to us',
    path: '/oauth/tU1UVEq8rRTK/client.json',
    document: {
      client_name: 'ChatGPT',
      redirect_uris: ['https://chatgpt.com/connector/oauth/tU1UVEq8rRTK'],
      ...CODE,
      token_endpoint_auth_methods_supported: ['none', 'private_key_jwt'],
    },
    uses: [['https://chatgpt.com/connector/oauth/tU1UVEq8rRTK', 'chatgpt.com']],
    keys: 'beside',
    algorithm: 'RS256',
  },
  {
    name: 'Codex, on loopback',
    path: '/oauth/codex/client.json',
    document: {
      client_name: 'Codex',
      redirect_uris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
      token_endpoint_auth_method: 'none',
    },
    uses: [['http://localhost:1455/callback', 'localhost:1455']],
  },
  {
    name: 'Claude',
    path: '/oauth/mcp-oauth-client-metadata',
    document: {
      client_name: 'Claude',
      client_uri: 'https://claude.ai',
      redirect_uris: [
        'https://claude.ai/api/mcp/auth_callback',
        'https://claude.com/api/mcp/auth_callback',
      ],
      ...CODE,
      token_endpoint_auth_method: 'none',
    },
    uses: [['https://claude.ai/api/mcp/auth_callback', 'claude.ai']],
    asks: { scope: `claudeai ${SCOPE}` },
  },
  {
    name: 'Claude Code, on any port',
    path: '/oauth/claude-code-client-metadata',
    document: {
      client_name: 'Claude Code',
      redirect_uris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
      ...CODE,
      token_endpoint_auth_method: 'none',
    },
    uses: [
      ['http://localhost:54321/callback', 'localhost:54321'],
      ['http://127.0.0.1:3118/callback', '127.0.0.1:3118'],
    ],
  },
  {
    name: 'VS Code with device_code',
    path: '/oauth/client-metadata.json',
    document: {
      client_name: 'Visual Studio Code',
      client_uri: 'https://code.visualstudio.com',
      grant_types: [...CODE.grant_types, 'urn:ietf:params:oauth:grant-type:device_code'],
      response_types: ['code'],
      redirect_uris: [
        'http://127.0.0.1:33418/',
        'https://vscode.dev/redirect',
        'https://insiders.vscode.dev/redirect',
        'http://localhost/',
      ],
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      scope: 'openid profile',
    },
    uses: [
      ['https://vscode.dev/redirect', 'vscode.dev'],
      ['http://127.0.0.1:49152/', '127.0.0.1:49152'],
    ],
  },
  {
    name: 'Cursor, web with a private scheme',
    path: '/oauth/mcp-client.json',
    document: {
      client_name: 'Cursor',
      redirect_uris: [
        'cursor://anysphere.cursor-mcp/oauth/callback',
        'https://www.cursor.com/agents/mcp/oauth/callback',
        'http://localhost:8787/callback',
      ],
      token_endpoint_auth_method: 'none',
      application_type: 'web',
    },
    uses: [
      ['cursor://anysphere.cursor-mcp/oauth/callback', 'an app on this device (cursor links)'],
    ],
  },
  {
    name: 'a client that says nothing but what it must',
    path: '/least.json',
    document: { client_name: 'Least', redirect_uris: ['https://least.example/cb'] },
    uses: [['https://least.example/cb', 'least.example']],
  },
  {
    name: 'a client with nulls, a query in its address and its keys in its document',
    path: '/client?version=2',
    document: {
      client_name: 'Inline',
      redirect_uris: ['https://inline.example/cb'],
      token_endpoint_auth_method: 'private_key_jwt',
      client_secret: null,
      scope: null,
      jwks_uri: null,
      contacts: null,
      sector_identifier_uri: 'https://localhost:1/sector',
      unknown: { nested: [1] },
    },
    uses: [['https://inline.example/cb', 'inline.example']],
    keys: 'inline',
    algorithm: 'ES256',
  },
];
