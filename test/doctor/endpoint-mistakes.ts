import {
  TOKEN,
  REGISTER,
  AUTHORIZE,
  HTML,
  AUTHORIZATION_STEPS,
  SHAPES,
  isPost,
  isRegistrationWith,
  refusal,
  type Mistake,
} from './mistake.ts';
import { answer, editHeaders, editJson, editQuery, editReply } from './proxy.ts';

/** What clients meet from their registration to the login. */

export const ENDPOINTS: readonly Mistake[] = [
  {
    title: 'a page where the token endpoint fails',
    distort: answer((asked) => isPost(TOKEN)(asked) && !!asked.headers.authorization, 500, HTML),
    step: 'token-errors',
    cause: /"null" at the token endpoint is answered 500 text\/html: HTML where clients parse JSON/,
  },
  {
    title: 'a token endpoint that wants JSON',
    distort: answer(isPost(TOKEN), 415, refusal('unsupported_media_type')),
    step: 'token-errors',
    cause: /the form is not understood/,
    also: ['unknown-client'],
  },
  {
    title: 'endpoints at other paths than the metadata names',
    distort: answer(isPost('/oauth2/revoke'), 404, refusal('not_found')),
    step: 'revocation-errors',
    cause: /the endpoint that the metadata names is not there/,
  },
  {
    title: 'an unknown client is told that its token is dead',
    distort: answer(
      (asked) => isPost(TOKEN)(asked) && asked.body.includes('doctor-unknown'),
      400,
      refusal('invalid_grant'),
    ),
    step: 'unknown-client',
    cause: /unknown client at the token endpoint is answered 400 invalid_grant/,
  },
  {
    title: 'a broken registration crashes the server',
    distort: answer(
      (asked) => isPost(REGISTER)(asked) && asked.body === '{"redirect_uris": [',
      500,
      refusal('server_error'),
    ),
    step: 'registration-errors',
    cause: /registration with broken JSON is answered 500.*crashes the server/,
  },
  {
    title: 'any redirect URI can be registered',
    distort: answer(isRegistrationWith('javascript:'), 201, { client_id: 'careless' }),
    step: 'registration-errors',
    cause: /a javascript: redirect URI is accepted/,
    leaves: 2,
  },
  {
    title: 'registration wants an initial access token',
    distort: answer(isPost(REGISTER), 401, refusal('invalid_token')),
    step: 'registration',
    cause: /initial access token \(401\)/,
    skips: [...SHAPES, 'authorization', ...AUTHORIZATION_STEPS, 'clean-up'],
  },
  {
    title: 'a page where registration is',
    distort: answer(isRegistrationWith('NeonPanel doctor'), 500, HTML),
    step: 'registration',
    cause: /registration is answered 500 text\/html, not with JSON/,
    skips: [...SHAPES, 'authorization', ...AUTHORIZATION_STEPS, 'clean-up'],
  },
  {
    title: 'a secret for a client that wants none',
    distort: editJson(isPost(REGISTER), (body) => void (body.client_secret = 's')),
    step: 'registration',
    cause: /client without client authentication \(none\) is given a client_secret/,
  },
  {
    title: 'registered without refresh_token',
    distort: editJson(isPost(REGISTER), (body) => void (body.grant_types = ['authorization_code'])),
    step: 'registration',
    cause: /registered without it: it must sign in every hour/,
  },
  {
    title: 'Cursor refused for its scheme',
    distort: answer(isRegistrationWith('cursor://'), 400, refusal('invalid_redirect_uri')),
    step: 'register-cursor',
    leaves: 4,
    skips: ['registration'],
    cause: /registration of Cursor is refused: 400 application\/json invalid_redirect_uri/,
  },
  {
    title: 'Claude refused for its scope',
    distort: answer(isRegistrationWith('claudeai'), 400, refusal('invalid_client_metadata')),
    step: 'register-claude',
    leaves: 4,
    skips: ['registration'],
    cause: /registration of Claude is refused/,
  },
  {
    title: 'ChatGPT refused for a null',
    distort: answer(isRegistrationWith('null'), 400, refusal('invalid_client_metadata')),
    step: 'register-chatgpt',
    leaves: 4,
    skips: ['registration'],
    cause: /registration of ChatGPT is refused/,
  },
  {
    title: 'VS Code refused for a grant type',
    distort: answer(isRegistrationWith('device_code'), 400, refusal('invalid_client_metadata')),
    step: 'register-vscode',
    leaves: 4,
    skips: ['registration'],
    cause: /registration of VS Code is refused/,
  },
  {
    title: 'Claude Code refused for a loopback address without application_type',
    distort: answer(isRegistrationWith('http://localhost:'), 400, refusal('invalid_redirect_uri')),
    step: 'register-claude-code',
    leaves: 4,
    cause: /registration of Claude Code is refused/,
    // Whichever client remains has no address on loopback.
    skips: ['registration', 'redirect-loopback'],
  },
  {
    title: 'an ordinary request is refused',
    distort: editQuery(AUTHORIZE, (query) => void query.set('response_type', 'token')),
    step: 'authorization',
    cause: /is answered at the client with error=unsupported_response_type/,
    skips: AUTHORIZATION_STEPS,
  },
  {
    title: 'a request without scope is refused',
    distort: (asked, forward) => {
      const { pathname, searchParams } = asked.url;
      if (pathname !== AUTHORIZE || searchParams.has('scope')) return forward(asked);
      return { status: 400, headers: {}, body: 'invalid_scope' };
    },
    step: 'authorization-scopes',
    cause: /a request without a scope is refused with a page/,
  },
  {
    title: 'an advertised scope is refused',
    distort: (asked, forward) =>
      asked.url.searchParams.get('scope')?.includes('offline_access')
        ? { status: 400, headers: {}, body: 'invalid_scope' }
        : forward(asked),
    step: 'authorization-scopes',
    cause: /every advertised scope .*offline_access.* is refused/,
  },
  {
    title: 'an alias of the resource is refused',
    distort: (asked, forward) =>
      asked.url.searchParams.get('resource')?.endsWith('/mcp/')
        ? { status: 400, headers: {}, body: 'invalid_target' }
        : forward(asked),
    step: 'authorization-resource',
    cause: /for the resource .*\/mcp\/ is refused/,
  },
  {
    title: 'any resource is accepted',
    distort: editQuery(AUTHORIZE, (query) => {
      if (query.get('resource')?.includes('foreign')) query.delete('resource');
    }),
    step: 'authorization-resource',
    cause: /foreign resource goes on to sign-in/,
  },
  {
    title: 'PKCE not required',
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
    title: 'a long state is cut',
    distort: editReply(AUTHORIZE, ({ headers }) => ({
      headers: { ...headers, location: String(headers.location).replace(/s{500,}/, 'sss') },
    })),
    step: 'authorization-errors',
    cause: /state comes back changed \(\d+ of 2000 characters\)/,
  },
  {
    title: 'iss missing in errors',
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
    title: 'an unknown client is redirected',
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
    title: 'form-action on the consent page',
    distort: editHeaders(/^\/interaction\//, {
      'content-security-policy': "frame-ancestors 'none'; form-action 'self'",
    }),
    step: 'consent-page',
    cause: /form-action: Chromium blocks the redirect/,
  },
  {
    title: 'an opener policy on the consent page',
    distort: editHeaders(/^\/interaction\//, { 'cross-origin-opener-policy': 'same-origin' }),
    step: 'consent-page',
    cause: /Cross-Origin-Opener-Policy: same-origin/,
  },
  {
    title: 'redirect URIs compared without their final slash',
    distort: editQuery(AUTHORIZE, (query) => {
      const uri = query.get('redirect_uri')!;
      if (/callback\/$|redirect\/$/.test(uri)) query.set('redirect_uri', uri.slice(0, -1));
    }),
    step: 'redirect-exact',
    cause: /differs in its slash goes on to sign-in/,
  },
  {
    title: 'redirect URIs compared by their beginning',
    distort: editQuery(AUTHORIZE, (query) => {
      const uri = query.get('redirect_uri')!;
      query.set('redirect_uri', uri.replace('.doctor.example', ''));
    }),
    step: 'redirect-exact',
    cause: /differs in its host goes on to sign-in/,
  },
  {
    title: 'the port of a loopback address matters',
    distort: (asked, forward) =>
      asked.url.searchParams.get('redirect_uri')?.includes(':61999')
        ? { status: 400, headers: {}, body: 'redirect_uri mismatch' }
        : forward(asked),
    step: 'redirect-loopback',
    cause: /loopback redirect URI with another port is refused/,
  },
];
