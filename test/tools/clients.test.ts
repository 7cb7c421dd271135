import test, { type ExecutionContext } from 'ava';
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
} from '@modelcontextprotocol/client';
import { Client as FirstClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as FirstTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { tools } from '../../mcp/tools/index.ts';
import { answerFromFixtures, fixtures } from './support/fixtures.ts';
import { factory, mcpHost } from './support/mcp-host.ts';
import { recordingUpstream, type Answer, type Sent } from './support/upstream.ts';

/** What both generations of the client have in common. */
interface AnyClient {
  listTools(): Promise<{ tools: { name: string }[] }>;
  callTool(call: { name: string; arguments: Record<string, unknown> }): Promise<any>;
  close(): Promise<void>;
}

const me = { name: 'test', version: '1' };
const first = async (url: URL): Promise<AnyClient> => {
  const client = new FirstClient(me);
  await client.connect(new FirstTransport(url) as never);
  return client;
};
const second = (mode: 'legacy' | 'auto') => async (url: URL) => {
  const client = new ModernClient(me, { versionNegotiation: { mode } });
  await client.connect(new ModernTransport(url));
  return client as AnyClient;
};

const CLIENTS: [string, (url: URL) => Promise<AnyClient>][] = [
  ['the SDK client v1', first],
  ['the SDK client v2 in the older era', second('legacy')],
  ['the SDK client v2 in the 2026-07-28 era', second('auto')],
];

async function connected(
  t: ExecutionContext,
  open: (url: URL) => Promise<AnyClient>,
  answer: (sent: Sent) => Answer,
) {
  const { context } = recordingUpstream(answer);
  const client = await open(await mcpHost(t, factory({ contextFor: () => context })));
  t.teardown(() => client.close());
  return client;
}

for (const [name, open] of CLIENTS) {
  test(`[N22] [N36] ${name} lists the 16 tools, calls every one and accepts its structured content`, async (t) => {
    const client = await connected(t, open, answerFromFixtures);
    const listed = await client.listTools();
    t.deepEqual(
      listed.tools.map((tool) => tool.name),
      tools.map((tool) => tool.name),
    );
    for (const { tool, args, answer } of fixtures) {
      const result = await client.callTool({ name: tool, arguments: args });
      t.deepEqual(result.structuredContent, answer, tool);
      t.deepEqual(JSON.parse(result.content[0].text), answer, tool);
    }
  });

  test(`[N36] ${name} accepts nulls, strange values and missing fields from every tool`, async (t) => {
    const everyFieldNull = ({ path }: Sent): Answer => {
      const { answer } = fixtures.find(({ sends }) => sends.path === path)!;
      return { body: Object.fromEntries(Object.keys(answer).map((key) => [key, null])) };
    };
    const client = await connected(t, open, everyFieldNull);
    await client.listTools();
    for (const { tool, args } of fixtures) {
      t.falsy((await client.callTool({ name: tool, arguments: args })).isError, tool);
    }
  });

  test(`[N36] ${name} gets an error result, not an exception, when an answer has an unknown form`, async (t) => {
    const client = await connected(t, open, () => ({
      body: { data: 'none', details: 1, status: {} },
    }));
    await client.listTools();
    for (const { tool, args } of fixtures) {
      await t.notThrowsAsync(client.callTool({ name: tool, arguments: args }), tool);
    }
    t.true((await client.callTool({ name: 'listReports', arguments: {} })).isError);
  });

  test(`${name} gets an error result for bad arguments`, async (t) => {
    const client = await connected(t, open, answerFromFixtures);
    await client.listTools();
    const result = await client.callTool({ name: 'listCompanies', arguments: { page: 0 } });
    t.true(result.isError);
    t.regex(result.content[0].text, /page: must be at least 1/);
  });
}

test('the SDK client v2 negotiates 2026-07-28 with this server', async (t) => {
  const url = await mcpHost(t, factory());
  const client = new ModernClient(me, { versionNegotiation: { mode: 'auto' } });
  await client.connect(new ModernTransport(url));
  t.teardown(() => client.close());
  t.is(client.getNegotiatedProtocolVersion(), '2026-07-28');
});
