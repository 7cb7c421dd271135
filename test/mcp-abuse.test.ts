import { createServer } from 'node:http';
import { type AddressInfo, connect as connectSocket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import test from 'ava';
import { createAnswerRoom, TooMuchAtOnce } from '../adapters/neonpanel/answer-room.ts';
import { tools } from '../mcp/tools/index.ts';
import { send } from './raw-http.ts';
import { listen } from '../http/listen.ts';
import { createSockets, socketLimits } from '../http/sockets.ts';
import { createLog } from '../log.ts';
import { startHarness } from './support/harness.ts';
import { callTool, connect } from './support/oauth.ts';
import { calls, fixtures } from './tools/support/fixtures.ts';
import { messageOf } from './tools/support/mcp-host.ts';

const harness = await startHarness();
const { url } = harness;
const { tokens } = await connect(harness);
const reader = await connect(harness, { write: false });
test.after.always(() => harness.close());

const post = (body: unknown, headers: Record<string, string> = {}, token = tokens.access_token) =>
  send(url, '/mcp', {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const request = (id: number, method: string, params: object = {}) => ({
  jsonrpc: '2.0',
  id,
  method,
  params,
});
const toolCall = (id: number, name: string, args: object = {}) =>
  request(id, 'tools/call', { name, arguments: args });
const heard = () => harness.sandbox.recorder.requests().map(({ path }) => path);

/** The messages of an answer of several, whether JSON or a stream. */
const messagesOf = (text: string): any[] =>
  /^data: /m.test(text)
    ? [...text.matchAll(/^data: (.*)$/gm)].flatMap(([, data]) => JSON.parse(data!))
    : [JSON.parse(text)].flat();

const OLD = { 'mcp-protocol-version': '2025-03-26' };

test.serial('[T40] every message of a batch is answered by itself, up to twenty', async (t) => {
  for (const count of [1, 2, 20]) {
    const batch = Array.from({ length: count }, (_, id) => toolCall(id, 'listReports'));
    const { status, text } = await post(batch, OLD);
    t.is(status, 200);
    const ids = messagesOf(text).map(({ id }) => id);
    t.deepEqual(
      ids.sort((a, b) => a - b),
      batch.map(({ id }) => id),
    );
  }
});

test.serial('[T40] a batch of none, or of more than twenty, asks NeonPanel nothing', async (t) => {
  const before = heard().length;
  for (const count of [0, 21, 100, 1_000]) {
    const batch = Array.from({ length: count }, (_, id) => toolCall(id, 'listReports'));
    for (const headers of [OLD, {}]) {
      const { status, json } = await post(batch, headers);
      t.is(status, 400, String(count));
      t.is(json.error.code, -32600);
    }
  }
  // 100,000 calls are more than a megabyte; as short as messages can be they are within it.
  const calls = Array.from({ length: 100_000 }, (_, id) => toolCall(id, 'listReports'));
  t.is((await post(calls)).status, 413);
  const { status, json } = await post(`[${'{},'.repeat(99_999)}{}]`);
  t.is(status, 400);
  t.is(json.error.code, -32600);
  t.is(heard().length, before);
});

test.serial(
  '[T39] inside a batch each write is held to the scope again, whatever stands beside it',
  async (t) => {
    const write = { companyUuid: '201', type: 'bill', data: {} };
    const batches = [
      [toolCall(1, 'createDocuments', write)],
      [toolCall(1, 'listReports'), toolCall(2, 'createDocuments', write)],
      [request(1, 'ping'), toolCall(2, 'listReports'), toolCall(3, 'createDocuments', write)],
      [toolCall(1, 'createDocuments', write), toolCall(2, 'createDocumentsByPdf', {})],
    ];
    for (const batch of batches) {
      const { status, text } = await post(batch, OLD, reader.tokens.access_token);
      t.is(status, 403, text);
      t.is(JSON.parse(text).error, 'insufficient_scope');
    }
    t.false(heard().some((path) => /\/(create|import)\/bill/.test(path)));
  },
);

test.serial('[T39] what is not listed is no tool, by whatever name it is called', async (t) => {
  const before = heard().length;
  const names = ['listcompanies', 'listCompanies ', ' listCompanies', 'list_companies'];
  names.push('listCompanies\u0000', 'tools/list', 'neonpanel.listCompanies', '../listCompanies');
  names.push('__proto__', 'constructor', 'valueOf', 'deleteCompany', 'getToken', '0', '');
  for (const name of names) {
    const { status, body } = await callTool(url, tokens.access_token, name);
    t.true(status < 500);
    t.is(body.error.code, -32602, name);
  }
  for (const name of [null, 7, {}, ['listCompanies']]) {
    const { status, text } = await post(request(1, 'tools/call', { name }));
    t.true(status < 500);
    t.truthy(messageOf(text).error, JSON.stringify(name));
  }
  t.is(heard().length, before);
});

test.serial(
  '[T39] a company of nobody or of somebody else is NeonPanel’s to refuse, and is',
  async (t) => {
    const unknown = 'f'.repeat(40);
    for (const { tool, args } of fixtures) {
      if (!('companyUuid' in args)) continue;
      for (const companyUuid of [unknown, '999999', 'Somebody Else Ltd']) {
        const { status, body } = await callTool(url, tokens.access_token, tool, {
          ...args,
          companyUuid,
        });
        t.is(status, 200, tool);
        t.true(body.result.isError, `${tool} ${companyUuid}`);
        t.is(body.result.structuredContent, undefined);
      }
    }
  },
);

const ENVELOPE = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
};
const METHODS = ['tools/list', 'tools/call', 'server/discover'];
const NAMES = ['listReports', 'listCompanies', 'createDocuments'];

for (const method of METHODS) {
  test.serial(
    `[T46] 2026-07-28: the headers of ${method} must say what the body says`,
    async (t) => {
      const before = heard().length;
      const params = { ...(method === 'tools/call' && { name: NAMES[0], arguments: {} }) };
      const body = request(1, method, { ...params, _meta: ENVELOPE });
      const right: Record<string, string> = {
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': method,
        ...(method === 'tools/call' && { 'mcp-name': NAMES[0] }),
      };
      const wrong: Record<string, string | undefined>[] = [
        ...METHODS.filter((other) => other !== method).map((other) => ({ 'mcp-method': other })),
        { 'mcp-method': undefined },
        { 'mcp-method': method.toUpperCase() },
        { 'mcp-method': `${method}, tools/call` },
        { 'mcp-protocol-version': '2025-11-25' },
        { 'mcp-protocol-version': '2025-03-26' },
        ...(method === 'tools/call'
          ? [...NAMES.slice(1), 'LISTREPORTS', 'listReports, createDocuments', undefined].map(
              (name) => ({ 'mcp-name': name }),
            )
          : []),
      ];
      for (const change of wrong) {
        const headers = Object.entries({ ...right, ...change }).filter(([, value]) => value);
        const { status, json, text } = await post(
          body,
          Object.fromEntries(headers) as typeof right,
        );
        t.is(status, 400, `${JSON.stringify(change)} ${text}`);
        t.is(json.error.code, -32020, JSON.stringify(change));
      }
      t.is(heard().length, before);
      t.is((await post(body, right)).status, 200);
    },
  );
}

test.serial(
  '[T41] a gigabyte that is announced is refused before it is sent, and the memory is not used',
  async (t) => {
    await answerTo(1024 ** 3);
    const before = process.memoryUsage().rss;
    for (const size of [1024 ** 2 + 1, 1024 ** 3, 1024 ** 4]) {
      const answer = await answerTo(size);
      t.regex(answer, /^HTTP\/1\.1 413 /, String(size));
      t.regex(answer, /connection: close/i);
    }
    const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
    for (let i = 0; i < 20; i++) t.is((await post(deep(100_000))).status, 400);
    t.true(process.memoryUsage().rss - before < 50 * 1024 ** 2);
  },
);

test.serial('[T41] a body that trickles in holds up nobody else', async (t) => {
  const socket = connectSocket(Number(new URL(url).port), 'localhost');
  let answer = '';
  socket.on('error', () => {});
  socket.on('data', (chunk) => (answer += chunk));
  socket.write(head(1_000));
  for (let i = 0; i < 5; i++) {
    socket.write(' ');
    await wait(20);
    t.is((await post(request(i, 'tools/list'))).status, 200);
  }
  t.is(answer, '');
  socket.destroy();
  t.is((await post(request(9, 'ping'))).status, 200);
});

// ------------------------------------------------------------------ large answers at once

const MIB = 1024 * 1024;

test.serial(
  '[X21] [T40] a batch holds so much of NeonPanel’s answers and no more: what has no room says so, and others are served',
  async (t) => {
    const small = await startHarness({ answers: { inAll: 8 * MIB, perRequest: 2.2 * MIB } });
    t.teardown(() => small.close());
    const { access_token: token } = (await connect(small)).tokens;
    // 1 MiB has to be free for an answer of unknown length: with three of half a megabyte read there is no room for that.
    small.sandbox.faults.set('huge-body', { megabytes: 0.5 });
    const batch = Array.from({ length: 20 }, (_, id) => toolCall(id, 'listReports'));
    for (let round = 0; round < 2; round++) {
      const { status, text } = await send(small.url, '/mcp', {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...OLD },
        body: JSON.stringify(batch),
      });
      t.is(status, 200);
      const texts = messagesOf(text).map(({ result }) => result.content[0].text as string);
      const refused = texts.filter((said) => /too many large answers/.test(said));
      t.is(refused.length, 17);
      t.true(refused.every((said) => /Wait 5 seconds/.test(said)));
      // A whole answer, of a form that nobody knows.
      t.is(texts.filter((said) => /form this connector does not know/.test(said)).length, 3);
    }
    t.is(small.logs.find({ event: 'tool.problem', detail: 'limit: answers' }).length, 34);
    small.sandbox.faults.clear();
    t.falsy((await callTool(small.url, token, 'listCompanies')).body.result.isError);
  },
);

/** A call whose answer nobody reads. */
function unread(base: string, token: string, body: unknown, headers: Record<string, string>) {
  const { port, host } = new URL(base);
  const socket = connectSocket(Number(port), 'localhost');
  socket.on('error', () => {});
  socket.pause();
  const text = JSON.stringify(body);
  const lines = Object.entries({
    Host: host,
    Authorization: `Bearer ${token}`,
    'Content-Type': 'application/json',
    'Content-Length': String(text.length),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}`);
  // Its other spelling tells it from the requests of others in the log.
  socket.write(`POST /mcp/ HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${text}`);
  return socket;
}

test.serial(
  '[X21] [X33] [T40] who does not read answers holds their room until the connection is closed, and the other user is served',
  async (t) => {
    // Reports of some 950 kB, which are three times as much for the client.
    const data = Array.from({ length: 120 }, (_, id) => ({
      id,
      title: 'P',
      group: 'G',
      description: '"'.repeat(3_950),
    }));
    const large = JSON.stringify({ count: data.length, data });
    t.true(large.length > 0.85 * MIB && large.length < MIB);
    let asked = 0;
    const api = createServer((incoming, answer) => {
      incoming.resume();
      if (incoming.url!.includes('reports')) asked++;
      answer.setHeader('content-type', 'application/json');
      answer.end(incoming.url!.includes('reports') ? large : '{"data":[]}');
    });
    await new Promise<void>((resolve) => api.listen(0, 'localhost', resolve));
    const small = await startHarness({
      answers: { inAll: 3.5 * MIB, perRequest: 3.5 * MIB },
      patience: { unreadMs: 1_500 },
      env: {
        NEONPANEL_API_URL: `http://localhost:${(api.address() as AddressInfo).port}/api/v1`,
      },
    });
    t.teardown(async () => {
      await small.close();
      api.closeAllConnections();
      api.close();
    });
    const [ada, bruno] = [
      await connect(small),
      await connect(small, { user: small.sandbox.users[1]! }),
    ];
    const ended = () => small.logs.find({ event: 'request', path: '/mcp/' }).length;
    const call = toolCall(1, 'listReports');
    const three = [1, 2, 3].map((id) => toolCall(id, 'listReports'));
    const ways = {
      plain: [[call, call, call], { 'MCP-Protocol-Version': '2025-06-18', Accept: '*/*' }],
      batch: [[three], { 'MCP-Protocol-Version': '2025-03-26', Accept: '*/*' }],
    } as const;
    for (const [way, [bodies, headers]] of Object.entries(ways)) {
      const [before, endedBefore] = [asked, ended()];
      const sockets = bodies.map((body) =>
        unread(small.url, ada.tokens.access_token, body, headers),
      );
      while (asked < before + 3) await wait(20);
      await wait(300);
      const { body } = await callTool(small.url, bruno.tokens.access_token, 'listReports');
      t.falsy(body.result.isError, `${way}: ${body.result.content[0].text}`);
      t.true(ended() > endedBefore, `${way}: its room was held`);
      sockets.forEach((socket) => socket.destroy());
      while (ended() < endedBefore + bodies.length) await wait(20);
    }
  },
);

test('[X21] room for answers is given in turn, given back with the request, and nobody waits for himself', async (t) => {
  const room = createAnswerRoom({ inAll: 100, perRequest: 60 });
  const forever = new AbortController().signal;
  const [one, two, three] = [room.open(), room.open(), room.open()];
  (await one.reserve(60, forever))(50);
  const settleTwo = await two.reserve(50, forever);
  t.is(room.held, 100);
  // It holds 50 of its 60 for good.
  await t.throwsAsync(one.reserve(11, forever), { instanceOf: TooMuchAtOnce });
  const order: string[] = [];
  const third = three.reserve(40, forever).then((settle) => (order.push('third'), settle));
  const late = two.reserve(10, forever).then((settle) => (order.push('late'), settle));
  const gone = new AbortController();
  const given = three.reserve(20, gone.signal);
  gone.abort();
  await t.throwsAsync(given, { instanceOf: TooMuchAtOnce });
  t.deepEqual(order, []);
  // Shorter than it could have been.
  settleTwo(10);
  (await third)(20);
  (await late)(0);
  t.deepEqual(order, ['third', 'late']);
  t.is(room.held, 80);
  for (const account of [one, two, three]) account.close();
  t.is(room.held, 0);
  // What goes on behind a request that is over.
  const behind = await one.reserve(30, forever);
  await one.add(30, forever);
  t.is(room.held, 30);
  behind(30);
  t.is(room.held, 0);
  // Small ones wait as large ones do.
  const [four, five] = [room.open(), room.open()];
  (await four.reserve(60, forever))(60);
  (await five.reserve(40, forever))(40);
  const end = new AbortController();
  const [added, refused] = [four.add(30, end.signal), room.open().add(1, end.signal)];
  await t.throwsAsync(async () => added, { instanceOf: TooMuchAtOnce }, 'it would wait for itself');
  end.abort();
  await t.throwsAsync(async () => refused, { instanceOf: TooMuchAtOnce });
  four.close();
  five.close();
  t.is(room.held, 0);
  await t.throwsAsync(one.reserve(101, forever), { instanceOf: TooMuchAtOnce });
});

test('[X33] an answer of which a little is taken now and then is not held for ever', async (t) => {
  const log = createLog('silent');
  const sockets = createSockets(socketLimits({ isAlone: true }), log);
  const held = Promise.withResolvers<boolean>();
  const server = await listen(
    (_, answer) => {
      answer.once('close', () => held.resolve(answer.writableFinished));
      answer.end(Buffer.alloc(16 * MIB));
    },
    '127.0.0.1',
    0,
    sockets,
    { unreadMs: 600_000, takenWithinMs: 500 },
  );
  const reader = unread(`http://127.0.0.1:${server.port}`, 'of nobody', {}, {});
  const sips = setInterval(() => reader.read(16 * 1024), 50);
  t.is(await Promise.race([held.promise, wait(20_000, 'still held')]), false);
  clearInterval(sips);
  reader.destroy();
  await server.close();
});

/** What comes back to a head that announces a body of which one byte is sent. */
function answerTo(size: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket(Number(new URL(url).port), 'localhost');
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk));
    socket.on('end', () => (socket.end(), resolve(answer)));
    socket.on('error', reject);
    socket.write(`${head(size)}{`);
  });
}

const head = (size: number): string =>
  [
    'POST /mcp HTTP/1.1',
    'Host: localhost',
    `Authorization: Bearer ${tokens.access_token}`,
    'Content-Type: application/json',
    `Content-Length: ${size}`,
    '\r\n',
  ].join('\r\n');

test('the fixtures here are of every tool', (t) => {
  t.is(calls.length, tools.length);
});
