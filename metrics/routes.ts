/**
 * The names under which addresses are counted. Paths are strangers' words, and some hold ids; what is not in this table
 * is `other`.
 */
const BY_PATH: Readonly<Record<string, string>> = {
  '/mcp': 'mcp',
  '/mcp/': 'mcp',
  '/sse': 'sse',
  '/sse/': 'sse',
  '/messages': 'messages',
  '/messages/': 'messages',
  '/oauth2/authorize': 'authorize',
  '/oauth2/authorize/callback': 'callback',
  '/oauth2/token': 'token',
  '/oauth2/register': 'register',
  '/oauth2/revoke': 'revoke',
  '/oauth2/introspect': 'introspect',
  '/.well-known/jwks.json': 'jwks',
  '/.well-known/openai-apps-challenge': 'openai_challenge',
  '/openapi.json': 'openapi',
  '/robots.txt': 'robots',
  '/healthz': 'healthz',
  '/health': 'healthz',
  '/readyz': 'readyz',
};

const BY_FORM: readonly (readonly [RegExp, string])[] = [
  [/^\/interaction\/[\w-]{16,64}$/, 'interaction'],
  [/^\/oauth2\/authorize\/[\w-]{16,64}$/, 'resume'],
  [/^\/account(\/|$)/, 'account'],
  [/^\/assets\//, 'asset'],
  [
    /^\/\.well-known\/(oauth-authorization-server|openid-configuration)(\/(mcp|sse))?$/,
    'server_metadata',
  ],
  [/^\/\.well-known\/oauth-protected-resource(\/(mcp|sse))?$/, 'resource_metadata'],
];

const METHODS = new Set(['GET', 'HEAD', 'POST', 'OPTIONS']);

export function routeOf(method: string, path: string): string {
  // POST / is the MCP endpoint's other address.
  if (path === '/') return ['GET', 'HEAD'].includes(method) ? 'home' : 'mcp';
  if (Object.hasOwn(BY_PATH, path)) return BY_PATH[path]!;
  return BY_FORM.find(([form]) => form.test(path))?.[1] ?? 'other';
}

export const methodOf = (method: string): string => (METHODS.has(method) ? method : 'other');
