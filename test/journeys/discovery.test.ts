import test from 'ava';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { startHarness } from '../support/harness.ts';
import { callMcp } from '../support/oauth.ts';
import { createStoreTest } from '../support/stores.ts';
import { createApp, isSignInNeeded, KINDS, userSignsIn } from './clients.ts';

/** What a client may see before anybody signed in: nothing, unless the operator says so. */
const closed = await startHarness();
const openTest = await createStoreTest((store) =>
  startHarness({ store, env: { PUBLIC_DISCOVERY: 'true' } }),
);
test.after.always(() => closed.close());

const MODERN = '2026-07-28';
const ERAS = ['2025-11-25', MODERN] as const;
type Era = (typeof ERAS)[number];

/** One request without a token, as a client of that era sends it. */
function anonymous(base: string, era: Era, method: string, params: Record<string, unknown> = {}) {
  if (era !== MODERN) return callMcp(base, undefined, method, params);
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': MODERN,
    'io.modelcontextprotocol/clientInfo': { name: 'journey', version: '1.0.0' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const headers = {
    'mcp-protocol-version': MODERN,
    'mcp-method': method,
    ...(typeof params.name === 'string' && { 'mcp-name': params.name }),
  };
  return callMcp(base, undefined, method, { ...params, _meta }, { headers });
}

const initialize = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'journey', version: '1.0.0' },
};
const DISCOVERY: readonly [Era, method: string, params: Record<string, unknown>][] = [
  ['2025-11-25', 'initialize', initialize],
  ['2025-11-25', 'tools/list', {}],
  [MODERN, 'server/discover', {}],
  [MODERN, 'tools/list', {}],
];

for (const [era, method, params] of DISCOVERY) {
  test(`[N16] [N23] ${era}: ${method} without a token is 401 by default`, async (t) => {
    const { status, headers, body } = await anonymous(closed.url, era, method, params);
    t.is(status, 401);
    t.regex(headers.get('www-authenticate')!, /^Bearer .*resource_metadata="/);
    t.is(body.error, 'invalid_token');
  });

  openTest(`[N16] [D16] ${era}: PUBLIC_DISCOVERY opens ${method}`, async (t, open) => {
    const { status, body } = await anonymous(open.url, era, method, params);
    t.is(status, 200, JSON.stringify(body));
    t.is(body.error, undefined);
    if (method === 'tools/list') t.is(body.result.tools.length, 16);
    else t.truthy(body.result.capabilities.tools);
  });
}

for (const era of ERAS) {
  openTest(
    `[N16] [D16] ${era}: PUBLIC_DISCOVERY opens no tool, not even beside what it opens`,
    async (t, open) => {
      open.sandbox.recorder.clear();
      const call = { name: 'listCompanies', arguments: {} };
      const refused = await anonymous(open.url, era, 'tools/call', call);
      t.is(refused.status, 401);
      t.regex(refused.headers.get('www-authenticate')!, /resource_metadata="/);
      for (const method of ['resources/list', 'prompts/get', 'no/such']) {
        t.is((await anonymous(open.url, era, method)).status, 401, method);
      }
      t.deepEqual(open.sandbox.recorder.requests(), []);
    },
  );
}

openTest(
  '[N16] [D16] a batch with one tool call among its questions is refused as a whole',
  async (t, open) => {
    const list = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} };
    const call = { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'listReports' } };
    const response = await fetch(`${open.url}/mcp`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-03-26',
      },
      body: JSON.stringify([list, call]),
    });
    t.is(response.status, 401);
  },
);

openTest('[N16] PUBLIC_DISCOVERY makes a wrong token no better than it is', async (t, open) => {
  const { status, headers } = await callMcp(open.url, 'not-a-token', 'tools/list');
  t.is(status, 401);
  t.regex(headers.get('www-authenticate')!, /error="invalid_token"/);
});

openTest(
  '[N16] clients without any sign-in see the tools and are refused the calls',
  async (t, open) => {
    const modern = new Client(
      { name: 'anonymous', version: '1.0.0' },
      { versionNegotiation: { mode: { pin: MODERN } } },
    );
    const legacy = new ClientV1({ name: 'anonymous', version: '1.0.0' });
    t.teardown(() => Promise.all([modern.close(), legacy.close()]));
    const address = new URL(`${open.url}/mcp`);
    await modern.connect(new StreamableHTTPClientTransport(address));
    await legacy.connect(new TransportV1(address) as never);
    for (const client of [modern, legacy]) {
      t.is((await client.listTools()).tools.length, 16);
      await t.throwsAsync(() => client.callTool({ name: 'listCompanies', arguments: {} }));
    }
  },
);

for (const kind of KINDS) {
  openTest(
    `[N16] [N23] ${kind}: connects without a sign-in, and is asked for one by the first call`,
    async (t, open) => {
      const app = createApp(`${open.url}/mcp`, { kind });
      t.teardown(() => app.close());
      await app.open();
      t.is((await app.tools()).length, 16);
      const refusal = await t.throwsAsync(() => app.call('listCompanies'));
      t.true(isSignInNeeded(refusal), String(refusal));
      await userSignsIn(open, app);
      t.is((await app.call('listCompanies')).structuredContent.data.length, 3);
    },
  );
}
