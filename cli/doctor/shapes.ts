/** Registrations as five real clients send them. What looks wrong in them is what they really send. */
export interface Shape {
  readonly id: string;
  readonly client: string;
  readonly body: Readonly<Record<string, unknown>> & { readonly redirect_uris: readonly string[] };
}

const CODE_AND_REFRESH = {
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
};

/** @param port where a client on this machine would listen */
export const shapesFor = (port: number): readonly Shape[] => [
  {
    id: 'chatgpt',
    client: 'ChatGPT',
    body: {
      client_name: 'ChatGPT',
      redirect_uris: ['https://chatgpt.com/connector_platform_oauth_redirect'],
      ...CODE_AND_REFRESH,
      token_endpoint_auth_method: 'none',
      logo_uri: null,
    },
  },
  {
    id: 'claude',
    client: 'Claude',
    body: {
      client_name: 'Claude',
      redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
      ...CODE_AND_REFRESH,
      scope: 'claudeai',
      token_endpoint_auth_method: 'none',
    },
  },
  {
    id: 'claude-code',
    client: 'Claude Code',
    // No application_type, which by default is `web`, and loopback all the same.
    body: {
      client_name: 'Claude Code',
      redirect_uris: [`http://localhost:${port}/callback`, `http://127.0.0.1:${port}/callback`],
      ...CODE_AND_REFRESH,
      token_endpoint_auth_method: 'none',
    },
  },
  {
    id: 'cursor',
    client: 'Cursor',
    body: {
      client_name: 'Cursor',
      redirect_uris: [
        'cursor://anysphere.cursor-mcp/oauth/callback',
        'https://www.cursor.com/agents/mcp/oauth/callback',
      ],
      ...CODE_AND_REFRESH,
      token_endpoint_auth_method: 'none',
      application_type: 'web',
    },
  },
  {
    id: 'vscode',
    client: 'VS Code',
    body: {
      client_name: 'Visual Studio Code',
      client_uri: 'https://code.visualstudio.com',
      redirect_uris: [
        'https://vscode.dev/redirect',
        'https://insiders.vscode.dev/redirect',
        'http://127.0.0.1/',
        'http://127.0.0.1:33418/',
      ],
      grant_types: [
        ...CODE_AND_REFRESH.grant_types,
        'urn:ietf:params:oauth:grant-type:device_code',
      ],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      application_type: 'native',
    },
  },
];

/**
 * All of them in one registration: every address and every peculiarity of the five, so that one client is enough to
 * see whether each of them would be accepted.
 */
export function unionOf(
  shapes: readonly Shape[],
): Record<string, unknown> & { redirect_uris: string[] } {
  const byId = (id: string) => shapes.find((shape) => shape.id === id)!.body;
  return {
    client_name: 'NeonPanel doctor',
    redirect_uris: ['claude-code', 'chatgpt', 'claude', 'cursor', 'vscode'].flatMap(
      (id) => byId(id).redirect_uris,
    ),
    grant_types: byId('vscode').grant_types,
    response_types: ['code'],
    scope: byId('claude').scope,
    application_type: byId('cursor').application_type,
    token_endpoint_auth_method: 'none',
    client_uri: byId('vscode').client_uri,
    logo_uri: null,
  };
}
