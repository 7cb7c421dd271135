import { generateKeyPairSync } from 'node:crypto';
import {
  answer,
  type Asked,
  both,
  type Distortion,
  editHeaders,
  editJson,
  editQuery,
  editReply,
} from './proxy.ts';

/** One thing that is wrong, and what doctor has to say of it. */
export interface Mistake {
  /** With the ids of the failures it stands for. */
  readonly title: string;
  readonly distort: Distortion;
  /** The step that must name it. */
  readonly step: string;
  readonly cause: RegExp;
  /** It breaks some clients only. */
  readonly isWarning?: true;
  /** Other steps that meet the very same mistake, and rightly say so. */
  readonly also?: readonly string[];
  /** Steps that can't be taken then. `rest`: any that come after. */
  readonly skips?: readonly string[] | 'rest';
}

const PRM = /^\/\.well-known\/oauth-protected-resource/;
const PRM_MCP = '/.well-known/oauth-protected-resource/mcp';
const OAUTH = '/.well-known/oauth-authorization-server';
const OPENID = '/.well-known/openid-configuration';
const SERVER = /^\/\.well-known\/(oauth-authorization-server|openid-configuration)/;
const JWKS = '/.well-known/jwks.json';
const TOKEN = '/oauth2/token';
const REGISTER = '/oauth2/register';
const AUTHORIZE = '/oauth2/authorize';
const HTML = '<!doctype html><title>Not found</title><h1>Not found</h1>';
const WALL = '<!doctype html><title>Just a moment...</title>';

const METADATA_STEPS = ['resource-identifier', 'authorization-servers'];
const AUTHORIZATION_STEPS = [
  'authorization-scopes',
  'authorization-resource',
  'pkce-required',
  'authorization-errors',
  'authorization-unknown-client',
  'consent-page',
  'redirect-exact',
  'redirect-loopback',
];
const SHAPES = ['chatgpt', 'claude', 'claude-code', 'cursor', 'vscode'].map(
  (shape) => `register-${shape}`,
);

const isAgent = (pattern: RegExp) => (asked: Asked) =>
  pattern.test(asked.headers['user-agent'] ?? '');
const isMcp = ({ url, method }: Asked) => url.pathname === '/mcp' && method !== 'OPTIONS';
const isPreflight = (path: string) => (asked: Asked) =>
  asked.method === 'OPTIONS' && asked.url.pathname === path;
const isPost = (path: string) => (asked: Asked) =>
  asked.method === 'POST' && asked.url.pathname === path;
/** A registration whose text contains this. */
const isRegistrationWith = (text: string) => (asked: Asked) =>
  asked.url.pathname === REGISTER && asked.body.includes(text);
const refusal = (error: string) => ({ error, error_description: 'No.' });
const weakKey = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({
  format: 'jwk',
});

export const DISCOVERY: readonly Mistake[] = [
  {
    title: '[F23] a firewall that stops the user agents of ChatGPT',
    distort: answer(isAgent(/openai|chatgpt/i), 403, WALL),
    step: 'user-agents',
    cause: /bot wall.*openai-mcp.*403/,
  },
  {
    title: '[F23] a rate limit for the library that Claude uses',
    distort: answer(isAgent(/python-httpx/), 429, WALL),
    step: 'user-agents',
    cause: /bot wall.*python-httpx.*429/,
  },
  {
    title: '[F23] a bot wall for everybody',
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
    title: '[F22] a redirect of the MCP endpoint to one with a slash',
    distort: answer(isMcp, 301, '', { location: '/mcp/' }),
    step: 'challenge',
    cause: /POST \/mcp is redirected \(301 to \/mcp\/\)/,
    skips: ['mcp-methods', 'bad-token'],
  },
  {
    title: '[F31] nothing at the path of the MCP endpoint',
    distort: answer(isMcp, 404, HTML),
    step: 'challenge',
    cause: /nothing speaks MCP at \/mcp/,
    skips: ['mcp-methods', 'bad-token'],
  },
  {
    title: '[R1] [N23] a 401 without WWW-Authenticate',
    distort: editHeaders('/mcp', { 'www-authenticate': undefined }),
    step: 'challenge',
    cause: /no WWW-Authenticate/,
    also: ['bad-token'],
  },
  {
    title: '[F3] [N46] an internal host in the challenge',
    distort: editHeaders('/mcp', {
      'www-authenticate': `Bearer error="invalid_token", scope="neonpanel.read", resource_metadata="http://app:3000${PRM_MCP}"`,
    }),
    step: 'challenge',
    cause: /resource_metadata in the challenge points elsewhere: http:\/\/app:3000/,
  },
  {
    title: '[F24] a 401 whose body is a page',
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
    title: '[N16] an open initialize, and no tools',
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
    title: '[N25] an empty Authorization header is a bad request',
    distort: answer((asked) => isMcp(asked) && asked.headers.authorization === '', 400, {}),
    step: 'bad-token',
    cause: /empty Authorization header is answered 400/,
  },
  {
    title: '[F5] no protected-resource metadata by way of the path',
    distort: answer(PRM_MCP, 404, refusal('not_found')),
    step: 'resource-metadata',
    cause: /oauth-protected-resource\/mcp is answered 404/,
    // What there is instead is the document of the origin.
    also: ['resource-identifier'],
  },
  {
    title: '[N11] no protected-resource metadata at all',
    distort: answer(PRM, 404, HTML),
    step: 'resource-metadata',
    cause: /oauth-protected-resource\/mcp is answered 404 text\/html/,
    skips: METADATA_STEPS,
  },
  {
    title: '[F1] a final slash in resource',
    distort: editJson(PRM_MCP, (body) => void (body.resource += '/')),
    step: 'resource-identifier',
    cause: /only the final slash differs/,
  },
  {
    title: '[F2] [N27] the origin as resource of the MCP endpoint',
    distort: editJson(PRM_MCP, (body) => void (body.resource = new URL(body.resource).origin)),
    step: 'resource-identifier',
    cause: /the path is another one/,
  },
  {
    title: '[F3] an internal host in resource',
    distort: editJson(PRM_MCP, (body) => void (body.resource = 'http://app:3000/mcp')),
    step: 'resource-identifier',
    cause: /the host is another one/,
  },
  {
    title: '[F12] [R3] offline_access among the scopes of the resource',
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
    title: '[N1] an authorization server on another host, which is not there',
    distort: editJson(PRM, (body) => void (body.authorization_servers = ['https://login.invalid'])),
    step: 'authorization-servers',
    cause: /on another host: https:\/\/login\.invalid/,
    isWarning: true,
    also: ['oauth-metadata', 'openid-metadata'],
    skips: 'rest',
  },
  {
    title: '[A2] [N11] no authorization server metadata',
    distort: answer(OAUTH, 404, HTML),
    step: 'oauth-metadata',
    cause: /\/\.well-known\/oauth-authorization-server is answered 404 text\/html/,
    skips: ['metadata-equal'],
  },
  {
    title: '[A2] no OpenID discovery',
    distort: answer(OPENID, 404, HTML),
    step: 'openid-metadata',
    cause: /\/\.well-known\/openid-configuration is answered 404/,
    skips: ['metadata-equal'],
  },
  {
    title: '[F5] metadata only at the root',
    distort: answer(`${OAUTH}/mcp`, 404, HTML),
    step: 'metadata-variants',
    cause: /oauth-authorization-server\/mcp is answered 404/,
  },
  {
    title: '[N9] two documents that differ',
    distort: editJson(OPENID, (body) => void (body.token_endpoint += '2')),
    step: 'metadata-equal',
    cause: /differ in token_endpoint$/,
  },
  {
    title: '[A3] [F4] a final slash in the issuer',
    distort: editJson(SERVER, (body) => void (body.issuer += '/')),
    step: 'issuer',
    cause: /issuer in oauth-authorization-server is .*only the final slash differs/,
    // iss in answers is then not that string either.
    also: ['authorization-errors'],
  },
  {
    title: '[N46] an issuer of another host',
    distort: editJson(SERVER, (body) => void (body.issuer = 'http://my.neonpanel.example')),
    step: 'issuer',
    cause: /the host is another one/,
    also: ['authorization-errors'],
  },
  {
    title: '[F3] endpoints with http behind a proxy',
    distort: editJson(
      SERVER,
      (body) => void (body.introspection_endpoint = 'http://mcp.example/i'),
    ),
    step: 'endpoints',
    cause: /introspection_endpoint is not an https address/,
  },
  {
    title: '[F26] [A4] PKCE not advertised',
    distort: editJson(SERVER, (body) => void delete body.code_challenge_methods_supported),
    step: 'pkce-advertised',
    cause: /code_challenge_methods_supported in oauth-authorization-server is missing/,
  },
  {
    title: '[F26] PKCE with plain only',
    distort: editJson(SERVER, (body) => void (body.code_challenge_methods_supported = ['plain'])),
    step: 'pkce-advertised',
    cause: /does not contain S256/,
  },
  {
    title: '[N4] [A6] no registration endpoint, nor metadata documents',
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
    title: '[A8] iss not announced',
    distort: editJson(
      SERVER,
      (body) => void delete body.authorization_response_iss_parameter_supported,
    ),
    step: 'iss-advertised',
    cause: /authorization_response_iss_parameter_supported is not true/,
  },
  {
    title: '[N24] the method none not advertised',
    distort: editJson(SERVER, (body) => void body.token_endpoint_auth_methods_supported.shift()),
    step: 'abilities-advertised',
    cause: /token_endpoint_auth_methods_supported does not contain none/,
  },
  {
    title: '[A11] [F12] offline_access not advertised',
    distort: editJson(SERVER, (body) => void (body.scopes_supported = ['neonpanel.read'])),
    step: 'abilities-advertised',
    cause: /scopes_supported does not contain offline_access/,
  },
  {
    title: '[F6] the page of a web application for what is not there',
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
    title: '[F21] [N8] no CORS at the token endpoint',
    distort: answer(isPreflight(TOKEN), 404, HTML),
    step: 'cors',
    cause: /preflight \(CORS\) of \/oauth2\/token is answered 404/,
  },
  {
    title: '[F21] a preflight that wants a token',
    distort: answer(isPreflight('/mcp'), 401, refusal('invalid_token')),
    step: 'cors',
    cause: /preflight \(CORS\) of \/mcp is answered 401/,
  },
  {
    title: '[F21] a header that browsers may not send',
    distort: editHeaders(isPreflight('/mcp'), { 'access-control-allow-headers': 'content-type' }),
    step: 'cors',
    cause: /does not allow the headers authorization/,
  },
  {
    title: '[F21] a challenge that browsers may not see',
    distort: editHeaders('/mcp', { 'access-control-expose-headers': undefined }),
    step: 'cors',
    cause: /does not see WWW-Authenticate/,
  },
];

export const ENDPOINTS: readonly Mistake[] = [
  {
    title: '[N17] a page where the token endpoint fails',
    distort: answer((asked) => isPost(TOKEN)(asked) && !!asked.headers.authorization, 500, HTML),
    step: 'token-errors',
    cause: /"null" at the token endpoint is answered 500 text\/html: HTML where clients parse JSON/,
  },
  {
    title: '[N3] a token endpoint that wants JSON',
    distort: answer(isPost(TOKEN), 415, refusal('unsupported_media_type')),
    step: 'token-errors',
    cause: /the form is not understood/,
    also: ['unknown-client'],
  },
  {
    title: '[N2] endpoints at other paths than the metadata names',
    distort: answer(isPost('/oauth2/revoke'), 404, refusal('not_found')),
    step: 'revocation-errors',
    cause: /the endpoint that the metadata names is not there/,
  },
  {
    title: '[F19] an unknown client is told that its token is dead',
    distort: answer(
      (asked) => isPost(TOKEN)(asked) && asked.body.includes('doctor-unknown'),
      400,
      refusal('invalid_grant'),
    ),
    step: 'unknown-client',
    cause: /unknown client at the token endpoint is answered 400 invalid_grant/,
  },
  {
    title: '[N6] a broken registration crashes the server',
    distort: answer(
      (asked) => isPost(REGISTER)(asked) && asked.body === '{"redirect_uris": [',
      500,
      refusal('server_error'),
    ),
    step: 'registration-errors',
    cause: /registration with broken JSON is answered 500.*crashes the server/,
  },
  {
    title: '[F16] any redirect URI can be registered',
    distort: answer(isRegistrationWith('javascript:'), 201, { client_id: 'careless' }),
    step: 'registration-errors',
    cause: /a javascript: redirect URI is accepted/,
  },
  {
    title: '[N7] registration wants an initial access token',
    distort: answer(isPost(REGISTER), 401, refusal('invalid_token')),
    step: 'registration',
    cause: /initial access token \(401\)/,
    skips: [...SHAPES, 'authorization', ...AUTHORIZATION_STEPS, 'clean-up'],
  },
  {
    title: '[F23] [N6] a page where registration is',
    distort: answer(isRegistrationWith('NeonPanel doctor'), 500, HTML),
    step: 'registration',
    cause: /registration is answered 500 text\/html, not with JSON/,
    skips: [...SHAPES, 'authorization', ...AUTHORIZATION_STEPS, 'clean-up'],
  },
  {
    title: '[F15] a secret for a client that wants none',
    distort: editJson(isPost(REGISTER), (body) => void (body.client_secret = 's')),
    step: 'registration',
    cause: /client without client authentication \(none\) is given a client_secret/,
  },
  {
    title: '[F11] registered without refresh_token',
    distort: editJson(isPost(REGISTER), (body) => void (body.grant_types = ['authorization_code'])),
    step: 'registration',
    cause: /registered without it: it must sign in every hour/,
  },
  {
    title: '[F16] Cursor refused for its scheme',
    distort: answer(isRegistrationWith('cursor://'), 400, refusal('invalid_redirect_uri')),
    step: 'register-cursor',
    cause: /registration of Cursor is refused: 400 application\/json invalid_redirect_uri/,
  },
  {
    title: '[F14] Claude refused for its scope',
    distort: answer(isRegistrationWith('claudeai'), 400, refusal('invalid_client_metadata')),
    step: 'register-claude',
    cause: /registration of Claude is refused/,
  },
  {
    title: '[F14] ChatGPT refused for a null',
    distort: answer(isRegistrationWith('null'), 400, refusal('invalid_client_metadata')),
    step: 'register-chatgpt',
    cause: /registration of ChatGPT is refused/,
  },
  {
    title: '[F18] VS Code refused for a grant type',
    distort: answer(isRegistrationWith('device_code'), 400, refusal('invalid_client_metadata')),
    step: 'register-vscode',
    cause: /registration of VS Code is refused/,
  },
  {
    title: '[F17] [A7] Claude Code refused for a loopback address without application_type',
    distort: answer(isRegistrationWith('http://localhost:'), 400, refusal('invalid_redirect_uri')),
    step: 'register-claude-code',
    cause: /registration of Claude Code is refused/,
    // Whichever client remains has no address on loopback.
    skips: ['redirect-loopback'],
  },
  {
    title: '[N12] an ordinary request is refused',
    distort: editQuery(AUTHORIZE, (query) => void query.set('response_type', 'token')),
    step: 'authorization',
    cause: /is answered at the client with error=unsupported_response_type/,
    skips: AUTHORIZATION_STEPS,
  },
  {
    title: '[F32] a request without scope is refused',
    distort: (asked, forward) => {
      const { pathname, searchParams } = asked.url;
      if (pathname !== AUTHORIZE || searchParams.has('scope')) return forward(asked);
      return { status: 400, headers: {}, body: 'invalid_scope' };
    },
    step: 'authorization-scopes',
    cause: /a request without a scope is refused with a page/,
  },
  {
    title: '[F12] [F13] [N13] an advertised scope is refused',
    distort: (asked, forward) =>
      asked.url.searchParams.get('scope')?.includes('offline_access')
        ? { status: 400, headers: {}, body: 'invalid_scope' }
        : forward(asked),
    step: 'authorization-scopes',
    cause: /every advertised scope .*offline_access.* is refused/,
  },
  {
    title: '[F1] [F8] an alias of the resource is refused',
    distort: (asked, forward) =>
      asked.url.searchParams.get('resource')?.endsWith('/mcp/')
        ? { status: 400, headers: {}, body: 'invalid_target' }
        : forward(asked),
    step: 'authorization-resource',
    cause: /for the resource .*\/mcp\/ is refused/,
  },
  {
    title: '[F1] any resource is accepted',
    distort: editQuery(AUTHORIZE, (query) => {
      if (query.get('resource')?.includes('foreign')) query.delete('resource');
    }),
    step: 'authorization-resource',
    cause: /foreign resource goes on to sign-in/,
  },
  {
    title: '[A13] PKCE not required',
    distort: editQuery(AUTHORIZE, (query) => {
      if (query.has('state', 'doctor-'.padEnd(2_000, 's'))) return;
      if (query.has('code_challenge')) return;
      query.set('code_challenge', 'x'.repeat(43));
      query.set('code_challenge_method', 'S256');
    }),
    step: 'pkce-required',
    cause: /request without PKCE goes on to sign-in/,
  },
  {
    title: '[F27] a long state is cut',
    distort: editReply(AUTHORIZE, ({ headers }) => ({
      headers: { ...headers, location: String(headers.location).replace(/s{500,}/, 'sss') },
    })),
    step: 'authorization-errors',
    cause: /state comes back changed \(\d+ of 2000 characters\)/,
  },
  {
    title: '[F36] [A8] iss missing in errors',
    distort: editReply(AUTHORIZE, ({ headers }) => ({
      headers: {
        ...headers,
        location: headers.location && String(headers.location).replace(/&iss=[^&]*/, ''),
      },
    })),
    step: 'authorization-errors',
    cause: /iss is announced, and missing in an error response/,
  },
  {
    title: '[F36] an unknown client is redirected',
    distort: (asked, forward) => {
      const { searchParams: query } = asked.url;
      if (query.get('client_id') !== 'doctor-unknown') return forward(asked);
      const location = `${query.get('redirect_uri')}?error=invalid_client`;
      return { status: 302, headers: { location }, body: '' };
    },
    step: 'authorization-unknown-client',
    cause: /unknown client is answered at the client with error=invalid_client/,
  },
  {
    title: '[F20] form-action on the consent page',
    distort: editHeaders(/^\/interaction\//, {
      'content-security-policy': "frame-ancestors 'none'; form-action 'self'",
    }),
    step: 'consent-page',
    cause: /form-action: Chromium blocks the redirect/,
  },
  {
    title: '[F20] an opener policy on the consent page',
    distort: editHeaders(/^\/interaction\//, { 'cross-origin-opener-policy': 'same-origin' }),
    step: 'consent-page',
    cause: /Cross-Origin-Opener-Policy: same-origin/,
  },
  {
    title: '[A9] [N5] redirect URIs compared without their final slash',
    distort: editQuery(AUTHORIZE, (query) => {
      const uri = query.get('redirect_uri')!;
      if (/callback\/$|redirect\/$/.test(uri)) query.set('redirect_uri', uri.slice(0, -1));
    }),
    step: 'redirect-exact',
    cause: /differs in its slash goes on to sign-in/,
  },
  {
    title: '[A9] [N5] redirect URIs compared by their beginning',
    distort: editQuery(AUTHORIZE, (query) => {
      const uri = query.get('redirect_uri')!;
      query.set('redirect_uri', uri.replace('.doctor.example', ''));
    }),
    step: 'redirect-exact',
    cause: /differs in its host goes on to sign-in/,
  },
  {
    title: '[F17] the port of a loopback address matters',
    distort: (asked, forward) =>
      asked.url.searchParams.get('redirect_uri')?.includes(':61999')
        ? { status: 400, headers: {}, body: 'redirect_uri mismatch' }
        : forward(asked),
    step: 'redirect-loopback',
    cause: /loopback redirect URI with another port is refused/,
  },
];
