import test from 'ava';
import fc from 'fast-check';
import { redirectUriProblem } from '../auth/redirect-uri.ts';
import { acceptRegistration } from '../auth/registration.ts';
import { assertionForm, assertionKey, clientAssertion } from './client-auth.ts';
import { PRIVATE_KEYS, USABLE_KEYS, USELESS_KEYS } from './client-key-sets.ts';
import { type Received, send } from './raw-http.ts';
import { badRedirectUris, goodRedirectUris } from './redirect-uris.ts';
import { startHarness } from './support/harness.ts';
import {
  authorizationRequest,
  postForm,
  REDIRECT_URI,
  register,
  type TestClient,
} from './support/oauth.ts';

/** Registrations in shapes that nobody foresaw: what may come of them, and what never. */

const SCHEMES = ['cursor', 'vscode', 'vscode-insiders', 'windsurf', 'claude'];
const LONG = process.env.LONG_TESTS !== undefined;
const RUNS = LONG ? 1_000_000 : 10_000;
const HTTP_RUNS = LONG ? 20_000 : 300;

const { publicJwk } = await assertionKey('ES256');
const harness = await startHarness();
const { url } = harness;
test.after.always(() => harness.close());

/** All that an answer may have. */
const ANSWERED = [
  'application_type',
  'client_id',
  'client_id_issued_at',
  'client_name',
  'client_secret',
  'client_secret_expires_at',
  'client_uri',
  'grant_types',
  'id_token_signed_response_alg',
  'jwks',
  'redirect_uris',
  'require_auth_time',
  'response_types',
  'software_id',
  'software_version',
  'subject_type',
  'token_endpoint_auth_method',
];
/** Chosen by the server. */
const OURS = new Set([
  ...['client_id', 'client_secret', 'client_id_issued_at', 'client_secret_expires_at'],
  ...['id_token_signed_response_alg', 'require_auth_time', 'subject_type'],
]);
const KEPT = ANSWERED.filter((name) => !OURS.has(name));

const post = (
  body: string | Buffer,
  headers: Record<string, string> = { 'content-type': 'application/json' },
  chunked = false,
): Promise<Received> => send(url, '/oauth2/register', { method: 'POST', headers, body, chunked });

// -------------------------------------------------------------------------- generators

const NAMES = [
  ...ANSWERED,
  ...['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', 'then'],
  ...['scope', 'contacts', 'logo_uri', 'policy_uri', 'tos_uri', 'jwks_uri', 'software_statement'],
  ...['is_admin', 'skip_consent', 'first_party', 'registration_access_token', 'allowed_resources'],
  ...['id_token_signed_response_alg', 'sector_identifier_uri', 'subject_type', 'require_auth_time'],
  ...['default_max_age', 'initiate_login_uri', 'post_logout_redirect_uris', 'request_uris'],
  ...['dpop_bound_access_tokens', 'backchannel_logout_uri', 'client_name#fr', 'urn:custom', ''],
];
const WORDS = [
  ...['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt', 'client_secret_jwt'],
  ...['authorization_code', 'refresh_token', 'client_credentials', 'implicit', 'password'],
  ...['code', 'token', 'id_token', 'web', 'native', 'admin', 'Claude', '', ' ', 'keys', '\u202e'],
];

const name = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...NAMES) }, fc.string());
const text = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...WORDS) },
  { weight: 2, arbitrary: fc.constantFrom(...goodRedirectUris.slice(0, 40)) },
  fc.constantFrom(...badRedirectUris.filter((uri) => typeof uri === 'string').slice(0, 250)),
  fc.string({ unit: 'binary', maxLength: 150 }),
  fc.string({ minLength: 90, maxLength: 300 }),
);
const key = fc.oneof(
  fc.constant(publicJwk),
  fc.dictionary(
    fc.constantFrom('kty', 'crv', 'x', 'y', 'n', 'e', 'd', 'k', 'kid', 'use', 'alg', 'x5c', 'z'),
    fc.oneof(
      fc.constantFrom('EC', 'RSA', 'OKP', 'oct', 'P-256', 'Ed25519', 'AQAB'),
      fc.jsonValue(),
    ),
  ),
);
const value: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: text },
  { weight: 2, arbitrary: fc.array(text, { maxLength: 12 }) },
  fc.jsonValue({ maxDepth: 4 }),
  fc.constantFrom(null, true, false, 0, -1, 1e308, 4_102_444_800),
  fc.record({ keys: fc.array(key, { maxLength: 21 }) }),
  fc.dictionary(name, text, { maxKeys: 5 }),
);

/** Members may occur twice, and any may be called __proto__: no object, but the text of one. */
const members = fc.array(fc.tuple(name, value), { maxLength: 12 });
const goodUris = fc.array(fc.constantFrom(...goodRedirectUris), { minLength: 1, maxLength: 12 });
const bodyText = fc
  .tuple(members, fc.option(goodUris, { freq: 4, nil: undefined }), fc.nat())
  .map(([all, uris, at]) => {
    const list = all.map(([key, content]) => `${JSON.stringify(key)}:${JSON.stringify(content)}`);
    if (uris) list.splice(at % (list.length + 1), 0, `"redirect_uris":${JSON.stringify(uris)}`);
    return `{${list.join(',')}}`;
  });

const anyBody = fc.oneof(
  { weight: 8, arbitrary: bodyText.map((json) => JSON.parse(json) as unknown) },
  { weight: 1, arbitrary: fc.jsonValue() },
  { weight: 1, arbitrary: fc.anything() },
);

// -------------------------------------------------------------------------- properties

test.serial(
  '[T25] [F14] of any body at all comes a refusal in the words of RFC 7591, or metadata of our own choice and nothing else',
  (t) => {
    const before = Object.getOwnPropertyNames(Object.prototype);
    let accepted = 0;
    fc.assert(
      fc.property(anyBody, (body) => {
        let metadata;
        try {
          metadata = acceptRegistration(body, { redirectSchemes: SCHEMES });
        } catch (error) {
          const { statusCode, error: code, error_description } = error as Record<string, unknown>;
          return (
            statusCode === 400 &&
            ['invalid_client_metadata', 'invalid_redirect_uri'].includes(String(code)) &&
            /^[\x20-\x7e]{5,200}$/.test(String(error_description))
          );
        }
        accepted++;
        const { redirect_uris, grant_types, application_type } = metadata as Record<
          string,
          string[]
        >;
        const method = metadata.token_endpoint_auth_method as string;
        const texts = ['client_name', 'client_uri', 'software_id', 'software_version'];
        return (
          Object.getPrototypeOf(metadata) === Object.prototype &&
          Object.keys(metadata).every((name) => KEPT.includes(name)) &&
          redirect_uris!.length >= 1 &&
          redirect_uris!.length <= 10 &&
          redirect_uris!.every((uri) => redirectUriProblem(uri, SCHEMES) === undefined) &&
          ['web', 'native'].includes(String(application_type)) &&
          grant_types!.includes('authorization_code') &&
          grant_types!.every((type) => ['authorization_code', 'refresh_token'].includes(type)) &&
          ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'].includes(
            method,
          ) &&
          'jwks' in metadata === (method === 'private_key_jwt') &&
          texts.every((each) => typeof (metadata[each] ?? '') === 'string') &&
          String(metadata.client_name ?? '').length <= 100 &&
          JSON.stringify(metadata).length < 65_536
        );
      }),
      { numRuns: RUNS },
    );
    t.true(accepted > RUNS / 20, `${accepted} of ${RUNS}`);
    t.deepEqual(Object.getOwnPropertyNames(Object.prototype), before);
  },
);

const sentAs = fc.record({
  type: fc.oneof(
    {
      weight: 8,
      arbitrary: fc.constantFrom('application/json', 'application/json; charset=utf-8'),
    },
    fc.constantFrom('text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', ''),
  ),
  chunked: fc.boolean(),
  spoiled: fc.oneof(
    { weight: 6, arbitrary: fc.constant(undefined) },
    fc.record({ at: fc.nat(), bytes: fc.uint8Array({ minLength: 1, maxLength: 4 }) }),
  ),
});

/** With some bytes overwritten, if it is to be spoiled. */
function bytesOf(json: string, spoiled: { at: number; bytes: Uint8Array } | undefined): Buffer {
  const bytes = Buffer.from(json);
  if (spoiled) Buffer.from(spoiled.bytes).copy(bytes, spoiled.at % bytes.length);
  return bytes;
}

test.serial(
  '[T25] [D18] over HTTP the answer is never a fault of ours, says nothing we don’t have, and what was accepted can be used',
  async (t) => {
    const before = Object.getOwnPropertyNames(Object.prototype);
    const plain = Object.keys((await register(url)).body).toSorted();
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(bodyText, sentAs, async (json, { type, chunked, spoiled }) => {
        const headers: Record<string, string> = type === '' ? {} : { 'content-type': type };
        const answer = await post(bytesOf(json, spoiled), headers, chunked);
        if (answer.status !== 201) {
          return (
            answer.status === 400 &&
            ['invalid_client_metadata', 'invalid_redirect_uri'].includes(answer.json.error) &&
            answer.headers['cache-control'] === 'no-store'
          );
        }
        accepted++;
        const client = answer.json as TestClient;
        const names = Object.keys(client);
        if (!names.every((each) => ANSWERED.includes(each))) return false;
        if ('client_secret' in client !== /secret/.test(client.token_endpoint_auth_method))
          return false;
        for (const redirect_uri of client.redirect_uris) {
          const { pathname, search } = authorizationRequest(url, client, { redirect_uri }).url;
          const asked = await send(url, pathname + search);
          if (asked.status !== 303 || !asked.headers.location!.includes('/interaction/'))
            return false;
        }
        return true;
      }),
      { numRuns: HTTP_RUNS, endOnFailure: true },
    );
    t.true(accepted > HTTP_RUNS / 20, `${accepted} of ${HTTP_RUNS}`);
    t.deepEqual(Object.getOwnPropertyNames(Object.prototype), before);
    t.deepEqual(Object.keys((await register(url)).body).toSorted(), plain);
    t.deepEqual(harness.logs.find({ event: 'server_error' }), []);
  },
);

// ---------------------------------------------------------------------- particular shapes

const GOOD = '"redirect_uris":["https://a.example/cb"]';

test.serial(
  '[T25] of a member that occurs twice the last one counts, for the check as for the client',
  async (t) => {
    const good = await post(`{"redirect_uris":["javascript:alert(1)"],${GOOD}}`);
    t.is(good.status, 201);
    t.deepEqual(good.json.redirect_uris, ['https://a.example/cb']);
    const { pathname, search } = authorizationRequest(url, good.json, {
      redirect_uri: 'javascript:alert(1)',
    }).url;
    t.is((await send(url, pathname + search)).status, 400);
    for (const last of ['["javascript:alert(1)"]', 'null', '[]', '"https://a.example/cb"']) {
      const bad = await post(`{${GOOD},"redirect_uris":${last}}`);
      t.is(bad.status, 400, last);
      t.is(bad.json.error, 'invalid_redirect_uri', last);
    }
  },
);

test.serial(
  '[T25] of a key in jwks its public members are kept, and nothing that is not a key’s',
  async (t) => {
    const jwks = (...keys: unknown[]) => ({
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys },
    });
    const more = {
      x5c: ['MIIB'],
      x5u: 'https://evil.example/',
      jku: 'https://evil.example/',
      is_admin: true,
      z: 'x'.repeat(10_000),
      // Its own member, not the prototype.
      ['__proto__']: { polluted: true },
    };
    const { status, body } = await register(url, jwks({ ...publicJwk, ...more }));
    t.is(status, 201, JSON.stringify(body));
    t.deepEqual(body.jwks, { keys: [publicJwk] });
  },
);

test.serial(
  '[T25] [F15] a key set is kept as far as it can be used, refused if it can’t at all, and with a private key always',
  async (t) => {
    const keyed = async (...keys: unknown[]) =>
      register(url, { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } });
    const useless = USELESS_KEYS.slice(0, 18).map(([, sent]) => sent);
    for (const [what, sent, kept] of USABLE_KEYS) {
      const { status, body } = await keyed(...useless, sent, USELESS_KEYS.at(-1)![1]);
      t.is(status, 201, `${what} ${JSON.stringify(body)}`);
      t.deepEqual(body.jwks, { keys: [kept] }, what);
    }
    for (const [table, reason] of [
      [USELESS_KEYS, 'the key set has no key for signatures with RS256, PS256, ES256, EdDSA'],
      [PRIVATE_KEYS, 'the key set contains a private key'],
    ] as const)
      for (const [what, sent] of table) {
        const { status, body } = await keyed(sent);
        t.is(status, 400, what);
        t.like(body, { error: 'invalid_client_metadata', error_description: reason }, what);
        t.is((await keyed(publicJwk, sent)).status, table === USELESS_KEYS ? 201 : 400, what);
      }
  },
);

test.serial(
  '[F15] a client authenticates with any of the keys that were kept, in whichever company',
  async (t) => {
    const keys = await Promise.all(['RS256', 'ES256', 'EdDSA'].map(assertionKey));
    const { body: client } = await register(url, {
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: {
        keys: [
          ...USELESS_KEYS.slice(0, 17).map(([, sent]) => sent),
          ...keys.map((key) => key.publicJwk),
        ],
      },
    });
    for (const key of keys) {
      const answer = await postForm(`${url}/oauth2/token`, {
        grant_type: 'refresh_token',
        refresh_token: 'none of ours',
        ...assertionForm(await clientAssertion(key, client.client_id, { aud: url })),
      });
      t.is(answer.body.error, 'invalid_grant', `${key.algorithm} ${JSON.stringify(answer.body)}`);
    }
  },
);

test.serial(
  '[T25] [D18] what is nested too deeply to be written is no fault of ours, wherever it stands',
  async (t) => {
    const deep = (depth: number, [open, close]: [string, string]) =>
      open.repeat(depth) + '1' + close.repeat(depth);
    for (const nested of [deep(25_000, ['[', ']']), deep(9_000, ['{"a":', '}'])]) {
      for (const member of [
        'x',
        'client_name',
        'grant_types',
        'response_types',
        'token_endpoint_auth_method',
        'redirect_uris',
        'jwks',
        'scope',
        '__proto__',
      ]) {
        const { status, json } = await post(`{${GOOD},"${member}":${nested}}`);
        t.true([201, 400].includes(status), `${member}: ${status}`);
        if (status === 201) t.deepEqual(json.redirect_uris, ['https://a.example/cb']);
      }
      const inKey = `{"keys":[{"kty":"EC","crv":"P-256","x":"${publicJwk.x}","y":"${publicJwk.y}","MEMBER":${nested}}]}`;
      for (const [member, expected] of [
        ['x5c', 201],
        ['deep', 201],
        ['kid', 400],
        ['d', 400],
      ] as const) {
        const { status } = await post(
          `{${GOOD},"token_endpoint_auth_method":"private_key_jwt","jwks":${inKey.replace('MEMBER', member)}}`,
        );
        t.is(status, expected, member);
      }
    }
  },
);

test.serial(
  '[D18] [T25] a body of 56 KiB is read and one byte more is not, declared or in chunks, whatever is in it',
  async (t) => {
    const LIMIT = 56 * 1_024;
    const sized = (length: number, filler: string) => {
      const start = `{${GOOD},"x":"`;
      return start + filler.repeat(length - start.length - 2) + '"}';
    };
    for (const chunked of [false, true]) {
      t.is((await post(sized(LIMIT, 'x'), undefined, chunked)).status, 201);
      for (const body of [sized(LIMIT + 1, 'x'), sized(200_000, 'x'), '['.repeat(100_000)]) {
        const answer = await post(body, undefined, chunked);
        t.is(answer.status, 413);
        t.is(answer.json.error, 'invalid_request');
        t.is(answer.headers['access-control-allow-origin'], '*');
      }
    }
    // Bytes count, not characters.
    t.is((await post(`{${GOOD},"x":"${'ü'.repeat(30_000)}"}`)).status, 413);
  },
);

test.serial(
  '[T25] [T12] bytes that are no UTF-8 spoil a name and nothing else, and never a redirect URI',
  async (t) => {
    for (const bytes of [
      [0xff],
      [0xc0, 0xaf],
      [0xed, 0xa0, 0x80],
      [0xf8, 0x88, 0x80],
      [0xe2, 0x82],
    ]) {
      const insert = (before: string, after: string) =>
        Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)]);
      const named = await post(insert(`{${GOOD},"client_name":"Cl`, 'aude"}'));
      t.is(named.status, 201);
      t.regex(named.json.client_name, /^Cl\ufffd+aude$/);
      const uri = await post(insert('{"redirect_uris":["https://a.example/', 'cb"]}'));
      t.is(uri.status, 400);
      t.is(uri.json.error, 'invalid_redirect_uri');
      const method = await post(insert(`{${GOOD},"token_endpoint_auth_method":"no`, 'ne"}'));
      t.is(method.status, 400);
    }
  },
);

test.serial(
  '[T25] a client that registers after all this has what it asked for, and no more',
  async (t) => {
    const asked = { redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: 'none' };
    const { json } = await post(JSON.stringify(asked));
    const { client_id, client_id_issued_at, ...rest } = json as Record<string, unknown>;
    t.is(typeof client_id, 'string');
    t.is(typeof client_id_issued_at, 'number');
    t.deepEqual(rest, {
      ...asked,
      application_type: 'web',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      id_token_signed_response_alg: 'RS256',
      require_auth_time: false,
      subject_type: 'public',
    });
  },
);
