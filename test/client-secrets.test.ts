import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { Redis } from 'ioredis';
import { VERSION_LENGTH } from '../adapters/redis/commit-script.ts';
import { assertionForm, assertionKey, basic, clientAssertion } from './client-auth.ts';
import { isDeadEverywhere } from './dead-client.ts';
import { type Received, send } from './raw-http.ts';
import { startHarness } from './support/harness.ts';
import {
  authorizationRequest,
  clientParameters,
  connect,
  postForm,
  register,
  signIn,
  type TestClient,
} from './support/oauth.ts';
import { recordsOf } from './support/records.ts';
import { createStoreTest } from './support/stores.ts';

/** What proves that a client is itself: how it is kept, how it is asked for, and what strangers can learn of it. */
const [key, foreignKey] = [await assertionKey('ES256'), await assertionKey('ES256')];
const storeTest = await createStoreTest((store) => startHarness({ store }));

const SECRET_METHODS = ['client_secret_basic', 'client_secret_post'];

// ------------------------------------------------------------------------------- kept

storeTest(
  '[T49] [D10] of a client secret the store holds nothing but a sealed form, bound to its client',
  async (t, harness) => {
    const { url } = harness;
    const clients = await Promise.all(
      SECRET_METHODS.map(async (method) => {
        const answer = await register(url, { token_endpoint_auth_method: method });
        return answer.body;
      }),
    );
    const { client: used } = await connect(harness, {
      metadata: { token_endpoint_auth_method: 'client_secret_post' },
    });
    const stored = JSON.stringify(await recordsOf(harness));
    for (const { client_id, client_secret } of [...clients, used]) {
      t.true(stored.includes(client_id));
      const bytes = Buffer.from(client_secret!);
      for (const form of [
        client_secret!,
        bytes.toString('base64').replace(/=+$/, ''),
        bytes.toString('base64url'),
        bytes.toString('hex'),
      ])
        t.false(stored.includes(form));
    }
    t.deepEqual(harness.logs.leaked([...clients, used].map((c) => c.client_secret!)), []);
    for (const file of readdirSync(harness.dataDir)) {
      const content = readFileSync(join(harness.dataDir, file), 'latin1');
      for (const { client_secret } of clients) t.false(content.includes(client_secret!), file);
    }
  },
);

storeTest.redis(
  '[T49] [T17] a sealed secret that is moved to another client opens neither',
  async (t, { url, redis }) => {
    const clients = await Promise.all(
      [1, 2].map(
        async () =>
          (await register(url, { token_endpoint_auth_method: 'client_secret_post' })).body,
      ),
    );
    // An attacker who writes to the store, but can't open it.
    const attacker = new Redis(redis!.url);
    t.teardown(() => attacker.disconnect());
    const names = clients.map(({ client_id }) => `neonpanel-mcp:{${client_id}}:client`);
    const values = (await attacker.mget(names)) as string[];
    const records = values.map((value) => JSON.parse(value.slice(VERSION_LENGTH)));
    for (const [i, name] of names.entries()) {
      const forged = JSON.stringify({ ...records[i], secret: records[1 - i].secret });
      await attacker.set(name, values[i]!.slice(0, VERSION_LENGTH) + forged, 'KEEPTTL');
    }
    await sleep(900); // What was read before is believed for 800 ms.
    for (const client of clients) {
      for (const { client_secret } of clients) {
        const { status, body } = await asked(url, {
          form: clientParameters({ ...client, client_secret: client_secret! }),
        });
        t.is(status, 401);
        t.is(body.error, 'invalid_client');
      }
    }
  },
);

storeTest(
  '[T49] secrets are long, random and everybody’s own; who needs none gets none',
  async (t, { url }) => {
    const secrets = new Set<string>();
    for (let i = 0; i < 20; i++) {
      for (const token_endpoint_auth_method of SECRET_METHODS) {
        const { body } = await register(url, { token_endpoint_auth_method });
        t.regex(body.client_secret!, /^[\w-]{43,}$/);
        secrets.add(body.client_secret!);
      }
    }
    t.is(secrets.size, 40);
    const { publicJwk } = await assertionKey('ES256');
    for (const metadata of [
      { token_endpoint_auth_method: 'none' },
      { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [publicJwk] } },
    ]) {
      const { body } = await register(url, { ...metadata, client_secret: 'chosen' });
      t.deepEqual(
        Object.keys(body).filter((name) => name.includes('secret')),
        [],
      );
    }
  },
);

// ------------------------------------------------------------------------------ asked for

/** A way of saying who one is. */
type Presenting = (
  client: TestClient,
  base: string,
) => Promise<{ form: Record<string, string>; header?: string }>;

const other = (secret: string | undefined) => `${(secret ?? 'secret').slice(0, -1)}_`;

/** By the name of the method of which they are the right form, or what is wrong with them. */
const PRESENTED: Record<string, Presenting> = {
  none: async ({ client_id }) => ({ form: { client_id } }),
  client_secret_basic: async (client) => ({ form: {}, header: basic(withSecret(client)) }),
  client_secret_post: async (client) => ({ form: clientParameters(withSecret(client)) }),
  private_key_jwt: async ({ client_id }, aud) => ({
    form: assertionForm(await clientAssertion(key, client_id, { aud })),
  }),
  'Basic with another secret': async (client) => ({
    form: {},
    header: basic({ ...client, client_secret: other(client.client_secret) }),
  }),
  'Basic with an empty secret': async (client) => ({
    form: {},
    header: basic({ ...client, client_secret: '' }),
  }),
  'another secret in the form': async (client) => ({
    form: { client_id: client.client_id, client_secret: other(client.client_secret) },
  }),
  'an empty secret in the form': async ({ client_id }) => ({
    form: { client_id, client_secret: '' },
  }),
  'a longer secret': async (client) => ({
    form: { client_id: client.client_id, client_secret: `${withSecret(client).client_secret}x` },
  }),
  'an assertion of another key': async ({ client_id }, aud) => ({
    form: assertionForm(await clientAssertion(foreignKey, client_id, { aud })),
  }),
};

/** Clients mix up the two places of a secret; for a public one, an empty secret is as good as none. */
function isRightFor(method: string, presented: string): boolean {
  if (SECRET_METHODS.includes(method)) return SECRET_METHODS.includes(presented);
  return presented === method || (method === 'none' && presented === 'an empty secret in the form');
}

const withSecret = (client: TestClient): TestClient => ({
  ...client,
  client_secret: client.client_secret ?? 'a-secret-that-it-does-not-have',
});

const METHODS = ['none', ...SECRET_METHODS, 'private_key_jwt'];

for (const method of METHODS) {
  storeTest(
    `[T49] [D15] a client that registered ${method} is itself by that and by nothing less`,
    async (t, { url }) => {
      const { body: client } = await register(url, {
        token_endpoint_auth_method: method,
        ...(method === 'private_key_jwt' && { jwks: { keys: [key.publicJwk] } }),
      });
      for (const [presented, present] of Object.entries(PRESENTED)) {
        const { status, body } = await asked(url, await present(client, url));
        const about = `${presented}: ${status} ${JSON.stringify(body)}`;
        if (isRightFor(method, presented)) {
          t.is(status, 400, about);
          t.is(body.error, 'invalid_grant', about);
        } else {
          t.true([400, 401].includes(status), about);
          t.true(['invalid_client', 'invalid_request'].includes(String(body.error)), about);
        }
      }
    },
  );
}

storeTest(
  '[T49] [D15] two ways of authentication in one request are refused',
  async (t, { url }) => {
    const { body: client } = await register(url, {
      token_endpoint_auth_method: 'client_secret_post',
    });
    const { client_id, client_secret } = client as Required<typeof client>;
    const assertion = assertionForm(await clientAssertion(key, client_id, { aud: url }));
    for (const [form, header] of [
      [{ client_id, client_secret }, basic(client)],
      [{ client_secret }, basic(client)],
      [{ client_id, client_secret, ...assertion }, undefined],
      [assertion, basic(client)],
    ] as const) {
      const { status, body } = await asked(url, { form, ...(header && { header }) });
      t.is(status, 400, JSON.stringify(form));
      t.is(body.error, 'invalid_request', JSON.stringify(form));
    }
  },
);

function asked(base: string, { form, header }: Awaited<ReturnType<Presenting>>) {
  return postForm(
    `${base}/oauth2/token`,
    { grant_type: 'refresh_token', refresh_token: 'none of ours', ...form },
    header ? { authorization: header } : {},
  );
}

// ---------------------------------------------------------------------- unknown, and dead

storeTest(
  '[F19] [D13] a client that is not known is told so at every endpoint, and its user what to do',
  async (t, { url }) => {
    for (const client_id of [
      'forgotten-client-0123456789',
      randomBytes(16).toString('base64url'),
      'x',
      'nobody@client.example',
      "' OR 1=1 --",
      '__proto__',
      'constructor',
      '{keys}',
      'x'.repeat(500),
    ]) {
      await isDeadEverywhere(t, url, {
        client_id,
        redirect_uris: ['https://client.example/callback'],
        token_endpoint_auth_method: 'none',
      });
    }
  },
);

// ------------------------------------------------------------------ what strangers learn

/** What an answer says, apart from what is different in every one. */
function tells({ status, headers, json, text }: Received): unknown {
  const { date: _, 'x-request-id': requestId, ...rest } = headers;
  return [
    status,
    rest,
    json ? { ...json, request_id: undefined } : text.replace(String(requestId), ''),
  ];
}

interface Pair {
  readonly about: string;
  readonly path: string;
  readonly known: Record<string, string>;
  readonly unknown: Record<string, string>;
}

/** Requests that differ only in whether what they name exists. */
async function pairs(harness: Parameters<typeof connect>[0]): Promise<Pair[]> {
  const { url } = harness;
  const { body: confidential } = await register(url, {
    token_endpoint_auth_method: 'client_secret_post',
  });
  const { body: stranger } = await register(url);
  const attempt = authorizationRequest(url, confidential);
  const code = (await signIn(harness, attempt)).searchParams.get('code')!;
  const [grantId] = code.split('.');
  const { tokens } = await connect(harness);
  const client = { client_id: stranger.client_id };
  const redemption = {
    grant_type: 'authorization_code',
    redirect_uri: attempt.redirectUri,
    code_verifier: attempt.verifier,
    ...client,
  };
  const unknownClient = randomBytes(16)
    .toString('base64url')
    .slice(0, confidential.client_id.length);
  const secret = { client_secret: 'x'.repeat(43) };
  const refreshing = { grant_type: 'refresh_token', refresh_token: 'none of ours' };
  const like = (token: string) =>
    token.slice(0, -6) + (token.endsWith('AAAAAA') ? 'BBBBBB' : 'AAAAAA');
  const another = `${randomBytes(32).toString('base64url').slice(0, grantId!.length)}${code.slice(grantId!.length)}`;
  return [
    ...['token', 'revoke', 'introspect'].map((path) => ({
      about: `client at ${path}`,
      path,
      known: { ...refreshing, token: 'x', client_id: confidential.client_id, ...secret },
      unknown: { ...refreshing, token: 'x', client_id: unknownClient, ...secret },
    })),
    {
      about: 'code of another client',
      path: 'token',
      known: { ...redemption, code },
      unknown: { ...redemption, code: another },
    },
    {
      about: 'refresh token of another client',
      path: 'token',
      known: { grant_type: 'refresh_token', refresh_token: tokens.refresh_token, ...client },
      unknown: {
        grant_type: 'refresh_token',
        refresh_token: like(tokens.refresh_token),
        ...client,
      },
    },
    ...[tokens.refresh_token, tokens.access_token].map((token, i) => ({
      about: `${i ? 'access' : 'refresh'} token of another client at revoke`,
      path: 'revoke',
      known: { token, ...client },
      unknown: { token: like(token), ...client },
    })),
  ];
}

const post = (base: string, path: string, form: Record<string, string>): Promise<Received> =>
  send(base, `/oauth2/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  });

storeTest(
  '[T50] what exists and is not yours is answered as what does not exist, to the last header',
  async (t, harness) => {
    for (const { about, path, known, unknown } of await pairs(harness)) {
      const [one, another] = [
        await post(harness.url, path, known),
        await post(harness.url, path, unknown),
      ];
      t.deepEqual(tells(one), tells(another), about);
    }
  },
);

if (process.env.LONG_TESTS) {
  storeTest(
    '[T50] [T49] nor does the time that an answer takes tell whether it exists, or how much of a secret is right',
    async (t, harness) => {
      const { body: client } = await register(harness.url, {
        token_endpoint_auth_method: 'client_secret_post',
      });
      const { client_id, client_secret } = client as Required<typeof client>;
      const almost = `${client_secret.slice(0, -1)}${client_secret.endsWith('A') ? 'B' : 'A'}`;
      const guess = { grant_type: 'refresh_token', refresh_token: 'x', client_id };
      const secretPair = {
        about: 'secret that is nearly right',
        path: 'token',
        known: { ...guess, client_secret: almost },
        unknown: { ...guess, client_secret: '_'.repeat(client_secret.length) },
      };
      for (const pair of [...(await pairs(harness)), secretPair])
        await takesAsLong(t, harness.url, pair);
    },
  );
}

const ROUNDS = 2_000;
const MAX_DIFFERENCE_MS = 5;

async function takesAsLong(t: ExecutionContext, base: string, pair: Pair): Promise<void> {
  const times = { known: [] as number[], unknown: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    // In turn, so that whatever else the machine does falls on both.
    for (const which of ['known', 'unknown'] as const) {
      const started = performance.now();
      await post(base, pair.path, pair[which]);
      times[which].push(performance.now() - started);
    }
  }
  const [known, unknown] = [median(times.known), median(times.unknown)];
  t.log(`${pair.about}: ${known.toFixed(2)} ms, ${unknown.toFixed(2)} ms`);
  t.true(Math.abs(known - unknown) < MAX_DIFFERENCE_MS, pair.about);
}

const median = (times: readonly number[]): number =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]!;
