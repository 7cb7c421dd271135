import test from 'ava';
import { startHarness } from './support/harness.ts';
import { type Answer, callMcp, callTool, connect, postForm } from './support/oauth.ts';

const harness = await startHarness();
const { url } = harness;
const { tokens } = await connect(harness);
const readOnly = await connect(harness, { write: false });
test.after.always(() => harness.close());

const ENVELOPE = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
};

/** POST /mcp with a valid token and any body. */
async function post(
  body: unknown,
  options: { path?: string; headers?: Record<string, string | undefined>; token?: string } = {},
): Promise<Answer<any>> {
  const headers = new Headers({
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    authorization: `Bearer ${options.token ?? tokens.access_token}`,
  });
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    if (value === undefined) headers.delete(name);
    else headers.set(name, value);
  }
  const response = await fetch(url + (options.path ?? '/mcp'), {
    method: 'POST',
    headers,
    body: typeof body === 'string' ? body : JSON.stringify(body),
    redirect: 'manual',
  });
  const text = await response.text();
  const data = /^data: (.*)$/m.exec(text)?.[1] ?? text;
  return { status: response.status, headers: response.headers, body: data ? JSON.parse(data) : '' };
}

const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
const modern = (method: string, params: object = {}, id = 7) => ({
  jsonrpc: '2.0',
  id,
  method,
  params: { ...params, _meta: { ...(params as { _meta?: object })._meta, ...ENVELOPE } },
});
const MODERN_HEADERS = { 'mcp-protocol-version': '2026-07-28' };

test('[F22] [N27] every spelling of the endpoint is served where it stands, never redirected', async (t) => {
  for (const path of ['/mcp', '/mcp/', '/', '/mcp?x=1']) {
    const { status, body } = await post(LIST, { path });
    t.is(status, 200, path);
    t.is(body.result.tools.length, 16, path);
  }
});

test('[N26] notifications/initialized is accepted with 202 and no body', async (t) => {
  const { status, body } = await post({ jsonrpc: '2.0', method: 'notifications/initialized' });
  t.is(status, 202);
  t.is(body, '');
});

for (const accept of ['application/json', 'text/event-stream', '*/*', undefined]) {
  test(`Accept "${accept}" is served in both eras`, async (t) => {
    t.is((await post(LIST, { headers: { accept } })).status, 200);
    const headers = { ...MODERN_HEADERS, 'mcp-method': 'tools/list', accept };
    t.is((await post(modern('tools/list'), { headers })).status, 200);
  });
}

for (const [accept, type] of [
  ['application/json', 'application/json'],
  ['application/json, text/event-stream;q=0', 'application/json'],
  ['application/*', 'application/json'],
  ['application/json, text/event-stream', 'application/json'],
  ['application/json, text/event-stream;q=0.1', 'application/json'],
  ['application/json, */*;q=0.5', 'application/json'],
  ['*/*', 'application/json'],
  [undefined, 'application/json'],
  ['text/event-stream', 'text/event-stream'],
  ['text/html', 'text/event-stream'],
] as const) {
  test(`[F22] in the 2025 eras Accept "${accept}" is answered with ${type}, and nothing keeps it`, async (t) => {
    const { status, headers, body } = await post(LIST, { headers: { accept } });
    t.is(status, 200);
    t.is(headers.get('content-type'), type);
    const isStream = type === 'text/event-stream';
    t.is(headers.get('cache-control'), isStream ? 'no-store, no-transform' : 'no-store');
    t.is(body.result.tools.length, 16);
  });
}

test('[F22] who takes JSON only gets one message, one list for a batch, and no progress', async (t) => {
  const json = { accept: 'application/json' };
  harness.sandbox.faults.set('slow', { operation: 'listReports', ms: 2_500 });
  t.teardown(() => harness.sandbox.faults.clear());
  const params = { name: 'listReports', arguments: {}, _meta: { progressToken: 'p' } };
  const call = { jsonrpc: '2.0', id: 'c', method: 'tools/call', params };
  const modernHeaders = { ...json, ...MODERN_HEADERS, 'mcp-method': 'tools/call' };
  const [slow, later, batch, single, none] = await Promise.all([
    post(call, { headers: json }),
    post(modern('tools/call', params), {
      headers: { ...modernHeaders, 'mcp-name': 'listReports' },
    }),
    post([LIST, { ...LIST, id: 2 }], { headers: json }),
    post([LIST], { headers: json }),
    post({ jsonrpc: '2.0', method: 'notifications/initialized' }, { headers: json }),
  ]);
  t.truthy(slow.body.result.structuredContent);
  t.is(slow.body.id, 'c');
  t.is(later.headers.get('content-type'), 'application/json');
  t.deepEqual(later.headers.get('cache-control'), 'no-store');
  t.deepEqual(
    batch.body.map(({ id }: { id: number }) => id),
    [1, 2],
  );
  t.is(single.body.length, 1);
  t.is(none.status, 202);
});

test('[F25] server/discover is answered in the 2026-07-28 era, with a private list', async (t) => {
  const headers = { ...MODERN_HEADERS, 'mcp-method': 'server/discover' };
  const { status, body } = await post(modern('server/discover'), { headers });
  t.is(status, 200);
  t.true(JSON.stringify(body.result).includes('2026-07-28'));
  const list = await post(modern('tools/list'), {
    headers: { ...MODERN_HEADERS, 'mcp-method': 'tools/list' },
  });
  t.is(list.body.result.cacheScope, 'private');
});

test('[T46] in the 2026-07-28 era headers that disagree with the body are refused', async (t) => {
  for (const headers of [
    { ...MODERN_HEADERS, 'mcp-method': 'tools/call' },
    { 'mcp-protocol-version': '2025-11-25', 'mcp-method': 'tools/list' },
    { ...MODERN_HEADERS, 'mcp-method': undefined },
  ]) {
    const { status, body } = await post(modern('tools/list'), { headers });
    t.is(status, 400, JSON.stringify(headers));
    t.is(body.error.code, -32020);
  }
});

test('an unknown protocol version is refused with those we have', async (t) => {
  const _meta = { ...ENVELOPE, 'io.modelcontextprotocol/protocolVersion': '2199-01-01' };
  const headers = { 'mcp-protocol-version': '2199-01-01', 'mcp-method': 'tools/list' };
  const { status, body } = await post({ ...LIST, params: { _meta } }, { headers });
  t.is(status, 400);
  t.is(body.error.code, -32022);
  t.true(body.error.data.supported.includes('2026-07-28'));
});

test('[N19] initialize negotiates a real protocol version', async (t) => {
  for (const [asked, got] of [
    ['2024-11-05', '2024-11-05'],
    ['2025-06-18', '2025-06-18'],
    ['2025-01-01', '2025-11-25'],
  ]) {
    const params = {
      protocolVersion: asked,
      capabilities: {},
      clientInfo: { name: 'x', version: '1' },
    };
    const { body } = await post({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
    t.is(body.result.protocolVersion, got);
    t.like(body.result.serverInfo, { name: 'neonpanel', title: 'NeonPanel' });
    t.deepEqual(Object.keys(body.result.capabilities), ['tools']);
  }
});

test('[T40] a batch of twenty is served, one of twenty-one or none is refused whole', async (t) => {
  const batch = (count: number) => Array.from({ length: count }, (_, id) => ({ ...LIST, id }));
  t.is((await post(batch(20), { headers: { 'mcp-protocol-version': '2025-03-26' } })).status, 200);
  for (const count of [0, 21, 5_000]) {
    const { status, body } = await post(batch(count));
    t.is(status, 400);
    t.is(body.error.code, -32600);
  }
});

test('[T41] a message over 1 MB or nested deeper than 64 levels is refused unparsed', async (t) => {
  const deep = (levels: number) =>
    `{"jsonrpc":"2.0","id":1,"method":"x","params":${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}}`;
  t.is((await post(deep(63))).status, 200, 'an unknown method, but a message');
  for (const body of [deep(64), deep(100_000)]) {
    const answer = await post(body);
    t.is(answer.status, 400);
    t.is(answer.body.error.code, -32600);
    t.regex(answer.body.error.message, /64 levels/);
  }
  const huge = await post(`{"filler":"${'x'.repeat(1024 * 1024)}"}`);
  t.is(huge.status, 413);
  t.truthy(huge.body.error.data.request_id);
});

test('a body that is packed is 415 by the name of its packing, one with a byte order mark is read', async (t) => {
  for (const encoding of ['gzip', 'BR', 'deflate, gzip', 'x"y<z>']) {
    const { status, headers, body } = await post(LIST, {
      headers: { 'content-encoding': encoding },
    });
    t.is(status, 415, encoding);
    t.is(body.error.code, -32600);
    const shown = encoding.toLowerCase().replace(/["<>]/g, '');
    t.is(body.error.message, `Content-Encoding ${shown} is not read. Send the body as it is.`);
    t.is(headers.get('accept-encoding'), 'identity');
  }
  const plain = await post(`\uFEFF${JSON.stringify(LIST)}`, {
    headers: { 'content-encoding': 'identity' },
  });
  t.is(plain.body.result.tools.length, 16);
});

test('[N27] GET of the origin is for people, unless a stream is wanted or a token brought', async (t) => {
  for (const [accept, status] of [
    ['text/event-stream', 401],
    ['application/json, text/event-stream;q=0.5', 401],
    ['text/event-stream;q=0', 200],
    ['text/html, text/event-stream;q=0, */*', 200],
    ['*/*', 200],
  ] as const) {
    t.is((await fetch(url, { headers: { accept } })).status, status, accept);
  }
});

test('braces inside strings count for nothing', async (t) => {
  const params = {
    name: 'listWarehouses',
    arguments: { companyUuid: '['.repeat(100), search: '\\"{{{' },
  };
  const { status, body } = await post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
  t.is(status, 200);
  t.true(body.result.isError);
});

test('[R5] [T29] a token in the body, in a cookie or in the query is not looked at', async (t) => {
  const { access_token } = tokens;
  const inBody = await postForm(`${url}/mcp`, { access_token });
  t.is(inBody.status, 401);
  const headers = { cookie: `access_token=${access_token}` };
  t.is((await callMcp(url, undefined, 'tools/list', {}, { headers })).status, 401);
  const path = `/mcp?access_token=${access_token}`;
  t.is((await callMcp(url, undefined, 'tools/list', {}, { path })).status, 401);
});

test('[R4] [R6] [T35] [N45] a read-only grant calling a write tool gets a 403 challenge with all scopes, and NeonPanel hears nothing', async (t) => {
  const { access_token } = readOnly.tokens;
  const args = { companyUuid: '201', type: 'bill', data: {} };
  const legacy = await callTool(url, access_token, 'createDocuments', args);
  const params = { name: 'createDocuments', arguments: args };
  const later = await post(modern('tools/call', params), {
    token: access_token,
    headers: { ...MODERN_HEADERS, 'mcp-method': 'tools/call', 'mcp-name': 'createDocuments' },
  });
  for (const { status, headers, body } of [legacy, later]) {
    t.is(status, 403);
    const challenge = headers.get('www-authenticate')!;
    t.regex(challenge, /error="insufficient_scope"/);
    t.regex(challenge, /scope="neonpanel\.read neonpanel\.write"/);
    t.true(challenge.includes(`${url}/.well-known/oauth-protected-resource/mcp`));
    t.is(body.error, 'insufficient_scope');
    const sentence =
      'The user has not allowed this: createDocuments needs neonpanel.write. Ask them to reconnect NeonPanel and to allow it there.';
    t.is(body.error_description, sentence);
    t.true(challenge.includes(`error_description="${sentence}"`));
  }
  const heard = harness.sandbox.recorder.requests().map(({ path }) => path);
  t.false(heard.some((path) => path.includes('/create/')));
});

test('[R7] [T30] [D21] a foreign origin is refused, our own and loopback ones are answered with CORS', async (t) => {
  for (const origin of [url, 'http://localhost:6274', 'http://127.0.0.1:9', 'http://[::1]:5173']) {
    const { status, headers } = await post(LIST, { headers: { origin } });
    t.is(status, 200, origin);
    t.is(headers.get('access-control-allow-origin'), origin);
    t.regex(headers.get('access-control-expose-headers')!, /WWW-Authenticate/);
    t.is(headers.get('access-control-allow-credentials'), null);
  }
  for (const origin of [
    'https://evil.example',
    'null',
    'http://localhost.evil.example',
    'http://localhost:80:80',
    'file://',
  ]) {
    const { status, body } = await post(LIST, { headers: { origin } });
    t.is(status, 403, origin);
    t.is(body.jsonrpc, '2.0');
  }
});

test('[T39] an unknown tool is a JSON-RPC error, a known one re-checks its arguments', async (t) => {
  const unknown = await callTool(url, tokens.access_token, 'deleteEverything');
  t.is(unknown.body.error.code, -32602);
  const wrong = await callTool(url, tokens.access_token, 'listWarehouses', {
    companyUuid: 5,
    extra: 1,
  });
  t.true(wrong.body.result.isError);
  t.regex(wrong.body.result.content[0].text, /extra/);
});
