import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { decodeJwt, exportJWK, type JWTPayload, SignJWT } from 'jose';
import { type Mistake, WITH_TOKEN } from './mistake.ts';
import {
  answer,
  type Asked,
  both,
  type Distortion,
  editForm,
  editHeaders,
  editJson,
  editQuery,
  editReply,
  type Reply,
} from './proxy.ts';

/** What only shows behind a login. */

const TOKEN = '/oauth2/token';
/** The last way of the browser at the server. */
const BACK = /^\/oauth2\/authorize\/./;
const JWKS = '/.well-known/jwks.json';
const HTML = '<!doctype html><title>Error</title><h1>Internal Server Error</h1>';
const grant = ({ body, method, url }: Asked): string | null =>
  method === 'POST' && url.pathname === TOKEN ? new URLSearchParams(body).get('grant_type') : null;
const isToken = (asked: Asked): boolean => grant(asked) !== null;
const isCode = (asked: Asked): boolean => grant(asked) === 'authorization_code';
const isRefresh = (asked: Asked): boolean => grant(asked) === 'refresh_token';
/** A call with a token that was issued. */
const isCall = (method: string) => (asked: Asked) =>
  asked.url.pathname === '/mcp' &&
  asked.body.includes(`"${method}"`) &&
  /^bearer ey/i.test(asked.headers.authorization ?? '');
const error = (code: string) => ({ error: code, error_description: 'No.' });

export const LOGIN_MISTAKES: readonly Mistake[] = [
  // With the secret that they are then given, the rest must work.
  ...['client_secret_basic', 'client_secret_post'].map((method): Mistake => ({
    title: `${method} for a client that wants none`,
    distort: registeredFor(method),
    step: 'registration',
    cause: new RegExp(`wants no secret \\(none\\) is registered for ${method}`),
  })),
  {
    title: 'iss in the answer is another spelling',
    distort: editReply(BACK, withLocation(/iss=([^&]*)/, 'iss=$1%2F')),
    step: 'sign-in',
    cause: /iss in the answer is .*\/, not /,
  },
  {
    title: 'state is changed on the way back',
    distort: editReply(BACK, withLocation(/state=\w{4}/, 'state=')),
    step: 'sign-in',
    cause: /state does not come back unchanged/,
  },
  {
    title: 'the login ends in an error at the client',
    distort: editReply(BACK, withLocation(/code=[^&]*/, 'error=server_error')),
    step: 'sign-in',
    cause: /the client gets error=server_error/,
    skips: [
      'wrong-verifier',
      'wrong-redirect',
      'token-response',
      'token-claims',
      'token-accepted',
      'code-reuse',
      ...WITH_TOKEN,
    ],
  },
  {
    title: 'any PKCE verifier is accepted',
    distort: anyVerifier(),
    step: 'wrong-verifier',
    cause: /wrong code_verifier is accepted/,
  },
  {
    title: 'any redirect URI is accepted at the token endpoint',
    distort: anyRedirectUri(),
    step: 'wrong-redirect',
    cause: /another redirect_uri is accepted/,
  },
  {
    title: 'a page where the code is exchanged',
    distort: editReply(isCode, ({ status, headers }) =>
      status === 200
        ? { status: 500, body: HTML, headers: { ...headers, 'content-type': 'text/html' } }
        : {},
    ),
    step: 'token-response',
    cause: /exchanging the code is answered 500 text\/html/,
    also: ['code-reuse'],
    skips: ['token-claims', 'token-accepted', ...WITH_TOKEN],
  },
  {
    title: 'token_type in lower case',
    distort: editJson(isCode, (body) => void (body.token_type &&= 'bearer')),
    step: 'token-response',
    cause: /token_type is "bearer", not "Bearer"/,
  },
  {
    title: 'expires_in as a string',
    distort: editJson(isCode, (body) => void (body.expires_in &&= '3600')),
    step: 'token-response',
    cause: /expires_in is "3600", not a number/,
  },
  {
    title: 'no refresh token',
    distort: editJson(isToken, (body) => void delete body.refresh_token),
    step: 'token-response',
    cause: /there is no refresh_token/,
    skips: ['refresh', 'refresh-parallel'],
  },
  {
    title: 'a token response that may be cached',
    distort: editHeaders(isCode, { 'cache-control': 'public, max-age=60' }),
    step: 'token-response',
    cause: /no Cache-Control: no-store/,
  },
  {
    title: 'no scope in the token response',
    distort: editJson(isCode, (body) => void delete body.scope),
    step: 'token-response',
    cause: /scope is missing/,
  },
  {
    title: 'another audience in the token',
    distort: reminted((claims) => ({ ...claims, aud: 'neonpanel' })),
    step: 'token-claims',
    cause: /aud in the token is "neonpanel", not http/,
  },
  {
    title: 'another issuer in the token',
    distort: reminted((claims) => ({ ...claims, iss: `${claims.iss}/` })),
    step: 'token-claims',
    cause: /iss in the token is .*\/, not /,
  },
  {
    title: 'no sub in the token',
    distort: reminted(({ sub, ...claims }) => claims),
    step: 'token-claims',
    cause: /the token has no sub/,
  },
  {
    title: 'clocks that differ',
    distort: reminted(({ iat = 0, exp = 0, ...rest }) => ({
      ...rest,
      iat: iat + 300,
      exp: exp + 300,
    })),
    step: 'token-claims',
    cause: /clock: iat is \d+ s away/,
  },
  {
    title: 'a token signed with a key that is not published',
    distort: reminted((claims) => claims, false),
    step: 'token-claims',
    cause: /signature can not be verified with the published keys/,
  },
  {
    title: 'MCP refuses what the token endpoint issues',
    distort: answer(isCall('initialize'), 401, error('invalid_token'), {
      'www-authenticate': 'Bearer error="invalid_token"',
    }),
    step: 'token-accepted',
    cause: /MCP answers 401 application\/json to a token that was just issued/,
    skips: WITH_TOKEN,
  },
  {
    title: 'the scheme bearer is compared exactly',
    distort: answer(
      ({ headers }) => /^bearer ey/.test(headers.authorization ?? ''),
      401,
      error('invalid_token'),
    ),
    step: 'token-accepted',
    cause: /scheme "bearer" in lower case is answered 401/,
  },
  {
    title: 'capabilities that are not objects',
    distort: editJson(isCall('initialize'), ({ result }) => {
      if (result) result.capabilities.tools = true;
    }),
    step: 'initialize',
    cause: /capabilities\.tools is true, not an object/,
  },
  {
    title: 'a version of the protocol that does not exist',
    distort: editJson(isCall('initialize'), ({ result }) => {
      if (result) result.protocolVersion = '2025-01-01';
    }),
    step: 'initialize',
    cause: /protocolVersion is "2025-01-01", which is no version/,
  },
  {
    title: 'the notification that all is well is refused',
    distort: answer(isCall('notifications/initialized'), 401, error('invalid_token')),
    step: 'initialize',
    cause: /notifications\/initialized is answered 401 application\/json, not 202/,
  },
  {
    title: 'the question of newer clients crashes the server',
    distort: answer(isCall('server/discover'), 500, HTML),
    step: 'server-discover',
    cause: /server\/discover, with which ChatGPT begins, is answered 500/,
  },
  {
    title: 'no tools',
    distort: editJson(isCall('tools/list'), ({ result }) => void (result.tools = [])),
    step: 'tools-list',
    cause: /tools\/list is empty, although the token is accepted/,
    skips: ['tools-schemas', 'tools-hints', 'tools-size', 'tools-call'],
  },
  {
    title: 'a dot in the name of a tool',
    distort: editTools((tool) => ({ ...tool, name: `neonpanel.${tool.name}` })),
    step: 'tools-list',
    cause: /"neonpanel\.\w+" has characters or a length that clients refuse/,
    // By that name nobody knows it.
    also: ['tools-call'],
  },
  {
    title: 'a schema that refers to another',
    distort: editTools((tool) => ({
      ...tool,
      inputSchema: { ...tool.inputSchema, properties: { page: { $ref: '#/$defs/page' } } },
    })),
    step: 'tools-schemas',
    cause: /the schema of listCompanies: uses \$ref/,
  },
  {
    title: 'a tool without its hints',
    distort: editTools(({ annotations: { readOnlyHint }, ...tool }) => ({
      ...tool,
      annotations: { readOnlyHint },
    })),
    step: 'tools-hints',
    cause: /1 tools leave out .*destructiveHint.*listCompanies/,
  },
  {
    title: 'a list of tools that fills the model',
    distort: editTools((tool) => ({ ...tool, description: 'Long. '.repeat(10_000) })),
    step: 'tools-size',
    cause: /the list of tools has \d+ bytes, more than 40000/,
  },
  {
    title: 'a result that is no tool result',
    distort: editJson(
      isCall('tools/call'),
      (message) => void (message.result = { name: 'x', result: {} }),
    ),
    step: 'tools-call',
    cause: /the result of listCompanies has no content/,
  },
  {
    title: 'outputSchema without structuredContent',
    distort: editJson(isCall('tools/call'), ({ result }) => void delete result.structuredContent),
    step: 'tools-call',
    cause: /has an outputSchema, and its result no structuredContent/,
  },
  {
    title: 'a refresh token that does not rotate',
    distort: withoutRotation(),
    step: 'refresh',
    cause: /the refresh token does not rotate/,
  },
  {
    title: 'the refresh is refused',
    distort: answer(isRefreshOf(/doctor-unknown/, false), 400, error('invalid_target')),
    step: 'refresh',
    cause: /exchanging the refresh token is answered 400 application\/json invalid_target/,
    skips: ['refresh-parallel', 'revocation'],
  },
  {
    title: 'of two refreshes at once, one loses',
    distort: onlyOneAtATime(),
    step: 'refresh-parallel',
    cause: /of two refreshes at once, one is answered 400/,
  },
  {
    title: 'revocation that changes nothing',
    distort: answer(
      ({ url, body }) => url.pathname === '/oauth2/revoke' && body.includes('client_id'),
      200,
      {},
    ),
    step: 'revocation',
    cause: /access token still works a second after/,
  },
  {
    title: 'a dead refresh token is answered like a missing one',
    distort: editReply(isRefresh, ({ status, body }) =>
      status === 400 && body.includes('invalid_grant')
        ? { status: 401, body: JSON.stringify(error('invalid_token')) }
        : {},
    ),
    step: 'revocation',
    cause: /a dead refresh token is answered 401 application\/json invalid_token/,
  },
  {
    title: 'a code works twice',
    distort: replayable(),
    step: 'code-reuse',
    cause: /a code that was used is accepted again/,
  },
];

function registeredFor(method: string): Distortion {
  return (asked, forward) => {
    if (!asked.body.startsWith('{"client_name"')) return forward(asked);
    const metadata = { ...JSON.parse(asked.body), token_endpoint_auth_method: method };
    return forward({ ...asked, body: JSON.stringify(metadata) });
  };
}

/** Of the answer that carries the code. */
function withLocation(pattern: RegExp, replacement: string) {
  return ({ headers }: Reply) => {
    const location = String(headers.location ?? '');
    if (!/[?&]code=/.test(location) || !location.includes('iss=')) return {};
    return { headers: { ...headers, location: location.replace(pattern, replacement) } };
  };
}

function editTools(edit: (tool: any) => unknown): Distortion {
  return editJson(
    isCall('tools/list'),
    ({ result }) => void (result.tools[0] = edit(result.tools[0])),
  );
}

/** The proxy has a PKCE of its own with the server, and asks nothing of the client. */
function anyVerifier(): Distortion {
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  return both(
    editQuery('/oauth2/authorize', (query) => {
      if (query.get('code_challenge_method') === 'S256') query.set('code_challenge', challenge);
    }),
    editForm(isCode, (form) => {
      if (form.has('code_verifier')) form.set('code_verifier', verifier);
    }),
  );
}

function anyRedirectUri(): Distortion {
  let last = '';
  return both(
    editQuery('/oauth2/authorize', (query) => void (last = query.get('redirect_uri') ?? last)),
    editForm(isCode, (form) => {
      if (form.has('redirect_uri')) form.set('redirect_uri', last);
    }),
  );
}

/** Tokens with other claims, signed with a key of the proxy, which MCP seems to accept. */
function reminted(change: (claims: JWTPayload) => JWTPayload, isPublished = true): Distortion {
  const originals = new Map<string, string>();
  return async (asked, forward) => {
    const [, presented = ''] = /^bearer (.*)/i.exec(asked.headers.authorization ?? '') ?? [];
    const original = originals.get(presented);
    const headers = original
      ? { ...asked.headers, authorization: `Bearer ${original}` }
      : asked.headers;
    const reply = await forward({ ...asked, headers });
    if (asked.url.pathname === JWKS && asked.method === 'GET' && isPublished) {
      const { keys } = JSON.parse(reply.body);
      keys.push({ ...(await exportJWK(PROXY_KEY.publicKey)), kid: 'proxy', alg: 'ES256' });
      return { ...reply, body: JSON.stringify({ keys }) };
    }
    if (!isToken(asked) || reply.status !== 200) return reply;
    const body = JSON.parse(reply.body);
    const token = await new SignJWT(change(decodeJwt(body.access_token)))
      .setProtectedHeader({ alg: 'ES256', kid: 'proxy', typ: 'at+jwt' })
      .sign(PROXY_KEY.privateKey);
    originals.set(token, body.access_token);
    return { ...reply, body: JSON.stringify({ ...body, access_token: token }) };
  };
}

const PROXY_KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' });

function withoutRotation(): Distortion {
  /** What the client was given first, to what the server would take now. */
  const current = new Map<string, string>();
  return async (asked, forward) => {
    const form = new URLSearchParams(asked.body);
    const given = form.get('refresh_token') ?? form.get('token') ?? '';
    const body = asked.body.replace(encodeURIComponent(given), current.get(given) ?? given);
    const reply = await forward(given && current.has(given) ? { ...asked, body } : asked);
    if (!isRefresh(asked) || reply.status !== 200) return reply;
    const answered = JSON.parse(reply.body);
    current.set(given, answered.refresh_token);
    return { ...reply, body: JSON.stringify({ ...answered, refresh_token: given }) };
  };
}

function isRefreshOf(token: RegExp, wanted: boolean) {
  return (asked: Asked) => isRefresh(asked) && token.test(asked.body) === wanted;
}

function onlyOneAtATime(): Distortion {
  let busy = false;
  return async (asked, forward) => {
    if (!isRefresh(asked)) return forward(asked);
    if (busy) {
      const headers = { 'content-type': 'application/json' };
      return { status: 400, headers, body: JSON.stringify(error('invalid_grant')) };
    }
    busy = true;
    try {
      return await forward(asked);
    } finally {
      busy = false;
    }
  };
}

function replayable(): Distortion {
  const replies = new Map<string, Reply>();
  return async (asked, forward) => {
    if (!isCode(asked)) return forward(asked);
    const known = replies.get(asked.body);
    if (known) return known;
    const reply = await forward(asked);
    if (reply.status === 200) replies.set(asked.body, reply);
    return reply;
  };
}
