import test from 'ava';
import fc from 'fast-check';
import { ACCEPT_ALL } from '../../mcp/answers.ts';
import {
  TOOLS,
  authInfo,
  ERAS,
  factory,
  messageOf,
  pooledHandler,
  rpc,
} from './support/mcp-host.ts';

/**
 * Plain requests don't pass the SDK's handler. These tests are why that is safe: whatever is answered directly, the handler
 * would have answered with 200 and the same message.
 */
const { handler, answerPlain, borrow } = pooledHandler(factory());
const never = new AbortController().signal;

interface Posted {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** Error results name the request. */
const auth = authInfo({ extra: { exchange: { requestId: 'same' } } });

const directly = (posted: Posted) => answerPlain(posted, auth, never);

/** As the router hands it over. */
async function bySdk({ headers: given, body }: Posted) {
  const headers = { ...given, accept: ACCEPT_ALL };
  const loan = borrow(auth);
  const init = { method: 'POST', headers, body: JSON.stringify(body) };
  const options = { authInfo: loan.auth, parsedBody: body };
  const response = await handler.fetch(new Request('http://mcp.test/mcp', init), options);
  const text = await response.text();
  await loan.giveBack();
  return { status: response.status, message: text && messageOf(text) };
}

for (const era of ERAS) {
  test(`[T7] ${era}: a call of every tool, well and badly, and the list are answered directly as by the SDK`, async (t) => {
    const calls = TOOLS.flatMap((name) => [
      rpc(era, 'tools/call', { name }),
      rpc(era, 'tools/call', { name, arguments: { companyUuid: 'a'.repeat(40) } }, 'an id'),
      rpc(era, 'tools/call', { name, arguments: { nonsense: [null] } }, 0),
    ]);
    const list = rpc(era, 'tools/list', {}, -7);
    for (const posted of [...calls, list, list]) {
      const answer = await directly(posted);
      t.truthy(answer, JSON.stringify(posted));
      const { status, message } = await bySdk(posted);
      t.is(status, 200);
      t.deepEqual(JSON.parse(answer!), message);
    }
  });
}

test('[T46] [T39] nothing is answered directly that the SDK refuses or answers otherwise (property)', async (t) => {
  let direct = 0;
  const check = async (posted: Posted) => {
    const answer = await directly(posted);
    if (answer === undefined) return;
    direct += 1;
    const { status, message } = await bySdk(posted);
    if (status !== 200) throw new Error(`the SDK says ${status}: ${JSON.stringify(message)}`);
    t.deepEqual(JSON.parse(answer), message);
  };
  await t.notThrowsAsync(fc.assert(fc.asyncProperty(posted(), check), { numRuns: 3_000 }));
  t.true(direct > 200, `${direct} of them directly`);
});

test('[T46] what JSON can’t repeat is not taken for an envelope that was right', async (t) => {
  const list = (x: unknown): Posted => {
    const { headers, body } = rpc('modern', 'tools/list');
    const { _meta } = body.params as { _meta: object };
    const capabilities = { [CAPABILITIES]: { experimental: { own: { x } } } };
    return { headers, body: { ...body, params: { _meta: { ..._meta, ...capabilities } } } };
  };
  t.truthy(await directly(list(null)));
  // As JSON.parse reads 1e999.
  t.is((await bySdk(list(Infinity))).status, 400);
  t.is(await directly(list(Infinity)), undefined);
});

test('[X20] who has gone before the call begins is answered nothing, and nothing is called', async (t) => {
  for (const era of ERAS) {
    const call = rpc(era, 'tools/call', { name: 'listWarehouses' });
    t.is(await answerPlain(call, auth, AbortSignal.abort()), undefined);
  }
});

const VERSION = 'io.modelcontextprotocol/protocolVersion';
const INFO = 'io.modelcontextprotocol/clientInfo';
const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';

/** Near what is right, each part of it spoilt now and then. */
function posted(): fc.Arbitrary<Posted> {
  const mostly = (right: unknown, ...wrong: unknown[]) =>
    fc.oneof({ weight: 12, arbitrary: fc.constant(right) }, fc.constantFrom(undefined, ...wrong));
  const version = fc.constantFrom('2026-07-28', '2025-11-25');
  return version.chain((named) => {
    const envelope = fc.record({
      [VERSION]: mostly(named, '2026-07-28', '2025-06-18', '2099-01-01', 7),
      [INFO]: mostly({ name: 'test', version: '1' }, {}, 'test'),
      [CAPABILITIES]: mostly({}, [], 'none'),
      progressToken: fc.constantFrom(undefined, undefined, undefined, 1),
      'example.com/own': fc.constantFrom(undefined, 'kept'),
    });
    const meta = named === '2026-07-28' ? envelope : fc.oneof(fc.constant(undefined), envelope);
    return fc
      .record({
        method: mostly('tools/call', 'tools/list', 'ping', 'initialize', 'server/discover', 4),
        name: mostly('listWarehouses', 'listReports', 'constructor', 'nothing', 5, ''),
        args: mostly({ companyUuid: 'a'.repeat(40) }, {}, { page: 0 }, null, [], 'text'),
        meta,
        more: mostly(
          {},
          { requestState: 'x' },
          { requestState: 1 },
          { inputResponses: {} },
          { cursor: 'c' },
        ),
        jsonrpc: mostly('2.0', '1.0', 2),
        id: mostly(1, 'a', '', 0, 1.5, null, {}, [1], true),
        wrapped: mostly(false, true),
        versionHeader: mostly(named, '2026-07-28', '2025-06-18', '1', ' 2026-07-28'),
        methodHeader: mostly('tools/call', 'tools/list', 'Tools/Call'),
        nameHeader: mostly(
          'listWarehouses',
          'listReports',
          ' listWarehouses',
          '=?base64?bGlzdFJlcG9ydHM=?=',
        ),
        accept: mostly(
          'application/json, text/event-stream',
          '*/*',
          'text/event-stream',
          'text/html',
          'application/jsonx',
        ),
      })
      .map((each) => {
        const params = {
          name: each.name,
          arguments: each.args,
          _meta: each.meta,
          ...(each.more as object | undefined),
        };
        const message = { jsonrpc: each.jsonrpc, id: each.id, method: each.method, params };
        const headers = {
          'content-type': 'application/json',
          accept: each.accept,
          'mcp-protocol-version': each.versionHeader,
          'mcp-method': each.methodHeader,
          'mcp-name': each.nameHeader,
        };
        return { headers: present(headers), body: present(each.wrapped ? [message] : message) };
      });
  });
}

/** As it comes out of JSON and of a request's head. */
const present = <T>(value: unknown): T => JSON.parse(JSON.stringify(value)) as T;
