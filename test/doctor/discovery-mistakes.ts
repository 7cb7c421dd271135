import { generateKeyPairSync } from 'node:crypto';
import {
  PRM,
  PRM_MCP,
  OAUTH,
  OPENID,
  SERVER,
  JWKS,
  TOKEN,
  HTML,
  WALL,
  METADATA_STEPS,
  AUTHORIZATION_STEPS,
  SHAPES,
  isAgent,
  isMcp,
  isPreflight,
  refusal,
  type Mistake,
} from './mistake.ts';
import { answer, both, editHeaders, editJson, editReply } from './proxy.ts';

/** What clients meet before they register. */

const weakKey = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({
  format: 'jwk',
});

export const DISCOVERY: readonly Mistake[] = [
  {
    title: 'a firewall that stops the user agents of ChatGPT',
    distort: answer(isAgent(/openai|chatgpt/i), 403, WALL),
    step: 'user-agents',
    cause: /bot wall.*openai-mcp.*403/,
  },
  {
    title: 'a rate limit for the library that Claude uses',
    distort: answer(isAgent(/python-httpx/), 429, WALL),
    step: 'user-agents',
    cause: /bot wall.*python-httpx.*429/,
  },
  {
    title: 'a bot wall for everybody',
    distort: answer(() => true, 403, WALL),
    step: 'reachable',
    cause: /bot wall or a login page in front/,
    skips: 'rest',
  },
  {
    title: 'a proxy whose server is down',
    distort: answer(() => true, 502, HTML),
    step: 'reachable',
    cause: /proxy answers, the server behind it does not/,
    skips: 'rest',
  },
  {
    title: 'a redirect of the MCP endpoint to one with a slash',
    distort: answer(isMcp, 301, '', { location: '/mcp/' }),
    step: 'challenge',
    cause: /POST \/mcp is redirected \(301 to \/mcp\/\)/,
    skips: ['mcp-methods', 'bad-token'],
  },
  {
    title: 'nothing at the path of the MCP endpoint',
    distort: answer(isMcp, 404, HTML),
    step: 'challenge',
    cause: /nothing speaks MCP at \/mcp/,
    skips: ['mcp-methods', 'bad-token'],
  },
  {
    title: 'a 401 without WWW-Authenticate',
    distort: editHeaders('/mcp', { 'www-authenticate': undefined }),
    step: 'challenge',
    cause: /no WWW-Authenticate/,
    also: ['bad-token'],
  },
  {
    title: 'an internal host in the challenge',
    distort: editHeaders('/mcp', {
      'www-authenticate': `Bearer error="invalid_token", scope="neonpanel.read", resource_metadata="http://app:3000${PRM_MCP}"`,
    }),
    step: 'challenge',
    cause: /resource_metadata in the challenge points elsewhere: http:\/\/app:3000/,
  },
  {
    title: 'a 401 whose body is a page',
    distort: editReply('/mcp', ({ status, headers }) =>
      status === 401 ? { body: HTML, headers: { ...headers, 'content-type': 'text/html' } } : {},
    ),
    step: 'challenge',
    cause: /body of the 401 is not an OAuth error in JSON/,
  },
  {
    title: '403 instead of 401',
    distort: answer(isMcp, 403, refusal('forbidden')),
    step: 'challenge',
    cause: /forbidden.*only 401 starts a sign-in/,
    skips: ['mcp-methods', 'bad-token'],
  },
  {
    title: 'an open initialize, and no tools',
    distort: both(
      answer((asked) => isMcp(asked) && asked.body.includes('"initialize"'), 200, {
        jsonrpc: '2.0',
        id: 1,
        result: { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'x' } },
      }),
      answer((asked) => isMcp(asked) && asked.body.includes('tools/list'), 200, {
        jsonrpc: '2.0',
        id: 1,
        result: { tools: [] },
      }),
    ),
    step: 'challenge',
    cause: /200 without a token, but there are no tools/,
    skips: ['mcp-methods'],
  },
  {
    title: 'a GET of the MCP endpoint that leads to the web application',
    distort: answer(({ url, method }) => url.pathname === '/mcp' && method === 'GET', 200, HTML),
    step: 'mcp-methods',
    cause: /GET at the MCP endpoint is answered 200 text\/html/,
  },
  {
    title: 'a token that nobody issued crashes the server',
    distort: answer(({ headers }) => !!headers.authorization?.includes('not.a.token'), 500, HTML),
    step: 'bad-token',
    cause: /token that is not valid is answered 500/,
  },
  {
    title: 'an empty Authorization header is a bad request',
    distort: answer((asked) => isMcp(asked) && asked.headers.authorization === '', 400, {}),
    step: 'bad-token',
    cause: /empty Authorization header is answered 400/,
  },
  {
    title: 'no protected-resource metadata by way of the path',
    distort: answer(PRM_MCP, 404, refusal('not_found')),
    step: 'resource-metadata',
    cause: /oauth-protected-resource\/mcp is answered 404/,
    // What there is instead is the document of the origin.
    also: ['resource-identifier'],
  },
  {
    title: 'no protected-resource metadata at all',
    distort: answer(PRM, 404, HTML),
    step: 'resource-metadata',
    cause: /oauth-protected-resource\/mcp is answered 404 text\/html/,
    skips: METADATA_STEPS,
  },
  {
    title: 'a final slash in resource',
    distort: editJson(PRM_MCP, (body) => void (body.resource += '/')),
    step: 'resource-identifier',
    cause: /only the final slash differs/,
  },
  {
    title: 'the origin as resource of the MCP endpoint',
    distort: editJson(PRM_MCP, (body) => void (body.resource = new URL(body.resource).origin)),
    step: 'resource-identifier',
    cause: /the path is another one/,
  },
  {
    title: 'an internal host in resource',
    distort: editJson(PRM_MCP, (body) => void (body.resource = 'http://app:3000/mcp')),
    step: 'resource-identifier',
    cause: /the host is another one/,
  },
  {
    title: 'offline_access among the scopes of the resource',
    distort: editJson(PRM, (body) => void body.scopes_supported.push('offline_access')),
    step: 'resource-identifier',
    cause: /scopes_supported of the resource lists offline_access/,
    isWarning: true,
  },
  {
    title: 'no authorization server named',
    distort: editJson(PRM, (body) => void (body.authorization_servers = [])),
    step: 'authorization-servers',
    cause: /authorization_servers is missing, empty/,
  },
  {
    title: 'an authorization server on another host, which is not there',
    distort: editJson(PRM, (body) => void (body.authorization_servers = ['https://login.invalid'])),
    step: 'authorization-servers',
    cause: /on another host: https:\/\/login\.invalid/,
    isWarning: true,
    also: ['oauth-metadata', 'openid-metadata'],
    skips: 'rest',
  },
  {
    title: 'no authorization server metadata',
    distort: answer(OAUTH, 404, HTML),
    step: 'oauth-metadata',
    cause: /\/\.well-known\/oauth-authorization-server is answered 404 text\/html/,
    skips: ['metadata-equal'],
  },
  {
    title: 'no OpenID discovery',
    distort: answer(OPENID, 404, HTML),
    step: 'openid-metadata',
    cause: /\/\.well-known\/openid-configuration is answered 404/,
    skips: ['metadata-equal'],
  },
  {
    title: 'metadata only at the root',
    distort: answer(`${OAUTH}/mcp`, 404, HTML),
    step: 'metadata-variants',
    cause: /oauth-authorization-server\/mcp is answered 404/,
  },
  {
    title: 'two documents that differ',
    distort: editJson(OPENID, (body) => void (body.token_endpoint += '2')),
    step: 'metadata-equal',
    cause: /differ in token_endpoint$/,
  },
  {
    title: 'a final slash in the issuer',
    distort: editJson(SERVER, (body) => void (body.issuer += '/')),
    step: 'issuer',
    cause: /issuer in oauth-authorization-server is .*only the final slash differs/,
    // iss in answers is then not that string either.
    also: ['authorization-errors'],
  },
  {
    title: 'an issuer of another host',
    distort: editJson(SERVER, (body) => void (body.issuer = 'http://my.neonpanel.example')),
    step: 'issuer',
    cause: /the host is another one/,
    also: ['authorization-errors'],
  },
  {
    title: 'endpoints with http behind a proxy',
    distort: editJson(
      SERVER,
      (body) => void (body.introspection_endpoint = 'http://mcp.example/i'),
    ),
    step: 'endpoints',
    cause: /introspection_endpoint is not an https address/,
  },
  {
    title: 'PKCE not advertised',
    distort: editJson(SERVER, (body) => void delete body.code_challenge_methods_supported),
    step: 'pkce-advertised',
    cause: /code_challenge_methods_supported in oauth-authorization-server is missing/,
  },
  {
    title: 'PKCE with plain only',
    distort: editJson(SERVER, (body) => void (body.code_challenge_methods_supported = ['plain'])),
    step: 'pkce-advertised',
    cause: /does not contain S256/,
  },
  {
    title: 'no registration endpoint, nor metadata documents',
    distort: editJson(SERVER, (body) => {
      delete body.registration_endpoint;
      delete body.client_id_metadata_document_supported;
    }),
    step: 'registration-advertised',
    cause: /does not support dynamic registration/,
    skips: [
      'registration-errors',
      'registration',
      ...SHAPES,
      'authorization',
      ...AUTHORIZATION_STEPS,
      'clean-up',
    ],
  },
  {
    title: 'iss not announced',
    distort: editJson(
      SERVER,
      (body) => void delete body.authorization_response_iss_parameter_supported,
    ),
    step: 'iss-advertised',
    cause: /authorization_response_iss_parameter_supported is not true/,
  },
  {
    title: 'the method none not advertised',
    distort: editJson(SERVER, (body) => void body.token_endpoint_auth_methods_supported.shift()),
    step: 'abilities-advertised',
    cause: /token_endpoint_auth_methods_supported does not contain none/,
  },
  {
    title: 'offline_access not advertised',
    distort: editJson(SERVER, (body) => void (body.scopes_supported = ['neonpanel.read'])),
    step: 'abilities-advertised',
    cause: /scopes_supported does not contain offline_access/,
  },
  {
    title: 'the page of a web application for what is not there',
    distort: answer(/doctor-asks-for-nothing/, 200, HTML),
    step: 'unknown-well-known',
    cause: /unknown address below \/\.well-known\/ is answered 200 text\/html/,
  },
  {
    title: 'private members among the public keys',
    distort: editJson(JWKS, (body) => void (body.keys[0].d = 'AQAB')),
    step: 'jwks-private',
    cause: /has private members \(d\)/,
  },
  {
    title: 'a shared secret among the public keys',
    distort: editJson(JWKS, (body) => void body.keys.push({ kty: 'oct', kid: 'x', k: 'AAAA' })),
    step: 'jwks-private',
    cause: /key x has private members \(k\)/,
  },
  {
    title: 'a key without kid',
    distort: editJson(JWKS, (body) => void delete body.keys[0].kid),
    step: 'jwks',
    cause: /key no\. 1: it has no kid/,
  },
  {
    title: 'a key that is too weak',
    distort: editJson(
      JWKS,
      (body) => void body.keys.push({ ...weakKey, kid: 'weak', alg: 'RS256' }),
    ),
    step: 'jwks',
    cause: /key weak: 1024 bits are too few/,
  },
  {
    title: 'keys behind a login',
    distort: answer(({ url, method }) => url.pathname === JWKS && method === 'GET', 302, '', {
      location: '/login',
    }),
    step: 'jwks',
    cause: /jwks_uri is answered 302 to \/login/,
    skips: ['jwks-private'],
  },
  {
    title: 'no CORS at the token endpoint',
    distort: answer(isPreflight(TOKEN), 404, HTML),
    step: 'cors',
    cause: /preflight \(CORS\) of \/oauth2\/token is answered 404/,
  },
  {
    title: 'a preflight that wants a token',
    distort: answer(isPreflight('/mcp'), 401, refusal('invalid_token')),
    step: 'cors',
    cause: /preflight \(CORS\) of \/mcp is answered 401/,
  },
  {
    title: 'a header that browsers may not send',
    distort: editHeaders(isPreflight('/mcp'), { 'access-control-allow-headers': 'content-type' }),
    step: 'cors',
    cause: /does not allow the headers authorization/,
  },
  {
    title: 'a challenge that browsers may not see',
    distort: editHeaders('/mcp', { 'access-control-expose-headers': undefined }),
    step: 'cors',
    cause: /does not see WWW-Authenticate/,
  },
];
