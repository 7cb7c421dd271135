import test from 'ava';
import {
  callback,
  createClock,
  jsonOf,
  obtainCode,
  postJson,
  register,
  signIn,
  start,
  token,
} from './_setup.ts';

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

test('discovery names what is there, dcr.create as the only scope, and no iss parameter', async (t) => {
  const sandbox = await start(t);
  const metadata = await jsonOf(
    await fetch(`${sandbox.url}/.well-known/oauth-authorization-server`),
  );
  t.deepEqual(metadata, {
    issuer: sandbox.url,
    authorization_endpoint: `${sandbox.url}/oauth2/authorize`,
    token_endpoint: `${sandbox.url}/oauth2/token`,
    registration_endpoint: `${sandbox.url}/oauth2/register`,
    jwks_uri: `${sandbox.url}/.well-known/jwks.json`,
    scopes_supported: ['dcr.create'],
    response_types_supported: ['code'],
    grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
    token_endpoint_auth_methods_supported: [
      'none',
      'private_key_jwt',
      'client_secret_post',
      'client_secret_basic',
    ],
    code_challenge_methods_supported: ['S256'],
  });
});

test('publicUrl is the issuer and the base of every URL', async (t) => {
  const sandbox = await start(t, { publicUrl: 'https://panel.example/' });
  t.is(sandbox.url, 'https://panel.example');
});

test('registration echoes the metadata and adds what the client needs', async (t) => {
  const sandbox = await start(t);
  const client = await register(sandbox, { client_name: 'A client', contacts: ['a@b.example'] });
  t.regex(client.client_id, /^[0-9a-f]{40}$/);
  t.is(client.client_name, 'A client');
  t.deepEqual(client.redirect_uris, [callback]);
  t.false('client_secret' in client);
  t.is(client.registration_client_uri, `${sandbox.url}/oauth2/register/${client.client_id}`);
  t.is(typeof client.client_id_issued_at, 'number');
  const confidential = await register(sandbox, {
    token_endpoint_auth_method: 'client_secret_post',
  });
  t.is(typeof confidential.client_secret, 'string');
  t.is(confidential.client_secret_expires_at, 0);
});

const refused: [body: unknown, error: string][] = [
  [{}, 'invalid_redirect_uri'],
  [[], 'invalid_client_metadata'],
  ['{"redirect_uris":', 'invalid_client_metadata'],
  [{ redirect_uris: [] }, 'invalid_redirect_uri'],
  [{ redirect_uris: callback }, 'invalid_redirect_uri'],
  [{ redirect_uris: ['/relative'] }, 'invalid_redirect_uri'],
  [{ redirect_uris: [`${callback}#fragment`] }, 'invalid_redirect_uri'],
  [{ redirect_uris: ['http://client.example/'] }, 'invalid_redirect_uri'],
  [{ redirect_uris: ['javascript:alert(1)'] }, 'invalid_redirect_uri'],
  [{ redirect_uris: [callback, 7] }, 'invalid_redirect_uri'],
  [{ redirect_uris: [callback], grant_types: ['password'] }, 'invalid_client_metadata'],
  [{ redirect_uris: [callback], response_types: ['token'] }, 'invalid_client_metadata'],
  [{ redirect_uris: [callback], token_endpoint_auth_method: 'tls' }, 'invalid_client_metadata'],
  [{ redirect_uris: [callback], client_name: 7 }, 'invalid_client_metadata'],
  [{ redirect_uris: [callback], jwks: { keys: 'x' } }, 'invalid_client_metadata'],
  [
    { redirect_uris: [callback], token_endpoint_auth_method: 'private_key_jwt' },
    'invalid_client_metadata',
  ],
];

for (const [body, error] of refused) {
  test(`registering ${JSON.stringify(body)} is ${error}`, async (t) => {
    const sandbox = await start(t);
    const response = await postJson(`${sandbox.url}/oauth2/register`, body);
    t.is(response.status, 400);
    t.is((await jsonOf(response)).error, error);
  });
}

test('a client reads and changes itself with its registration token only', async (t) => {
  const sandbox = await start(t);
  const [client, other] = [await register(sandbox), await register(sandbox)];
  const url = client.registration_client_uri;
  t.is((await fetch(url)).status, 401);
  t.is((await fetch(url, { headers: bearer(other.registration_access_token) })).status, 401);
  t.is((await fetch(`${sandbox.url}/oauth2/register/unknown`)).status, 404);

  const headers = {
    ...bearer(client.registration_access_token),
    'Content-Type': 'application/json',
  };
  const patch = (body: object) =>
    fetch(url, { method: 'PATCH', headers, body: JSON.stringify(body) });
  const moved = 'http://localhost:3000/oauth2/authorize/callback';
  const changed = await jsonOf(await patch({ redirect_uris: [moved], client_name: 'Moved' }));
  t.deepEqual([changed.redirect_uris, changed.client_name], [[moved], 'Moved']);
  t.false('registration_access_token' in changed);
  t.deepEqual(await jsonOf(await fetch(url, { headers })), changed);
  t.is((await patch({ grant_types: ['client_credentials'] })).status, 400);
  t.is((await patch({ redirect_uris: ['nonsense'] })).status, 400);
  t.is((await fetch(url, { method: 'PUT', headers, body: '{}' })).status, 405);
  t.deepEqual(await jsonOf(await fetch(url, { headers })), changed);
});

test('a deleted client is gone, and its tokens with it', async (t) => {
  const sandbox = await start(t);
  const { client, tokens } = await signIn(sandbox);
  const headers = bearer(client.registration_access_token);
  const companies = async () =>
    (await fetch(`${sandbox.url}/api/v1/companies`, { headers: bearer(tokens.access_token) }))
      .status;
  t.is(await companies(), 200);
  t.is((await fetch(client.registration_client_uri, { method: 'DELETE', headers })).status, 204);
  t.is(await companies(), 401);
  t.is((await fetch(client.registration_client_uri, { headers })).status, 404);
  const form = {
    grant_type: 'refresh_token',
    client_id: client.client_id,
    refresh_token: tokens.refresh_token,
  };
  t.is((await token(sandbox, form)).status, 401);
});

test('the registration token lives for 30 days and can be renewed', async (t) => {
  const clock = createClock();
  const sandbox = await start(t, { now: clock.now });
  const client = await register(sandbox);
  const url = client.registration_client_uri;
  const read = async (token: string) => (await fetch(url, { headers: bearer(token) })).status;
  const days = 86_400;
  clock.pass(20 * days);
  const rotated = await jsonOf(
    await fetch(`${url}/rotate`, {
      method: 'POST',
      headers: bearer(client.registration_access_token),
    }),
  );
  t.is(rotated.expires_in, 30 * days);
  t.is(await read(client.registration_access_token), 401);
  t.is(await read(rotated.registration_access_token), 200);
  clock.pass(30 * days);
  t.is(await read(rotated.registration_access_token), 401);
});

test('a secret can be renewed, if there is one', async (t) => {
  const sandbox = await start(t);
  const metadata = { token_endpoint_auth_method: 'client_secret_post' };
  const { client, exchange } = await obtainCode(sandbox, 0, metadata);
  const renew = (of: typeof client) =>
    fetch(`${of.registration_client_uri}/rotate-secret`, {
      method: 'POST',
      headers: bearer(of.registration_access_token),
    });
  const { client_secret } = await jsonOf(await renew(client));
  t.is((await token(sandbox, { ...exchange, client_secret: client.client_secret! })).status, 401);
  t.is((await token(sandbox, { ...exchange, client_secret })).status, 200);
  t.is((await renew(await register(sandbox))).status, 403);
});
