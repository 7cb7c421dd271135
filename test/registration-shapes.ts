/**
 * Registrations as real clients send them, and how each then comes to authorize. What looks wrong in them is what they
 * really send.
 */
export interface Shape {
  readonly name: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** The method the answer must name. */
  readonly method: 'none' | 'client_secret_basic' | 'client_secret_post';
  /** Redirect URIs used at authorization. Default: every registered one. */
  readonly uses?: readonly string[];
  /** Scope at authorization; undefined: none is sent. */
  readonly scope?: string | undefined;
  /** Further parameters at authorization. */
  readonly asks?: Readonly<Record<string, string>>;
}

const READ_WRITE = 'neonpanel.read neonpanel.write';

export const SHAPES: readonly Shape[] = [
  {
    name: 'ChatGPT, public',
    body: {
      client_name: 'ChatGPT',
      redirect_uris: ['https://chatgpt.com/connector_platform_oauth_redirect'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    method: 'none',
    scope: `openid offline_access ${READ_WRITE}`,
    asks: { prompt: 'consent', id_token_hint: 'eyJhbGciOiJub25lIn0.e30.' },
  },
  {
    name: 'ChatGPT, client_secret_post',
    body: {
      client_name: 'ChatGPT',
      redirect_uris: [
        'https://chatgpt.com/connector/oauth/Ab3-_x9',
        'https://platform.openai.com/apps-manage/oauth',
      ],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_post',
      logo_uri: null,
    },
    method: 'client_secret_post',
    scope: READ_WRITE,
  },
  {
    name: 'ChatGPT Actions, secret by Basic',
    body: {
      redirect_uris: [
        'https://chat.openai.com/aip/g-0123456789abcdef/oauth/callback',
        'https://chatgpt.com/aip/g-0123456789abcdef/oauth/callback',
      ],
      token_endpoint_auth_method: 'client_secret_basic',
    },
    method: 'client_secret_basic',
  },
  {
    name: 'Claude with a foreign scope',
    body: {
      client_name: 'Claude',
      redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      scope: 'claudeai profile email',
      token_endpoint_auth_method: 'none',
    },
    method: 'none',
    scope: `claudeai ${READ_WRITE}`,
  },
  {
    name: 'Claude, client_secret_post',
    body: {
      client_name: 'Claude',
      redirect_uris: [
        'https://claude.ai/api/mcp/auth_callback',
        'https://claude.com/api/mcp/auth_callback',
      ],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      scope: 'neonpanel.mcp',
      token_endpoint_auth_method: 'client_secret_post',
    },
    method: 'client_secret_post',
    scope: 'neonpanel.mcp',
  },
  {
    name: 'Claude Code without application_type, on another port each time',
    body: {
      client_name: 'Claude Code (neonpanel)',
      redirect_uris: ['http://localhost:54321/callback', 'http://127.0.0.1:54321/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      scope: '',
    },
    method: 'none',
    uses: [
      'http://localhost:54321/callback',
      'http://localhost:61999/callback',
      'http://127.0.0.1:3118/callback',
    ],
    scope: READ_WRITE,
  },
  {
    name: 'Cursor, web with a private scheme',
    body: {
      client_name: 'Cursor',
      redirect_uris: [
        'cursor://anysphere.cursor-mcp/oauth/callback',
        'https://www.cursor.com/agents/mcp/oauth/callback',
        'http://localhost:8787/callback',
      ],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      application_type: 'web',
    },
    method: 'none',
    scope: READ_WRITE,
  },
  {
    name: 'VS Code with device_code and four URIs',
    body: {
      client_name: 'Visual Studio Code',
      client_uri: 'https://code.visualstudio.com',
      grant_types: [
        'authorization_code',
        'refresh_token',
        'urn:ietf:params:oauth:grant-type:device_code',
      ],
      response_types: ['code'],
      redirect_uris: [
        'https://insiders.vscode.dev/redirect',
        'https://vscode.dev/redirect',
        'http://127.0.0.1/',
        'http://127.0.0.1:33418/',
      ],
      scope: READ_WRITE,
      token_endpoint_auth_method: 'none',
      application_type: 'native',
    },
    method: 'none',
    uses: [
      'https://vscode.dev/redirect',
      'https://insiders.vscode.dev/redirect',
      'http://127.0.0.1:33418/',
      'http://127.0.0.1:49152/',
    ],
    scope: READ_WRITE,
  },
  {
    name: 'VS Code with bare authorities, without the final slash',
    body: {
      client_name: 'Visual Studio Code',
      redirect_uris: [
        'https://vscode.dev/redirect',
        'http://127.0.0.1:33418',
        'http://localhost',
        'vscode://vscode.mcp/callback',
      ],
      token_endpoint_auth_method: 'none',
    },
    method: 'none',
    uses: ['http://127.0.0.1:33418', 'http://127.0.0.1:50000', 'vscode://vscode.mcp/callback'],
  },
  {
    name: 'Inspector, with a narrower scope than it asks for later',
    body: {
      client_name: 'MCP Inspector',
      client_uri: 'https://github.com/modelcontextprotocol/inspector',
      redirect_uris: [
        'http://localhost:6274/oauth/callback',
        'http://localhost:6274/oauth/callback/debug',
      ],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      scope: 'neonpanel.read',
    },
    method: 'none',
    scope: READ_WRITE,
  },
  {
    name: 'mcp-remote with software_id and no application_type',
    body: {
      client_name: 'MCP CLI Proxy',
      client_uri: 'https://github.com/modelcontextprotocol/mcp-cli',
      redirect_uris: ['http://localhost:3334/oauth/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      software_id: '2e6dc280-f3c3-4e01-99a7-8181dbd1d23d',
      software_version: '0.15.1',
      scope: 'neonpanel.read',
    },
    method: 'none',
    uses: ['http://localhost:3334/oauth/callback', 'http://localhost:22777/oauth/callback'],
    scope: READ_WRITE,
  },
  {
    name: 'Grok, path with a final slash',
    body: {
      client_name: 'Grok',
      redirect_uris: ['https://grok.com/connectors-oauth-exchange-code/'],
      token_endpoint_auth_method: 'client_secret_post',
    },
    method: 'client_secret_post',
  },
  {
    name: 'Meta Muse',
    body: {
      client_name: 'Meta AI',
      redirect_uris: ['https://agent.meta.ai/api/hatch/oauth/callback'],
      token_endpoint_auth_method: 'none',
    },
    method: 'none',
  },
  {
    name: 'a client with an IPv6 loopback',
    body: { redirect_uris: ['http://[::1]:8080/cb'], token_endpoint_auth_method: 'none' },
    method: 'none',
    uses: ['http://[::1]:9090/cb'],
  },
  {
    name: 'nulls wherever nothing was chosen',
    body: {
      client_name: null,
      redirect_uris: ['https://nulls.example/cb'],
      grant_types: null,
      response_types: null,
      scope: null,
      token_endpoint_auth_method: null,
      application_type: null,
      client_uri: null,
      logo_uri: null,
      tos_uri: null,
      policy_uri: null,
      jwks_uri: null,
      jwks: null,
      contacts: null,
      software_id: null,
      software_version: null,
      software_statement: null,
    },
    method: 'client_secret_basic',
  },
  {
    name: 'empty strings wherever nothing was chosen',
    body: {
      client_name: '',
      redirect_uris: ['https://empty.example/cb'],
      grant_types: [],
      response_types: [],
      scope: '',
      token_endpoint_auth_method: '',
      client_uri: '',
      logo_uri: '',
      contacts: [],
    },
    method: 'client_secret_basic',
  },
  {
    name: 'unknown fields and values of odd types',
    body: {
      client_name: 5,
      redirect_uris: ['https://odd.example/cb'],
      grant_types: ['implicit', 'password', 7, null],
      response_types: ['code token', 'none'],
      contacts: { mail: 'x' },
      client_uri: 'not a url',
      logo_uri: 'http://169.254.169.254/latest/meta-data',
      jwks_uri: 'http://169.254.169.254/',
      sector_identifier_uri: 'http://169.254.169.254/',
      initiate_login_uri: 'javascript:alert(1)',
      post_logout_redirect_uris: ['javascript:alert(1)'],
      'client_name#de': 'Name',
      require_pushed_authorization_requests: true,
      dpop_bound_access_tokens: true,
      id_token_signed_response_alg: 'HS256',
      subject_type: 'pairwise',
      default_max_age: 1,
      require_auth_time: true,
      unknown: { nested: [1, 2, 3] },
    },
    method: 'client_secret_basic',
  },
  {
    name: 'nothing but a redirect URI',
    body: { redirect_uris: ['https://omitted.example/cb'] },
    method: 'client_secret_basic',
  },
];
