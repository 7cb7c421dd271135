import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import { NeonpanelError, type NeonpanelErrorKind } from '../../adapters/neonpanel/neonpanel.ts';
import { createLog } from '../../log.ts';
import { eventually, json, stubbedApi } from './support/http-stub.ts';

const HTML = '<!doctype html><html><body><pre>Stack trace #0 /srv/app.php</pre></body></html>';

test('a call carries the bearer it was given, asks for JSON, and is sent below the base path', async (t) => {
  const { call, seen } = await stubbedApi(t, (response) => json(response, 200, { data: [] }));
  const answer = await call({ query: { page: 2, search: 'blue & green', gone: undefined } });
  t.deepEqual(answer, { status: 200, body: { data: [] }, retryAfterSeconds: undefined });
  t.is(seen[0]!.url, '/api/v1/companies?page=2&search=blue+%26+green');
  t.is(seen[0]!.headers.authorization, 'Bearer access-token-of-the-caller');
  t.is(seen[0]!.headers.accept, 'application/json');
  t.is(seen[0]!.headers['accept-encoding'], 'identity');
});

for (const [arrayStyle, expected] of [
  ['brackets', 'company_uuids%5B%5D=a&company_uuids%5B%5D=b'],
  ['repeat', 'company_uuids=a&company_uuids=b'],
] as const) {
  test(`lists in a query are spelled by configuration: ${arrayStyle}`, async (t) => {
    const { call, seen } = await stubbedApi(t, (response) => json(response, 200, {}), {
      arrayStyle,
    });
    await call({ query: { company_uuids: ['a', 'b'] } });
    t.is(seen[0]!.url, `/api/v1/companies?${expected}`);
  });
}

for (const path of [
  'companies',
  '/companies/../admin',
  '//evil.example/',
  '/companies?x=1',
  '/companies#x',
  '/companies/%2e%2e/admin',
  '/companies/a%2Fb',
  '/companies/./x',
  '/companies\\x',
  '/companies/\r\nx',
  '/companies/a b',
]) {
  test(`[T44] a path that could leave the API is refused before anything is sent: ${JSON.stringify(path)}`, async (t) => {
    const { call, seen } = await stubbedApi(t, (response) => json(response, 200, {}));
    const error = await t.throwsAsync(call({ path }), { instanceOf: NeonpanelError });
    t.is(error!.kind, 'rejected');
    t.is(seen.length, 0);
  });
}

const readable: [string, string, string, unknown][] = [
  ['JSON as JSON', 'application/json', '{"a":null}', { a: null }],
  ['JSON mislabelled as HTML', 'text/html', '{"a":1}', { a: 1 }],
  ['JSON mislabelled as text', 'text/plain', '[1]', [1]],
  [
    'text as text',
    'text/plain; charset=utf-8',
    'Send ref_number and date.',
    'Send ref_number and date.',
  ],
  ['text that looks like a number as text', 'text/plain', '42', '42'],
];
for (const [what, type, sent, expected] of readable) {
  test(`[N33] reads ${what}`, async (t) => {
    const { call } = await stubbedApi(t, (response) =>
      json(response, 200, sent, { 'content-type': type }),
    );
    t.deepEqual((await call()).body, expected);
  });
}

const unreadable: [string, string, string][] = [
  ['HTML as HTML', 'text/html', HTML],
  ['HTML labelled JSON', 'application/json', HTML],
  ['HTML labelled text', 'text/plain', HTML],
  ['broken JSON', 'application/json', '{"a":'],
  ['nothing at all', 'application/json', ''],
];
for (const [what, type, sent] of unreadable) {
  test(`[X21] [N33] a 200 with ${what} is an unusable answer and is asked for once`, async (t) => {
    const { call, seen } = await stubbedApi(t, (response) =>
      json(response, 200, sent, { 'content-type': type }),
    );
    const error = await t.throwsAsync(call(), { instanceOf: NeonpanelError });
    t.is(error!.kind, 'unavailable');
    t.is(seen.length, 1);
  });
}

const kinds: [string, number, NeonpanelErrorKind][] = [
  ['X15', 400, 'rejected'],
  ['X15', 404, 'rejected'],
  ['X15', 415, 'rejected'],
  ['X15', 422, 'rejected'],
  ['X16', 401, 'unauthorized'],
  ['X17', 403, 'forbidden'],
  ['X18', 429, 'rate_limited'],
  ['X19', 302, 'unavailable'],
  ['X19', 408, 'unavailable'],
  ['X19', 500, 'unavailable'],
  ['X19', 502, 'unavailable'],
  ['X19', 503, 'unavailable'],
  ['X19', 504, 'unavailable'],
];
for (const [id, status, kind] of kinds) {
  test(`[${id}] ${status} becomes ${kind}, whether the body is JSON or HTML`, async (t) => {
    const { call } = await stubbedApi(t, (response, _request, hit) =>
      hit % 2 === 1
        ? json(response, status, { message: 'no' })
        : json(response, status, HTML, { 'content-type': 'text/html' }),
    );
    for (let i = 0; i < 2; i++) {
      const error = await t.throwsAsync(call({ method: 'POST', body: {} }), {
        instanceOf: NeonpanelError,
      });
      t.is(error!.kind, kind);
      t.is(error!.status, status);
    }
  });
}

test('[X15] the messages of a 422 are kept by field, bounded in number and length', async (t) => {
  const errors = Object.fromEntries(
    Array.from({ length: 30 }, (_, i) => [`details.${i}.quantity`, Array(5).fill('x'.repeat(300))]),
  );
  const { call } = await stubbedApi(t, (response) => json(response, 422, { message: 'm', errors }));
  const { fields } = (await t.throwsAsync(call(), { instanceOf: NeonpanelError }))!;
  t.is(Object.keys(fields!).length, 20);
  t.is(fields!['details.0.quantity']!.length, 3);
  t.is(fields!['details.0.quantity']![0]!.length, 200);
});

test('[X15] a 400 without `errors` keeps its message', async (t) => {
  const { call } = await stubbedApi(t, (response) =>
    json(response, 400, { message: 'The entry is dated before the lock date.' }),
  );
  const { fields } = (await t.throwsAsync(call(), { instanceOf: NeonpanelError }))!;
  t.deepEqual(fields, { message: ['The entry is dated before the lock date.'] });
});

const hits: [string, 'GET' | 'POST', number, Record<string, string>, number][] = [
  ['[X19] a GET that got 500 is repeated once', 'GET', 500, {}, 2],
  ['[X19] a GET that got 503 is repeated once', 'GET', 503, {}, 2],
  ['[X15] a GET that got 404 is not repeated', 'GET', 404, {}, 1],
  ['[X17] a GET that got 403 is not repeated', 'GET', 403, {}, 1],
  ['[X16] a GET that got 401 is not repeated here', 'GET', 401, {}, 1],
  ['[X18] a GET that got 429 and may come back soon does', 'GET', 429, { 'retry-after': '1' }, 2],
  ['[X18] a GET that got 429 for long does not wait', 'GET', 429, { 'retry-after': '60' }, 1],
  ['[X18] a GET that got 429 for unknown time does not wait', 'GET', 429, {}, 1],
  ['[X19] a POST that got 500 is never repeated', 'POST', 500, {}, 1],
  ['[X19] a POST that got 503 is never repeated', 'POST', 503, { 'retry-after': '1' }, 1],
  ['[X18] a POST that got 429 is never repeated', 'POST', 429, { 'retry-after': '1' }, 1],
];
for (const [title, method, status, headers, expected] of hits) {
  test(title, async (t) => {
    const { call, seen } = await stubbedApi(t, (response) => json(response, status, {}, headers));
    await t.throwsAsync(call({ method, ...(method === 'POST' ? { body: {} } : {}) }));
    t.is(seen.length, expected);
  });
}

test('[X19] the second attempt of a GET may succeed', async (t) => {
  const { call } = await stubbedApi(t, (response, _request, hit) =>
    json(response, hit === 1 ? 502 : 200, { hit }),
  );
  t.deepEqual((await call()).body, { hit: 2 });
});

test('[X18] a retry that does not fit into the deadline is left out', async (t) => {
  const { call, seen } = await stubbedApi(t, (response) =>
    json(response, 429, {}, { 'retry-after': '3' }),
  );
  const error = await t.throwsAsync(call({ deadline: Date.now() + 2_000 }), {
    instanceOf: NeonpanelError,
  });
  t.is(error!.retryAfterSeconds, 3);
  t.is(seen.length, 1);
});

for (const [method, expected] of [
  ['GET', 2],
  ['POST', 1],
] as const) {
  test(`[X22] a connection that is reset costs a ${method} ${expected} attempt(s)`, async (t) => {
    const { call, seen } = await stubbedApi(t, (_response, request) => {
      request.socket.resetAndDestroy();
    });
    const error = await t.throwsAsync(
      call({ method, ...(method === 'POST' ? { body: {} } : {}) }),
      {
        instanceOf: NeonpanelError,
      },
    );
    t.is(error!.kind, 'unavailable');
    t.is(seen.length, expected);
  });
}

test('[X20] an answer cut in the middle is unusable, and a GET is asked once more', async (t) => {
  const { call, seen } = await stubbedApi(t, (response, request, hit) => {
    if (hit === 2) return json(response, 200, { ok: true });
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
    response.write('{"half":');
    setTimeout(() => request.socket.destroy(), 20);
  });
  t.deepEqual((await call()).body, { ok: true });
  t.is(seen.length, 2);
});

test('[X20] [N29] a NeonPanel that hangs is given up at the deadline and its socket is closed', async (t) => {
  const { call, sockets } = await stubbedApi(t, () => {});
  const error = await t.throwsAsync(call({ deadline: Date.now() + 100 }), {
    instanceOf: NeonpanelError,
  });
  t.is(error!.kind, 'unavailable');
  t.is(error!.detail, 'deadline');
  await eventually(() => sockets.size === 0);
  t.pass();
});

test('[X20] a NeonPanel that trickles is given up at the deadline too', async (t) => {
  const { call, sockets } = await stubbedApi(t, (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const timer = setInterval(() => response.write(' '), 10);
    response.on('close', () => clearInterval(timer));
  });
  const error = await t.throwsAsync(call({ deadline: Date.now() + 150 }), {
    instanceOf: NeonpanelError,
  });
  t.is(error!.detail, 'deadline');
  await eventually(() => sockets.size === 0);
});

test('[X20] a caller who leaves closes the socket to NeonPanel, and nothing is repeated', async (t) => {
  const caller = new AbortController();
  const { call, seen, sockets } = await stubbedApi(t, () => caller.abort());
  const error = await t.throwsAsync(call({ signal: caller.signal }), {
    instanceOf: NeonpanelError,
  });
  t.is(error!.detail, 'caller gone');
  await eventually(() => sockets.size === 0);
  t.is(seen.length, 1);
});

test('a caller who left before, or a deadline that has passed, sends nothing', async (t) => {
  const { call, seen } = await stubbedApi(t, (response) => json(response, 200, {}));
  await t.throwsAsync(call({ signal: AbortSignal.abort() }), { instanceOf: NeonpanelError });
  await t.throwsAsync(call({ deadline: Date.now() - 1 }), { instanceOf: NeonpanelError });
  t.is(seen.length, 0);
});

test('the deadline is read on the clock it was given in', async (t) => {
  const now = () => 1_000_000;
  const { call } = await stubbedApi(t, (response) => json(response, 200, {}), { now });
  await t.notThrowsAsync(call({ deadline: 1_005_000 }));
  await t.throwsAsync(call({ deadline: 999_999 }), { instanceOf: NeonpanelError });
});

test('[X21] a body over 1 MB is refused, announced or not, and the socket is closed', async (t) => {
  const { call, sockets } = await stubbedApi(t, (response, _request, hit) => {
    const size = 3 * 1024 * 1024;
    response.writeHead(200, {
      'content-type': 'application/json',
      ...(hit === 1 ? { 'content-length': String(size) } : {}),
    });
    response.on('error', () => {});
    response.write('"' + 'x'.repeat(size - 2));
  });
  for (let i = 0; i < 2; i++) {
    const error = await t.throwsAsync(call(), { instanceOf: NeonpanelError });
    t.is(error!.detail, 'body too large');
    await eventually(() => sockets.size === 0);
  }
});

test('[X21] a body just below 1 MB is read', async (t) => {
  const { call } = await stubbedApi(t, (response) =>
    json(response, 200, { text: 'x'.repeat(1024 * 1024 - 100) }),
  );
  t.is((await call()).status, 200);
});

test('[X21] [X32] an answer of more values than anybody reads is refused: a read is told to ask for less', async (t) => {
  const { call } = await stubbedApi(t, (response) =>
    json(response, 200, { data: Array.from({ length: 15_001 }, () => 0) }),
  );
  const read = await t.throwsAsync(call(), { instanceOf: NeonpanelError });
  t.is(read!.kind, 'too_large');
  const write = await t.throwsAsync(call({ method: 'POST', body: {} }), {
    instanceOf: NeonpanelError,
  });
  t.is(write!.kind, 'unavailable', 'what became of it is not known');
});

test('[X21] a compressed answer is refused without being unpacked', async (t) => {
  const { call, seen } = await stubbedApi(t, (response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
    response.end(gzipSync('{}'));
  });
  const error = await t.throwsAsync(call(), { instanceOf: NeonpanelError });
  t.is(error!.detail, 'content encoding not asked for');
  t.is(seen.length, 1);
});

test('an error page of any size costs a bounded read', async (t) => {
  const { call, sockets } = await stubbedApi(t, (response) => {
    response.on('error', () => {});
    response.writeHead(500, { 'content-type': 'text/html' });
    response.write('x'.repeat(5 * 1024 * 1024));
  });
  const error = await t.throwsAsync(call({ method: 'POST', body: {} }), {
    instanceOf: NeonpanelError,
  });
  t.is(error!.status, 500);
  await eventually(() => sockets.size === 0);
});

test('[X16] [X21] an error keeps its status, however large it is announced and whatever it is packed in', async (t) => {
  for (const headers of [
    { 'content-length': String(5 * 1024 * 1024) },
    { 'content-encoding': 'gzip' },
  ]) {
    const { call } = await stubbedApi(t, (response, _request, hit) => {
      response.on('error', () => {});
      if (hit > 2) return json(response, 200, {});
      response.writeHead(hit === 1 ? 401 : 503, headers);
      response.write('x'.repeat(128 * 1024));
    });
    const error = await t.throwsAsync(call(), { instanceOf: NeonpanelError });
    t.is(error!.kind, 'unauthorized');
    t.is((await call()).status, 200, 'a 503 is asked once more');
  }
});

test('a redirect is never followed, so the bearer stays here', async (t) => {
  let arrivals = 0;
  const elsewhere = createServer((_request, response) => {
    arrivals += 1;
    response.end('{}');
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
  t.teardown(() => elsewhere.close());
  const location = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`;
  const { call } = await stubbedApi(t, (response) => json(response, 307, {}, { location }));
  const error = await t.throwsAsync(call(), { instanceOf: NeonpanelError });
  t.is(error!.kind, 'unavailable');
  t.is(arrivals, 0);
});

const waits: [string, string, number | undefined][] = [
  ['seconds', '15', 15],
  ['an HTTP date', new Date(1_000_000_000_000 + 30_000).toUTCString(), 30],
  ['a date that has passed', new Date(0).toUTCString(), 1],
  ['zero', '0', 1],
  ['a day', '86400', 3600],
  ['nonsense', 'soon', undefined],
  ['a negative number', '-5', undefined],
];
for (const [what, header, expected] of waits) {
  test(`[N49] Retry-After as ${what} becomes ${expected} seconds`, async (t) => {
    const { call } = await stubbedApi(
      t,
      (response) => json(response, 202, { status: 'queued' }, { 'retry-after': header }),
      { now: () => 1_000_000_000_000 },
    );
    t.is((await call()).retryAfterSeconds, expected);
  });
}

test('[T58] [N39] the detail for the log is short and holds no token', async (t) => {
  const token = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiI3In0.c2lnbmF0dXJl';
  const { call } = await stubbedApi(t, (response) =>
    json(response, 500, `Bearer ${token} failed\r\n${'word '.repeat(300)}`),
  );
  const error = await t.throwsAsync(call({ method: 'POST', body: {} }), {
    instanceOf: NeonpanelError,
  });
  t.true(error!.detail!.startsWith('500 Bearer [redacted] failed'));
  t.true(error!.detail!.length <= 210);
  t.notRegex(error!.detail!, /[\r\n]/);
});

test('[T58] a retry is logged without the bearer', async (t) => {
  const lines: string[] = [];
  const log = createLog('debug', { write: (line) => lines.push(line) });
  const { call } = await stubbedApi(t, (response) => json(response, 500, HTML), { log });
  await t.throwsAsync(call());
  t.is(lines.length, 1);
  t.regex(lines[0]!, /neonpanel\.retry/);
  t.notRegex(lines[0]!, /access-token-of-the-caller/);
});

test('an access token that is no header value fails as unavailable, not as a crash', async (t) => {
  const { call, seen } = await stubbedApi(t, (response) => json(response, 200, {}));
  const error = await t.throwsAsync(call({ accessToken: 'a\r\nx: y' }), {
    instanceOf: NeonpanelError,
  });
  t.is(error!.kind, 'unavailable');
  t.is(seen.length, 0);
});

test('a POST sends its body as JSON', async (t) => {
  const { call, seen } = await stubbedApi(t, (response) => json(response, 200, {}));
  await call({ method: 'POST', path: '/companies/x/create/bill', body: { data: { a: null } } });
  t.is(seen[0]!.method, 'POST');
  t.is(seen[0]!.headers['content-type'], 'application/json');
  t.is(seen[0]!.body, '{"data":{"a":null}}');
});
