import test, { type ExecutionContext } from 'ava';
import { send } from '../raw-http.ts';
import {
  type EventStream,
  openEventStream,
  postMessage,
  toolRequest,
} from '../support/event-stream.ts';
import { startHarness } from '../support/harness.ts';
import { connect } from '../support/oauth.ts';

/** The transport of 2024-11-05 byte by byte: whose a stream is, what is on it, and what is refused. */

const harness = await startHarness();
const { url, logs, sandbox } = harness;
const [ADA, BRUNO] = sandbox.users;
const ada = await connect(harness, { user: ADA! });
const adaReads = await connect(harness, { user: ADA!, write: false, client: ada.client });
const adaElsewhere = await connect(harness, { user: ADA! });
const bruno = await connect(harness, { user: BRUNO!, client: ada.client });
const tokenOf = (connection: typeof ada) => connection.tokens.access_token;
const token = tokenOf(ada);
test.after.always(() => harness.close());

const PRM = `${url}/.well-known/oauth-protected-resource/sse`;
const BEARER = { authorization: `Bearer ${token}` };
const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
const BILL = { companyUuid: '201', type: 'bill', data: { ref_number: 'L-1' } };

const heard = () => sandbox.recorder.requests().map(({ path }) => path);
const shortNames = (message: any): string[] =>
  message.result.structuredContent.data.map(({ short_name }: any) => short_name);

/** A stream and the address for its messages; it ends with the test. */
async function open(t: ExecutionContext, of = token): Promise<[EventStream, string]> {
  const stream = await openEventStream(url, of);
  t.teardown(() => stream.close());
  t.is(stream.status, 200);
  return [stream, await stream.endpoint()];
}

test.serial(
  '[D16] [N26] what is posted is answered on the stream, and the POST with 202',
  async (t) => {
    const [stream, endpoint] = await open(t);
    t.is(stream.headers['content-type'], 'text/event-stream');
    t.is(stream.headers['cache-control'], 'no-store, no-transform');
    t.is(stream.headers['x-accel-buffering'], 'no');
    t.regex(endpoint, /^\/messages\?sessionId=[\w-]{36}$/);
    const params = {
      protocolVersion: '2024-11-05',
      capabilities: {},
      clientInfo: { name: 'old', version: '1' },
    };
    const initialize = { jsonrpc: '2.0', id: 0, method: 'initialize', params };
    for (const body of [
      initialize,
      { jsonrpc: '2.0', method: 'notifications/initialized' },
      LIST,
    ]) {
      const { status, text, headers } = await postMessage(url, endpoint, token, body);
      t.is(status, 202);
      t.is(text, '');
      t.is(headers.get('content-type'), null);
    }
    await postMessage(url, endpoint, token, toolRequest('x', 'listCompanies'));
    const [initialized, list, companies] = await stream.messages(3);
    t.is(initialized.result.protocolVersion, '2024-11-05');
    t.is(list.result.tools.length, 16);
    t.is(companies.id, 'x');
    t.deepEqual(shortNames(companies), ['HPH', 'NLO', 'TWP']);
  },
);

test.serial('[T40] every message of a batch is answered on the stream', async (t) => {
  const [stream, endpoint] = await open(t);
  const batch = [1, 2, 3].map((id) => toolRequest(id, 'listReports'));
  t.is((await postMessage(url, endpoint, token, batch)).status, 202);
  const ids = (await stream.messages(3)).map(({ id }) => id);
  t.deepEqual(ids.toSorted(), [1, 2, 3]);
});

test.serial('[N10] GET /messages is 405 JSON with Allow, like any method but POST', async (t) => {
  for (const headers of [{}, BEARER, { ...BEARER, accept: 'text/event-stream' }]) {
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH']) {
      const answer = await send(url, '/messages', { method, headers });
      t.is(answer.status, 405, method);
      t.is(answer.headers.allow, 'POST, OPTIONS');
      t.regex(answer.headers['content-type']!, /^application\/json/);
      if (method !== 'HEAD') t.truthy(answer.json.error.data.request_id);
    }
  }
});

test.serial('[D16] at /sse GET opens, HEAD tells, and a POST is sent to GET', async (t) => {
  const head = await send(url, '/sse', { method: 'HEAD', headers: BEARER });
  t.is(head.status, 200);
  t.is(head.headers['content-type'], 'text/event-stream');
  for (const method of ['POST', 'PUT', 'DELETE']) {
    const answer = await send(url, '/sse', { method, headers: BEARER, body: '{}' });
    t.is(answer.status, 405, method);
    t.is(answer.headers.allow, 'GET, HEAD, OPTIONS');
  }
  for (const path of ['/sse', '/sse/']) {
    for (const accept of ['text/event-stream', '*/*', 'application/json', 'text/html']) {
      const stream = await openEventStream(url, token, { accept }, path);
      t.is(stream.status, 200, accept);
      t.is(stream.headers['content-type'], 'text/event-stream');
      t.truthy(await stream.endpoint());
      stream.close();
    }
  }
});

test.serial(
  '[N21] [F24] [R1] a stream that is refused is refused as a stream, with the challenge',
  async (t) => {
    for (const [bearer, error] of [
      [undefined, undefined],
      ['not-a-token', 'invalid_token'],
    ] as const) {
      const headers: Record<string, string> = bearer ? { authorization: `Bearer ${bearer}` } : {};
      const asStream = await send(url, '/sse', {
        headers: { ...headers, accept: 'text/event-stream' },
      });
      const asJson = await send(url, '/sse', { headers });
      const both = await send(url, '/sse', {
        headers: { ...headers, accept: 'application/json, text/event-stream' },
      });
      for (const answer of [asStream, asJson, both]) {
        t.is(answer.status, 401);
        const challenge = answer.headers['www-authenticate']!;
        t.true(challenge.includes(`resource_metadata="${PRM}"`));
        t.true(challenge.includes('scope="neonpanel.read neonpanel.write"'));
        t.is(/error="(\w+)"/.exec(challenge)?.[1], error);
        t.is(answer.headers['cache-control'], 'no-store');
      }
      for (const { json } of [asJson, both]) t.is(json.error, 'invalid_token');
      t.is(asStream.headers['content-type'], 'text/event-stream');
      const [, json] = /^event: message\ndata: (.*)\n\n$/.exec(asStream.text)!;
      const message = JSON.parse(json!);
      t.is(message.jsonrpc, '2.0');
      t.is(message.error.data.error, 'invalid_token');
      t.is(message.error.data.request_id, asStream.headers['x-request-id']);
    }
    const metadata = await send(url, new URL(PRM).pathname);
    t.is(metadata.json.resource, `${url}/sse`);
  },
);

test.serial('[R4] [R5] a message needs a token of its own, in the header', async (t) => {
  const [stream, endpoint] = await open(t);
  for (const [bearer, presented] of [
    [undefined, false],
    ['not-a-token', true],
  ] as const) {
    const answer = await postMessage(url, endpoint, bearer, toolRequest(1, 'listCompanies'));
    t.is(answer.status, 401);
    t.is(answer.json.error, 'invalid_token');
    const challenge = answer.headers.get('www-authenticate')!;
    t.true(challenge.includes(PRM));
    t.is(challenge.includes('error='), presented);
  }
  const inQuery = await postMessage(url, `${endpoint}&access_token=${token}`, undefined, LIST);
  t.is(inQuery.status, 401);
  t.is((await send(url, `/sse?access_token=${token}`)).status, 401);
  t.regex(stream.text(), /^event: endpoint\n.*\n\n$/);
});

test.serial(
  '[F35] [N48] [T7] a stream of another user or client is as absent as one that never was',
  async (t) => {
    const [stream, endpoint] = await open(t);
    sandbox.recorder.clear();
    const absent = '/messages?sessionId=11111111-2222-4333-8444-555555555555';
    for (const stranger of [bruno, adaElsewhere]) {
      for (const body of [
        LIST,
        toolRequest(1, 'listCompanies'),
        toolRequest(2, 'createDocuments', BILL),
      ]) {
        const [foreign, none] = await Promise.all([
          postMessage(url, endpoint, tokenOf(stranger), body),
          postMessage(url, absent, tokenOf(stranger), body),
        ]);
        t.is(foreign.status, 404);
        const { request_id: _, ...data } = foreign.json.error.data;
        t.deepEqual(
          { ...foreign.json.error, data: undefined },
          { ...none.json.error, data: undefined },
        );
        t.deepEqual(data, { error: 'invalid_request' });
        t.is(none.status, 404);
      }
    }
    t.deepEqual(heard(), []);
    await postMessage(url, endpoint, token, LIST);
    t.is((await stream.messages(1)).length, 1, 'and its owner has it still');
  },
);

test.serial(
  '[T7] [F35] streams side by side get their own users’ answers, whatever the ids',
  async (t) => {
    const sides = await Promise.all(
      [ada, bruno, adaElsewhere, bruno, ada].map(async (who) => ({
        who,
        opened: await open(t, tokenOf(who)),
      })),
    );
    const rounds = 10;
    await Promise.all(
      sides.flatMap(({ who, opened: [, endpoint] }) =>
        Array.from({ length: rounds }, () =>
          postMessage(url, endpoint, tokenOf(who), toolRequest(1, 'listCompanies')),
        ),
      ),
    );
    for (const {
      who,
      opened: [stream],
    } of sides) {
      const expected = who === bruno ? ['QNC'] : ['HPH', 'NLO', 'TWP'];
      const answers = await stream.messages(rounds);
      for (const answer of answers) t.deepEqual(shortNames(answer), expected);
    }
  },
);

test.serial(
  '[F35] [T35] [R6] [N45] a read-only token writes nothing, over a stream that another token opened neither',
  async (t) => {
    sandbox.recorder.clear();
    logs.clear();
    for (const opener of [ada, adaReads]) {
      const [stream, endpoint] = await open(t, tokenOf(opener));
      for (const body of [
        toolRequest(1, 'createDocuments', BILL),
        [toolRequest(1, 'listReports'), toolRequest(2, 'createDocumentsByPdf', {})],
      ]) {
        const answer = await postMessage(url, endpoint, tokenOf(adaReads), body);
        t.is(answer.status, 403);
        t.is(answer.json.error, 'insufficient_scope');
        t.truthy(answer.json.request_id);
        const challenge = answer.headers.get('www-authenticate')!;
        t.regex(challenge, /error="insufficient_scope"/);
        t.regex(challenge, /scope="neonpanel\.read neonpanel\.write"/);
        t.true(challenge.includes(PRM));
      }
      // The same stream serves what the token does allow, and a token that allows more.
      await postMessage(url, endpoint, tokenOf(adaReads), toolRequest(3, 'listCompanies'));
      t.is((await stream.messages(1))[0].id, 3);
    }
    t.false(heard().some((path) => /\/(create|import)\/bill/.test(path)));
    const lines = logs.find({ event: 'tool.call', error: 'insufficient_scope' });
    t.is(lines.length, 6);
    t.true(
      lines.every(
        ({ outcome, client_id }) => outcome === 'refused' && client_id === ada.client.client_id,
      ),
    );

    const [stream, endpoint] = await open(t, tokenOf(adaReads));
    await postMessage(url, endpoint, token, toolRequest(4, 'createDocuments', BILL));
    t.is((await stream.messages(1))[0].result.structuredContent.status, 'done');
  },
);

test.serial(
  '[N32] a call has its audit line and its request its own, and no id of a stream is in the log',
  async (t) => {
    const [stream, endpoint] = await open(t);
    logs.clear();
    const answer = await postMessage(url, endpoint, token, toolRequest(1, 'listCompanies'));
    await stream.messages(1);
    const request_id = answer.headers.get('x-request-id')!;
    t.like(await logs.waitFor({ event: 'tool.call', request_id }), {
      outcome: 'success',
      tool: 'listCompanies',
      client_id: ada.client.client_id,
    });
    t.like(await logs.waitFor({ event: 'request', request_id }), {
      path: '/messages',
      status: 202,
    });
    stream.close();
    await logs.waitFor({ event: 'stream', reason: 'client' });
    t.like(logs.only({ event: 'request', path: '/sse' }), { status: 200 });
    t.deepEqual(logs.leaked([endpoint.split('=')[1]!]), []);
  },
);

test.serial(
  'a message without the one address that its stream named is 400, with an odd one 404',
  async (t) => {
    const [, endpoint] = await open(t);
    const id = endpoint.split('=')[1]!;
    const cases: [string, number][] = [
      ['/messages', 400],
      ['/messages?sessionId=', 400],
      ['/messages?sessionid=' + id, 400],
      [`/messages?sessionId=${id}&sessionId=${id}`, 400],
      [`/messages?sessionId[]=${id}`, 400],
      [`/messages?sessionId=${id.toUpperCase()}X`, 404],
      [`/messages?sessionId=${'x'.repeat(8_000)}`, 404],
      ['/messages?sessionId=__proto__', 404],
      ['/messages?sessionId=%00%0d%0aevent:%20x', 404],
      [`/messages/x?sessionId=${id}`, 404],
    ];
    for (const [path, status] of cases) {
      const answer = await postMessage(url, path, token, LIST);
      t.is(answer.status, status, path);
      t.truthy(answer.json?.error, path);
    }
  },
);

test.serial(
  '[T40] [T41] what is no message of ours is refused in the answer to its POST, as at /mcp',
  async (t) => {
    const [stream, endpoint] = await open(t);
    const cases: [unknown, number, number, Record<string, string>?][] = [
      ['{', 400, -32700],
      ['7', 400, -32600],
      ['[]', 400, -32600],
      [Array.from({ length: 21 }, () => LIST), 400, -32600],
      ['['.repeat(1_000) + ']'.repeat(1_000), 400, -32600],
      [{ jsonrpc: '1.0', id: 7, method: 'ping' }, 400, -32600],
      [{ jsonrpc: '1.0', id: 7 }, 400, -32600],
      [{ jsonrpc: '2.0', id: {}, method: 'ping' }, 400, -32600],
      [[LIST, { jsonrpc: '1.0', id: 7, method: 'ping' }], 400, -32600],
      [LIST, 415, -32600, { 'content-encoding': 'gzip' }],
      [JSON.stringify(LIST), 415, -32600, { 'content-type': 'text/plain' }],
      [LIST, 400, -32000, { 'mcp-protocol-version': '2199-01-01' }],
      [{ filler: 'x'.repeat(1024 * 1024) }, 413, -32000],
    ];
    for (const [body, status, code, headers] of cases) {
      const answer = await postMessage(url, endpoint, token, body, headers);
      t.is(answer.status, status, answer.text);
      t.is(answer.json.error.code, code, answer.text);
      t.truthy(answer.json.error.data.request_id);
      t.is(answer.json.id, (body as { id?: unknown }).id === 7 ? 7 : null, answer.text);
    }
    // A method that does not exist, and what only newer clients ask, are questions and get an answer.
    await postMessage(url, endpoint, token, { ...LIST, method: 'no/such' });
    await postMessage(url, endpoint, token, { ...LIST, method: 'server/discover' });
    for (const { error } of await stream.messages(2)) t.is(error.code, -32601);
  },
);

test.serial('[R7] [T30] a page of another origin opens no stream and posts nothing', async (t) => {
  const [, endpoint] = await open(t);
  for (const origin of ['https://evil.example', 'null']) {
    t.is((await postMessage(url, endpoint, token, LIST, { origin })).status, 403);
    t.is((await send(url, '/sse', { headers: { ...BEARER, origin } })).status, 403);
  }
  const origin = 'http://localhost:6274';
  const stream = await openEventStream(url, token, { origin });
  t.is(stream.headers['access-control-allow-origin'], origin);
  stream.close();
  const posted = await postMessage(url, endpoint, token, LIST, { origin });
  t.is(posted.headers.get('access-control-allow-origin'), origin);
});

for (const [how, give] of [
  [
    'notifications/cancelled',
    async (endpoint: string) => {
      const params = { requestId: 'slow', reason: 'no longer needed' };
      const cancelled = { jsonrpc: '2.0', method: 'notifications/cancelled', params };
      await postMessage(url, endpoint, token, cancelled);
    },
  ],
  ['a client that goes', async (_: string, stream: EventStream) => stream.close()],
] as const) {
  test.serial(`${how} ends the call at NeonPanel, and nothing else`, async (t) => {
    sandbox.faults.set('hang', { operation: 'listReports' });
    t.teardown(() => sandbox.faults.clear());
    const [stream, endpoint] = await open(t);
    const [other, otherEndpoint] = await open(t);
    const asked = await postMessage(url, endpoint, token, toolRequest('slow', 'listReports'));
    const kept = await postMessage(url, otherEndpoint, token, toolRequest('slow', 'listReports'));
    await give(endpoint, stream);
    // It would end by itself after 25 s.
    const request_id = asked.headers.get('x-request-id')!;
    const line = await logs.waitFor({ event: 'tool.call', request_id });
    t.is(line.outcome, 'failed');
    t.deepEqual(
      logs.find({ event: 'tool.call', request_id: kept.headers.get('x-request-id')! }),
      [],
    );
    t.notRegex(stream.text(), /event: message/, 'a request that was given up is not answered');
    other.close();
  });
}
