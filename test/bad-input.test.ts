import test, { type ExecutionContext } from 'ava';
import { basic } from './client-auth.ts';
import { type Received, send, sendBytes, type Sending } from './raw-http.ts';
import { startHarness } from './support/harness.ts';
import { connect, register } from './support/oauth.ts';

const harness = await startHarness({ env: { RATE_LIMIT_FACTOR: '0' } });
const { url } = harness;
const { client, tokens } = await connect(harness);
const confidential = (await register(url, { token_endpoint_auth_method: 'client_secret_basic' }))
  .body;
test.after.always(() => harness.close());

const HTML = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const JSON_TYPE = { 'content-type': 'application/json' };
const BEARER = { authorization: `Bearer ${tokens.access_token}` };
const UID = 'a'.repeat(43);

const FORM_ENDPOINTS = ['/oauth2/token', '/oauth2/revoke', '/oauth2/introspect'];
const OAUTH_ENDPOINTS = [...FORM_ENDPOINTS, '/oauth2/register'];
const DOCUMENTS = [
  '/.well-known/oauth-authorization-server',
  '/.well-known/openid-configuration/mcp',
  '/.well-known/oauth-protected-resource',
  '/.well-known/oauth-protected-resource/mcp',
  '/.well-known/jwks.json',
];
const PAGES = [
  '/oauth2/authorize',
  '/oauth2/authorize/callback',
  `/oauth2/authorize/${UID}`,
  `/interaction/${UID}`,
];

/** What no answer to a bad request has: an inside view, a cookie, permission to be kept. */
async function discreet(t: ExecutionContext, answer: Received, about: string): Promise<void> {
  t.notRegex(
    answer.text,
    /\bat [\w.<>]+ \(|node_modules|file:\/\/|\.[tj]s:\d|SQLITE|Error:/,
    about,
  );
  for (const cookie of answer.headers['set-cookie'] ?? []) t.regex(cookie, /^[^=]+=;/, about);
  t.is(answer.headers['cache-control'], 'no-store', about);
  const request_id = answer.headers['x-request-id'] as string;
  const line = await harness.logs.waitFor({ event: 'request', request_id });
  t.is(line.status as number, answer.status, about);
}

/** An error in the form of RFC 6749 §5.2. */
async function oauthError(
  t: ExecutionContext,
  answer: Received,
  status: number,
  error: string,
  about: string,
): Promise<void> {
  t.is(answer.status, status, `${about}: ${answer.text.slice(0, 300)}`);
  t.is(answer.headers['content-type'], 'application/json; charset=utf-8', about);
  t.is(answer.json?.error, error, about);
  t.is(typeof answer.json.error_description, 'string', about);
  t.is(answer.json.request_id, answer.headers['x-request-id'], about);
  await discreet(t, answer, about);
}

/** An error in the form of JSON-RPC 2.0 §5.1. */
async function rpcError(
  t: ExecutionContext,
  answer: Received,
  status: number,
  code: number,
  about: string,
): Promise<void> {
  t.is(answer.status, status, `${about}: ${answer.text.slice(0, 300)}`);
  t.is(answer.headers['content-type'], 'application/json; charset=utf-8', about);
  t.is(answer.json?.jsonrpc, '2.0', about);
  t.is(answer.json.id, null, about);
  t.is(answer.json.error.code, code, about);
  t.is(typeof answer.json.error.message, 'string', about);
  t.is(answer.json.error.data.request_id, answer.headers['x-request-id'], about);
  await discreet(t, answer, about);
}

/** An error for a person: a page that can be quoted to support. */
async function errorPage(
  t: ExecutionContext,
  answer: Received,
  status: number,
  about: string,
): Promise<void> {
  t.is(answer.status, status, about);
  t.is(answer.headers['content-type'], 'text/html; charset=utf-8', about);
  t.true(answer.text.includes(answer.headers['x-request-id'] as string), about);
  await discreet(t, answer, about);
}

const post = (path: string, body: string | Buffer, headers: Sending['headers'] = FORM) =>
  send(url, path, { method: 'POST', headers, body });

const form = (fields: Record<string, string>) => new URLSearchParams(fields).toString();

/** A request that would be fine at each endpoint, but for the token in it. */
const FINE: Record<string, Record<string, string>> = {
  '/oauth2/token': { grant_type: 'refresh_token', refresh_token: 'none of ours' },
  '/oauth2/revoke': { token: 'none of ours' },
  '/oauth2/introspect': { token: 'none of ours' },
};
const CREDENTIALS = { client_id: client.client_id };

// --------------------------------------------------------------- form endpoints

for (const path of FORM_ENDPOINTS) {
  const fine = { ...FINE[path], ...CREDENTIALS };

  test.serial(
    `[D18] [N3] ${path} takes a form; any other body or none is invalid_request`,
    async (t) => {
      const bodies: [string, Record<string, string>][] = [
        [JSON.stringify(fine), JSON_TYPE],
        [form(fine), { 'content-type': 'text/plain' }],
        [form(fine), { 'content-type': 'multipart/form-data; boundary=x' }],
        [form(fine), { 'content-type': 'application/x-www-form-urlencode' }],
        [form(fine), { 'content-type': 'nonsense' }],
        [form(fine), {}],
        ['{', JSON_TYPE],
        ['', FORM],
        ['', {}],
      ];
      for (const [body, headers] of bodies) {
        const about = `${JSON.stringify(headers)} ${body}`;
        await oauthError(t, await post(path, body, headers), 400, 'invalid_request', about);
      }
    },
  );

  test.serial(
    `[D18] ${path} with parameters missing, repeated or of odd shape is invalid_request`,
    async (t) => {
      const query = form(fine);
      for (const body of [
        form(CREDENTIALS).replace('client_id', 'id'),
        form(FINE[path]!),
        ...Object.keys(fine).map((name) => form({ ...fine, [name]: '' })),
        ...Object.keys(fine).map((name) => form({ ...fine, [`${name}[]`]: 'x', [name]: '' })),
        ...Object.keys(fine).map((name) => `${query}&${name}=${fine[name as 'client_id']}`),
        ...Object.keys(fine).map((name) => `${query}&${name}=other`),
        `${query}&client_secret=a&client_secret=b`,
        `${query}&client_assertion=a&client_assertion=b`,
        '&&&===&&&',
        'a=1&'.repeat(10_000),
        '%',
        '%zz=%zz',
      ])
        await oauthError(t, await post(path, body), 400, 'invalid_request', body.slice(0, 200));
    },
  );

  test.serial(
    `[D18] ${path} is not upset by NUL bytes, invalid UTF-8 and other bytes that mean nothing`,
    async (t) => {
      const field = path === '/oauth2/token' ? 'refresh_token' : 'token';
      const start = Buffer.from(form({ ...fine, [field]: '' }).replace(`${field}=`, ''));
      for (const bytes of [
        Buffer.from('a\u0000b'),
        Buffer.from([0xff, 0xfe, 0x00, 0x80]),
        Buffer.from([0xc0, 0xaf, 0xed, 0xa0, 0x80]),
        Buffer.from('%00%ff%fe'),
        Buffer.from('%c0%af%ed%a0%80'),
        Buffer.from('\ud800'),
        Buffer.from('../../etc/passwd'),
        Buffer.from("'; drop table entries; --"),
        Buffer.from('{"$ne":null}'),
        Buffer.from('a.b.c.d.e'),
        Buffer.from(`${'0'.repeat(43)}.${'9'.repeat(40)}.x`),
        Buffer.from('x'.repeat(50_000)),
      ]) {
        const body = Buffer.concat([start, Buffer.from(`&${field}=`), bytes]);
        const answer = await post(path, body);
        const about = `${path} ${bytes.toString('latin1').slice(0, 60)}`;
        if (path === '/oauth2/token') await oauthError(t, answer, 400, 'invalid_grant', about);
        else t.is(answer.status, 200, about);
        if (path === '/oauth2/introspect') t.deepEqual(answer.json, { active: false });
      }
      for (const client_id of [
        '\u0000',
        '__proto__',
        'constructor',
        'x'.repeat(10_000),
        '../x',
        'ü',
        '\ud800',
      ]) {
        const answer = await post(path, form({ ...fine, client_id }));
        await oauthError(t, answer, 401, 'invalid_client', client_id.slice(0, 30));
      }
    },
  );

  test.serial(
    `[D15] [D18] ${path} refuses Authorization headers that are no Basic credentials`,
    async (t) => {
      const encode = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
      for (const authorization of [
        'Basic',
        'Basic ',
        'Basic !!!',
        'Basic ====',
        'Basic YQ==',
        'Basic a b',
        'Basic\tYTpi',
        encode(''),
        encode(':'),
        encode('no colon'),
        encode('%zz:%zz'),
        encode('a:'),
        encode(':b'),
        encode('a\u0000:b\u0001'),
        encode('unknown-client:secret'),
        encode(`${client.client_id}:secret`),
        encode(`${confidential.client_id}:wrong`),
        `Basic ${'A'.repeat(8_000)}`,
        'Bearer',
        BEARER.authorization,
        'Negotiate abc',
        'x',
      ]) {
        const answer = await post(path, form(FINE[path]!), { ...FORM, authorization });
        const about = authorization.slice(0, 60);
        if (answer.status === 401) {
          await oauthError(t, answer, 401, 'invalid_client', about);
          t.regex(answer.headers['www-authenticate']!, /^Basic realm="/, about);
        } else await oauthError(t, answer, 400, 'invalid_request', about);
      }
      const wrong = await post(path, form(FINE[path]!), {
        ...FORM,
        authorization: encode(`${confidential.client_id}:wrong`),
      });
      t.is(wrong.status, 401);
    },
  );

  test.serial(
    `[D15] [D18] ${path} refuses two ways of authentication at once, and two identities`,
    async (t) => {
      const authorization = basic(confidential);
      const fields = FINE[path]!;
      const assertion = {
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: 'e30.e30.x',
      };
      const { client_id, client_secret } = confidential as {
        client_id: string;
        client_secret: string;
      };
      for (const [body, headers] of [
        [form({ ...fields, client_id, client_secret }), { ...FORM, authorization }],
        [form({ ...fields, client_id, client_secret, ...assertion }), FORM],
        [form({ ...fields, ...assertion }), { ...FORM, authorization }],
        [form({ ...fields, client_id: client.client_id }), { ...FORM, authorization }],
        [form({ ...fields, client_assertion: 'e30.e30.x' }), FORM],
        [form({ ...fields, ...assertion, client_assertion: 'no jwt' }), FORM],
        [form({ ...fields, ...assertion, client_assertion_type: 'x' }), FORM],
      ] as [string, Record<string, string>][]) {
        const answer = await post(path, body, headers);
        t.true([400, 401].includes(answer.status), body);
        await oauthError(t, answer, answer.status, answer.json.error, body);
        t.regex(answer.json.error, /^invalid_(request|client)$/, body);
      }
      t.is(
        (await post(path, form(fields), { ...FORM, authorization })).status,
        {
          '/oauth2/token': 400,
        }[path] ?? 200,
      );
    },
  );
}

test.serial('[D15] [D18] the token endpoint names what is wrong with the grant type', async (t) => {
  const ask = (grant_type: string, more: Record<string, string> = {}) =>
    post('/oauth2/token', form({ ...CREDENTIALS, grant_type, ...more }));
  for (const unknown of [
    'foo',
    'client_credentials',
    'password',
    'AUTHORIZATION_CODE',
    'authorization_code ',
    '__proto__',
    'constructor',
    'toString',
    '\u0000',
    'x'.repeat(10_000),
  ])
    await oauthError(t, await ask(unknown), 400, 'unsupported_grant_type', unknown.slice(0, 30));
  const code = { code: 'x.y', redirect_uri: 'https://client.example/callback', code_verifier: 'z' };
  await oauthError(t, await ask('authorization_code', code), 400, 'invalid_grant', 'code');
  for (const name of Object.keys(code)) {
    const answer = await ask('authorization_code', { ...code, [name]: '' });
    // Without a verifier it is like with a wrong one (RFC 7636 §4.6).
    const error = name === 'code_verifier' ? 'invalid_grant' : 'invalid_request';
    await oauthError(t, answer, 400, error, `no ${name}`);
  }
  await oauthError(t, await ask('refresh_token'), 400, 'invalid_request', 'no refresh_token');
});

// ------------------------------------------------------------------------- sizes

const MEGABYTE = 'x'.repeat(1_000_000);

for (const chunked of [false, true]) {
  const how = chunked ? 'in chunks' : 'declared';

  test.serial(`[D18] a megabyte, ${how}, is 413 at every endpoint that reads bodies`, async (t) => {
    for (const [path, headers, body] of [
      ['/oauth2/token', FORM, `grant_type=${MEGABYTE}`],
      ['/oauth2/revoke', FORM, `token=${MEGABYTE}`],
      ['/oauth2/introspect', FORM, `token=${MEGABYTE}`],
      ['/oauth2/register', JSON_TYPE, `{"client_name":"${MEGABYTE}"}`],
      [`/interaction/${UID}`, FORM, `csrf=${MEGABYTE}`],
    ] as const) {
      const answer = await send(url, path, { method: 'POST', headers, body, chunked });
      await oauthError(t, answer, 413, 'invalid_request', path);
    }
    const page = await send(url, `/interaction/${UID}`, {
      method: 'POST',
      headers: { ...FORM, accept: HTML },
      body: MEGABYTE,
      chunked,
    });
    await errorPage(t, page, 413, 'interaction');
  });

  test.serial(
    `[D18] more than a megabyte, ${how}, is 413 at the MCP endpoint, and unread without a token`,
    async (t) => {
      const body = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"x":"${'x'.repeat(1_100_000)}"}}`;
      for (const path of ['/mcp', '/']) {
        const known = await send(url, path, {
          method: 'POST',
          headers: { ...JSON_TYPE, ...BEARER },
          body,
          chunked,
        });
        await rpcError(t, known, 413, -32000, path);
        const stranger = await send(url, path, {
          method: 'POST',
          headers: JSON_TYPE,
          body,
          chunked,
        });
        await oauthError(t, stranger, 401, 'invalid_token', path);
      }
    },
  );

  test.serial(
    `[D18] a megabyte, ${how}, sent where no body is read changes no answer`,
    async (t) => {
      for (const path of [...DOCUMENTS, ...PAGES, '/mcp', '/', '/nowhere']) {
        const plain = await send(url, path);
        const heavy = await send(url, path, {
          method: 'GET',
          body: MEGABYTE,
          headers: FORM,
          chunked,
        });
        t.is(heavy.status, plain.status, path);
      }
      for (const path of [...DOCUMENTS, '/oauth2/authorize', '/nowhere']) {
        const answer = await send(url, path, {
          method: 'POST',
          body: MEGABYTE,
          headers: FORM,
          chunked,
        });
        const [status, error] = path === '/nowhere' ? [404, 'not_found'] : [405, 'invalid_request'];
        await oauthError(t, answer, status as number, error as string, path);
      }
    },
  );
}

test.serial('[D18] request heads over the limit are 431, and the connection closes', async (t) => {
  const host = new URL(url).host;
  for (const head of [
    `GET /?${'x'.repeat(20_000)} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    `GET /mcp HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${'x'.repeat(20_000)}\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: ${host}\r\n${'x: y\r\n'.repeat(5_000)}\r\n`,
  ]) {
    const answer = await sendBytes(url, head);
    t.regex(answer, /^HTTP\/1\.1 431 /);
    t.regex(answer, /^connection: close/im);
  }
});

// ----------------------------------------------------------------------- methods

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND', 'LOCK'];

const TAKEN: [string[], string[], string][] = [
  [OAUTH_ENDPOINTS, ['POST'], 'POST'],
  [DOCUMENTS, ['GET', 'HEAD'], 'GET, HEAD'],
  [['/oauth2/authorize', '/oauth2/authorize/callback'], ['GET'], 'GET'],
  [[`/oauth2/authorize/${UID}`], ['GET'], 'GET'],
  [[`/interaction/${UID}`], ['GET', 'POST'], 'GET, POST'],
  [['/robots.txt', '/assets/style.css'], ['GET', 'HEAD'], 'GET, HEAD'],
  [['/healthz', '/health', '/readyz'], ['GET', 'HEAD'], 'GET, HEAD'],
];

test.serial('[T59] [D18] other methods than an address takes are 405 with Allow', async (t) => {
  for (const [paths, taken, allow] of TAKEN) {
    for (const path of paths) {
      for (const method of METHODS.filter((one) => !taken.includes(one))) {
        const answer = await send(url, path, { method });
        const about = `${method} ${path}`;
        t.is(answer.status, 405, about);
        t.true(
          (answer.headers.allow as string).startsWith(allow),
          `${about} ${answer.headers.allow}`,
        );
        if (method === 'HEAD') continue;
        await oauthError(t, answer, 405, 'invalid_request', about);
      }
    }
  }
});

test.serial(
  '[T59] [D18] the front door takes what pages and MCP clients send, and 405s the rest',
  async (t) => {
    for (const method of ['PUT', 'PATCH', 'TRACE', 'PROPFIND']) {
      const answer = await send(url, '/', { method });
      await oauthError(t, answer, 405, 'invalid_request', method);
      for (const taken of ['GET', 'HEAD', 'POST'])
        t.true((answer.headers.allow as string).split(', ').includes(taken));
    }
  },
);

test.serial(
  '[T59] [D16] at /mcp a method other than POST is challenged without a token, and 405 with one',
  async (t) => {
    for (const method of METHODS.filter((one) => one !== 'POST')) {
      const stranger = await send(url, '/mcp', { method });
      t.is(stranger.status, 401, method);
      t.regex(stranger.headers['www-authenticate']!, /^Bearer /);
      const known = await send(url, '/mcp', { method, headers: BEARER });
      t.is(known.status, 405, method);
      t.true((known.headers.allow as string).split(', ').includes('POST'), method);
      if (method !== 'HEAD') await rpcError(t, known, 405, -32000, method);
    }
  },
);

// ------------------------------------------------------------------ MCP endpoint

for (const path of ['/mcp', '/']) {
  test.serial(`[D18] POST ${path} answers bad messages as JSON-RPC errors`, async (t) => {
    const ask = (body: string | Buffer, headers: Record<string, string> = JSON_TYPE) =>
      post(path, body, { ...headers, ...BEARER });
    const call = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
    for (const headers of [
      {},
      FORM,
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/jsonl' },
      { 'content-type': 'nonsense' },
    ] as Record<string, string>[])
      await rpcError(t, await ask(call, headers), 415, -32600, JSON.stringify(headers));
    for (const body of [
      '{',
      '{"jsonrpc":"2.0","id":1,"method":"tools/list"',
      "{'jsonrpc':'2.0'}",
      'jsonrpc=2.0',
      '\u0000',
      `${call}\u0000`,
      `\ufeff\ufeff${call}`,
      `${call}\ufeff`,
      '{"jsonrpc":"2.0","id":1,"method":"tools\u0000/list"}',
      Buffer.from(call, 'utf16le'),
      Buffer.from([0xff, 0xfe, 0xfd]),
    ])
      await rpcError(t, await ask(body), 400, -32700, body.toString('latin1').slice(0, 60));
    const deep = (levels: number) =>
      `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":${'['.repeat(levels)}${']'.repeat(levels)}}`;
    for (const body of [
      'null',
      '5',
      '"text"',
      'true',
      '[]',
      '[1]',
      '[null]',
      '[[]]',
      `[${Array(21).fill(call).join(',')}]`,
      deep(64),
      deep(100_000),
    ])
      await rpcError(t, await ask(body), 400, -32600, body.slice(0, 80));
  });

  test.serial(
    `[D18] [T58] POST ${path} never breaks on a message that is JSON but no request`,
    async (t) => {
      for (const message of [
        '{}',
        '{"jsonrpc":"1.0","id":1,"method":"tools/list"}',
        '{"jsonrpc":"2.0","id":1}',
        '{"jsonrpc":"2.0","id":1,"method":5}',
        '{"jsonrpc":"2.0","id":{},"method":"tools/list"}',
        '{"jsonrpc":"2.0","id":null,"method":"tools/list"}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":5}',
        '{"jsonrpc":"2.0","id":1,"method":"__proto__"}',
        '{"jsonrpc":"2.0","id":1,"method":"constructor","params":{"__proto__":{"polluted":1}}}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call"}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"__proto__"}}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"listCompanies","arguments":5}}',
        '{"jsonrpc":"2.0","id":1,"result":{}}',
        '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}',
        '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":[]}}',
      ]) {
        const answer = await post(path, message, { ...JSON_TYPE, ...BEARER });
        t.true(answer.status < 500, `${message} ${answer.status} ${answer.text}`);
        t.notRegex(answer.text, /<html|\bat [\w.<>]+ \(|node_modules|\.[tj]s:\d/, message);
        if (answer.status >= 400) {
          t.is(answer.json?.jsonrpc, '2.0', message);
          t.is(typeof answer.json.error.code, 'number', message);
        }
        t.truthy(answer.headers['x-request-id'], message);
        t.regex(answer.headers['cache-control']!, /^no-(store|cache)/, message);
      }
      t.is(({} as Record<string, unknown>).polluted, undefined);
    },
  );

  test.serial(
    `[D18] [F24] [N25] ${path} answers every Authorization header that is no good with a challenge`,
    async (t) => {
      for (const authorization of [
        '',
        ' ',
        'Bearer',
        'Bearer ',
        'Bearer  ',
        'Bearer x',
        'Bearer a b',
        'Bearer a, Bearer b',
        'Bearer "x"',
        'Bearer e30.e30.',
        `Bearer ${'x'.repeat(8_000)}`,
        'Bearer \u00ff\u00fe',
        'Basic YTpi',
        `Basic ${tokens.access_token}`,
        tokens.access_token,
        `Bearer ${tokens.access_token}x`,
        `Bearer ${tokens.access_token}, x`,
        `Bearer ${tokens.refresh_token}`,
      ]) {
        for (const body of ['{"jsonrpc":"2.0","id":1,"method":"tools/list"}', '{', '']) {
          const answer = await post(path, body, { ...JSON_TYPE, authorization });
          const about = authorization.slice(0, 40);
          await oauthError(t, answer, 401, 'invalid_token', about);
          t.regex(answer.headers['www-authenticate']!, /^Bearer .*resource_metadata="http/, about);
          // RFC 6750 §3.1: no error for who brought no token.
          if (authorization.trim() === '')
            t.notRegex(answer.headers['www-authenticate']!, /error=/);
        }
      }
    },
  );
}

// ------------------------------------------------------------------------- pages

test.serial(
  '[D18] [T58] pages answer a bad visit in the reader’s language: JSON to programs, a page to browsers',
  async (t) => {
    for (const [path, status, error, sending] of [
      ['/oauth2/authorize', 400, 'invalid_request', {}],
      ['/oauth2/authorize?client_id=%00', 400, 'invalid_client', {}],
      ['/oauth2/authorize?client_id=%ff%fe', 400, 'invalid_client', {}],
      ['/oauth2/authorize?%zz=%', 400, 'invalid_request', {}],
      [`/oauth2/authorize?${'a=1&'.repeat(2_000)}`, 400, 'invalid_request', {}],
      ['/oauth2/authorize/callback', 400, 'invalid_request', {}],
      ['/oauth2/authorize/callback?state=', 400, 'invalid_request', {}],
      ['/oauth2/authorize/callback?state=x&code=y', 400, 'invalid_request', {}],
      [`/oauth2/authorize/callback?state=${UID}.x&state=${UID}.y`, 400, 'invalid_request', {}],
      ['/oauth2/authorize/callback?state=%00.%00&code=%00', 400, 'invalid_request', {}],
      ['/oauth2/authorize/callback?error=access_denied', 400, 'invalid_request', {}],
      [`/oauth2/authorize/callback?state=${'x'.repeat(8_000)}`, 400, 'invalid_request', {}],
      [`/oauth2/authorize/${UID}`, 400, 'invalid_request', {}],
      [`/oauth2/authorize/${UID}?state=x`, 400, 'invalid_request', {}],
      [`/interaction/${UID}`, 400, 'invalid_request', {}],
      [`/interaction/${UID}`, 403, 'access_denied', { body: '' }],
      [`/interaction/${UID}`, 403, 'access_denied', { body: 'decision=approve' }],
      [`/interaction/${UID}`, 403, 'access_denied', { body: 'csrf=a&csrf=b&decision=approve' }],
      [`/interaction/${UID}`, 403, 'access_denied', { body: 'csrf=%00%ff\u0000&decision=%00' }],
      [`/interaction/${UID}`, 415, 'invalid_request', { body: '{}', headers: JSON_TYPE }],
      [`/interaction/${UID}`, 415, 'invalid_request', { body: '{', headers: JSON_TYPE }],
      [
        `/interaction/${UID}`,
        415,
        'invalid_request',
        { body: 'csrf=x', headers: { 'content-type': 'text/plain' } },
      ],
      ['/interaction/', 404, 'not_found', {}],
      ['/interaction/short', 404, 'not_found', {}],
      ['/interaction/..%2f..%2fetc%2fpasswd-and-more', 404, 'not_found', {}],
      [`/interaction/${'a'.repeat(65)}`, 404, 'not_found', {}],
      [`/interaction/${UID}/login`, 404, 'not_found', {}],
      [`/interaction/${UID}/abort`, 404, 'not_found', {}],
      ['/nowhere', 404, 'not_found', {}],
    ] as [string, number, string, Sending][]) {
      const about = `${path.slice(0, 80)} ${sending.body}`;
      const method = sending.body === undefined ? 'GET' : 'POST';
      const headers = method === 'POST' ? { ...FORM, ...sending.headers } : {};
      for (const accept of [undefined, '*/*', 'application/json']) {
        const answer = await send(url, path, {
          ...sending,
          method,
          headers: { ...headers, ...(accept && { accept }) },
        });
        await oauthError(t, answer, status, error, about);
      }
      const page = await send(url, path, {
        ...sending,
        method,
        headers: { ...headers, accept: HTML },
      });
      await errorPage(t, page, status, about);
    }
  },
);

test.serial('[D18] cookies that are not ours, or not whole, are no reason to fail', async (t) => {
  for (const cookie of [
    '__Secure-neonpanel-interaction=x',
    `__Secure-neonpanel-interaction=${UID}; __Secure-neonpanel-interaction.sig=x`,
    '__Host-neonpanel-consent=\u00ff',
    '__Host-neonpanel-login-x=%zz; ;;==; a',
    '='.repeat(1_000),
    `a=${'x'.repeat(8_000)}`,
  ]) {
    for (const path of [
      `/interaction/${UID}`,
      `/oauth2/authorize/${UID}`,
      '/oauth2/authorize/callback',
    ])
      await oauthError(
        t,
        await send(url, path, { headers: { cookie } }),
        400,
        'invalid_request',
        cookie.slice(0, 60),
      );
  }
});

test.serial(
  '[D18] [F23] no endpoint of programs ever answers with a page, whatever the Accept header or user agent',
  async (t) => {
    const readers: Record<string, string>[] = [
      { accept: HTML },
      { accept: 'text/html' },
      { accept: 'image/png' },
      { accept: '' },
      { accept: ';;;,,,' },
      { accept: HTML, 'user-agent': 'Mozilla/5.0 Chrome/150.0' },
      { 'user-agent': 'python-httpx/0.28' },
      { 'user-agent': 'sqlmap' },
      { 'user-agent': '' },
    ];
    for (const reader of readers) {
      const about = JSON.stringify(reader);
      for (const path of OAUTH_ENDPOINTS) {
        const body = path === '/oauth2/register' ? '[]' : '';
        const headers = { ...reader, ...(path === '/oauth2/register' ? JSON_TYPE : FORM) };
        const error = path === '/oauth2/register' ? 'invalid_client_metadata' : 'invalid_request';
        await oauthError(t, await post(path, body, headers), 400, error, `${path} ${about}`);
      }
      for (const path of DOCUMENTS) {
        const answer = await send(url, path, { method: 'DELETE', headers: reader });
        await oauthError(t, answer, 405, 'invalid_request', `${path} ${about}`);
        t.is((await send(url, path, { headers: reader })).status, 200);
      }
      const unknown = await send(url, '/.well-known/nothing', { headers: reader });
      await oauthError(t, unknown, 404, 'not_found', about);
      await oauthError(
        t,
        await post('/mcp', '{}', { ...JSON_TYPE, ...reader }),
        401,
        'invalid_token',
        about,
      );
      const bad = await post('/mcp', '{', { ...JSON_TYPE, ...BEARER, ...reader });
      await rpcError(t, bad, 400, -32700, about);
    }
  },
);

// ----------------------------------------------------------------------- framing

const smuggled = 'GET /healthz HTTP/1.1\r\nHost: smuggled.example\r\n\r\n';
const head = `POST /oauth2/token HTTP/1.1\r\nHost: ${new URL(url).host}\r\nContent-Type: application/x-www-form-urlencoded\r\n`;

for (const [what, bytes] of [
  [
    'Content-Length and Transfer-Encoding',
    `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  ],
  [
    'Transfer-Encoding and Content-Length',
    `${head}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${smuggled}`,
  ],
  ['two lengths', `${head}Content-Length: 5\r\nContent-Length: 0\r\n\r\nabcde${smuggled}`],
  ['a list of lengths', `${head}Content-Length: 5, 0\r\n\r\nabcde${smuggled}`],
  ['a signed length', `${head}Content-Length: +5\r\n\r\nabcde${smuggled}`],
  ['a negative length', `${head}Content-Length: -1\r\n\r\n${smuggled}`],
  ['a length that is no number', `${head}Content-Length: 0x5\r\n\r\nabcde${smuggled}`],
  ['an unknown encoding', `${head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${smuggled}`],
  [
    'chunked that is not the last encoding',
    `${head}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`,
  ],
  ['a space before the colon', `${head}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`],
  ['a folded header', `${head}X: a\r\n b\r\nContent-Length: 0\r\n\r\n${smuggled}`],
  ['a header line that ends in LF', `${head}X: a\nContent-Length: 0\r\n\r\n${smuggled}`],
  ['a header line that ends in CR', `${head}X: a\rContent-Length: 0\r\n\r\n${smuggled}`],
  ['a NUL in a header', `${head}X: a\u0000b\r\nContent-Length: 0\r\n\r\n${smuggled}`],
  [
    'a chunk size that is no number',
    `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n${smuggled}`,
  ],
  [
    'a chunk longer than its size',
    `${head}Transfer-Encoding: chunked\r\n\r\n1\r\nabcdef\r\n0\r\n\r\n${smuggled}`,
  ],
  ['an unknown HTTP version', `GET / HTTP/9.9\r\nHost: x\r\n\r\n${smuggled}`],
  ['no request at all', `\u0016\u0003\u0001\u0002\u0000\u0001\r\n\r\n${smuggled}`],
] as const) {
  test.serial(
    `[T47] ${what}: at most one answer, an error, and the connection is closed`,
    async (t) => {
      const answer = await sendBytes(url, Buffer.from(bytes, 'latin1'), 10_000);
      const statuses = [...answer.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => status);
      t.true(statuses.length >= 1, answer);
      for (const status of statuses) t.is(status![0], '4', answer);
      t.regex(answer, /^connection: close/im);
      t.false(answer.includes('"status":"ok"'), answer);
    },
  );
}

test.serial(
  '[D18] a client that stops in the middle leaves nothing behind but a line in the log',
  async (t) => {
    for (const path of [...OAUTH_ENDPOINTS, `/interaction/${UID}`, '/mcp']) {
      const type = ['/mcp', '/oauth2/register'].includes(path)
        ? 'application/json'
        : FORM['content-type'];
      const request = `POST ${path} HTTP/1.1\r\nHost: ${new URL(url).host}\r\nContent-Type: ${type}\r\nAuthorization: ${path === '/mcp' ? BEARER.authorization : ''}\r\nContent-Length: 1000\r\n\r\nstart`;
      t.is(await sendBytes(url, request, 100, 1_000), '', path);
    }
    t.is((await send(url, '/healthz')).status, 200);
  },
);

test.after('[D18] none of all this was a fault of ours', (t) => {
  const faults = harness.logs.entries().filter(({ level }) => (level as number) >= 50);
  t.deepEqual(faults, []);
  t.deepEqual(harness.logs.find({ event: 'request', status: 500 }), []);
});
