import test from 'ava';
import { endsEverywhere } from './support/ends.ts';
import { startHarness } from './support/harness.ts';
import {
  callMcp,
  clientParameters,
  connect,
  postForm,
  refresh,
  register,
  type TestClient,
} from './support/oauth.ts';

const harness = await startHarness({ instances: 2 });
const { url, instances } = harness;
test.after.always(() => harness.close());

const revoke = (client: TestClient, token: string, more: Record<string, string> = {}) =>
  postForm(`${url}/oauth2/revoke`, { token, ...clientParameters(client), ...more });
const introspect = (client: TestClient, token: string) =>
  postForm<any>(`${url}/oauth2/introspect`, { token, ...clientParameters(client) });
const errorOf = (answer: { body: unknown }) => (answer.body as { error?: string }).error;
const CONFIDENTIAL = { token_endpoint_auth_method: 'client_secret_post' };

for (const [name, pick] of [
  ['refresh token', (tokens: { refresh_token: string }) => tokens.refresh_token],
  ['access token', (tokens: { access_token: string }) => tokens.access_token],
] as const) {
  test.serial(`[T36] [D7] revoking the ${name} ends the grant on every instance`, async (t) => {
    const { client, tokens } = await connect(harness);
    for (const instance of instances) {
      t.is((await callMcp(instance, tokens.access_token, 'tools/list')).status, 200);
    }
    const { status, headers } = await revoke(client, pick(tokens as never));
    t.is(status, 200);
    t.is(headers.get('access-control-allow-origin'), '*');
    t.is(errorOf(await refresh(instances[1]!, client, tokens.refresh_token)), 'invalid_grant');
    t.true(await endsEverywhere(harness, tokens.access_token));
  });
}

test.serial('revoking leaves the user’s other connections alone', async (t) => {
  const one = await connect(harness);
  const other = await connect(harness, { client: one.client });
  await revoke(one.client, one.tokens.refresh_token);
  t.is((await refresh(url, other.client, other.tokens.refresh_token)).status, 200);
});

test.serial(
  'an older generation still ends the grant: whoever disconnects may hold an old copy',
  async (t) => {
    const { client, tokens } = await connect(harness);
    const renewed = await refresh(url, client, tokens.refresh_token);
    t.is((await revoke(client, tokens.refresh_token)).status, 200);
    t.is(errorOf(await refresh(url, client, renewed.body.refresh_token)), 'invalid_grant');
  },
);

test.serial('[T14] another client’s request is answered the same and does nothing', async (t) => {
  const { client, tokens } = await connect(harness);
  const stranger = (await register(url)).body;
  for (const token of [
    tokens.refresh_token,
    tokens.access_token,
    'unknown',
    'a.b.c',
    'x'.repeat(5_000),
  ]) {
    t.is((await revoke(stranger, token)).status, 200);
  }
  t.is((await refresh(url, client, tokens.refresh_token)).status, 200);
});

test.serial(
  'revocation with a wrong hint works, without a token or with two is refused',
  async (t) => {
    const { client, tokens } = await connect(harness);
    const base = clientParameters(client);
    t.is(errorOf(await postForm(`${url}/oauth2/revoke`, base)), 'invalid_request');
    const twice = await fetch(`${url}/oauth2/revoke`, {
      method: 'POST',
      body: new URLSearchParams([
        ['token', 'a'],
        ['token', 'b'],
        ['client_id', client.client_id],
      ]),
    });
    t.is(twice.status, 400);
    t.is(
      (await revoke(client, tokens.refresh_token, { token_type_hint: 'access_token' })).status,
      200,
    );
    t.is(errorOf(await refresh(url, client, tokens.refresh_token)), 'invalid_grant');
  },
);

test.serial('an unknown client can’t revoke, a confidential one must authenticate', async (t) => {
  const { client, tokens } = await connect(harness, { metadata: CONFIDENTIAL });
  const unknown = { ...client, client_id: 'unknown-client' };
  t.is(errorOf(await revoke(unknown, tokens.refresh_token)), 'invalid_client');
  const wrong = await revoke({ ...client, client_secret: 'wrong' }, tokens.refresh_token);
  t.is(wrong.status, 401);
  t.is((await refresh(url, client, tokens.refresh_token)).status, 200);
});

test.serial('a confidential client introspects its own tokens, and sees them end', async (t) => {
  const { client, tokens } = await connect(harness, { metadata: CONFIDENTIAL });
  const access = await introspect(client, tokens.access_token);
  t.like(access.body, {
    active: true,
    token_type: 'Bearer',
    client_id: client.client_id,
    aud: `${url}/mcp`,
    iss: url,
    scope: 'neonpanel.read neonpanel.write',
  });
  t.is(access.headers.get('cache-control'), 'no-store');
  t.like((await introspect(client, tokens.refresh_token)).body, {
    active: true,
    sub: access.body.sub,
  });
  const renewed = await refresh(url, client, tokens.refresh_token);
  t.deepEqual((await introspect(client, tokens.refresh_token)).body, { active: false });
  t.true((await introspect(client, renewed.body.refresh_token)).body.active);
  await revoke(client, renewed.body.refresh_token);
  for (const token of [
    tokens.access_token,
    renewed.body.access_token,
    renewed.body.refresh_token,
  ]) {
    t.deepEqual((await introspect(client, token)).body, { active: false });
  }
});

test.serial('[T50] introspection tells public and foreign clients nothing', async (t) => {
  const { client, tokens } = await connect(harness);
  const foreign = (await register(url, CONFIDENTIAL)).body;
  for (const asking of [client, foreign]) {
    for (const token of [tokens.access_token, tokens.refresh_token, 'unknown']) {
      t.deepEqual((await introspect(asking, token)).body, { active: false });
    }
  }
});
