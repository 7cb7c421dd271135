import test, { type ExecutionContext } from 'ava';
import { basic } from './client-auth.ts';
import { send } from './raw-http.ts';
import { type Shape, SHAPES } from './registration-shapes.ts';
import { type Harness, startHarness } from './support/harness.ts';
import {
  answerConsent,
  authorizationRequest,
  callMcp,
  clientParameters,
  connect,
  postForm,
  postJson,
  REDIRECT_URI,
  redeem,
  register,
  signIn,
  type TestClient,
  type Tokens,
  userBrowser,
} from './support/oauth.ts';

const FREE = { RATE_LIMIT_FACTOR: '0' };
const TOKEN = 'registration-token-0123456789';
const [harness, byToken, closed, otherSchemes] = await Promise.all([
  startHarness({ instances: 2, env: FREE }),
  startHarness({ env: { ...FREE, REGISTRATION: 'token', REGISTRATION_TOKEN: TOKEN } }),
  startHarness({ env: { ...FREE, REGISTRATION: 'closed' } }),
  startHarness({ env: { ...FREE, REDIRECT_SCHEMES: 'com.example.app,zed' } }),
]);
const { url } = harness;
test.after.always(() =>
  Promise.all([harness, byToken, closed, otherSchemes].map((one) => one.close())),
);

const JSON_TYPE = { 'content-type': 'application/json' };
const post = (body: string | Buffer, headers: Record<string, string> = JSON_TYPE, base = url) =>
  send(base, '/oauth2/register', { method: 'POST', headers, body });

/** Redeems the code with the registered authentication method. */
function redeemAs(client: TestClient, attempt: Parameters<typeof redeem>[1], code: string) {
  if (client.token_endpoint_auth_method !== 'client_secret_basic')
    return redeem(url, attempt, code);
  const form = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: attempt.redirectUri,
    code_verifier: attempt.verifier,
  };
  return postForm<Tokens>(`${url}/oauth2/token`, form, { authorization: basic(client) });
}

/** Authorize, token, initialize, tools/list: what a connector does first. */
async function works(
  t: ExecutionContext,
  client: TestClient,
  parameters: Record<string, string | undefined> = {},
  through: Pick<Harness, 'url' | 'sandbox'> = harness,
): Promise<Tokens> {
  const attempt = authorizationRequest(through.url, client, parameters);
  const callback = await signIn(through, attempt);
  t.is(callback.searchParams.get('error'), null, callback.href);
  t.is(callback.searchParams.get('state'), attempt.state);
  const { status, body } = await redeemAs(client, attempt, callback.searchParams.get('code')!);
  t.is(status, 200, JSON.stringify(body));
  const initialized = await callMcp(through.url, body.access_token, 'initialize', {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'test', version: '1' },
  });
  t.is(initialized.status, 200);
  t.truthy(initialized.body.result.serverInfo.name);
  const listed = await callMcp(through.url, body.access_token, 'tools/list');
  t.true(listed.body.result.tools.length > 10);
  return body;
}

// ------------------------------------------------------------- what real clients send

function answersTruthfully(t: ExecutionContext, shape: Shape, answer: TestClient): void {
  t.deepEqual(answer.redirect_uris, shape.body.redirect_uris as string[]);
  t.deepEqual(answer.grant_types, ['authorization_code', 'refresh_token']);
  t.deepEqual(answer.response_types, ['code']);
  t.is(answer.token_endpoint_auth_method, shape.method);
  const age = Date.now() / 1000 - (answer.client_id_issued_at as number);
  t.true(Number.isInteger(answer.client_id_issued_at) && age > -5 && age < 60);
  if (shape.method === 'none') {
    t.false('client_secret' in answer);
    t.false('client_secret_expires_at' in answer);
  } else {
    t.regex(answer.client_secret!, /^[\w-]{32,}$/);
    t.is(answer.client_secret_expires_at, 0);
  }
  for (const absent of ['registration_access_token', 'registration_client_uri', 'scope', 'unknown'])
    t.false(absent in answer, absent);
}

/** Every shape, with what it proves. */
const PROVED = [
  '[A6] [F12] [F13] [F15] ChatGPT, public',
  '[F14] [F15] ChatGPT, client_secret_post',
  '[F15] ChatGPT Actions, secret by Basic',
  '[F14] [F13] Claude with a foreign scope',
  '[F15] [F13] Claude, client_secret_post',
  '[A7] [F17] Claude Code without application_type, on another port each time',
  '[A7] [F16] Cursor, web with a private scheme',
  '[F18] [F17] [F14] VS Code with device_code and four URIs',
  '[A7] [F17] VS Code with bare authorities, without the final slash',
  '[F13] Inspector, with a narrower scope than it asks for later',
  '[F13] [A7] [F17] mcp-remote with software_id and no application_type',
  '[F15] Grok, path with a final slash',
  '[A6] Meta Muse',
  '[F17] a client with an IPv6 loopback',
  '[F14] [F15] nulls wherever nothing was chosen',
  '[F14] empty strings wherever nothing was chosen',
  '[F14] [T25] unknown fields and values of odd types',
  '[N6] [F15] nothing but a redirect URI',
];

test.serial('every shape is tried', (t) => {
  const tried = PROVED.map((title) => title.replace(/^(\[\w+\] )+/, ''));
  t.deepEqual(
    tried,
    SHAPES.map(({ name }) => name),
  );
});

for (const [i, shape] of SHAPES.entries()) {
  test.serial(`${PROVED[i]}: registers and works end to end`, async (t) => {
    const { status, headers, body } = await postJson<TestClient>(
      `${url}/oauth2/register`,
      shape.body,
    );
    t.is(status, 201, JSON.stringify(body));
    t.is(headers.get('content-type'), 'application/json; charset=utf-8');
    t.is(headers.get('cache-control'), 'no-store');
    answersTruthfully(t, shape, body);
    for (const redirect_uri of shape.uses ?? (shape.body.redirect_uris as string[])) {
      const parameters = { scope: shape.scope, redirect_uri, ...shape.asks };
      const tokens = await works(t, body, parameters);
      t.true(tokens.scope.includes('neonpanel.read neonpanel.write'), redirect_uri);
      t.truthy(tokens.refresh_token);
    }
  });
}

test.serial(
  '[F30] [N5] two registrations at once give two different clients, both usable',
  async (t) => {
    const { body } = SHAPES.find(({ name }) => name.startsWith('Claude with'))!;
    const both = await Promise.all(
      harness.instances.map((base) => postJson<TestClient>(`${base}/oauth2/register`, body)),
    );
    const [one, two] = both.map((answer) => answer.body);
    t.not(one!.client_id, two!.client_id);
    await works(t, one!);
    await works(t, two!);
  },
);

test.serial(
  '[D13] a client registered at one instance is known to the other at once',
  async (t) => {
    for (const token_endpoint_auth_method of ['none', 'client_secret_post']) {
      const { body } = await register(url, { token_endpoint_auth_method });
      const { status, body: answer } = await postForm(`${harness.instances[1]}/oauth2/token`, {
        grant_type: 'refresh_token',
        refresh_token: 'none of ours',
        ...clientParameters(body),
      });
      t.is(status, 400);
      t.is(answer.error, 'invalid_grant');
    }
  },
);

test.serial('[D13] a client that wants no refresh token gets none', async (t) => {
  const { body } = await register(url, { grant_types: ['authorization_code'] });
  t.deepEqual(body.grant_types, ['authorization_code']);
  const { refresh_token } = await works(t, body);
  t.is(refresh_token, undefined as never);
});

// ------------------------------------------------------------------------ redirect URIs

test.serial('[T12] [N6] redirect_uris must be a list of one to ten', async (t) => {
  const many = (n: number) => Array.from({ length: n }, (_, i) => `https://a.example/${i}`);
  t.is((await register(url, { redirect_uris: many(10) })).status, 201);
  for (const redirect_uris of [
    undefined,
    null,
    [],
    {},
    '',
    'https://a.example/cb',
    { 0: 'https://a.example/cb', length: 1 },
    many(11),
    many(1_000),
  ]) {
    const { status, body } = await register(url, { redirect_uris });
    t.is(status, 400, JSON.stringify(redirect_uris)?.slice(0, 100));
    t.is(body.error as unknown, 'invalid_redirect_uri');
  }
});

test.serial(
  '[F16] [T12] REDIRECT_SCHEMES decides which private schemes are accepted',
  async (t) => {
    for (const [uri, status] of [
      ['com.example.app:/cb', 201],
      ['zed://cb', 201],
      ['cursor://anysphere.cursor-mcp/oauth/callback', 400],
      ['com.example.app2:/cb', 400],
    ] as const)
      t.is((await register(otherSchemes.url, { redirect_uris: [uri] })).status, status, uri);
  },
);

// ------------------------------------------------------- matching at authorization

/** The answer to an authorization request with this redirect URI. */
async function authorizeAt(client: TestClient, redirect_uri: string | undefined) {
  const attempt = authorizationRequest(url, client, { redirect_uri });
  if (redirect_uri === undefined) attempt.url.searchParams.delete('redirect_uri');
  return send(url, attempt.url.pathname + attempt.url.search);
}

test.serial(
  '[A9] [A13] [F36] [T68] at authorization a redirect URI matches exactly or not at all, and a mismatch never redirects',
  async (t) => {
    const registered = 'https://client.example/callback';
    const { body: client } = await register(url, { redirect_uris: [registered] });
    t.is((await authorizeAt(client, registered)).status, 303);
    for (const other of [
      undefined,
      '',
      `${registered}/`,
      `${registered}?`,
      `${registered}?x=1`,
      `${registered}#`,
      `${registered}#x`,
      `${registered}%00`,
      `${registered} `,
      ` ${registered}`,
      `${registered}\n`,
      `${registered}x`,
      `${registered}/../evil`,
      'https://client.example/Callback',
      'https://client.example/call%62ack',
      'https://client.example/./callback',
      'https://client.example//callback',
      'https://client.example/x/../callback',
      'https://client.example:443/callback',
      'https://client.example:8443/callback',
      'https://client.example./callback',
      'https://CLIENT.example/callback',
      'HTTPS://client.example/callback',
      'http://client.example/callback',
      'https://client.example',
      'https://client.example.evil.example/callback',
      'https://client.example@evil.example/callback',
      'https://evil.example@client.example/callback',
      'https://evil.example/?https://client.example/callback',
      'https://client.example\\@evil.example/callback',
      'https:\\\\client.example\\callback',
      'https:client.example/callback',
      'https://client。example/callback',
      'https://client\u00ad.example/callback',
      'https://sub.client.example/callback',
      '//client.example/callback',
      '/callback',
      'javascript:alert(1)//https://client.example/callback',
    ]) {
      const answer = await authorizeAt(client, other);
      t.is(answer.status, 400, String(other));
      t.is(answer.headers.location, undefined, String(other));
      const wanted = other ? 'invalid_redirect_uri' : 'invalid_request';
      t.is(answer.json.error, wanted, String(other));
      t.false(answer.text.includes('evil.example'));
    }
  },
);

test.serial(
  '[F17] [A9] for a loopback address any port matches, and nothing else may differ',
  async (t) => {
    const { body: client } = await register(url, {
      redirect_uris: [
        'http://localhost:3000/cb',
        'http://127.0.0.1/ip?x=1',
        'http://[::1]/six',
        'https://client.example/cb',
        'cursor://app/cb',
      ],
    });
    for (const same of [
      'http://localhost:3000/cb',
      'http://localhost/cb',
      'http://localhost:1/cb',
      'http://localhost:65535/cb',
      'http://127.0.0.1:9999/ip?x=1',
      'http://[::1]:9999/six',
    ])
      t.is((await authorizeAt(client, same)).status, 303, same);
    for (const other of [
      'http://localhost:3000/cb/',
      'http://localhost:3000/CB',
      'http://localhost:3000/cb?x=1',
      'http://localhost:3000/cb#x',
      'http://localhost:3000/other',
      'http://localhost:3000/x/../cb',
      'http://127.0.0.1:3000/cb',
      'http://[::1]:3000/cb',
      'https://localhost:3000/cb',
      'http://localhost:99999/cb',
      'http://localhost:-1/cb',
      'http://localhost:x/cb',
      'http://user@localhost:3000/cb',
      'http://localhost:3000@evil.example/cb',
      'http://localhost:3000.evil.example/cb',
      'http://localhost.evil.example:3000/cb',
      'http://LOCALHOST.:3000/cb',
      'http://127.1:3000/ip?x=1',
      'http://127.0.0.1:3000/ip',
      'https://client.example:8443/cb',
      'cursor://app:8443/cb',
    ]) {
      const answer = await authorizeAt(client, other);
      t.is(answer.status, 400, other);
      t.is(answer.headers.location, undefined, other);
    }
  },
);

// ------------------------------------------------------------------------- bad bodies

test.serial('[N6] [D18] a body that is no JSON object is refused as client metadata', async (t) => {
  const bodies: (string | Buffer)[] = [
    '[]',
    '[{"redirect_uris":["https://a.example/cb"]}]',
    '"text"',
    '5',
    'true',
    'null',
    '',
    ' ',
    '{',
    '{"redirect_uris":["https://a.example/cb"]',
    "{'redirect_uris':['https://a.example/cb']}",
    '{"redirect_uris":["https://a.example/cb"],}',
    '{"redirect_uris":["https://a.example/cb"]}{}',
    '{"redirect_uris":["https://a.example/cb"],"x":NaN}',
    'redirect_uris=https%3A%2F%2Fa.example%2Fcb',
    '<xml/>',
    '['.repeat(50_000),
    '{"a":'.repeat(10_000),
    '\u0000',
    '\ufeff{"redirect_uris":["https://a.example/cb"]}',
    Buffer.from([0xff, 0xfe, 0x7b, 0x7d]),
    Buffer.from('{"redirect_uris":["https://a.example/cb"]}', 'utf16le'),
  ];
  for (const body of bodies) {
    const answer = await post(body);
    const about = body.toString('utf8').slice(0, 60);
    t.is(answer.status, 400, about);
    t.is(answer.json.error, 'invalid_client_metadata', about);
    t.is(answer.json.request_id, answer.headers['x-request-id']);
    t.is(answer.headers['cache-control'], 'no-store');
  }
});

test.serial('[N6] registration takes application/json and nothing else', async (t) => {
  const body = JSON.stringify({ redirect_uris: ['https://a.example/cb'] });
  for (const type of [
    'application/json',
    'application/json; charset=utf-8',
    'application/json;charset=UTF-8',
    'Application/JSON',
  ])
    t.is((await post(body, { 'content-type': type })).status, 201, type);
  for (const type of [
    'text/plain',
    'text/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
    'application/octet-stream',
    'json',
    '*/*',
    '',
  ]) {
    const answer = await post(body, type ? { 'content-type': type } : {});
    t.is(answer.status, 400, type);
    t.is(answer.json.error, 'invalid_client_metadata', type);
  }
});

test.serial('[D18] a registration over 56 kB is refused, declared or in chunks', async (t) => {
  const sized = (kilobytes: number) =>
    JSON.stringify({
      redirect_uris: ['https://a.example/cb'],
      filler: 'x'.repeat(kilobytes * 1024),
    });
  t.is((await post(sized(50))).status, 201);
  for (const chunked of [false, true]) {
    const answer = await send(url, '/oauth2/register', {
      method: 'POST',
      headers: JSON_TYPE,
      body: sized(60),
      chunked,
    });
    t.is(answer.status, 413);
    t.is(answer.json.error, 'invalid_request');
  }
});

test.serial('[T25] nesting, however deep, and members with magic names are dropped', async (t) => {
  const deep = '['.repeat(20_000) + ']'.repeat(20_000);
  const magic = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'then'];
  const bodies = [
    `{"redirect_uris":["https://a.example/cb"],"deep":${deep}}`,
    ...magic.map(
      (name) =>
        `{"redirect_uris":["https://a.example/cb"],"${name}":{"polluted":"yes","client_id":"evil","prototype":{"polluted":"yes"}}}`,
    ),
    '{"redirect_uris":["https://a.example/cb"],"constructor":{"prototype":{"polluted":"yes"}},"jwks":{"__proto__":{"keys":[]}}}',
  ];
  for (const body of bodies) {
    const answer = await post(body);
    t.is(answer.status, 201, body.slice(0, 100));
    t.false(answer.text.includes('polluted'));
    t.false(answer.text.includes('evil'));
  }
  const hidden = await post('{"__proto__":{"redirect_uris":["https://a.example/cb"]}}');
  t.is(hidden.status, 400);
  t.is(hidden.json.error, 'invalid_redirect_uri');
  t.is(({} as Record<string, unknown>).polluted, undefined);
  t.deepEqual(
    Object.keys((await register(url)).body).sort(),
    Object.keys((await register(otherSchemes.url)).body).sort(),
  );
});

test.serial('[T25] [N5] nothing that is ours to choose is taken from the request', async (t) => {
  const wanted = {
    client_id: 'chosen-by-the-client',
    client_secret: 'chosen-by-the-client-too',
    client_id_issued_at: 1,
    client_secret_expires_at: 4_102_444_800,
    registration_access_token: 'chosen',
    registration_client_uri: 'https://evil.example/',
    scope: 'admin neonpanel.read',
    grant_types: ['client_credentials', 'password', 'authorization_code', 'refresh_token'],
    response_types: ['token', 'code'],
    skip_consent: true,
    first_party: true,
    is_admin: true,
    consent: { remember: true },
    'urn:custom': 'x',
    allowed_resources: ['*'],
    pkce: false,
    require_pkce: false,
  };
  for (const token_endpoint_auth_method of ['none', 'client_secret_post']) {
    const { status, body: client } = await register(url, { ...wanted, token_endpoint_auth_method });
    t.is(status, 201);
    const text = JSON.stringify(client);
    t.false(/chosen|admin|skip_consent|evil|client_credentials|password/.test(text), text);
    t.deepEqual(client.response_types, ['code']);
    t.deepEqual(client.grant_types, ['authorization_code', 'refresh_token']);
    t.true((client.client_id_issued_at as number) > 1_700_000_000);
    t.is('client_secret' in client, token_endpoint_auth_method !== 'none');
    if (client.client_secret) t.is(client.client_secret_expires_at, 0);

    // It is a client like any other: consent is asked, PKCE is required, and no scope is gained.
    const attempt = authorizationRequest(url, client, { scope: 'admin neonpanel.read' });
    const page = await userBrowser(attempt).goto(attempt.url);
    t.is(page.status, 200);
    t.truthy(page.dom.querySelector('button[name=decision][value=approve]'));
    const tokens = await works(t, client, { scope: 'admin neonpanel.read' });
    t.is(tokens.scope, 'neonpanel.read');
    const bare = authorizationRequest(url, client, {
      code_challenge: undefined,
      code_challenge_method: undefined,
    });
    const refused = await send(url, bare.url.pathname + bare.url.search);
    t.regex(refused.headers.location!, /error=invalid_request/);
    const service = await postForm(`${url}/oauth2/token`, {
      grant_type: 'client_credentials',
      scope: 'neonpanel.read',
      ...clientParameters(client),
    });
    t.is(service.status, 400);
    t.is(service.body.error, 'unsupported_grant_type');
  }
  // Nor can somebody else's client be overwritten.
  const victim = (await register(url)).body;
  const thief = (
    await register(url, { client_id: victim.client_id, redirect_uris: ['https://evil.example/cb'] })
  ).body;
  t.not(thief.client_id, victim.client_id);
  t.is((await authorizeAt(victim, 'https://evil.example/cb')).status, 400);
});

test.serial(
  '[F15] [N6] an authentication method or key set that we can’t honour is refused',
  async (t) => {
    const jwks = (...keys: unknown[]) => ({
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys },
    });
    const ed25519 = {
      kty: 'OKP',
      crv: 'Ed25519',
      x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
    };
    t.is((await register(url, jwks(ed25519))).status, 201);
    t.is((await register(url, jwks(...Array.from({ length: 20 }, () => ed25519)))).status, 201);
    for (const metadata of [
      { token_endpoint_auth_method: 'client_secret_jwt' },
      { token_endpoint_auth_method: 'tls_client_auth' },
      { token_endpoint_auth_method: 'NONE' },
      { token_endpoint_auth_method: 5 },
      { token_endpoint_auth_method: ['none'] },
      { token_endpoint_auth_method: {} },
      { token_endpoint_auth_method: 'private_key_jwt' },
      { token_endpoint_auth_method: 'private_key_jwt', jwks: null },
      { token_endpoint_auth_method: 'private_key_jwt', jwks: 'x' },
      { token_endpoint_auth_method: 'private_key_jwt', jwks: [] },
      { token_endpoint_auth_method: 'private_key_jwt', jwks_uri: 'https://a.example/jwks' },
      jwks(),
      jwks(1),
      jwks(null),
      jwks({}),
      jwks({ kty: 'RSA' }),
      jwks({ kty: 'oct', k: 'AAAA' }),
      jwks({ ...ed25519, d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A' }),
      jwks(...Array.from({ length: 21 }, () => ed25519)),
    ]) {
      const { status, body } = await register(url, metadata);
      t.is(status, 400, JSON.stringify(metadata));
      t.is(body.error as unknown, 'invalid_client_metadata', JSON.stringify(metadata));
    }
  },
);

test.serial(
  '[T12] names are kept without control, bidirectional and invisible characters, and are escaped on the page',
  async (t) => {
    const family = '👩‍👧';
    for (const [sent, kept] of [
      ['Claude', 'Claude'],
      ['  Claude  ', 'Claude'],
      ['Ünïcödé 名前', 'Ünïcödé 名前'],
      ['Evil\u202etxt.exe', 'Eviltxt.exe'],
      ['\u2066a\u2069\u200b\u200f\ufeffb\u00ad', 'ab'],
      ['a\u0000b\u001b[31mc\r\nd\te\u0085f', 'ab[31mcdef'],
      ['a\u2028b\u2029c', 'abc'],
      ['\ue000\u{f0000}x', 'x'],
      ['half \ud800 pair', 'half pair'],
      [`Claude${'\u00a0'.repeat(50)}is \u3000safe`, 'Claude is safe'],
      ['x'.repeat(1_000), 'x'.repeat(100)],
      [`${'x'.repeat(99)}😀`, 'x'.repeat(99)],
      [family, family.replace('\u200d', '')],
      ['\u200b\u200c\u2060', undefined],
      ['   ', undefined],
      ['<script>alert(1)</script>&"\'', "<script>alert(1)</script>&'"],
      ['x” – made by “ChatGPT', 'x – made by ChatGPT'],
      ['«Claude» 「名前」', 'Claude 名前'],
      [`z${'\u0336'.repeat(9)}algo`, 'z\u0336\u0336algo'],
      ['\u0301\u0302abc', 'abc'],
      ['ก\u0e47\u0e47\u0e47\u0e47\u0e47\u0e47', 'ก\u0e47\u0e47\u0e47\u0e47'],
      ['မြို့', 'မြို့'],
      ['\u3164', undefined],
      ['\u2800 \uffa0\u115f\u1160', undefined],
      ['\u0301', undefined],
    ] as const) {
      const { status, body } = await register(url, { client_name: sent });
      t.is(status, 201);
      t.is(body.client_name as string | undefined, kept, JSON.stringify(sent));
      const attempt = authorizationRequest(url, body);
      const page = await userBrowser(attempt).goto(attempt.url);
      t.is(page.status, 200);
      t.false(page.text.includes('<script'));
      if (kept) t.is(page.dom.querySelector('q')!.textContent, kept);
      else t.is(page.dom.querySelector('q'), null);
    }
  },
);

// ------------------------------------------------- management, modes, persistence

test.serial(
  '[D13] [T48] there is no registration management: a client can be neither read nor changed nor deleted',
  async (t) => {
    const { body: client } = await register(url, {
      token_endpoint_auth_method: 'client_secret_post',
    });
    t.false('registration_access_token' in client);
    t.false('registration_client_uri' in client);
    const { tokens } = await connect(harness, { client });
    for (const authorization of [
      basic(client),
      `Bearer ${tokens.access_token}`,
      `Bearer ${client.client_secret}`,
      'Bearer registration-access-token',
    ]) {
      for (const method of ['GET', 'PUT', 'PATCH', 'DELETE', 'POST']) {
        const answer = await send(url, `/oauth2/register/${client.client_id}`, {
          method,
          headers: { ...JSON_TYPE, authorization },
          body: JSON.stringify({ ...client, redirect_uris: ['https://evil.example/cb'] }),
        });
        t.is(answer.status, 404, method);
        t.is(answer.json.error, 'not_found', method);
      }
    }
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
      const answer = await send(url, `/oauth2/register?client_id=${client.client_id}`, { method });
      t.is(answer.status, 405, method);
      t.is(answer.headers.allow, 'POST', method);
    }
    t.is((await authorizeAt(client, REDIRECT_URI)).status, 303);
    t.is((await authorizeAt(client, 'https://evil.example/cb')).status, 400);
  },
);

test.serial(
  '[N7] with REGISTRATION=open no token is needed, and a stray one does no harm',
  async (t) => {
    const body = JSON.stringify({ redirect_uris: [REDIRECT_URI] });
    for (const authorization of ['Bearer anything', 'Basic eDp5', ''])
      t.is((await post(body, { ...JSON_TYPE, authorization })).status, 201, authorization);
  },
);

test.serial(
  '[D13] [N7] [N4] with REGISTRATION=token registration takes the initial access token and is advertised',
  async (t) => {
    const base = byToken.url;
    const body = JSON.stringify({
      redirect_uris: [REDIRECT_URI],
      token_endpoint_auth_method: 'none',
      access_token: TOKEN,
    });
    const metadata = await send(base, '/.well-known/oauth-authorization-server');
    t.is(metadata.json.registration_endpoint, `${base}/oauth2/register`);
    for (const authorization of [
      undefined,
      '',
      'Bearer',
      'Bearer ',
      'Bearer wrong',
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(0, -1)}`,
      `Bearer ${TOKEN.toUpperCase()}`,
      `Bearer ${TOKEN} ${TOKEN}`,
      `Bearer ${'x'.repeat(8_000)}`,
      `Basic ${Buffer.from(`:${TOKEN}`).toString('base64')}`,
      `DPoP ${TOKEN}`,
      TOKEN,
    ]) {
      const headers = { ...JSON_TYPE, ...(authorization !== undefined && { authorization }) };
      for (const path of ['/oauth2/register', `/oauth2/register?access_token=${TOKEN}`]) {
        const answer = await send(base, path, { method: 'POST', headers, body });
        t.is(answer.status, 401, authorization);
        t.is(answer.json.error, 'invalid_token', authorization);
        t.is(answer.json.client_id, undefined);
        t.is(answer.headers['access-control-allow-origin'], '*');
        // RFC 6750 §3.1: an error code only if a token was presented.
        const presented = /^Bearer \S+$/.test(authorization ?? '');
        const challenge = answer.headers['www-authenticate']!;
        t.true(challenge.startsWith(`Bearer realm="${base}"`), challenge);
        t.is(
          challenge.includes('error="invalid_token"'),
          presented,
          `${authorization} ${challenge}`,
        );
      }
    }
    // Who may not register is told nothing about what a registration should be.
    for (const odd of [
      'not JSON',
      '{}',
      JSON.stringify({ redirect_uris: ['javascript:alert(1)'] }),
    ])
      t.is((await post(odd, JSON_TYPE, base)).status, 401);
    t.is(byToken.logs.leaked([TOKEN]).length, 0);
    const wrong = await post(body, { ...JSON_TYPE, authorization: 'Bearer wrong' }, base);
    t.is(wrong.status, 401);
    t.is(wrong.json.error, 'invalid_token');
    t.regex(wrong.headers['www-authenticate']!, /^Bearer /);

    const lower = await post(body, { ...JSON_TYPE, authorization: `bearer ${TOKEN}` }, base);
    t.is(lower.status, 201);
    const right = await post(body, { ...JSON_TYPE, authorization: `Bearer ${TOKEN}` }, base);
    t.is(right.status, 201);
    const { tokens } = await connect(byToken, { client: right.json });
    t.is((await callMcp(base, tokens.access_token, 'tools/list')).status, 200);
  },
);

test.serial(
  '[D13] with REGISTRATION=closed there is no registration endpoint, in the metadata as in truth',
  async (t) => {
    for (const path of [
      '/.well-known/oauth-authorization-server',
      '/.well-known/openid-configuration/mcp',
    ]) {
      const { json } = await send(closed.url, path);
      t.is(json.issuer, closed.url);
      t.false('registration_endpoint' in json);
    }
    const body = JSON.stringify({ redirect_uris: [REDIRECT_URI] });
    for (const method of ['POST', 'GET', 'OPTIONS', 'PUT']) {
      const answer = await send(closed.url, '/oauth2/register', {
        method,
        headers: { ...JSON_TYPE, authorization: `Bearer ${TOKEN}` },
        body,
      });
      t.is(answer.status, 404, method);
      t.is(answer.json.error, 'not_found', method);
    }
  },
);

test.serial('[F19] [N52] clients of every kind outlive a restart', async (t) => {
  const restarted = await startHarness({ env: FREE });
  try {
    const clients = [];
    for (const token_endpoint_auth_method of ['none', 'client_secret_post'])
      clients.push((await register(restarted.url, { token_endpoint_auth_method })).body);
    await restarted.restart();
    for (const client of clients) {
      const { tokens } = await connect(restarted, { client });
      t.is((await callMcp(restarted.url, tokens.access_token, 'tools/list')).status, 200);
    }
    const wrong = await postForm(`${restarted.url}/oauth2/token`, {
      grant_type: 'refresh_token',
      refresh_token: 'none of ours',
      client_id: clients[1]!.client_id,
      client_secret: 'wrong',
    });
    t.is(wrong.status, 401);
    t.is(wrong.body.error, 'invalid_client');
  } finally {
    await restarted.close();
  }
});

test.serial(
  '[F19] a client that is not known gets 401 invalid_client at every endpoint',
  async (t) => {
    for (const path of ['token', 'revoke', 'introspect']) {
      const { status, body } = await postForm(`${url}/oauth2/${path}`, {
        grant_type: 'refresh_token',
        refresh_token: 'x',
        token: 'x',
        client_id: 'forgotten-client-0123456789',
      });
      t.is(status, 401, path);
      t.is(body.error, 'invalid_client', path);
    }
  },
);

test.serial('[A12] what a client registered is shown to the person who decides', async (t) => {
  const { body: client } = await register(url, { client_name: 'My app' });
  const attempt = authorizationRequest(url, client);
  const page = await userBrowser(attempt).goto(attempt.url);
  t.is(page.dom.querySelector('h1')!.textContent, 'Let client.example read your NeonPanel data?');
  t.is(page.dom.querySelector('q')!.textContent, 'My app');
  const denied = await answerConsent(page, { decision: 'deny' });
  t.is(denied.stoppedAt!.searchParams.get('error'), 'access_denied');
});

test.serial(
  '[T12] redirect URIs that already hold a parameter of the answer are refused, other queries are not',
  async (t) => {
    const names = ['code', 'state', 'iss', 'error', 'error_description', 'response', '%63ode'];
    for (const name of names) {
      for (const uri of [
        `https://a.example/cb?${name}=x`,
        `https://a.example/cb?tenant=7&${name}`,
        `http://localhost:1/cb?${name}=`,
      ]) {
        const { status, body } = await register(url, { redirect_uris: [REDIRECT_URI, uri] });
        t.is(status, 400, uri);
        t.is(body.error as unknown, 'invalid_redirect_uri', uri);
        t.regex(String(body.error_description), /must not contain response parameters/, uri);
      }
    }
    const redirect_uris = [
      'https://a.example/cb?tenant=7&next=/code/state',
      'https://a.example/code?codes=1&Code=2&error_uri=x',
      'http://localhost:1/cb?x=code',
    ];
    const { status, body } = await register(url, { redirect_uris });
    t.is(status, 201, JSON.stringify(body));
    t.deepEqual(body.redirect_uris as unknown, redirect_uris);
  },
);
