import test from 'ava';
import type { AuthInfo } from '@modelcontextprotocol/server';
import { NeonpanelError } from '../../adapters/neonpanel/neonpanel.ts';
import { Refusal } from '../../errors.ts';
import { createLog } from '../../log.ts';
import { definitionsOf } from '../../mcp/tools/definitions.ts';
import { tools } from '../../mcp/tools/index.ts';
import { READ, WRITE } from '../../resource.ts';
import { answerFromFixtures, argsOf, fixtures } from './support/fixtures.ts';
import { authInfo, callTool, ERAS, factory, mcpHost, post, rpc } from './support/mcp-host.ts';
import { recordingUpstream, type Answer, type Sent } from './support/upstream.ts';

const definitions = JSON.parse(JSON.stringify(definitionsOf(tools)));
const answering = (answer: Parameters<typeof recordingUpstream>[0]) => {
  const upstream = recordingUpstream(answer);
  return { sent: upstream.sent, serve: factory({ contextFor: () => upstream.context }) };
};

for (const era of ERAS) {
  test(`${era}: tools/list answers exactly the definitions`, async (t) => {
    const { message } = await post(await mcpHost(t, factory()), era, 'tools/list');
    t.deepEqual(message.result.tools, definitions);
  });

  test(`[N22] ${era}: a call answers structured content and the same JSON as text`, async (t) => {
    const { serve } = answering(answerFromFixtures);
    const url = await mcpHost(t, serve);
    for (const { tool, args, answer } of fixtures) {
      const { status, message } = await callTool(url, era, tool, args);
      t.is(status, 200);
      t.deepEqual(message.result.structuredContent, answer, tool);
      t.deepEqual(JSON.parse(message.result.content[0].text), answer, tool);
    }
  });

  test(`[T39] ${era}: an unknown tool is a JSON-RPC error -32602`, async (t) => {
    const { sent, serve } = answering(answerFromFixtures);
    const url = await mcpHost(t, serve);
    for (const name of [
      'deleteEverything',
      'toString',
      'constructor',
      '__proto__',
      'listcompanies',
    ]) {
      t.is((await callTool(url, era, name, {})).message.error.code, -32602, name);
    }
    t.deepEqual(sent, []);
  });

  test(`[T39] ${era}: no name of a JavaScript object is a tool, and no name is repeated at length`, async (t) => {
    const url = await mcpHost(t, factory());
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '']) {
      const { message } = await callTool(url, era, name, {});
      t.deepEqual({ ...message.error }, { code: -32602, message: `Unknown tool: ${name}` });
    }
    // 2026-07-28 repeats the name in a header, and Node takes no more than 16 kB of those.
    const long = 'x'.repeat(era === 'legacy' ? 100_000 : 8_000);
    const { message } = await callTool(url, era, long, {});
    t.is(message.error.code, -32602);
    t.is(message.error.message, `Unknown tool: ${'x'.repeat(64)}`);
  });

  test(`${era}: bad arguments are an error result that says which and what is expected`, async (t) => {
    const { sent, serve } = answering(answerFromFixtures);
    const url = await mcpHost(t, serve);
    const args = { companyUuid: {}, startDate: '2025-02-30', page: 0, warehouse: 'x' };
    const { status, message } = await callTool(url, era, 'getInventoryCogs', args);
    t.is(status, 200);
    t.true(message.result.isError);
    const { text } = message.result.content[0];
    t.regex(text, /companyUuid: must be text or a number/);
    t.regex(text, /inventoryId: is required/);
    t.regex(text, /startDate: must be a day that exists, as YYYY-MM-DD/);
    t.regex(text, /page: must be at least 1/);
    t.regex(text, /unknown argument "warehouse" \(known: companyUuid, inventoryId,/);
    t.deepEqual(sent, []);
  });

  test(`[N33] ${era}: optional arguments given as null or an empty text count as left out, others do not`, async (t) => {
    const { sent, serve } = answering(answerFromFixtures);
    const url = await mcpHost(t, serve);
    const companyUuid = 'a'.repeat(40);
    const bill = { companyUuid, type: 'bill', data: { ref: null }, idempotencyKey: null };
    for (const [tool, args] of [
      ['listCompanies', { page: null, perPage: null }],
      ['listInventoryItems', { companyUuid, search: '', sku: '', countryCode: null }],
      ['createDocuments', bill],
      ['createDocuments', { ...bill, idempotencyKey: '' }],
    ] as const) {
      const { message } = await callTool(url, era, tool, args);
      t.falsy(message.result.isError, JSON.stringify(message));
    }
    t.is(sent.length, 4);
    const { message } = await callTool(url, era, 'createDocuments', { ...bill, data: null });
    t.regex(message.result.content[0].text, /data: must be an object/);
    t.is(sent.length, 4);
  });

  test(`[N33] ${era}: arguments that a client wrapped or turned into text are unwrapped, once`, async (t) => {
    const { sent, serve } = answering(answerFromFixtures);
    const url = await mcpHost(t, serve);
    const args = { perPage: 60, page: 2 };
    for (const wrapped of [
      { params: args },
      { arguments: args },
      { input: JSON.stringify(args) },
    ]) {
      const { message } = await callTool(url, era, 'listCompanies', wrapped);
      t.falsy(message.result.isError);
    }
    t.is(
      (await callTool(url, era, 'listCompanies', { params: { params: args } })).message.result
        .isError,
      true,
    );
    t.is(
      (await callTool(url, era, 'listCompanies', { params: '{broken' })).message.result.isError,
      true,
    );
    t.is(sent.length, 3);
  });

  test(`[T39] [N45] ${era}: a write tool with a read token is HTTP 403 with the scopes that are needed`, async (t) => {
    const { sent, serve } = answering(answerFromFixtures);
    const resourceMetadataUrl =
      'https://mcp.neonpanel.test/.well-known/oauth-protected-resource/mcp';
    const auth = () => authInfo({ scopes: [READ], resourceMetadataUrl });
    const url = await mcpHost(t, serve, auth);
    const { status, headers } = await callTool(
      url,
      era,
      'createDocuments',
      argsOf('createDocuments'),
    );
    t.is(status, 403);
    const challenge = headers.get('www-authenticate')!;
    t.regex(challenge, /error="insufficient_scope"/);
    t.regex(challenge, /scope="neonpanel\.read neonpanel\.write"/);
    t.true(challenge.includes(`resource_metadata="${resourceMetadataUrl}"`));
    t.deepEqual(sent, []);
    t.is((await callTool(url, era, 'listReports', {})).status, 200);
  });

  test(`[T58] ${era}: an exception is logged with the request id and told to nobody`, async (t) => {
    const lines: string[] = [];
    const log = createLog('info', { write: (line) => lines.push(line) });
    const contextFor = () => {
      throw new Error('redis://:hunter2@10.0.0.5:6379 is down');
    };
    const url = await mcpHost(t, factory({ contextFor, log }), () =>
      authInfo({ extra: { exchange: { requestId: 'request-77' } } }),
    );
    const { message } = await callTool(url, era, 'listReports', {});
    t.true(message.result.isError);
    t.regex(message.result.content[0].text, /Request id: request-77$/);
    t.notRegex(JSON.stringify(message), /redis|hunter2|server\.ts|at /);
    const line = JSON.parse(lines[0]!);
    t.is(line.event, 'tool.failed');
    t.is(line.request_id, 'request-77');
  });

  for (const [what, error] of [
    ['NeonPanel no longer accepts', new NeonpanelError('unauthorized', 'x', { status: 401 })],
    ['has ended here', new Refusal('invalid_token', 401, 'Connect again.')],
  ] as const)
    test(`[X16] [N23] ${era}: a sign-in that ${what} asks for a new one where ChatGPT looks`, async (t) => {
      const { serve } = answering(() => error);
      const { message } = await callTool(await mcpHost(t, serve), era, 'listReports', {});
      t.deepEqual(message.result._meta['mcp/www_authenticate'], [
        'Bearer error="invalid_token", error_description="Sign in again", scope="neonpanel.read neonpanel.write", ' +
          'resource_metadata="https://mcp.neonpanel.test/.well-known/oauth-protected-resource/mcp"',
      ]);
    });

  const unclear: [string, Answer][] = [
    ['an outage', new NeonpanelError('unavailable', 'x', { status: 502 })],
    ['an answer that says nothing', { body: [] }],
    ['an exception of ours', new Error('bug')],
  ];
  for (const [what, answer] of unclear) {
    test(`[X19] [N40] ${era}: after ${what} a write is not repeated, and the model hears that its outcome is unknown`, async (t) => {
      const { sent, serve } = answering(() => answer);
      const url = await mcpHost(t, serve);
      for (const name of ['createDocuments', 'createDocumentsByPdf']) {
        const { message } = await callTool(url, era, name, argsOf(name));
        t.regex(message.result.content[0].text, /may or may not have been carried out/);
      }
      t.is(sent.length, 2);
    });
  }

  test(`${era}: a write that NeonPanel refused says so, because then nothing happened`, async (t) => {
    const { serve } = answering(() => new NeonpanelError('rejected', 'x', { status: 422 }));
    const url = await mcpHost(t, serve);
    const { message } = await callTool(url, era, 'createDocuments', argsOf('createDocuments'));
    t.regex(message.result.content[0].text, /did not accept some values/);
  });

  test(`[N36] ${era}: an answer outside the published schema arrives as text and is logged`, async (t) => {
    const lines: string[] = [];
    const log = createLog('info', { write: (line) => lines.push(line) });
    const { context } = recordingUpstream(() => ({ body: { count: 1, data: 'none', x: null } }));
    const url = await mcpHost(t, factory({ contextFor: () => context, log }));
    const { message } = await callTool(url, era, 'listReports', {});
    t.true(message.result.isError);
    t.is(message.result.structuredContent, undefined);
    t.true(message.result.content[0].text.includes('{"count":1,"data":"none","x":null}'));
    t.deepEqual(JSON.parse(lines[0]!).paths, ['data']);
  });

  test(`[N36] ${era}: extra fields, missing fields and nulls never fail a call`, async (t) => {
    const bodies: Record<string, unknown>[] = [{}, { brand_new: { deep: [1] } }];
    for (const body of bodies) {
      const { serve } = answering(() => ({ body }));
      const url = await mcpHost(t, serve);
      for (const { tool, args } of fixtures) {
        const { message } = await callTool(url, era, tool, args);
        t.deepEqual(message.result.structuredContent, body, tool);
      }
    }
    const { serve } = answering(({ path }) => {
      const fixture = fixtures.find(({ sends }) => sends.path === path)!;
      const body = Object.fromEntries(Object.keys(fixture.answer).map((key) => [key, null]));
      return { body };
    });
    const url = await mcpHost(t, serve);
    for (const { tool, args } of fixtures) {
      t.falsy((await callTool(url, era, tool, args)).message.result.isError, tool);
    }
  });

  test(`[X20] ${era}: a client that leaves aborts the signal its call was given`, async (t) => {
    let signalled!: () => void;
    const aborted = new Promise<void>((resolve) => (signalled = resolve));
    const started = new AbortController();
    const serve = factory({
      contextFor: (_authInfo, signal) => {
        signal.addEventListener('abort', () => signalled());
        started.abort();
        return new Promise(() => {});
      },
    });
    const url = await mcpHost(t, serve);
    const { headers, body } = rpc(era, 'tools/call', { name: 'listReports', arguments: {} });
    const init = { method: 'POST', headers, body: JSON.stringify(body), signal: started.signal };
    await t.throwsAsync(async () => (await fetch(url, init)).text());
    await t.notThrowsAsync(aborted);
  });

  test(`${era}: one pooled instance for what is plain and one for the rest serve 2,000 exchanges`, async (t) => {
    const { serve } = answering(answerFromFixtures);
    let built = 0;
    const counted = () => ((built += 1), serve());
    let auth: AuthInfo = authInfo();
    const url = await mcpHost(t, counted, () => auth);
    for (let i = 0; i < 2_000; i++) {
      auth = authInfo(i % 10 === 7 ? { scopes: [READ] } : {});
      const { tool, args, answer } = fixtures[i % fixtures.length]!;
      if (i % 10 === 3) {
        t.true((await callTool(url, era, tool, { nonsense: i })).message.result.isError);
      } else if (i % 10 === 5) {
        t.is((await post(url, era, 'tools/list')).message.result.tools.length, 16);
      } else if (i % 10 === 7 && tool.startsWith('create')) {
        t.is((await callTool(url, era, tool, args)).status, 403);
      } else {
        t.deepEqual(
          (await callTool(url, era, tool, args)).message.result.structuredContent,
          answer,
        );
      }
    }
    t.is(built, 2);
  });
}

test('[N38] [N20] initialize names the server and offers tools and nothing else', async (t) => {
  const url = await mcpHost(t, factory({ logoUrl: 'https://mcp.neonpanel.test/logo.svg' }));
  const { message } = await post(url, 'legacy', 'initialize', {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'test', version: '1' },
  });
  t.deepEqual(message.result.serverInfo, {
    name: 'neonpanel',
    title: 'NeonPanel',
    version: '1.2.3',
    websiteUrl: 'https://mcp.neonpanel.test',
    icons: [
      { src: 'https://mcp.neonpanel.test/logo.svg', mimeType: 'image/svg+xml', sizes: ['any'] },
    ],
  });
  t.deepEqual(message.result.capabilities, { tools: { listChanged: false } });
  t.true(message.result.instructions.length < 1_000);
});

test('[F25] [F28] server/discover answers in the 2026-07-28 era, with the same capabilities', async (t) => {
  const { message } = await post(await mcpHost(t, factory()), 'modern', 'server/discover');
  t.is(message.result.resultType, 'complete');
  t.deepEqual(message.result.capabilities, { tools: { listChanged: false } });
  t.is(message.result.cacheScope, 'private');
});

test('tools/list of the 2026-07-28 era carries resultType, ttlMs and a private cacheScope; the older era does not', async (t) => {
  const url = await mcpHost(t, factory());
  const modern = (await post(url, 'modern', 'tools/list')).message.result;
  t.like(modern, { resultType: 'complete', ttlMs: 60_000, cacheScope: 'private' });
  const legacy = (await post(url, 'legacy', 'tools/list')).message.result;
  t.deepEqual(Object.keys(legacy), ['tools']);
});

test('[F28] methods of capabilities that are not offered do not exist', async (t) => {
  const url = await mcpHost(t, factory());
  for (const method of ['resources/list', 'prompts/list']) {
    t.is((await post(url, 'legacy', method)).message.error.code, -32601, method);
  }
});

for (const [title, auth, error, tool, scopes] of [
  [
    'a write without a token',
    undefined,
    'invalid_token',
    'createDocuments',
    'neonpanel.read neonpanel.write',
  ],
  [
    'a read without a token',
    undefined,
    'invalid_token',
    'listReports',
    'neonpanel.read neonpanel.write',
  ],
  [
    'a write with a read token',
    authInfo({ scopes: [READ] }),
    'insufficient_scope',
    'createDocuments',
    'neonpanel.read neonpanel.write',
  ],
  [
    'a read with no scope',
    authInfo({ scopes: [] }),
    'insufficient_scope',
    'listReports',
    'neonpanel.read',
  ],
] as const) {
  test(`[T39] [F35] the handler itself refuses ${title}, where no transport has checked it`, async (t) => {
    const { sent, context } = recordingUpstream(answerFromFixtures);
    const server = factory({ contextFor: () => context })();
    const messages: any[] = [];
    const transport = {
      start: async () => {},
      close: async () => {},
      send: async (message: unknown) => void messages.push(message),
    } as any;
    await server.connect(transport);
    const params = { name: tool, arguments: argsOf(tool) };
    transport.onmessage(
      { jsonrpc: '2.0', id: 1, method: 'tools/call', params },
      { authInfo: auth },
    );
    while (messages.length === 0) await new Promise((resolve) => setImmediate(resolve));
    t.true(messages[0].result.isError);
    const [challenge] = messages[0].result._meta['mcp/www_authenticate'];
    t.true(challenge.startsWith(`Bearer error="${error}", `));
    t.true(challenge.includes(` scope="${scopes}", `), challenge);
    t.deepEqual(sent, []);
  });
}

test('a refusal raised while the context is made becomes its sentence', async (t) => {
  const serve = factory({
    contextFor: () => Promise.reject(new Refusal('busy', 503, 'Too many calls at once.')),
  });
  const { message } = await callTool(await mcpHost(t, serve), 'modern', 'listReports', {});
  t.regex(message.result.content[0].text, /^Too many calls at once\./);
});

test('[T7] the context is made from the AuthInfo of the very request', async (t) => {
  const seen: string[] = [];
  let n = 0;
  const upstream = recordingUpstream((sent: Sent) => answerFromFixtures(sent));
  const contextFor = (info: AuthInfo) => (seen.push(info.clientId), upstream.context);
  const url = await mcpHost(t, factory({ contextFor }), () =>
    authInfo({ clientId: `c${n++}`, scopes: [READ, WRITE] }),
  );
  for (let i = 0; i < 4; i++)
    await callTool(url, i % 2 === 0 ? 'legacy' : 'modern', 'listReports', {});
  t.deepEqual(seen, ['c0', 'c1', 'c2', 'c3']);
});
