import { Readable } from 'node:stream';
import test from 'ava';
import fc from 'fast-check';
import type { Context } from 'koa';
import { readMessages } from '../../mcp/body.ts';
import { RpcRefusal } from '../../mcp/rpc-refusal.ts';
import { send } from '../raw-http.ts';
import { startHarness } from '../support/harness.ts';
import { connect } from '../support/oauth.ts';
import { messageOf } from './support/mcp-host.ts';

/** Bodies at POST /mcp: messages of clients, changed until hardly anything is right about them. */

const FACTOR = process.env.LONG_TESTS ? 100 : 1;

const id = fc.oneof(
  fc.integer(),
  fc.string({ maxLength: 30 }),
  fc.constantFrom<unknown>(null, true, 1.5, 1e300, -0, [], {}, [1], { id: 1 }, '', '__proto__'),
);
const method = fc.oneof(
  fc.constantFrom('initialize', 'tools/list', 'tools/call', 'ping', 'server/discover'),
  fc.constantFrom('notifications/initialized', 'notifications/cancelled', 'resources/read'),
  fc.constantFrom<unknown>('', '__proto__', 'toString', 'tools/call\u0000', 7, null, [], {}),
  fc.string({ unit: 'binary', maxLength: 20 }),
);
const params = fc.oneof(
  fc.constantFrom<unknown>(undefined, null, 1, 'x', [], {}, { name: 7 }, { cursor: '…' }),
  fc.record({
    name: fc.constantFrom<unknown>('listReports', 'listCompanies', 'constructor', '', null, {}),
    arguments: fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.constant(undefined)),
  }),
  fc.jsonValue({ maxDepth: 5 }) as fc.Arbitrary<unknown>,
);
const message: fc.Arbitrary<unknown> = fc
  .record(
    {
      jsonrpc: fc.constantFrom<unknown>('2.0', '2.0', '2.0', '1.0', 2, null),
      id,
      method,
      params,
      result: fc.constant({}),
      extra: fc.jsonValue({ maxDepth: 1 }),
    },
    { requiredKeys: [] },
  )
  .map((value): unknown => value);
const good = fc.record({
  jsonrpc: fc.constant('2.0'),
  id: fc.oneof(fc.integer(), fc.string({ maxLength: 30 })),
  method: fc.constantFrom('tools/list', 'ping', 'resources/read', 'tools/call'),
});
const deep = fc
  .tuple(fc.integer({ min: 1, max: 5_000 }), fc.constantFrom('[', '{"a":'), fc.boolean())
  .map(([levels, open, isClosed]) =>
    isClosed
      ? `${open.repeat(levels)}1${(open === '[' ? ']' : '}').repeat(levels)}`
      : open.repeat(levels),
  );
const text = fc.oneof(
  { weight: 4, arbitrary: message.map((value) => JSON.stringify(value)) },
  { weight: 2, arbitrary: good.map((value) => JSON.stringify(value)) },
  { weight: 2, arbitrary: fc.array(message, { maxLength: 24 }).map((all) => JSON.stringify(all)) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 6 }).map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: deep },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 200 }) },
);
/** The same with some bytes replaced, so that neither the JSON nor the UTF-8 is right any more. */
const changed = fc
  .tuple(text, fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 }))
  .map(([original, changes]) => {
    const bytes = Buffer.from(original);
    if (bytes.length > 0) for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
    return bytes;
  });
const body = fc.oneof(
  text.map((value) => Buffer.from(value)),
  changed,
  changed.map((bytes) => bytes.subarray(0, bytes.length / 2)),
  fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
);

test('[T41] [T40] any bytes are messages or a refusal with a JSON-RPC code, and nothing else is thrown', async (t) => {
  let accepted = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(body, async (bytes) => {
      try {
        const read = await readMessages(contextOf(bytes));
        accepted += 1;
        const parsed = JSON.parse(bytes.toString());
        t.deepEqual(read.body, parsed);
        t.true(read.messages.length >= 1 && read.messages.length <= 20);
        t.true(read.messages.every((each) => Object(each) === each && !Array.isArray(each)));
        t.true(levelsOf(parsed) <= 64);
      } catch (error) {
        if (!(error instanceof RpcRefusal)) throw error;
        refused += 1;
        t.is(error.status, 400);
        t.true([-32700, -32600].includes(error.rpcCode));
        t.is(error.rpcCode === -32700, !isJson(bytes) && !/levels/.test(error.description));
      }
    }),
    { numRuns: 10_000 * FACTOR },
  );
  t.true(accepted > 1_000 && refused > 1_000, 'the cases are of both kinds');
});

test('[T40] [T41] over HTTP whatever is posted is answered in JSON-RPC, never with 5xx, and the next request is served', async (t) => {
  const harness = await startHarness({ logLevel: 'warn' });
  t.teardown(() => harness.close());
  const { tokens } = await connect(harness);
  const post = (bytes: string | Buffer) =>
    send(harness.url, '/mcp', {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${tokens.access_token}`,
      },
      body: bytes,
    });
  let n = 0;
  await fc.assert(
    fc.asyncProperty(body, async (bytes) => {
      const answer = await post(bytes);
      const seen = `${answer.status} ${answer.text} to ${bytes}`;
      t.true(answer.status < 500, seen);
      if (answer.text === '') t.true([200, 202].includes(answer.status), seen);
      else for (const each of [messageOf(answer.text)].flat()) t.is(each.jsonrpc, '2.0', seen);
      if (answer.status >= 400) t.is(typeof answer.json.error.code, 'number', seen);
      n += 1;
      const next = await post(JSON.stringify({ jsonrpc: '2.0', id: n, method: 'tools/list' }));
      t.is(next.status, 200);
      t.is(messageOf(next.text).id, n);
    }),
    { numRuns: 300 * FACTOR },
  );
  await fc.assert(
    fc.asyncProperty(good, async (request) => {
      const answer = await post(JSON.stringify(request));
      t.true(answer.status < 500);
      t.is(messageOf(answer.text).id, request.id, answer.text);
    }),
    { numRuns: 100 * FACTOR },
  );
});

/** As much of a request as reading its body needs. */
function contextOf(bytes: Buffer): Context {
  const req = Object.assign(Readable.from(bytes.length > 0 ? [bytes] : []), { headers: {} });
  return { req, is: () => 'application/json' } as unknown as Context;
}

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString());
    return true;
  } catch {
    return false;
  }
}

function levelsOf(value: unknown): number {
  if (Object(value) !== value) return 0;
  return 1 + Math.max(0, ...Object.values(value as object).map(levelsOf));
}
