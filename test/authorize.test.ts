import test, { type ExecutionContext } from 'ava';
import { decodeJwt } from 'jose';
import * as oauth from 'oauth4webapi';
import { registerWith } from './client-auth.ts';
import { type Received, send, sendBytes } from './raw-http.ts';
import { startHarness } from './support/harness.ts';
import {
  answerConsent,
  type Attempt,
  authorizationRequest,
  callMcp,
  connect,
  REDIRECT_URI,
  redeem,
  refresh,
  register,
  signIn,
  type TestClient,
  userBrowser,
} from './support/oauth.ts';

const harness = await startHarness({ env: { RATE_LIMIT_FACTOR: '0' } });
const { url } = harness;
const client = (await register(url)).body;
test.after.always(() => harness.close());

const HTML = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
const BOTH = 'neonpanel.read neonpanel.write';

type Parameters = Record<string, string | undefined>;

const get = (attempt: Attempt, headers: Record<string, string> = {}) =>
  send(url, attempt.url.pathname + attempt.url.search, { headers });

/** An authorization request as a program would try it, without following anything. */
async function ask(parameters: Parameters = {}, by: TestClient = client) {
  const attempt = authorizationRequest(url, by, parameters);
  return { attempt, answer: await get(attempt) };
}

/** What the client is told at its redirect URI. */
function toldTo(t: ExecutionContext, answer: Received, about: string): URLSearchParams {
  t.is(answer.status, 303, `${about}: ${answer.text}`);
  const location = new URL(answer.headers.location!);
  t.is(location.origin + location.pathname, REDIRECT_URI, about);
  t.is(location.hash, '', about);
  return location.searchParams;
}

/** An error that is sent to the client: complete, with state and issuer, and nothing was begun. */
function redirected(
  t: ExecutionContext,
  { attempt, answer }: { attempt: Attempt; answer: Received },
  error: string,
  about: string,
): void {
  const told = toldTo(t, answer, about);
  t.is(told.get('error'), error, about);
  t.is(told.get('state'), attempt.state || null, about);
  t.is(told.get('iss'), url, about);
  t.is(told.get('code'), null, about);
  t.is(answer.headers['set-cookie'], undefined, about);
  t.is(answer.headers['cache-control'], 'no-store', about);
}

function asksForConsent(t: ExecutionContext, answer: Received, about: string): void {
  t.is(answer.status, 303, `${about}: ${answer.text}`);
  t.regex(answer.headers.location!, /^\/interaction\/[\w-]+$/, about);
}

// ------------------------------------------------------------------------------- scope

for (const [scope, ticked, unticked] of [
  [undefined, BOTH, 'neonpanel.read'],
  ['', BOTH, 'neonpanel.read'],
  ['  ', BOTH, 'neonpanel.read'],
  ['profile email', BOTH, 'neonpanel.read'],
  ['admin', BOTH, 'neonpanel.read'],
  ['NEONPANEL.READ', BOTH, 'neonpanel.read'],
  ['neonpanel.mcp', BOTH, 'neonpanel.read'],
  ['neonpanel.mcp neonpanel.read', BOTH, 'neonpanel.read'],
  ['neonpanel.read', 'neonpanel.read', 'neonpanel.read'],
  ['neonpanel.read unknown', 'neonpanel.read', 'neonpanel.read'],
  ['neonpanel.read  neonpanel.read', 'neonpanel.read', 'neonpanel.read'],
  ['neonpanel.write', BOTH, 'neonpanel.read'],
  ['neonpanel.write neonpanel.read', BOTH, 'neonpanel.read'],
  ['offline_access', `offline_access ${BOTH}`, 'offline_access neonpanel.read'],
  ['openid', `openid ${BOTH}`, 'openid neonpanel.read'],
  ['openid profile email neonpanel.read', 'openid neonpanel.read', 'openid neonpanel.read'],
  [
    `openid offline_access ${BOTH}`,
    `openid offline_access ${BOTH}`,
    'openid offline_access neonpanel.read',
  ],
] as const) {
  const name = scope === undefined ? 'no scope' : JSON.stringify(scope);
  test.serial(
    `[D14] [F32] [F12] asking for ${name} grants ${ticked} with the box ticked, ${unticked} without`,
    async (t) => {
      for (const [write, granted] of [
        [true, ticked],
        [false, unticked],
      ] as const) {
        const { tokens } = await connect(harness, { client, parameters: { scope }, write });
        t.is(tokens.scope, granted);
        const inToken = granted.split(' ').filter((one) => one.startsWith('neonpanel.'));
        t.is(decodeJwt(tokens.access_token).scope, inToken.join(' '));
        t.is('id_token' in tokens, granted.includes('openid'));
        t.truthy(tokens.refresh_token);
        t.is((await callMcp(url, tokens.access_token, 'tools/list')).status, 200);
      }
    },
  );
}

test.serial(
  '[D14] the box for writing is there exactly if writing was asked for, and is not ticked',
  async (t) => {
    for (const [scope, offered] of [
      [undefined, true],
      ['unknown', true],
      ['neonpanel.mcp', true],
      ['neonpanel.write', true],
      ['openid', true],
      ['neonpanel.read', false],
      ['openid offline_access neonpanel.read admin', false],
    ] as const) {
      const attempt = authorizationRequest(url, client, { scope });
      const page = await userBrowser(attempt).goto(attempt.url);
      const box = page.dom.querySelector('input[name=scope][value="neonpanel.write"]');
      t.is(box !== null, offered, String(scope));
      t.is(box?.getAttribute('checked'), undefined);
    }
  },
);

test.serial(
  '[A1] [A3] [A14] [F7] [F11] the strictest OAuth client gets through with openid: metadata, registration, iss, nonce, id_token, access token, refresh',
  async (t) => {
    const insecure = { [oauth.allowInsecureRequests]: true };
    const issuer = new URL(url);
    const as = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }),
    );
    const resource = new URL(`${url}/mcp`);
    const protectedResource = await oauth.processResourceDiscoveryResponse(
      resource,
      await oauth.resourceDiscoveryRequest(resource, insecure),
    );
    t.deepEqual(protectedResource.authorization_servers, [as.issuer]);
    const registered = await oauth.processDynamicClientRegistrationResponse(
      await oauth.dynamicClientRegistrationRequest(
        as,
        { redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: 'none' },
        insecure,
      ),
    );
    const state = oauth.generateRandomState();
    const nonce = oauth.generateRandomNonce();
    const verifier = oauth.generateRandomCodeVerifier();
    const attempt = authorizationRequest(url, registered as unknown as TestClient, {
      scope: `openid ${BOTH}`,
      resource: resource.href,
      state,
      nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    });
    const callback = oauth.validateAuthResponse(
      as,
      registered,
      await signIn(harness, attempt),
      state,
    );
    const answer = await oauth.authorizationCodeGrantRequest(
      as,
      registered,
      oauth.None(),
      callback,
      REDIRECT_URI,
      verifier,
      { additionalParameters: { resource: resource.href }, ...insecure },
    );
    const tokens = await oauth.processAuthorizationCodeResponse(as, registered, answer, {
      expectedNonce: nonce,
      requireIdToken: true,
      maxAge: 60,
    });
    await oauth.validateApplicationLevelSignature(as, answer, insecure);
    const claims = oauth.getValidatedIdTokenClaims(tokens)!;
    t.is(claims.nonce, nonce);
    const bearer = new Request(resource, {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    });
    const access = await oauth.validateJwtAccessToken(as, bearer, resource.href, insecure);
    t.is(access.sub, claims.sub);
    const refreshed = await oauth.processRefreshTokenResponse(
      as,
      registered,
      await oauth.refreshTokenGrantRequest(
        as,
        registered,
        oauth.None(),
        tokens.refresh_token!,
        insecure,
      ),
    );
    t.is((await callMcp(url, refreshed.access_token, 'tools/list')).status, 200);
  },
);

// ---------------------------------------------------------------------------- resource

const host = new URL(url).host;
const SPELLINGS = [
  url,
  `${url}/`,
  `${url}/mcp`,
  `${url}/mcp/`,
  `${url}/sse`,
  `${url}/sse/`,
  `HTTP://${host}/mcp`,
  `http://${host.toUpperCase()}/mcp`,
  `HTTP://${host.toUpperCase()}`,
];
const FOREIGN = [
  'https://evil.example/mcp',
  `${url}.evil.example/mcp`,
  `${url}/mcp/x`,
  `${url}/mcp//`,
  `${url}//mcp`,
  `${url}/MCP`,
  `${url}/other`,
  `${url}/mcp?x=1`,
  `${url}/mcp#x`,
  `${url}/mcp#`,
  `http://user@${host}/mcp`,
  `https://${host}/mcp`,
  `http://${host.split(':')[0]}/mcp`,
  `http://evil.example/${url}/mcp`,
  '/mcp',
  'mcp',
  'urn:neonpanel',
  'null',
];

/** How each is called in a title, since the port is another one each time. */
const CASES: [string, string | undefined][] = [
  ['[F1] [T65] the origin as resource', SPELLINGS[0]],
  ['[F1] [T65] the origin with a slash', SPELLINGS[1]],
  ['[F1] [T65] [A14] /mcp as resource', SPELLINGS[2]],
  ['[F1] [T65] /mcp/ as resource', SPELLINGS[3]],
  ['[F1] [T65] /sse as resource', SPELLINGS[4]],
  ['[F1] [T65] /sse/ as resource', SPELLINGS[5]],
  ['[F1] [T65] [R8] an upper-case scheme', SPELLINGS[6]],
  ['[F1] [T65] [R8] an upper-case host', SPELLINGS[7]],
  ['[F1] [T65] [R8] an origin in upper case', SPELLINGS[8]],
  ['[F8] no resource', undefined],
  ['[F8] an empty resource', ''],
];

for (const [i, [title, resource]] of CASES.entries()) {
  test.serial(`${title} means the one audience at authorize, token and refresh`, async (t) => {
    const attempt = authorizationRequest(url, client, { resource });
    const code = (await signIn(harness, attempt)).searchParams.get('code')!;
    // Another spelling each time: clients are not consistent either.
    const next = SPELLINGS[(i + 2) % SPELLINGS.length];
    const redeemed = await redeem(url, attempt, code, {
      resource: resource ? next : resource,
    });
    t.is(redeemed.status, 200, JSON.stringify(redeemed.body));
    const refreshed = await refresh(url, client, redeemed.body.refresh_token, { resource });
    t.is(refreshed.status, 200, JSON.stringify(refreshed.body));
    for (const { access_token } of [redeemed.body, refreshed.body])
      t.is(decodeJwt(access_token).aud, `${url}/mcp`);
    t.is((await callMcp(url, refreshed.body.access_token, 'tools/list')).status, 200);
  });
}

test.serial('[F1] [T65] a foreign resource is invalid_target at authorize', async (t) => {
  for (const resource of FOREIGN)
    redirected(t, await ask({ resource }), 'invalid_target', resource);
  const { attempt } = await ask({ resource: `${url}/mcp` });
  attempt.url.searchParams.append('resource', 'https://evil.example/mcp');
  redirected(t, { attempt, answer: await get(attempt) }, 'invalid_target', 'one of ours, one not');
});

test.serial('[F1] several spellings of our resource in one request are one resource', async (t) => {
  const attempt = authorizationRequest(url, client);
  for (const resource of SPELLINGS) attempt.url.searchParams.append('resource', resource);
  const code = (await signIn(harness, attempt)).searchParams.get('code')!;
  const { body } = await redeem(url, attempt, code);
  t.is(decodeJwt(body.access_token).aud, `${url}/mcp`);
});

test.serial(
  '[F1] [F9] [T65] a foreign resource is invalid_target at token and refresh, and burns neither code nor refresh token',
  async (t) => {
    const attempt = authorizationRequest(url, client);
    const code = (await signIn(harness, attempt)).searchParams.get('code')!;
    for (const resource of FOREIGN) {
      const { status, body } = await redeem(url, attempt, code, { resource });
      t.is(status, 400, resource);
      t.is((body as any).error, 'invalid_target', resource);
    }
    const redeemed = await redeem(url, attempt, code);
    t.is(redeemed.status, 200);
    for (const resource of FOREIGN) {
      const { status, body } = await refresh(url, client, redeemed.body.refresh_token, {
        resource,
      });
      t.is(status, 400, resource);
      t.is((body as any).error, 'invalid_target', resource);
    }
    t.is((await refresh(url, client, redeemed.body.refresh_token)).status, 200);
  },
);

// -------------------------------------------------------------------------------- PKCE

for (const method of ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt']) {
  test.serial(
    `[T15] [A4] [F26] a client with ${method} can’t authorize without S256`,
    async (t) => {
      const { client: by } = await registerWith(url, method);
      const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';
      asksForConsent(t, (await ask({ code_challenge: challenge }, by)).answer, 'a right one');
      for (const parameters of [
        { code_challenge: undefined, code_challenge_method: undefined },
        { code_challenge: undefined },
        { code_challenge: '', code_challenge_method: '' },
        { code_challenge_method: undefined },
        { code_challenge_method: '' },
        { code_challenge_method: 'plain' },
        { code_challenge_method: 's256' },
        { code_challenge_method: 'S256 ' },
        { code_challenge_method: 'S512' },
        { code_challenge: '' },
        { code_challenge: 'short' },
        { code_challenge: challenge.slice(1) },
        { code_challenge: 'x'.repeat(129) },
        { code_challenge: `${challenge.slice(1)}+` },
        { code_challenge: `${challenge.slice(1)} ` },
        { code_challenge: `${challenge}=` },
        { code_challenge: `${challenge}\u0000` },
      ])
        redirected(t, await ask(parameters, by), 'invalid_request', JSON.stringify(parameters));
    },
  );
}

// ------------------------------------------------------------------------------- state

const AWKWARD = '&=+%#?;,/\\ "\'<>{}|^~`[]()ü€😀\u0001\t';

test.serial(
  '[F27] [T70] a state of 2 kB with every kind of character comes back unchanged, in answers good and bad',
  async (t) => {
    const filler = 'A1b2-_.~'.repeat(250);
    for (const state of [filler, `${AWKWARD}${filler}`.slice(0, 2_000)]) {
      const attempt = authorizationRequest(url, client, { state });
      t.is((await signIn(harness, attempt)).searchParams.get('state'), state);
      const denied = await signIn(harness, authorizationRequest(url, client, { state }), {
        decision: 'deny',
      });
      t.is(denied.searchParams.get('error'), 'access_denied');
      t.is(denied.searchParams.get('state'), state);
      redirected(t, await ask({ state, prompt: 'none' }), 'login_required', 'at once');
    }
  },
);

test.serial(
  '[T70] a state of 4 kB passes, a longer one is refused without a redirect',
  async (t) => {
    const longest = await ask({ state: 'x'.repeat(4_096), prompt: 'none' });
    redirected(t, longest, 'login_required', '4 kB');
    for (const length of [4_097, 8_000]) {
      const { answer } = await ask({ state: 'x'.repeat(length) });
      t.is(answer.status, 400);
      t.is(answer.json.error, 'invalid_request');
      t.is(answer.headers.location, undefined);
      t.is(answer.headers['set-cookie'], undefined);
    }
    // Longer ones never reach us: that is the limit of request heads.
    t.is((await ask({ state: 'x'.repeat(20_000) })).answer.status, 431);
  },
);

test.serial('a client that sends no state gets none', async (t) => {
  for (const state of [undefined, '']) {
    const callback = await signIn(harness, authorizationRequest(url, client, { state }));
    t.truthy(callback.searchParams.get('code'));
    t.false(callback.searchParams.has('state'));
  }
});

test.serial('[T24] line breaks in any parameter split no header', async (t) => {
  const poison = 'x\r\nSet-Cookie: planted=1\r\nLocation: https://evil.example/\r\n\r\n<html>';
  const names = [
    'state',
    'scope',
    'nonce',
    'prompt',
    'resource',
    'response_type',
    'response_mode',
    'code_challenge',
    'code_challenge_method',
    'client_id',
    'redirect_uri',
    'request',
    'request_uri',
    'login_hint',
  ];
  for (const name of names) {
    for (const value of [poison, `\n${poison}`, '\u0000', '\u2028', '\ud83d']) {
      const { answer } = await ask({ prompt: 'none', [name]: value });
      t.notRegex(String(answer.headers['set-cookie']), /planted/, name);
      const { location } = answer.headers;
      if (location) t.regex(location, /^(https:\/\/client\.example\/callback\?|\/interaction\/)/);
      else t.true(answer.status >= 400 && answer.status < 500, `${name} ${answer.status}`);
      t.false(answer.text.includes('<html>'), name);
    }
  }
  // Not even without the help of a URL encoder.
  const { attempt } = await ask();
  const target = `${attempt.url.pathname}${attempt.url.search}`.replace(
    /state=[^&]*/,
    'state=%0d%0aSet-Cookie:%20planted=1&prompt=none',
  );
  const answer = await sendBytes(
    url,
    `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
  );
  t.regex(answer, /^HTTP\/1\.1 303 /);
  t.notRegex(answer, /^set-cookie:/im);
  t.regex(answer, /state=%0D%0ASet-Cookie%3A\+planted%3D1/);
});

// ------------------------------------------------------------------------------ errors

const REDIRECTED: [string, string, Parameters][] = [
  ['no response_type', 'invalid_request', { response_type: undefined }],
  ['an unknown response_type', 'unsupported_response_type', { response_type: 'none' }],
  ['an unknown response_mode', 'unsupported_response_mode', { response_mode: 'fragment' }],
  ['no PKCE', 'invalid_request', { code_challenge: undefined }],
  ['plain PKCE', 'invalid_request', { code_challenge_method: 'plain' }],
  ['a foreign resource', 'invalid_target', { resource: 'https://evil.example' }],
  ['prompt=none', 'login_required', { prompt: 'none' }],
  ['prompt=none with openid', 'login_required', { prompt: 'none', scope: 'openid' }],
  [
    'prompt=none with offline_access',
    'login_required',
    { prompt: 'none', scope: 'offline_access' },
  ],
  ['prompt=none among others', 'invalid_request', { prompt: 'none login' }],
  ['a request object', 'request_not_supported', { request: 'e30.e30.' }],
  ['a request_uri', 'request_uri_not_supported', { request_uri: 'https://evil.example/r' }],
  ['an inline registration', 'registration_not_supported', { registration: '{}' }],
];

for (const [what, error, parameters] of REDIRECTED) {
  test.serial(
    `[T33] [A8] ${what} is answered ${error} at the redirect URI, with iss and state, to program and browser`,
    async (t) => {
      for (const accept of ['*/*', 'application/json', HTML]) {
        const attempt = authorizationRequest(url, client, parameters);
        const answer = await get(attempt, { accept });
        redirected(t, { attempt, answer }, error, accept);
      }
    },
  );
}

test.serial(
  '[T33] [A8] a person’s no, here or at NeonPanel, is access_denied with iss and state',
  async (t) => {
    const here = authorizationRequest(url, client);
    const at = authorizationRequest(url, client);
    const login = await answerConsent(await userBrowser(at).goto(at.url));
    const cancelled = await login.form().submit({ cancel: '1' });
    for (const [attempt, callback] of [
      [here, await signIn(harness, here, { decision: 'deny' })],
      [at, cancelled.stoppedAt!],
    ] as const) {
      t.is(callback.searchParams.get('error'), 'access_denied');
      t.is(callback.searchParams.get('state'), attempt.state);
      t.is(callback.searchParams.get('iss'), url);
      t.is(callback.searchParams.get('code'), null);
    }
  },
);

const NOT_REDIRECTED: [string, string, RegExp, Parameters, [string, string]?][] = [
  [
    'an unknown client',
    'invalid_client',
    /Remove the NeonPanel connector.*add it again/,
    { client_id: 'forgotten-client-0123456789' },
  ],
  ['a client_id of odd shape', 'invalid_client', /add it again/, { client_id: '__proto__' }],
  ['no client_id', 'invalid_request', /Go back to your app/, { client_id: undefined }],
  ['an empty client_id', 'invalid_request', /Go back to your app/, { client_id: '' }],
  [
    'client_id twice',
    'invalid_request',
    /Go back to your app/,
    {},
    ['client_id', client.client_id],
  ],
  [
    'an unregistered redirect_uri',
    'invalid_redirect_uri',
    /Go back to your app/,
    { redirect_uri: 'https://evil.example/cb' },
  ],
  ['an empty redirect_uri', 'invalid_request', /Go back to your app/, { redirect_uri: '' }],
  [
    'redirect_uri twice',
    'invalid_request',
    /Go back to your app/,
    {},
    ['redirect_uri', 'https://evil.example/cb'],
  ],
  ['the same redirect_uri twice', 'invalid_request', /Go back/, {}, ['redirect_uri', REDIRECT_URI]],
  ['a state of 5 kB', 'invalid_request', /Go back to your app/, { state: 'x'.repeat(5_000) }],
];

for (const [what, error, help, parameters, again] of NOT_REDIRECTED) {
  test.serial(
    `[F36] [D18] [A13] ${what} is answered here: JSON ${error} to a program, a page that helps to a browser`,
    async (t) => {
      const attempt = authorizationRequest(url, client, parameters);
      if (again) attempt.url.searchParams.append(...again);
      for (const accept of [undefined, '*/*', 'application/json', 'application/json, text/html']) {
        const answer = await get(attempt, accept ? { accept } : {});
        t.is(answer.status, 400);
        t.is(answer.headers.location, undefined);
        t.is(answer.headers['content-type'], 'application/json; charset=utf-8');
        t.is(answer.json.error, error);
        t.is(answer.json.request_id, answer.headers['x-request-id']);
        t.is(answer.headers['cache-control'], 'no-store');
      }
      const page = await get(attempt, { accept: HTML });
      t.is(page.status, 400);
      t.is(page.headers.location, undefined);
      t.is(page.headers['content-type'], 'text/html; charset=utf-8');
      t.is(page.headers['cache-control'], 'no-store');
      t.regex(page.text, help);
      t.true(page.text.includes(page.headers['x-request-id'] as string));
      t.false(page.text.includes('evil.example'));
      t.is(page.headers['set-cookie'], undefined);
    },
  );
}

test.serial(
  '[F36] [T33] a parameter sent twice is an error; only the client’s own address may be told so',
  async (t) => {
    for (const [name, value] of [
      ['response_type', 'code'],
      ['response_mode', 'query'],
      ['scope', 'neonpanel.read'],
      ['prompt', 'login'],
      ['code_challenge', 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'],
      ['code_challenge_method', 'S256'],
      ['request', 'x'],
    ] as const) {
      const attempt = authorizationRequest(url, client, { [name]: value });
      attempt.url.searchParams.append(name, value);
      redirected(t, { attempt, answer: await get(attempt) }, 'invalid_request', name);
    }
    // Of two states neither can be trusted.
    const attempt = authorizationRequest(url, client);
    attempt.url.searchParams.append('state', 'other');
    const told = toldTo(t, await get(attempt), 'state');
    t.is(told.get('error'), 'invalid_request');
    t.is(told.get('state'), null);
    t.is(told.get('iss'), url);
  },
);

test.serial('parameters that we don’t know are ignored, repeated or not', async (t) => {
  const attempt = authorizationRequest(url, client, { utm_source: 'x', audience: 'y', '': 'z' });
  attempt.url.searchParams.append('utm_source', 'z');
  asksForConsent(t, await get(attempt), attempt.url.search);
});

// ----------------------------------------------------------------- prompt and OpenID

for (const prompt of [
  'login',
  'consent',
  'select_account',
  'login consent',
  'consent login select_account',
  'create',
  'login create',
  'bogus',
  '',
  ' ',
]) {
  test.serial(`[A11] prompt “${prompt}” shows the page and ends with a code`, async (t) => {
    for (const scope of [BOTH, `openid offline_access ${BOTH}`]) {
      const { tokens } = await connect(harness, { client, parameters: { prompt, scope } });
      t.is(tokens.scope, scope);
    }
  });
}

for (const [name, value] of [
  ['nonce', 'n-0S6_WzA2Mj'],
  ['nonce', ''],
  ['id_token_hint', 'not.a.jwt'],
  ['id_token_hint', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.'],
  ['max_age', '0'],
  ['max_age', '-1'],
  ['max_age', 'soon'],
  ['login_hint', 'a@b.example'],
  ['acr_values', 'urn:mace:incommon:iap:silver'],
  ['display', 'popup'],
  ['ui_locales', 'de xx'],
  ['claims', '{"id_token":{"email":null}}'],
  ['claims', '{broken'],
  ['claims_locales', 'de'],
  ['dpop_jkt', 'x'],
  ['authorization_details', '[]'],
] as const) {
  test.serial(`${name}=${value} breaks nothing, with openid or without`, async (t) => {
    for (const scope of ['neonpanel.read', 'openid neonpanel.read']) {
      const { tokens } = await connect(harness, { client, parameters: { scope, [name]: value } });
      t.is(tokens.scope, scope);
      if (!tokens.id_token) continue;
      const nonce = name === 'nonce' && value !== '' ? value : undefined;
      t.is(decodeJwt(tokens.id_token).nonce, nonce);
    }
  });
}

test.serial('[D6] an earlier sign-in of the same browser answers no later request', async (t) => {
  const first = authorizationRequest(url, client);
  const browser = userBrowser(first);
  t.truthy((await signIn(harness, first, {}, browser)).searchParams.get('code'));
  const page = await browser.goto(authorizationRequest(url, client).url);
  t.is(page.status, 200);
  t.truthy(page.dom.querySelector('button[value=approve]'));
  const silent = await browser.goto(authorizationRequest(url, client, { prompt: 'none' }).url);
  t.is(silent.stoppedAt!.searchParams.get('error'), 'login_required');
});

// ------------------------------------------------------------------------------ methods

test.serial(
  '[T59] authorize takes GET only; anything else is 405 and starts nothing',
  async (t) => {
    const { attempt } = await ask();
    const path = attempt.url.pathname + attempt.url.search;
    for (const method of [
      'HEAD',
      'POST',
      'PUT',
      'PATCH',
      'DELETE',
      'OPTIONS',
      'TRACE',
      'PROPFIND',
    ]) {
      const answer = await send(url, path, {
        method,
        ...(method === 'POST' && {
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: attempt.url.search.slice(1),
        }),
      });
      t.is(answer.status, 405, method);
      t.is(answer.headers.allow, 'GET', method);
      t.is(answer.headers.location, undefined, method);
      t.is(answer.headers['set-cookie'], undefined, method);
      if (method !== 'HEAD') t.is(answer.json.error, 'invalid_request', method);
    }
  },
);

test.serial('[T59] a header or parameter that names another method changes nothing', async (t) => {
  const { attempt } = await ask();
  for (const [name, value] of [
    ['x-http-method-override', 'POST'],
    ['x-http-method', 'DELETE'],
    ['x-method-override', 'PUT'],
  ] as const)
    asksForConsent(t, await get(attempt, { [name]: value }), name);
  attempt.url.searchParams.append('_method', 'POST');
  asksForConsent(t, await get(attempt), '_method');
});
