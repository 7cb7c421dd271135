import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import {
  assertionForm,
  assertionKey,
  clientAssertion,
  registerWith,
  type AuthenticatedClient,
} from './client-auth.ts';
import { send, sendBytes } from './raw-http.ts';
import { createBrowser } from './support/browser.ts';
import { startHarness } from './support/harness.ts';
import {
  answerConsent,
  answerLogin,
  authorizationRequest,
  callMcp,
  clientParameters,
  connect,
  postForm,
  REDIRECT_URI,
  refresh,
  register,
  signIn,
  userBrowser,
} from './support/oauth.ts';

const harness = await startHarness({ instances: 2, env: { RATE_LIMIT_FACTOR: '0' } });
const { url, instances } = harness;

/** Production rules behind a balancer: the public address has nothing to do with the one we listen on. */
const PUBLIC = 'https://mcp.public.example';
const folder = mkdtempSync(join(tmpdir(), 'neonpanel-mcp-test-'));
const behindBalancer = await startHarness({
  env: {
    PUBLIC_URL: PUBLIC,
    HOST: 'localhost',
    MASTER_KEYS: randomBytes(32).toString('base64url'),
    SQLITE_PATH: join(folder, 'store.db'),
    ALLOW_SANDBOX: 'true',
    NEONPANEL_CLIENT_ID: 'balanced',
    TRUSTED_PROXY_HOPS: '1',
    RATE_LIMIT_FACTOR: '1000',
  },
});
const metadata = (await send(url, '/.well-known/oauth-authorization-server')).json;
test.after.always(async () => {
  await Promise.all([harness.close(), behindBalancer.close()]);
  rmSync(folder, { recursive: true });
});

const SUFFIXES = ['', '/mcp', '/sse'];
const AS_PATHS = SUFFIXES.flatMap((suffix) => [
  `/.well-known/oauth-authorization-server${suffix}`,
  `/.well-known/openid-configuration${suffix}`,
]);
const PRM_PATHS = SUFFIXES.map((suffix) => `/.well-known/oauth-protected-resource${suffix}`);
const DOCUMENTS = [...AS_PATHS, ...PRM_PATHS, '/.well-known/jwks.json'];
const ENDPOINTS = ['/oauth2/token', '/oauth2/register', '/oauth2/revoke', '/oauth2/introspect'];

// ---------------------------------------------------------------- documents

test.serial(
  '[A2] [A3] [D4] [F4] [F5] [N11] [T34] the authorization server metadata is one and the same document at six addresses of every instance',
  async (t) => {
    const first = await send(url, AS_PATHS[0]!);
    t.is(first.json.issuer, url);
    for (const instance of instances) {
      for (const path of AS_PATHS) {
        const answer = await send(instance, path);
        t.is(answer.status, 200, path);
        t.is(answer.headers['content-type'], 'application/json; charset=utf-8', path);
        t.is(answer.text, first.text, path);
      }
    }
  },
);

test.serial(
  '[A3] [D4] [F4] [T34] the issuer is PUBLIC_URL byte for byte in metadata, resource metadata, the callback and the tokens',
  async (t) => {
    const client = (await register(url)).body;
    const attempt = authorizationRequest(url, client, { scope: 'openid neonpanel.read' });
    const callback = await signIn(harness, attempt);
    const { body } = await postForm<any>(`${url}/oauth2/token`, {
      grant_type: 'authorization_code',
      code: callback.searchParams.get('code')!,
      redirect_uri: attempt.redirectUri,
      code_verifier: attempt.verifier,
      client_id: client.client_id,
    });
    t.is(callback.searchParams.get('iss'), url);
    t.is(decodeJwt(body.access_token).iss, url);
    t.is(decodeJwt(body.id_token).iss, url);
    for (const path of AS_PATHS) t.is((await send(url, path)).json.issuer, url);
    for (const path of PRM_PATHS)
      t.deepEqual((await send(url, path)).json.authorization_servers, [url]);
  },
);

test.serial(
  '[R1] [F2] [F5] [N27] each resource metadata document names the address it stands for, and otherwise they agree',
  async (t) => {
    for (const instance of instances) {
      for (const suffix of SUFFIXES) {
        const answer = await send(instance, `/.well-known/oauth-protected-resource${suffix}`);
        t.is(answer.status, 200);
        t.is(answer.headers['content-type'], 'application/json; charset=utf-8');
        t.deepEqual(answer.json, {
          resource: `${url}${suffix}`,
          authorization_servers: [url],
          scopes_supported: ['neonpanel.read', 'neonpanel.write'],
          bearer_methods_supported: ['header'],
          resource_name: 'NeonPanel',
        });
      }
    }
  },
);

test.serial(
  '[R1] [R2] [R3] [F2] [F33] the challenge leads to the metadata of the address asked and names all ordinary scopes',
  async (t) => {
    for (const [path, suffix] of [
      ['/mcp', '/mcp'],
      ['/', ''],
    ] as const) {
      const { status, headers } = await send(url, path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
      });
      t.is(status, 401);
      const challenge = headers['www-authenticate']!;
      const address = /resource_metadata="([^"]+)"/.exec(challenge)![1]!;
      t.is(address, `${url}/.well-known/oauth-protected-resource${suffix}`);
      t.is((await send(url, new URL(address).pathname)).json.resource, `${url}${suffix}`);
      t.is(/scope="([^"]+)"/.exec(challenge)![1], 'neonpanel.read neonpanel.write');
    }
  },
);

test.serial('[N12] the metadata says exactly this and nothing else', (t) => {
  t.deepEqual(Object.keys(metadata).sort(), [
    'authorization_endpoint',
    'authorization_response_iss_parameter_supported',
    'claims_parameter_supported',
    'claims_supported',
    'client_id_metadata_document_supported',
    'code_challenge_methods_supported',
    'grant_types_supported',
    'id_token_signing_alg_values_supported',
    'introspection_endpoint',
    'introspection_endpoint_auth_methods_supported',
    'introspection_endpoint_auth_signing_alg_values_supported',
    'issuer',
    'jwks_uri',
    'registration_endpoint',
    'request_parameter_supported',
    'request_uri_parameter_supported',
    'response_modes_supported',
    'response_types_supported',
    'revocation_endpoint',
    'revocation_endpoint_auth_methods_supported',
    'revocation_endpoint_auth_signing_alg_values_supported',
    'scopes_supported',
    'subject_types_supported',
    'token_endpoint',
    'token_endpoint_auth_methods_supported',
    'token_endpoint_auth_signing_alg_values_supported',
    'ui_locales_supported',
  ]);
});

// ------------------------------------------------- every advertised value is true

test.serial(
  '[N2] [N4] [N12] [A6] every endpoint in the metadata is on our origin and answers as what it is',
  async (t) => {
    const named = Object.entries(metadata).filter(([name]) => /_endpoint$|^jwks_uri$/.test(name));
    t.is(named.length, 6);
    for (const [name, address] of named) t.true(String(address).startsWith(`${url}/`), name);
    const path = (name: string) => new URL(metadata[name]).pathname;
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    for (const name of ['token_endpoint', 'revocation_endpoint', 'introspection_endpoint']) {
      const answer = await send(url, path(name), { method: 'POST', headers: form, body: '' });
      t.is(answer.status, 400, name);
      t.is(answer.json.error, 'invalid_request', name);
    }
    const authorize = await send(url, path('authorization_endpoint'));
    t.is(authorize.status, 400);
    t.is(authorize.json.error, 'invalid_request');
    const registration = await send(url, path('registration_endpoint'), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    t.is(registration.status, 400);
    t.is(registration.json.error, 'invalid_redirect_uri');
    t.is((await send(url, path('jwks_uri'))).status, 200);
  },
);

/** Signs a user in and redeems the code the way the client authenticates. */
async function tokensOf(caller: AuthenticatedClient, parameters: Record<string, string> = {}) {
  const attempt = authorizationRequest(url, caller.client, parameters);
  const code = (await signIn(harness, attempt)).searchParams.get('code')!;
  const form = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: attempt.redirectUri,
    code_verifier: attempt.verifier,
  };
  const answer = await caller.post<Record<string, string>>(metadata.token_endpoint, form);
  return { ...answer, form };
}

async function usesEverything(t: ExecutionContext, caller: AuthenticatedClient, method: string) {
  const redeemed = await tokensOf(caller);
  t.is(redeemed.status, 200, JSON.stringify(redeemed.body));
  const refreshed = await caller.post(metadata.token_endpoint, {
    grant_type: 'refresh_token',
    refresh_token: redeemed.body.refresh_token!,
  });
  t.is(refreshed.status, 200, JSON.stringify(refreshed.body));
  const token = refreshed.body.access_token as string;
  t.is((await callMcp(url, token, 'tools/list')).status, 200);

  if (metadata.introspection_endpoint_auth_methods_supported.includes(method)) {
    const asked = await caller.post(metadata.introspection_endpoint, { token });
    t.is(asked.status, 200);
    t.true(asked.body.active);
  }
  t.true(metadata.revocation_endpoint_auth_methods_supported.includes(method));
  t.is((await caller.post(metadata.revocation_endpoint, { token })).status, 200);
  const again = await caller.post(metadata.token_endpoint, {
    grant_type: 'refresh_token',
    refresh_token: refreshed.body.refresh_token,
  });
  t.is(again.body.error, 'invalid_grant');
}

const ADVERTISED_METHODS = [
  'none',
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
] as const;

test.serial(
  '[D15] [N24] the advertised client authentication methods are these, `none` first',
  (t) => {
    t.deepEqual(metadata.token_endpoint_auth_methods_supported, [...ADVERTISED_METHODS]);
    t.deepEqual(metadata.revocation_endpoint_auth_methods_supported, [...ADVERTISED_METHODS]);
    t.deepEqual(
      metadata.introspection_endpoint_auth_methods_supported,
      ADVERTISED_METHODS.filter((method) => method !== 'none'),
    );
  },
);

for (const method of ADVERTISED_METHODS) {
  test.serial(
    `[D15] [N12] [F15] a client with ${method} redeems a code, refreshes, asks about and revokes its tokens`,
    async (t) => {
      await usesEverything(t, await registerWith(url, method), method);
    },
  );
}

const ADVERTISED_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'];

for (const algorithm of ADVERTISED_ALGORITHMS) {
  test.serial(
    `[D15] [N12] an assertion signed with ${algorithm} authenticates at every endpoint`,
    async (t) => {
      for (const endpoint of ['token', 'revocation', 'introspection']) {
        const name = `${endpoint}_endpoint_auth_signing_alg_values_supported`;
        t.deepEqual(metadata[name], ADVERTISED_ALGORITHMS, endpoint);
      }
      const caller = await registerWith(url, 'private_key_jwt', algorithm);
      await usesEverything(t, caller, 'private_key_jwt');
    },
  );
}

test.serial(
  '[D15] an assertion is taken for the issuer or the token endpoint and for nobody else',
  async (t) => {
    const key = await assertionKey('ES256');
    const { client_id: clientId } = (
      await register(url, {
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [key.publicJwk] },
      })
    ).body;
    const ask = async (claims: Record<string, unknown>, signer = key) =>
      postForm<any>(metadata.token_endpoint, {
        grant_type: 'refresh_token',
        refresh_token: 'none of ours',
        ...assertionForm(await clientAssertion(signer, clientId, claims)),
      });
    // Authenticated, so that the refresh token is what is refused.
    for (const aud of [url, metadata.token_endpoint, ['https://other.example', url]]) {
      t.is((await ask({ aud })).body.error, 'invalid_grant', String(aud));
    }
    const seconds = Math.floor(Date.now() / 1000);
    const stranger = await assertionKey('ES256');
    const refused: [Record<string, unknown>, typeof key?][] = [
      [{ aud: 'https://other.example' }],
      [{ aud: `${url}/` }],
      [{ aud: [] }],
      [{ aud: undefined }],
      [{ aud: url, exp: seconds - 120 }],
      [{ aud: url, exp: undefined }],
      [{ aud: url, jti: undefined }],
      [{ aud: url, iss: 'somebody-else' }],
      [{ aud: url, iss: undefined }],
      [{ aud: url }, { ...stranger, publicJwk: key.publicJwk }],
    ];
    for (const [claims, signer] of refused) {
      const { status, body } = await ask(claims, signer);
      t.is(status, 401, JSON.stringify(claims));
      t.is(body.error, 'invalid_client', JSON.stringify(claims));
    }
  },
);

test.serial('[T74] an assertion works once, whichever instance sees it again', async (t) => {
  const key = await assertionKey('ES256');
  const jwks = { keys: [key.publicJwk] };
  const { body } = await register(url, { token_endpoint_auth_method: 'private_key_jwt', jwks });
  const form = {
    grant_type: 'refresh_token',
    refresh_token: 'none of ours',
    ...assertionForm(await clientAssertion(key, body.client_id, { aud: url })),
  };
  const answers = await Promise.all(
    Array.from({ length: 6 }, (_, i) => postForm(`${instances[i % 2]}/oauth2/token`, form)),
  );
  const outcomes = answers.map(({ body }) => body.error).sort();
  t.deepEqual(outcomes, [...Array(5).fill('invalid_client'), 'invalid_grant']);
  t.is((await postForm(`${instances[1]}/oauth2/token`, form)).body.error, 'invalid_client');
});

test.serial(
  '[D15] [N12] the advertised grant types are code and refresh token, and no other is served',
  async (t) => {
    t.deepEqual(metadata.grant_types_supported, ['authorization_code', 'refresh_token']);
    const { tokens, client } = await connect(harness);
    t.is((await refresh(url, client, tokens.refresh_token)).status, 200);
    for (const grant_type of [
      'client_credentials',
      'implicit',
      'password',
      'urn:ietf:params:oauth:grant-type:device_code',
      'urn:ietf:params:oauth:grant-type:jwt-bearer',
      'urn:ietf:params:oauth:grant-type:token-exchange',
      'urn:openid:params:grant-type:ciba',
    ]) {
      const { status, body } = await postForm(metadata.token_endpoint, {
        grant_type,
        ...clientParameters(client),
      });
      t.is(status, 400, grant_type);
      t.is(body.error, 'unsupported_grant_type', grant_type);
    }
  },
);

test.serial(
  '[A11] [F12] [F13] [N12] [N13] every advertised scope is granted to a client that registered none',
  async (t) => {
    t.deepEqual(metadata.scopes_supported, [
      'openid',
      'offline_access',
      'neonpanel.read',
      'neonpanel.write',
    ]);
    const client = (await register(url)).body;
    for (const scope of metadata.scopes_supported) {
      const { tokens } = await connect(harness, { client, parameters: { scope } });
      t.true(tokens.scope.split(' ').includes(scope), `${scope}: ${tokens.scope}`);
      t.is((await callMcp(url, tokens.access_token, 'tools/list')).status, 200, scope);
    }
    const all = metadata.scopes_supported.join(' ');
    const { tokens } = await connect(harness, { client, parameters: { scope: all } });
    t.is(tokens.scope, all);
  },
);

/** The answer to an authorization request that is refused without asking anybody. */
async function refusedAuthorization(parameters: Record<string, string | undefined>) {
  const client = (await register(url)).body;
  const attempt = authorizationRequest(url, client, parameters);
  const answer = await send(url, attempt.url.pathname + attempt.url.search);
  const location = answer.headers.location;
  return { ...answer, location: location ? new URL(location, url) : undefined, attempt };
}

test.serial('[N12] [D15] the response type is code, and no other is served', async (t) => {
  t.deepEqual(metadata.response_types_supported, ['code']);
  for (const type of ['token', 'id_token', 'code id_token', 'code token', 'none', 'nonsense']) {
    const { location } = await refusedAuthorization({
      response_type: type,
      scope: 'openid',
      nonce: 'n',
    });
    t.true(location!.href.startsWith(REDIRECT_URI), type);
    const said = new URLSearchParams(location!.search || location!.hash.slice(1));
    t.is(said.get('error'), 'unsupported_response_type', type);
    t.is(said.get('code'), null);
  }
});

test.serial('[T60] [N12] the response mode is query, and no other is served', async (t) => {
  t.deepEqual(metadata.response_modes_supported, ['query']);
  const { tokens } = await connect(harness, { parameters: { response_mode: 'query' } });
  t.truthy(tokens.access_token);
  for (const mode of ['fragment', 'form_post', 'web_message', 'jwt', 'query.jwt', 'QUERY', 'other'])
    for (const parameters of [{}, { prompt: 'none' }]) {
      const { location, attempt } = await refusedAuthorization({
        response_mode: mode,
        ...parameters,
      });
      t.is(location!.origin + location!.pathname, REDIRECT_URI, mode);
      t.is(location!.searchParams.get('error'), 'unsupported_response_mode', mode);
      t.is(location!.searchParams.get('state'), attempt.state, mode);
      t.is(location!.hash, '', mode);
    }
});

test.serial(
  '[A4] [F26] [N12] S256 is the only PKCE method advertised and the only one taken',
  async (t) => {
    t.deepEqual(metadata.code_challenge_methods_supported, ['S256']);
    for (const code_challenge_method of ['plain', 's256', 'S512', undefined]) {
      const { location } = await refusedAuthorization({ code_challenge_method });
      t.is(location!.searchParams.get('error'), 'invalid_request', String(code_challenge_method));
    }
  },
);

test.serial('[A8] [T33] [N12] iss is advertised and stands in answers good and bad', async (t) => {
  t.true(metadata.authorization_response_iss_parameter_supported);
  const client = (await register(url)).body;
  for (const decision of ['approve', 'deny'] as const) {
    const attempt = authorizationRequest(url, client);
    const callback = await signIn(harness, attempt, { decision });
    t.is(callback.searchParams.has('code'), decision === 'approve');
    t.is(callback.searchParams.get('iss'), url, decision);
    t.is(callback.searchParams.get('state'), attempt.state, decision);
  }
});

test.serial(
  '[N12] an id_token is signed as advertised and has the advertised claims',
  async (t) => {
    t.deepEqual(metadata.id_token_signing_alg_values_supported, ['RS256']);
    t.deepEqual(metadata.subject_types_supported, ['public']);
    const jwks = createLocalJWKSet((await send(url, '/.well-known/jwks.json')).json);
    const subjects = [];
    for (let i = 0; i < 2; i++) {
      const { tokens, client } = await connect(harness, {
        parameters: { scope: 'openid', nonce: 'nonce-1' },
      });
      const verified = await jwtVerify(tokens.id_token!, jwks, {
        issuer: url,
        audience: client.client_id,
      });
      t.is(verified.protectedHeader.alg, 'RS256');
      t.is(verified.payload.nonce, 'nonce-1');
      for (const claim of metadata.claims_supported) t.true(claim in verified.payload, claim);
      const age = verified.payload.iat! - (verified.payload.auth_time as number);
      t.true(age >= 0 && age < 60);
      const extra = Object.keys(verified.payload).filter(
        (claim) => ![...metadata.claims_supported, 'nonce', 'at_hash', 'jti'].includes(claim),
      );
      t.deepEqual(extra, []);
      subjects.push(verified.payload.sub);
    }
    // Public: every client sees the same subject.
    t.is(subjects[0], subjects[1]);
  },
);

test.serial('[N12] the consent page speaks every advertised language', async (t) => {
  t.deepEqual(metadata.ui_locales_supported, ['en', 'de', 'fr', 'es', 'ja']);
  const client = (await register(url)).body;
  for (const ui_locales of metadata.ui_locales_supported as string[]) {
    const attempt = authorizationRequest(url, client, { ui_locales });
    const page = await userBrowser(attempt).goto(attempt.url);
    t.is(page.dom.querySelector('html')?.getAttribute('lang'), ui_locales);
  }
});

test.serial(
  '[T61] [N12] request objects and claims are advertised as unsupported, and they are',
  async (t) => {
    t.false(metadata.request_parameter_supported);
    t.false(metadata.request_uri_parameter_supported);
    t.false(metadata.claims_parameter_supported);
    const errorOf = async (parameters: Record<string, string>) =>
      (await refusedAuthorization(parameters)).location!.searchParams.get('error');
    t.is(await errorOf({ request: 'e30.e30.' }), 'request_not_supported');
    for (const request_uri of ['urn:ietf:params:oauth:request_uri:x', 'http://169.254.169.254/'])
      t.is(await errorOf({ request_uri }), 'request_uri_not_supported');
    t.is(await errorOf({ registration: '{}' }), 'registration_not_supported');
    const { tokens } = await connect(harness, {
      parameters: {
        scope: 'openid',
        claims: JSON.stringify({ id_token: { email: { essential: true } } }),
      },
    });
    t.false('email' in decodeJwt(tokens.id_token!));
  },
);

test.serial('[T61] [T62] [N12] what is not built has no address', async (t) => {
  for (const path of [
    '/oauth2/par',
    '/oauth2/request',
    '/request',
    '/oauth2/userinfo',
    '/userinfo',
    '/me',
    '/oauth2/session/end',
    '/oauth2/session/end/confirm',
    '/oauth2/session/end/success',
    '/session/end',
    '/session/end/confirm',
    '/session/end/success',
    '/oauth2/logout',
    '/oauth2/device',
    '/oauth2/device_authorization',
    '/device',
    '/device/auth',
    '/oauth2/backchannel',
    '/backchannel',
    '/oauth2/challenge',
    '/challenge',
    '/auth',
    '/token',
    '/reg',
    '/jwks',
    '/authorize',
    '/register',
    '/token/introspection',
    '/token/revocation',
  ]) {
    for (const method of ['GET', 'POST']) {
      const answer = await send(url, path, { method });
      t.is(answer.status, 404, `${method} ${path}`);
      t.is(answer.json?.error, 'not_found', `${method} ${path}`);
    }
  }
});

test.serial(
  '[F6] an unknown well-known address is a JSON 404 in OAuth form, whoever asks',
  async (t) => {
    for (const path of [
      '/.well-known',
      '/.well-known/',
      '/.well-known/nothing',
      '/.well-known/oauth-authorization-server/other',
      '/.well-known/oauth-authorization-server/',
      '/.well-known/openid-configuration/mcp/x',
      '/.well-known/oauth-protected-resource/',
      '/.well-known/oauth-protected-resource/messages',
      '/.well-known/oauth-protected-resourcemcp',
      '/.well-known/mcp.json',
      '/.well-known/webfinger',
      '/.well-known/security.txt',
      '/.well-known/change-password',
      '/.well-known/openai-apps-challenge',
      '/mcp/.well-known/oauth-protected-resource',
      '/mcp/.well-known/openid-configuration',
      '/sse/.well-known/oauth-authorization-server',
    ]) {
      const accepts = path.startsWith('/.well-known')
        ? ['*/*', 'application/json', 'text/html,*/*;q=0.8']
        : ['*/*'];
      for (const accept of accepts) {
        const answer = await send(url, path, { headers: { accept } });
        t.is(answer.status, 404, path);
        t.is(
          answer.headers['content-type'],
          'application/json; charset=utf-8',
          `${path} ${accept}`,
        );
        t.is(answer.json.error, 'not_found', path);
      }
    }
  },
);

test.serial(
  '[T34] the key set has public members only, verifies our tokens, and is the same everywhere',
  async (t) => {
    const [one, two] = await Promise.all(
      instances.map((base) => send(base, '/.well-known/jwks.json')),
    );
    t.is(one!.text, two!.text);
    t.true(one!.json.keys.length >= 1);
    for (const key of one!.json.keys) {
      t.deepEqual(Object.keys(key).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use']);
      t.is(key.kty, 'RSA');
      t.is(key.alg, 'RS256');
      t.is(key.use, 'sig');
      t.true(Buffer.from(key.n, 'base64url').length >= 256);
    }
    const { tokens } = await connect(harness);
    const { kid } = decodeProtectedHeader(tokens.access_token);
    t.true(one!.json.keys.some((key: { kid: string }) => key.kid === kid));
  },
);

test.serial('documents may be cached for five minutes, answers with secrets never', async (t) => {
  for (const path of DOCUMENTS)
    t.is((await send(url, path)).headers['cache-control'], 'public, max-age=300', path);
  t.is((await register(url)).headers.get('cache-control'), 'no-store');
  const unknown = await send(url, '/.well-known/nothing');
  t.is(unknown.headers['cache-control'], 'no-store');
});

// -------------------------------------------------------------- methods and CORS

test.serial('[T59] HEAD of a document is its GET without the body', async (t) => {
  for (const path of [...DOCUMENTS, '/', '/robots.txt', '/healthz']) {
    const got = await send(url, path);
    const head = await send(url, path, { method: 'HEAD' });
    t.is(head.status, 200, path);
    t.is(head.text, '', path);
    t.is(head.headers['content-type'], got.headers['content-type'], path);
    t.is(head.headers['cache-control'], got.headers['cache-control'], path);
  }
});

test.serial(
  '[F21] OPTIONS passes without authorization wherever a browser-based client calls',
  async (t) => {
    const methodsOf: Record<string, string[]> = {
      '/mcp': ['POST', 'GET', 'DELETE'],
      '/': ['GET', 'HEAD', 'POST'],
    };
    for (const path of DOCUMENTS) methodsOf[path] = ['GET', 'HEAD'];
    for (const path of ENDPOINTS) methodsOf[path] = ['POST'];
    for (const [path, methods] of Object.entries(methodsOf)) {
      const { status, headers, text } = await send(url, path, {
        method: 'OPTIONS',
        headers: {
          origin: 'http://localhost:6274',
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization',
        },
      });
      t.is(status, 204, path);
      t.is(text, '');
      const list = (name: string) => (headers[name] as string).split(', ');
      for (const method of methods) {
        t.true(list('access-control-allow-methods').includes(method), `${method} ${path}`);
      }
      const taken = path.startsWith('/mcp') ? ['POST'] : methods;
      t.deepEqual(list('allow').toSorted(), [...taken, 'OPTIONS'].toSorted(), path);
      for (const header of [
        'authorization',
        'content-type',
        'mcp-protocol-version',
        'mcp-method',
        'mcp-name',
        'mcp-session-id',
        'last-event-id',
      ])
        t.true(list('access-control-allow-headers').includes(header), `${header} ${path}`);
      t.regex(headers['access-control-max-age'] as string, /^\d+$/);
    }
  },
);

const FOREIGN = ['https://evil.example', 'http://localhost.evil.example', 'null'];
const LOOPBACK = ['http://localhost:6274', 'http://127.0.0.1:1', 'http://[::1]:8080'];
const EXPOSED = ['WWW-Authenticate', 'Mcp-Session-Id', 'MCP-Protocol-Version'];

for (const path of [...DOCUMENTS, ...ENDPOINTS]) {
  test.serial(
    `[D21] [T31] [F21] ${path} is open to every origin without credentials, answers and errors alike`,
    async (t) => {
      const method = ENDPOINTS.includes(path) ? 'POST' : 'GET';
      for (const origin of [undefined, url, ...FOREIGN, ...LOOPBACK]) {
        for (const asked of [method, 'OPTIONS', 'PUT']) {
          const { headers } = await send(url, path, {
            method: asked,
            headers: { ...(origin && { origin }), 'access-control-request-method': method },
          });
          t.is(headers['access-control-allow-origin'], '*', `${asked} ${origin}`);
          t.is(headers['access-control-allow-credentials'], undefined);
          const exposed = (headers['access-control-expose-headers'] as string).split(', ');
          for (const header of EXPOSED) t.true(exposed.includes(header), header);
        }
      }
    },
  );
}

test.serial('[D21] [T31] pages let no other origin in: no CORS header, no preflight', async (t) => {
  const client = (await register(url)).body;
  const attempt = authorizationRequest(url, client);
  const consent = await userBrowser(attempt).goto(attempt.url);
  const pages = [
    '/oauth2/authorize',
    attempt.url.pathname + attempt.url.search,
    '/oauth2/authorize/callback?state=x',
    new URL(consent.url).pathname,
    `/oauth2/authorize/${'a'.repeat(43)}`,
    '/assets/style.css',
    '/robots.txt',
    '/nowhere',
  ];
  for (const path of pages) {
    for (const origin of [...FOREIGN, ...LOOPBACK, url]) {
      for (const method of ['GET', 'OPTIONS']) {
        const { headers, status } = await send(url, path, {
          method,
          headers: { origin, 'access-control-request-method': 'POST' },
        });
        const names = Object.keys(headers).filter((name) => name.startsWith('access-control-'));
        t.deepEqual(names, [], `${method} ${path} ${origin}`);
        if (method === 'OPTIONS') t.true(status >= 400, `${path} ${status}`);
      }
    }
  }
});

test.serial(
  '[D21] [R7] [T30] [T31] /mcp is open to loopback pages and our own, and to no other origin',
  async (t) => {
    const { tokens } = await connect(harness);
    const ask = (origin: string, method: string) =>
      send(url, '/mcp', {
        method,
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'content-type': 'application/json',
          ...(method !== 'OPTIONS' && { authorization: `Bearer ${tokens.access_token}` }),
        },
        ...(method === 'POST' && { body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' }),
      });
    for (const origin of [url, ...LOOPBACK, 'https://localhost']) {
      for (const method of ['OPTIONS', 'POST', 'GET']) {
        const { status, headers } = await ask(origin, method);
        t.is(status, { OPTIONS: 204, POST: 200, GET: 405 }[method]!, `${method} ${origin}`);
        t.is(headers['access-control-allow-origin'], origin, method);
        t.is(headers['access-control-allow-credentials'], undefined);
        t.regex(headers.vary as string, /Origin/i);
        const exposed = (headers['access-control-expose-headers'] as string).split(', ');
        for (const header of EXPOSED) t.true(exposed.includes(header), header);
      }
    }
    for (const origin of [
      ...FOREIGN,
      'http://localhost:6274/',
      'http://localhost:6274@evil.example',
      'http://evil.example#http://localhost',
      'file://',
      'chrome-extension://abcdefgh',
      'http://127.0.0.1.evil.example',
      'localhost',
      'http://LOCALHOST',
    ]) {
      for (const method of ['OPTIONS', 'POST', 'GET', 'DELETE']) {
        const { status, headers, json } = await ask(origin, method);
        t.is(status, 403, `${method} ${origin}`);
        t.is(headers['access-control-allow-origin'], undefined);
        t.is(json.jsonrpc, '2.0');
        t.is(typeof json.error.code, 'number');
      }
    }
  },
);

test.serial('[D21] [R7] ALLOWED_ORIGINS decides which pages may call /mcp', async (t) => {
  const listed = await startHarness({
    env: { ALLOWED_ORIGINS: 'https://inspector.example', RATE_LIMIT_FACTOR: '0' },
  });
  try {
    for (const [origin, status] of [
      ['https://inspector.example', 401],
      [listed.url, 401],
      ['https://other.example', 403],
      ['https://inspector.example:444', 403],
      ['http://inspector.example', 403],
      ['http://localhost:6274', 403],
      ['null', 403],
    ] as const) {
      const answer = await send(listed.url, '/mcp', { method: 'POST', headers: { origin } });
      t.is(answer.status, status, origin);
      const allowed = status === 401 ? origin : undefined;
      t.is(answer.headers['access-control-allow-origin'], allowed, origin);
    }
  } finally {
    await listed.close();
  }
});

// ------------------------------------------------------- Host and forwarded headers

const SPOOFS: Record<string, string>[] = [
  { 'x-forwarded-host': 'evil.example' },
  { 'x-forwarded-host': 'evil.example, mcp.public.example' },
  { 'x-forwarded-proto': 'javascript' },
  { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.example:8443' },
  { 'x-forwarded-proto': 'evil.example' },
  { 'x-forwarded-port': '1', 'x-forwarded-host': 'evil.example' },
  { 'x-forwarded-server': 'evil.example', 'x-forwarded-for': 'evil.example' },
  { forwarded: 'for=evil.example;host=evil.example;proto=https' },
  { 'x-original-host': 'evil.example', 'x-host': 'evil.example' },
  { 'x-original-url': '/evil.example', 'x-rewrite-url': '//evil.example/' },
  { 'x-forwarded-prefix': '//evil.example', 'x-forwarded-path': '//evil.example' },
  { 'x-http-host-override': 'evil.example', 'x-http-method-override': 'DELETE' },
  { referer: 'https://evil.example/', via: '1.1 evil.example' },
];

for (const [name, { url: base }, host, publicUrl] of [
  ['on loopback', harness, new URL(url).host, url],
  ['behind a balancer', behindBalancer, new URL(PUBLIC).host, PUBLIC],
] as const) {
  test.serial(
    `[T10] [F3] [N46] [D4] ${name}, forwarded headers change no document and appear in no answer`,
    async (t) => {
      const client = await send(base, '/oauth2/register', {
        method: 'POST',
        headers: { host, 'content-type': 'application/json' },
        body: JSON.stringify({ redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: 'none' }),
      });
      t.is(client.status, 201);
      const attempt = authorizationRequest(publicUrl, client.json);
      const authorize = attempt.url.pathname + attempt.url.search;
      const json = { 'content-type': 'application/json' };
      const form = { 'content-type': 'application/x-www-form-urlencoded' };
      const requests: [string, string, Record<string, string>?, string?][] = [
        ...DOCUMENTS.map((path) => ['GET', path] as [string, string]),
        ['GET', '/'],
        ['GET', authorize],
        ['GET', `${authorize}&prompt=none`],
        ['GET', '/oauth2/authorize?client_id=unknown-client'],
        ['GET', '/oauth2/authorize/callback?state=x'],
        ['POST', '/oauth2/register', json, JSON.stringify({ redirect_uris: [REDIRECT_URI] })],
        ['POST', '/oauth2/token', form, 'grant_type=refresh_token'],
        ['POST', '/mcp', json, '{}'],
        ['POST', '/', json, '{}'],
        ['GET', '/mcp', {}],
        ['GET', '/nowhere'],
      ];
      for (const spoof of SPOOFS) {
        for (const [method, path, headers = {}, body] of requests) {
          const about = `${method} ${path} ${JSON.stringify(spoof)}`;
          const answer = await send(base, path, {
            method,
            headers: { ...headers, host, ...spoof },
            ...(body !== undefined && { body }),
          });
          t.false(answer.everything.includes('evil.example'), about);
          t.false(answer.everything.includes('javascript'), about);
          if (DOCUMENTS.includes(path)) {
            t.is(answer.status, 200, about);
            t.is(answer.text, (await send(base, path, { headers: { host } })).text, about);
          }
          const absolute = [...answer.everything.matchAll(/https?:\/\/[^\s"/]+/g)].map(String);
          for (const origin of absolute) {
            if (origin.startsWith('https://client.example')) continue;
            t.is(origin, publicUrl, about);
          }
        }
      }
    },
  );

  test.serial(
    `[T10] [T30] ${name}, another Host is refused with 421 and not repeated`,
    async (t) => {
      const foreign = [
        'evil.example',
        `evil.example:${new URL(base).port}`,
        `${host}.evil.example`,
        `evil.example.${host}`,
        `evil.example@${host}`,
        `${host}@evil.example`,
        `${host}/evil.example`,
        'localhost.evil.example',
        '127.0.0.1.evil.example',
        '169.254.169.254',
        '0.0.0.0',
        ...(publicUrl === PUBLIC ? ['localhost', '127.0.0.1', `${host}:1`] : []),
      ];
      for (const asked of foreign) {
        for (const path of [...AS_PATHS.slice(0, 2), PRM_PATHS[1]!, '/mcp', '/oauth2/token', '/']) {
          const answer = await send(base, path, {
            method: path === '/oauth2/token' ? 'POST' : 'GET',
            headers: { host: asked, 'x-forwarded-host': host },
          });
          t.is(answer.status, 421, `${asked} ${path}`);
          t.is(answer.json?.error, 'invalid_request', `${asked} ${path}`);
          t.false(answer.everything.includes('evil.example'));
        }
        // Balancers ask by address.
        t.is((await send(base, '/healthz', { headers: { host: asked } })).status, 200, asked);
        t.is((await send(base, '/readyz', { headers: { host: asked } })).status, 200, asked);
      }
      const right = await send(base, AS_PATHS[0]!, { headers: { host: host.toUpperCase() } });
      t.is(right.status, 200);
      t.is(right.json.issuer, publicUrl);
    },
  );

  test.serial(`[T10] ${name}, an absolute request target shapes nothing`, async (t) => {
    const client = await send(base, '/oauth2/register', {
      method: 'POST',
      headers: { host, 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: 'none' }),
    });
    const { url: authorize } = authorizationRequest('http://evil.example', client.json);
    for (const target of [
      `http://evil.example${AS_PATHS[0]}`,
      `http://evil.example${PRM_PATHS[0]}`,
      'http://evil.example/mcp',
      authorize.href,
      `${authorize.href}&prompt=none`,
    ]) {
      const answer = await send(base, target, { headers: { host } });
      t.is(answer.status, 421, target);
      t.false(answer.everything.includes('evil.example'), answer.everything);
    }
  });
}

test.serial(
  '[T10] requests without or with two Host headers get no answer that could be cached',
  async (t) => {
    const path = AS_PATHS[0];
    for (const head of [
      `GET ${path} HTTP/1.1\r\nConnection: close\r\n\r\n`,
      `GET ${path} HTTP/1.1\r\nHost: evil.example\r\nHost: ${new URL(url).host}\r\nConnection: close\r\n\r\n`,
      `GET ${path} HTTP/1.1\r\nHost: ${new URL(url).host}\r\nHost: evil.example\r\nConnection: close\r\n\r\n`,
      `GET ${path} HTTP/1.0\r\n\r\n`,
      `GET ${path} HTTP/1.1\r\nHost: ${new URL(url).host} evil.example\r\nConnection: close\r\n\r\n`,
    ]) {
      const answer = await sendBytes(url, head);
      t.false(answer.includes('evil.example'), answer);
      if (answer.startsWith('HTTP/1.1 200')) t.true(answer.includes(`"issuer":"${url}"`), answer);
      else t.regex(answer, /^HTTP\/1\.1 4\d\d/);
    }
  },
);

test.serial(
  '[T10] an authorization that began under spoofed headers ends at the registered address',
  async (t) => {
    const client = (await register(url)).body;
    const attempt = authorizationRequest(url, client);
    const browser = createBrowser({
      headers: { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'ftp' },
    });
    browser.stopAt((at) => at.href.startsWith(attempt.redirectUri));
    const callback = await signIn(harness, attempt, {}, browser);
    t.is(callback.searchParams.get('iss'), url);
    t.truthy(callback.searchParams.get('code'));
  },
);

// -------------------------------------------------------------------- paths, cookies

test.serial('[T71] other spellings of our paths are 404 and never served', async (t) => {
  const variants = (path: string) =>
    new Set([
      path.toUpperCase(),
      path.replace(/[a-z]/, (c) => c.toUpperCase()),
      `${path}/`,
      `${path}//`,
      `/${path}`,
      path.replace(/\/([^/]*)$/, '//$1'),
      path.replace(/\/([^/]*)$/, '/./$1'),
      path.replace(/\/([^/]*)$/, '/x/../$1'),
      `${path}/.`,
      `${path}/../${path.split('/').at(-1)}`,
      path.replace(/[a-z]/, (c) => `%${c.charCodeAt(0).toString(16)}`),
      path.replace(/\/([^/]*)$/, '%2f$1'),
      path.replace(/\/([^/]*)$/, '\\$1'),
      `${path}%00`,
      `${path}%20`,
      `${path};x=1`,
      `${path}.json`,
    ]);
  for (const path of [...DOCUMENTS, ...ENDPOINTS, '/oauth2/authorize', '/mcp', '/healthz']) {
    for (const variant of variants(path)) {
      // What clients really send with a final slash.
      if (variant === '/mcp/' || !variant.startsWith('/')) continue;
      for (const method of ['GET', 'POST']) {
        const answer = await send(url, variant, { method });
        t.is(answer.status, 404, `${method} ${variant}`);
        t.is(answer.json?.error, 'not_found', `${method} ${variant}`);
      }
    }
  }
});

test.serial(
  '[T71] an unknown address gets a small fixed answer that repeats nothing',
  async (t) => {
    const canary = randomUUID();
    const sizes = new Set<number>();
    for (const path of [
      `/${canary}`,
      `/favicon.ico?${canary}`,
      `/${canary}/${'x'.repeat(4000)}`,
      `/%3Cscript%3E${canary}`,
      `/assets/${canary}`,
      '/assets/../package.json',
      '/.env',
      '/.git/config',
      '/%zz',
    ]) {
      const answer = await send(url, path, { headers: { 'x-canary': canary, cookie: canary } });
      t.is(answer.status, 404, path);
      t.false(answer.everything.includes(canary), path);
      sizes.add(answer.text.length);
      const page = await send(url, path, { headers: { accept: 'text/html' } });
      t.is(page.status, 404, path);
      t.is(page.headers['content-type'], 'text/html; charset=utf-8');
      t.false(page.everything.includes(canary), path);
    }
    t.is(sizes.size, 1);
  },
);

test.serial(
  '[T63] [D20] every cookie is HttpOnly, Secure, Lax and short-lived, host-bound on / and path-bound elsewhere',
  async (t) => {
    const client = (await register(url)).body;
    const attempt = authorizationRequest(url, client);
    const browser = userBrowser(attempt);
    const consent = await browser.goto(attempt.url);
    const login = await answerConsent(consent);
    const end = await answerLogin(login, harness.sandbox.users[0]!);
    const ours = [consent, login, end]
      .flatMap(({ history }) => history)
      .filter((hop) => hop.url.startsWith(url))
      .flatMap(({ setCookie }) => setCookie);
    const names = new Set<string>();
    for (const cookie of ours) {
      const [pair, ...rest] = cookie.split(/; */);
      const attributes = new Map(
        rest.map((one) => {
          const [key = '', value = ''] = one.split('=');
          return [key.toLowerCase(), value];
        }),
      );
      const [name = ''] = pair!.split('=');
      names.add(name.replace(/-login-.*/, '-login-…'));
      t.true(attributes.has('httponly'), cookie);
      t.true(attributes.has('secure'), cookie);
      t.is(attributes.get('samesite')?.toLowerCase(), 'lax', cookie);
      t.false(attributes.has('domain'), cookie);
      if (attributes.get('path') === '/') t.true(name.startsWith('__Host-'), cookie);
      else t.true(name.startsWith('__Secure-'), cookie);
      if (/expires=Thu, 01 Jan 1970|max-age=0;/i.test(cookie)) continue;
      const life = attributes.has('max-age')
        ? Number(attributes.get('max-age'))
        : (Date.parse(attributes.get('expires') ?? '') - Date.now()) / 1000;
      t.true(life > 0 && life <= 900, cookie);
    }
    t.deepEqual([...names].sort(), [
      '__Host-neonpanel-consent',
      '__Host-neonpanel-login-…',
      '__Secure-neonpanel-interaction',
      '__Secure-neonpanel-interaction.sig',
      '__Secure-neonpanel-resume',
      '__Secure-neonpanel-resume.sig',
    ]);
    // Nothing that could carry a login over to the next request stays behind.
    const left = browser.cookies(url).map(({ key }) => key);
    // Cookies know no ports, so the sandbox's own is in there too.
    t.deepEqual(
      left.filter((name) => name !== 'neonpanel_sandbox_session'),
      ['__Host-neonpanel-consent'],
    );
  },
);

test.serial('[T63] programs are sent no cookies', async (t) => {
  const { tokens } = await connect(harness);
  for (const path of [...DOCUMENTS, '/', '/mcp', '/oauth2/authorize', '/nowhere', '/healthz']) {
    const answer = await send(url, path, {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    });
    t.is(answer.headers['set-cookie'], undefined, path);
  }
  for (const path of [...ENDPOINTS, '/mcp']) {
    const answer = await send(url, path, { method: 'POST' });
    t.is(answer.headers['set-cookie'], undefined, path);
  }
});
