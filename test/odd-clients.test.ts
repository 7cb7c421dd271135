import { setTimeout as wait } from 'node:timers/promises';
import test from 'ava';
import * as z from 'zod';
import { jsonSchemaOf } from '../mcp/tools/json-schema.ts';
import { argumentsOf } from '../mcp/tools/input.ts';
import { connectApp } from './journeys/clients.ts';
import { openEventStream, postMessage, toolRequest } from './support/event-stream.ts';
import { startHarness } from './support/harness.ts';
import { connect } from './support/oauth.ts';
import { ERAS, messageOf, rpc } from './tools/support/mcp-host.ts';

/** What clients send that is not as it should be, and what they ask for besides an answer. */

const harness = await startHarness();
const { url, logs, sandbox } = harness;
const { tokens } = await connect(harness);
const token = tokens.access_token;
test.after.always(() => harness.close());

const heard = () => sandbox.recorder.requests().map(({ path }) => path.split('?')[0]!);

type Era = (typeof ERAS)[number];

/** The messages of the answer to one request, in order. */
async function ask(era: Era, params: Record<string, unknown>): Promise<any[]> {
  const { headers, body } = rpc(era, 'tools/call', params);
  const { _meta } = params as { _meta?: object };
  Object.assign(body.params as object, { _meta: { ...(body.params as any)._meta, ..._meta } });
  const answer = await postMessage(url, '/mcp', token, body, headers);
  const sent = [...answer.text.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json!));
  return sent.length > 0 ? sent : [answer.json];
}
const call = async (era: Era, name: string, args: unknown) =>
  (await ask(era, { name, arguments: args })).at(-1);

for (const era of ERAS) {
  test.serial(
    `[N33] ${era}: arguments as a text of JSON, as null or empty are taken as they are meant`,
    async (t) => {
      for (const [args, perPage] of [
        ['{"page":1,"perPage":10}', 10],
        [' {"perPage": "20"} ', 20],
        ['{}', 30],
        ['', 30],
        [null, 30],
        [{ params: '{"perPage":10}' }, 10],
      ] as const) {
        const { result } = await call(era, 'listCompanies', args);
        t.is(result?.structuredContent?.per_page, perPage, JSON.stringify(args));
      }
      for (const args of [
        'nonsense',
        '[1]',
        '7',
        '{"page":',
        7,
        true,
        [],
        `{"page":${'['.repeat(100)}${']'.repeat(100)}}`,
        'x'.repeat(900_000),
        `{"page":1,"filler":"${'x'.repeat(300_000)}"}`,
      ]) {
        const { error, result } = await call(era, 'listCompanies', args);
        t.is(error, undefined);
        t.true(result.isError);
        t.regex(
          result.content[0].text,
          /^Invalid arguments for tool listCompanies: arguments must be a JSON object \(known: page, perPage\)\nRequest id: [\w-]{36}$/,
        );
      }
      const unknown = await call(era, 'listCompanies', { pages: 1 });
      t.regex(unknown.result.content[0].text, /unknown argument "pages".*\nRequest id: [\w-]{36}$/);
    },
  );

  test.serial(
    `${era}: a cursor that is no text is -32602, one that is left out is not`,
    async (t) => {
      for (const cursor of [5, {}, true]) {
        const { headers, body } = rpc(era, 'tools/list', { cursor });
        const { text } = await postMessage(url, '/mcp', token, body, headers);
        const { error } = messageOf(text);
        t.is(error.code, -32602);
        t.regex(error.message, /cursor/);
      }
      for (const params of [{ cursor: null }, {}]) {
        const { headers, body } = rpc(era, 'tools/list', params);
        const { text } = await postMessage(url, '/mcp', token, body, headers);
        t.is(messageOf(text).result.tools.length, 16);
      }
    },
  );

  test.serial(
    `[N33] ${era}: numbers, lists and objects written as text are read where only they can be meant`,
    async (t) => {
      const companies = await call(era, 'listCompanies', { page: '1', perPage: '10' });
      t.is(companies.result.structuredContent.per_page, 10);
      const revenue = await call(era, 'getRevenueAndCogs', {
        companyUuids: '["201"]',
        startDate: '2025-01-01',
        endDate: '2025-01-31',
        grouping: '["company"]',
      });
      t.falsy(revenue.result.isError, JSON.stringify(revenue));
      const bill = {
        companyUuid: '201',
        type: 'bill',
        data: JSON.stringify({ ref_number: 'T-1', date: '2026-02-01' }),
      };
      const created = await call(era, 'createDocuments', bill);
      t.is(created.result.structuredContent.status, 'done');
      // A text that is wanted as a text stays one, whatever it looks like.
      const search = await call(era, 'listInventoryItems', { companyUuid: '201', search: '[7]' });
      t.deepEqual(search.result.structuredContent.data, []);

      for (const [args, wrong] of [
        [{ page: '1.5' }, /page: must be a number/],
        [{ page: '1e3' }, /page: must be/],
        [{ page: '0x10' }, /page: must be/],
        [{ page: ' 1' }, /page: must be/],
        [{ page: '-1' }, /page: must be at least 1/],
        [{ page: '1'.repeat(40) }, /page: must be/],
        [{ page: 'two' }, /page: must be a number/],
        [{ page: true }, /page: must be/],
        [{ page: ['1'] }, /page: must be/],
        [{ perPage: '1000' }, /perPage: must be at most 60/],
      ] as const) {
        const { result } = await call(era, 'listCompanies', args);
        t.true(result.isError, JSON.stringify(args));
        t.regex(result.content[0].text, wrong);
      }
    },
  );
}

test.serial(
  '[D16] a slow call reports progress to whoever asks for it, in both eras, and to nobody else',
  async (t) => {
    sandbox.faults.set('slow', { operation: 'listReports', ms: 4_500 });
    t.teardown(() => sandbox.faults.clear());
    const asking = (era: Era, progressToken?: unknown) =>
      ask(era, {
        name: 'listReports',
        arguments: {},
        ...(progressToken !== undefined && { _meta: { progressToken } }),
      });
    const inEra = async (era: Era) => {
      const [silent, byText, byNumber, atLength] = await Promise.all([
        asking(era),
        asking(era, 'a token'),
        asking(era, 0),
        asking(era, 'x'.repeat(10_000)),
      ]);
      t.is(silent!.length, 1);
      t.is(atLength!.length, 1, 'a token of that length is not repeated');
      for (const [messages, token] of [
        [byText!, 'a token'],
        [byNumber!, 0],
      ] as const) {
        const [first, second] = messages.map(({ params }) => params);
        t.is(messages[0].method, 'notifications/progress');
        t.is(first.progressToken, token);
        t.true(first.progress > 0 && second.progress > first.progress);
        t.truthy(messages.at(-1).result.structuredContent, 'and then comes the answer');
        t.is(messages.filter(({ method }) => method === undefined).length, 1);
      }
    };
    await Promise.all(ERAS.map(inEra));
  },
);

test.serial('[D16] progress comes over the stream of an old client, too', async (t) => {
  sandbox.faults.set('slow', { operation: 'listReports', ms: 2_500 });
  t.teardown(() => sandbox.faults.clear());
  const stream = await openEventStream(url, token);
  t.teardown(() => stream.close());
  const request = toolRequest(1, 'listReports');
  const _meta = { progressToken: 'p' };
  const body = { ...request, params: { ...request.params, _meta } };
  await postMessage(url, await stream.endpoint(), token, body);
  const [progress, answer] = await stream.messages(2);
  t.is(progress.params.progressToken, 'p');
  t.is(answer.id, 1);
});

test.serial(
  '[T40] a request that its own batch gives up is not carried out, and nobody waits for it',
  async (t) => {
    sandbox.recorder.clear();
    const cancelled = (requestId: unknown) => ({
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId },
    });
    const headers = {
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-03-26',
    };
    const post = (...batch: object[]) => postMessage(url, '/mcp', token, batch, headers);
    const BILL = { companyUuid: '201', type: 'bill', data: {} };
    const all = await post(toolRequest(1, 'createDocuments', BILL), cancelled(1));
    t.is(all.status, 202);
    const one = await post(
      cancelled('b'),
      toolRequest('a', 'listReports'),
      toolRequest('b', 'createDocuments', BILL),
    );
    t.is(one.status, 200);
    t.regex(one.text, /"id":"a"/);
    t.notRegex(one.text, /"id":"b"/);
    const other = await post(cancelled(7), toolRequest('7', 'listReports'));
    t.regex(other.text, /"id":"7"/, 'a number is not its text');
    const paths = sandbox.recorder.requests().map(({ path }) => path);
    t.false(paths.some((path) => path.includes('/create/bill')));
  },
);

test.serial(
  '[T40] a batch in which an id is repeated is refused whole, before anything is done',
  async (t) => {
    sandbox.recorder.clear();
    const stream = await openEventStream(url, token);
    t.teardown(() => stream.close());
    const bill = (id: unknown) =>
      toolRequest(id, 'createDocuments', { companyUuid: '201', type: 'bill', data: {} });
    const headers = { 'mcp-protocol-version': '2025-03-26' };
    for (const path of ['/mcp', await stream.endpoint()]) {
      for (const [one, other] of [
        [1, 1],
        ['a', 'a'],
      ]) {
        const batch = [toolRequest(one, 'listReports'), bill(other)];
        const { status, json } = await postMessage(url, path, token, batch, headers);
        t.is(status, 400, path);
        t.is(json.error.code, -32600);
        t.regex(json.error.message, /an id of its own/);
      }
    }
    t.deepEqual(heard(), []);
    const notification = { jsonrpc: '2.0', method: 'notifications/initialized' };
    const apart = [toolRequest(1, 'listReports'), toolRequest('1', 'listReports'), notification];
    const { status } = await postMessage(url, '/mcp', token, [...apart, notification], headers);
    t.is(status, 200, 'a number is not its text, and notifications have no id');
  },
);

const LEGACY = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05', '2024-10-07'];

test.serial(
  '[N19] a version that is not served is refused by its name, with all that are, at each address',
  async (t) => {
    const stream = await openEventStream(url, token);
    t.teardown(() => stream.close());
    const endpoint = await stream.endpoint();
    const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
    const { body: initialize } = rpc('legacy', 'initialize', {
      protocolVersion: '2025-06-18',
      capabilities: {},
      clientInfo: { name: 'x', version: '1' },
    });
    for (const [path, served, ok] of [
      ['/mcp', ['2026-07-28', ...LEGACY], 200],
      [endpoint, LEGACY, 202],
    ] as const) {
      const post = (body: unknown, version: string) =>
        postMessage(url, path, token, body, { 'mcp-protocol-version': version });
      for (const version of ['2199-01-01', 'nonsense', '2025-11-25, 2025-11-25']) {
        const { status, json } = await post(list, version);
        t.is(status, 400, version);
        t.is(json.error.code, -32000);
        t.is(
          json.error.message,
          `Unsupported protocol version in MCP-Protocol-Version: ${version}. Served are ${served.join(', ')}.`,
        );
        t.is((await post(initialize, version)).status, ok, 'initialize negotiates');
      }
      for (const version of [...LEGACY, '']) t.is((await post(list, version)).status, ok, version);
    }
  },
);

test.serial(
  'a client that stops waiting ends the call at NeonPanel, over each transport',
  async (t) => {
    sandbox.faults.set('hang', { operation: 'listReports' });
    t.teardown(() => sandbox.faults.clear());
    for (const [kind, path] of [
      ['v1 client, SSE', '/sse'],
      ['v2 client, SSE', '/sse'],
      ['v2 client, 2026-07-28', '/mcp'],
    ] as const) {
      const app = await connectApp(harness, url + path, { kind });
      t.teardown(() => app.close());
      sandbox.recorder.clear();
      logs.clear();
      const given = new AbortController();
      const asked = app.call('listReports', {}, given.signal);
      while (!heard().includes('/api/v1/reports')) await wait(5);
      given.abort();
      await t.throwsAsync(asked);
      const line = await logs.waitFor({ event: 'tool.call' });
      t.is(line.outcome, 'failed', kind);
    }
  },
);

test('[N33] a text is read as a number or a truth only where nothing else is taken', async (t) => {
  const input = z.strictObject({
    count: z.int().optional(),
    rate: z.number().optional(),
    isOpen: z.boolean().optional(),
    either: z.union([z.int(), z.string()]).optional(),
    name: z.string().optional(),
  });
  const read = async (value: object) => {
    const answer = await argumentsOf(input, jsonSchemaOf(input, 'input'))['~standard'].validate(
      value,
    );
    return answer.issues ? 'refused' : answer.value;
  };
  t.deepEqual(await read({ count: '12', rate: '-0.5', isOpen: 'true', either: '12', name: '12' }), {
    count: 12,
    rate: -0.5,
    isOpen: true,
    either: '12',
    name: '12',
  });
  t.deepEqual(await read({ isOpen: 'false', count: '0', rate: '3' }), {
    isOpen: false,
    count: 0,
    rate: 3,
  });
  for (const value of [
    { isOpen: 'yes' },
    { isOpen: 'TRUE' },
    { isOpen: '1' },
    { count: '012' },
    { count: '+1' },
    { count: '1 ' },
    { rate: 'NaN' },
    { rate: 'Infinity' },
    { rate: '1,5' },
    { rate: '.5' },
  ]) {
    t.is(await read(value), 'refused', JSON.stringify(value));
  }
});
