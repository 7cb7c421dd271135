import test, { type ExecutionContext } from 'ava';
import { exportJWK, generateKeyPair } from 'jose';
import { assertionForm, assertionKey, clientAssertion } from '../client-auth.ts';
import { PRIVATE_KEYS, USABLE_KEYS, USELESS_KEYS } from '../client-key-sets.ts';
import { createClock } from '../support/clock.ts';
import { startHarness } from '../support/harness.ts';
import { authorizationRequest, postForm } from '../support/oauth.ts';
import { documented } from './client.ts';
import { startDocumentHost } from './host.ts';

/** What a document may say. */
const KEY = await assertionKey('ES256');
const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
const host = await startDocumentHost();
// It stands still, so that what was looked at once is not looked at again, however slow this machine is.
const clock = createClock();
const harness = await startHarness({
  now: clock.now,
  env: { CIMD_TEST_ORIGIN: host.origin, RATE_LIMIT_FACTOR: '0' },
});
test.after.always(() => Promise.all([harness.close(), host.close()]));

const CALLBACK = 'https://good.example/cb';
const PUBLIC = { ...(await exportJWK(publicKey)), kid: 'a', use: 'sig' };
const PRIVATE = { ...(await exportJWK(privateKey)), kid: 'a' };
const KEYED = { token_endpoint_auth_method: 'private_key_jwt' };
const GOOD = { client_name: 'Good', redirect_uris: [CALLBACK] };

let number = 0;
/** @param say makes the document, given its address */
function put(say: (url: string) => unknown): string {
  const path = `/${number++}/client.json`;
  host.serve(path, say(host.origin + path));
  return host.origin + path;
}
const with_ = (members: Record<string, unknown>) => (url: string) => ({
  client_id: url,
  ...GOOD,
  ...members,
});
const without =
  (...members: string[]) =>
  (url: string) =>
    Object.fromEntries(
      Object.entries({ client_id: url, ...GOOD }).filter(([name]) => !members.includes(name)),
    );

const authorize = (clientId: string, accept = 'text/html') => {
  const { client } = documented(clientId, [CALLBACK], harness.url);
  const { url } = authorizationRequest(harness.url, client);
  return fetch(url, { redirect: 'manual', headers: { accept } });
};

/** RFC 6749 §5.2, and nothing about pages and people. */
function isForPrograms(t: ExecutionContext, sent: unknown, problem: RegExp): void {
  const description = String(sent);
  t.regex(description, problem);
  t.regex(description, /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/);
  t.notRegex(description, /page|reload|tell the maker|this app/i);
}

const BAD: readonly [what: string, say: (url: string) => unknown, problem: RegExp][] = [
  ['null', () => null, /not a JSON object/],
  ['a list', () => [], /not a JSON object/],
  ['a text', () => 'client', /not a JSON object/],
  ['a number', () => 7, /not a JSON object/],
  ['nothing in it', () => ({}), /client_id is not its own address/],
  ['no client_id', without('client_id'), /client_id is not its own address/],
  ['another client_id', with_({ client_id: 'https://claude.ai/oauth/x' }), /own address/],
  ['client_id with a slash more', (url) => with_({ client_id: `${url}/` })(url), /own address/],
  ['client_id in capitals', (url) => with_({ client_id: url.toUpperCase() })(url), /own address/],
  ['client_id as a list', (url) => with_({ client_id: [url] })(url), /own address/],
  ['no name', without('client_name'), /no client_name/],
  ['a blank name', with_({ client_name: '  \u200b ' }), /no client_name/],
  ['a name that is no text', with_({ client_name: { en: 'x' } }), /no client_name/],
  ['no redirect URIs', without('redirect_uris'), /redirect_uris/],
  ['empty redirect URIs', with_({ redirect_uris: [] }), /redirect_uris/],
  ['one redirect URI, not in a list', with_({ redirect_uris: CALLBACK }), /redirect_uris/],
  ['eleven redirect URIs', with_({ redirect_uris: Array(11).fill(CALLBACK) }), /redirect_uris/],
  ['a redirect URI that is no text', with_({ redirect_uris: [CALLBACK, 5] }), /redirect_uris/],
  ['javascript:', with_({ redirect_uris: [CALLBACK, 'javascript:alert(1)'] }), /scheme javascript/],
  ['data:', with_({ redirect_uris: ['data:text/html,x'] }), /redirect_uris/],
  ['an unknown scheme', with_({ redirect_uris: ['ms-msdt:/x'] }), /scheme ms-msdt/],
  ['http', with_({ redirect_uris: ['http://good.example/cb'] }), /loopback host/],
  ['userinfo', with_({ redirect_uris: ['https://good@evil.example/cb'] }), /userinfo/],
  ['a fragment', with_({ redirect_uris: [`${CALLBACK}#x`] }), /fragment/],
  ['a wildcard', with_({ redirect_uris: ['https://*.good.example/cb'] }), /wildcard/],
  ['dot segments', with_({ redirect_uris: ['https://good.example/../cb'] }), /canonical/],
  [
    'https on loopback and a private-use scheme',
    with_({ redirect_uris: ['https://localhost:1/', 'cursor://a/b'] }),
    /loopback and private-use schemes must be registered apart/,
  ],
  ['a secret', with_({ client_secret: 's' }), /client_secret/],
  ['when a secret expires', with_({ client_secret_expires_at: 0 }), /client_secret/],
  [
    'client_secret_basic',
    with_({ token_endpoint_auth_method: 'client_secret_basic' }),
    /needs a secret/,
  ],
  [
    'client_secret_post',
    with_({ token_endpoint_auth_method: 'client_secret_post' }),
    /needs a secret/,
  ],
  [
    'client_secret_jwt',
    with_({ token_endpoint_auth_method: 'client_secret_jwt' }),
    /needs a secret/,
  ],
  [
    'tls_client_auth',
    with_({ token_endpoint_auth_method: 'tls_client_auth' }),
    /none or private_key_jwt/,
  ],
  [
    'a method that is no text',
    with_({ token_endpoint_auth_method: ['none'] }),
    /none or private_key_jwt/,
  ],
  [
    'a choice of what we don’t have',
    with_({ token_endpoint_auth_methods_supported: ['tls_client_auth'] }),
    /none or private_key_jwt/,
  ],
  ['private_key_jwt without keys', with_(KEYED), /needs jwks or jwks_uri/],
  [
    'both jwks and jwks_uri',
    with_({ ...KEYED, jwks: { keys: [PUBLIC] }, jwks_uri: `${host.origin}/k` }),
    /both/,
  ],
  ['jwks that are none', with_({ ...KEYED, jwks: [PUBLIC] }), /not a JSON Web Key Set/],
  ['jwks without keys', with_({ ...KEYED, jwks: { keys: [] } }), /no key for signatures/],
  ['21 keys', with_({ ...KEYED, jwks: { keys: Array(21).fill({ kty: 'RSA' }) } }), /more than 20/],
  [
    'a private key among others',
    with_({ ...KEYED, jwks: { keys: [PUBLIC, PRIVATE] } }),
    /private key/,
  ],
  [
    'an algorithm we don’t have',
    with_({ ...KEYED, jwks: { keys: [PUBLIC] }, token_endpoint_auth_signing_alg: 'HS256' }),
    /signing_alg/,
  ],
  [
    'alg none',
    with_({ ...KEYED, jwks: { keys: [PUBLIC] }, token_endpoint_auth_signing_alg: 'none' }),
    /signing_alg/,
  ],
  [
    'http jwks_uri',
    with_({ ...KEYED, jwks_uri: 'http://good.example/jwks' }),
    /jwks_uri must be https/,
  ],
  [
    'jwks_uri inside',
    with_({ ...KEYED, jwks_uri: 'https://10.0.0.1/jwks' }),
    /jwks_uri must have a host name/,
  ],
  [
    'jwks_uri with a port',
    with_({ ...KEYED, jwks_uri: 'https://good.example:6379/' }),
    /jwks_uri must not name a port/,
  ],
  ['jwks_uri that is no text', with_({ ...KEYED, jwks_uri: {} }), /jwks_uri must be a string/],
];

for (const [what, say, problem] of BAD) {
  test.serial(
    `[T12] [T19] [A5] a document with ${what} is refused, and says why on the page and in the log`,
    async (t) => {
      const clientId = put(say);
      const page = await authorize(clientId);
      const text = await page.text();
      t.is(page.status, 400, text);
      t.is(page.headers.get('location'), null);
      t.regex(page.headers.get('content-type')!, /^text\/html/);
      t.regex(text, /This app’s description is not valid/);
      t.regex(text, problem);
      t.regex(text, /Tell the maker of the app/);
      const data = await authorize(clientId, 'application/json');
      t.is(data.status, 400);
      const { error, error_description } = (await data.json()) as any;
      t.is(error, 'invalid_client');
      isForPrograms(t, error_description, problem);
      const form = { grant_type: 'refresh_token', refresh_token: 'x', client_id: clientId };
      for (const endpoint of ['token', 'revoke', 'introspect']) {
        const answer = await postForm(`${harness.url}/oauth2/${endpoint}`, { ...form, token: 'x' });
        t.is(answer.status, 401, endpoint);
        t.is(answer.body.error, 'invalid_client', endpoint);
        isForPrograms(t, answer.body.error_description, problem);
      }
      const path = new URL(clientId).pathname;
      t.is(host.asked.filter((asked) => asked === path).length, 1, 'one fetch for all of it');
      t.regex(
        String(harness.logs.only({ event: 'client_metadata', url: clientId }).cause),
        problem,
      );
    },
  );
}

test.serial(
  '[A5] [T25] of the keys in a document or at its jwks_uri the same are usable as at registration',
  async (t) => {
    const keyed = (keys: readonly unknown[]) => put(with_({ ...KEYED, jwks: { keys } }));
    const useless = USELESS_KEYS.slice(0, 10).map(([, sent]) => sent);
    for (const [what, sent] of USABLE_KEYS)
      t.is((await authorize(keyed([...useless, sent]))).status, 303, what);
    for (const [table, problem] of [
      [USELESS_KEYS, /no key for signatures/],
      [PRIVATE_KEYS, /contains a private key/],
    ] as const) {
      for (const [what, sent] of table) {
        const page = await authorize(keyed([sent]));
        t.is(page.status, 400, what);
        t.regex(await page.text(), problem, what);
        // What is at a jwks_uri is looked at when there is something to verify.
        const jwks_uri = host.serve(`/${number++}/jwks.json`, { keys: [sent] });
        const clientId = put(with_({ ...KEYED, jwks_uri }));
        t.is((await authorize(clientId)).status, 303, what);
        const answer = await postForm(`${harness.url}/oauth2/token`, {
          grant_type: 'refresh_token',
          refresh_token: 'x',
          ...assertionForm(await clientAssertion(KEY, clientId, { aud: harness.url })),
        });
        t.is(answer.status, 401, what);
        t.is(answer.body.error, 'invalid_client', what);
        isForPrograms(t, answer.body.error_description, problem);
      }
    }
  },
);

test.serial('[A5] [F14] what a document says beside that is left out, not refused', async (t) => {
  const kind = { kty: 'RSA', n: PUBLIC.n!, e: PUBLIC.e! };
  const more: Record<string, unknown>[] = [
    { token_endpoint_auth_method: '' },
    { token_endpoint_auth_method: null, scope: 5, contacts: 'x', logo_uri: 'javascript:1' },
    { grant_types: ['implicit'], response_types: ['token'], application_type: 'mobile' },
    { client_uri: 'http://good.example', tos_uri: 7, policy_uri: null },
    { token_endpoint_auth_methods_supported: ['client_secret_post', 'none'] },
    { token_endpoint_auth_methods_supported: ['private_key_jwt', 'none'] },
    {
      token_endpoint_auth_method: 'tls_client_auth',
      token_endpoint_auth_methods_supported: ['none'],
    },
    { ...KEYED, jwks: { keys: [{ kty: 'secret' }, { ...PUBLIC, x5c: 7, key_ops: 'x' }, kind] } },
    { ...KEYED, jwks: { keys: [PUBLIC] }, jwks_uri: null, token_endpoint_auth_signing_alg: '' },
    { id_token_signed_response_alg: 'none', subject_type: 'pairwise', sector_identifier_uri: 'x' },
    { require_pushed_authorization_requests: true, dpop_bound_access_tokens: true },
    { redirect_uris: [CALLBACK, 'https://localhost:1/cb', 'http://localhost/cb'] },
    { redirect_uris: [CALLBACK, CALLBACK], default_max_age: -1, 'client_name#de': 'Gut' },
    { skip_consent: true, is_admin: true, client_id_issued_at: 'x' },
  ];
  for (const members of more) {
    const page = await authorize(put(with_(members)));
    t.is(page.status, 303, JSON.stringify(members));
    t.regex(page.headers.get('location')!, /\/interaction\//);
  }
  // Members that JSON.parse makes of these names are ordinary ones.
  const path = `/${number++}/proto.json`;
  const clientId = host.origin + path;
  const rest = JSON.stringify({ client_id: clientId, ...GOOD }).slice(1);
  host.serve(path, (_: unknown, response: any) =>
    response
      .writeHead(200, { 'content-type': 'application/client+json; charset=utf-8' })
      .end(`{"__proto__":{"client_secret":"x"},"constructor":{"a":1},${rest}`),
  );
  t.is((await authorize(clientId)).status, 303);
  t.is(({} as any).client_secret, undefined);
});

test.serial(
  '[T12] [A9] [F36] a redirect URI that the document does not list leads to a page, and never away',
  async (t) => {
    const clientId = put(with_({}));
    for (const redirectUri of ['https://evil.example/cb', `${CALLBACK}/`, 'https://good.example']) {
      const { client } = documented(clientId, [redirectUri], harness.url);
      const { url } = authorizationRequest(harness.url, client);
      const page = await fetch(url, { redirect: 'manual', headers: { accept: 'text/html' } });
      t.is(page.status, 400);
      t.is(page.headers.get('location'), null);
    }
  },
);

test.serial('[T12] [T24] a document’s name is shown as text, and cut', async (t) => {
  const name = `<b>"${'x'.repeat(200)}`;
  const clientId = put(with_({ client_name: name }));
  const redirect = await authorize(clientId);
  const cookie = redirect.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ');
  const page = await fetch(new URL(redirect.headers.get('location')!, harness.url), {
    headers: { cookie, accept: 'text/html' },
  });
  const text = await page.text();
  t.is(page.status, 200, text);
  t.false(text.includes('<b>'));
  t.true(text.includes('&lt;b&gt;'));
  t.false(text.includes('x'.repeat(101)));
});

test.serial(
  '[D13] where registration is not open, documents are not advertised, and nobody new comes in by them',
  async (t) => {
    for (const REGISTRATION of ['closed', 'token']) {
      const closed = await startHarness({
        env: {
          CIMD_TEST_ORIGIN: host.origin,
          REGISTRATION,
          ...(REGISTRATION === 'token' && { REGISTRATION_TOKEN: 'registration-token-0123456789' }),
        },
      });
      t.teardown(() => closed.close());
      const metadata = await fetch(`${closed.url}/.well-known/oauth-authorization-server`);
      t.false('client_id_metadata_document_supported' in ((await metadata.json()) as object));
      const clientId = put(with_({}));
      const { client } = documented(clientId, [CALLBACK], closed.url);
      const page = await fetch(authorizationRequest(closed.url, client).url, {
        redirect: 'manual',
        headers: { accept: 'text/html' },
      });
      t.is(page.status, 400);
      t.regex(await page.text(), /not allowed here/);
      t.false(host.asked.includes(new URL(clientId).pathname));
    }
  },
);

test.serial(
  '[T19] [T26] programs that name ever new hosts at the token endpoint keep no person out',
  async (t) => {
    const time = createClock();
    const limited = await startHarness({
      now: time.now,
      // Refused before anything is connected to.
      resolve: async () => ['127.0.0.1'],
      env: { RATE_LIMIT_FACTOR: '1', CIMD_TEST_ORIGIN: host.origin, TRUSTED_PROXY_HOPS: '1' },
    });
    t.teardown(() => limited.close());
    for (let i = 0; i < 330; i++) {
      const response = await fetch(`${limited.url}/oauth2/token`, {
        method: 'POST',
        // Ports and the rest of an IPv6 network make nobody another one.
        headers: { 'x-forwarded-for': `[2001:db8:0:${i >> 5}::${i}]:${i + 1}` },
        body: new URLSearchParams({
          grant_type: 'refresh_token',
          client_id: `https://h${i}.example/client`,
          refresh_token: 'none of ours',
        }),
      });
      t.is(response.status, 503);
      await response.body?.cancel();
    }
    t.true(limited.logs.text().includes('limit of fetches: hosts that are new, for endpoints'));
    const { client } = documented(put(with_({})), [CALLBACK], limited.url);
    const { url } = authorizationRequest(limited.url, client);
    const headers = { 'x-forwarded-for': '198.51.100.7' };
    t.is((await fetch(url, { redirect: 'manual', headers })).status, 303);
  },
);

test.serial(
  '[T19] [T27] one browser can make us fetch 30 times a minute, whatever it says about where it is',
  async (t) => {
    const time = createClock();
    const limited = await startHarness({
      now: time.now,
      env: { RATE_LIMIT_FACTOR: '1', CIMD_TEST_ORIGIN: host.origin, TRUSTED_PROXY_HOPS: '1' },
    });
    t.teardown(() => limited.close());
    const known = put(with_({}));
    const statusOf = async (clientId: string, from: string) => {
      const { client } = documented(clientId, [CALLBACK], limited.url);
      const headers = { 'x-forwarded-for': from };
      const { url } = authorizationRequest(limited.url, client);
      return (await fetch(url, { redirect: 'manual', headers })).status;
    };
    t.is(await statusOf(known, '198.51.100.1'), 303);
    for (let i = 1; i < 30; i++) {
      t.is(await statusOf(`${host.origin}/${i}/nothing`, `10.0.0.${i}, 198.51.100.1`), 400, `${i}`);
    }
    t.is(await statusOf(`${host.origin}/30/nothing`, '10.0.0.30, 198.51.100.1'), 503);
    t.is(await statusOf(`${host.origin}/30/nothing`, '198.51.100.2'), 400, 'another one may');
    t.is(await statusOf(known, '198.51.100.1'), 303, 'what is known needs no fetch');
    time.advance(60_000);
    t.is(await statusOf(`${host.origin}/31/nothing`, '198.51.100.1'), 400);
  },
);
