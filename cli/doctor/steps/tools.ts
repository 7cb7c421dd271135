import { describe } from '../http.ts';
import {
  bearer,
  discover,
  initialize,
  LEGACY_VERSION,
  MODERN_VERSION,
  rpc,
  rpcOf,
} from '../mcp.ts';
import type { Document, Examination, Says, Step, Tool } from '../step.ts';

const PROTOCOL_VERSIONS = [
  '2024-11-05',
  '2025-03-26',
  '2025-06-18',
  LEGACY_VERSION,
  MODERN_VERSION,
];
const MAX_NAME = 64;
const MAX_PAGES = 20;

export const toolListSteps: readonly Step[] = [
  {
    id: 'initialize',
    title: 'initialize says what the server can do',
    needs: ['tokens'],
    async run({ http, target, facts }, says) {
      const headers = bearer(facts.tokens!.access_token);
      const answer = await http.ask(target.mcpUrl, initialize(headers));
      const result = rpcOf(answer)?.result;
      if (!result) {
        return says.fail(
          `initialize is answered ${describe(answer)} without a result`,
          'Answer with a JSON-RPC result, as JSON or as one event.',
        );
      }
      if (!PROTOCOL_VERSIONS.includes(result.protocolVersion)) {
        says.fail(
          `protocolVersion is ${JSON.stringify(result.protocolVersion)}, which is no version of the protocol`,
          `Answer ${LEGACY_VERSION}, or the version that was asked for.`,
        );
      }
      const capabilities = result.capabilities as Document | undefined;
      const odd = Object.entries(capabilities ?? { capabilities }).filter(
        ([, value]) => typeof value !== 'object' || value === null,
      );
      for (const [name, value] of odd) {
        says.fail(
          `capabilities.${name} is ${JSON.stringify(value)}, not an object`,
          'Write {} for what is supported, and leave out what is not.',
        );
      }
      if (!result.serverInfo?.name) {
        says.warn('serverInfo has no name', 'Name the server, its version, title and icons.');
      }
      const note = await http.ask(target.mcpUrl, rpc('notifications/initialized', {}, headers));
      if (note.status !== 202) {
        says.fail(
          `notifications/initialized is answered ${describe(note)}, not 202`,
          'Answer notifications with 202 and no body.',
        );
      }
      says.note(
        `${result.serverInfo?.name} ${result.serverInfo?.version}, ${result.protocolVersion}`,
      );
    },
  },
  {
    id: 'server-discover',
    title: 'server/discover of the newer protocol is answered',
    needs: ['tokens'],
    async run({ http, target, facts }, says) {
      const answer = await http.ask(target.mcpUrl, discover(bearer(facts.tokens!.access_token)));
      const result = rpcOf(answer)?.result;
      if (result) return;
      const isKnown = rpcOf(answer)?.error !== undefined;
      (facts.ours || !isKnown ? says.fail : says.warn)(
        `server/discover, with which ChatGPT begins, is answered ${describe(answer)}`,
        'Serve protocol 2026-07-28 too; at least answer a JSON-RPC error, so that the client falls back.',
      );
    },
  },
  {
    id: 'tools-list',
    title: 'There are tools',
    needs: ['tokens'],
    async run(x, says) {
      const tools = await listTools(x, says);
      if (!tools) return;
      if (tools.length === 0) {
        return says.fail(
          'tools/list is empty, although the token is accepted',
          'Look for what hides the tools: scopes, a filter, a failed start of a part.',
        );
      }
      x.facts.tools = tools;
      says.note(`${tools.length} tools`);
      for (const { name } of tools) {
        if (new RegExp(`^[a-zA-Z0-9_-]{1,${MAX_NAME}}$`).test(name)) continue;
        says.fail(
          `the tool name ${JSON.stringify(name)} has characters or a length that clients refuse`,
          'Use letters, digits, _ and -, at most 49 characters, since clients add a prefix.',
        );
      }
    },
  },
];

export const toolCallSteps: readonly Step[] = [
  {
    id: 'tools-call',
    title: 'A tool that only reads can be called',
    needs: ['tools'],
    skipIf: ({ facts }) =>
      harmless(facts.tools!) ? undefined : 'no tool that only reads and needs no arguments',
    async run({ http, target, facts }, says) {
      const tool = harmless(facts.tools!)!;
      const params = { name: tool.name, arguments: {} };
      const headers = bearer(facts.tokens!.access_token);
      const answer = await http.ask(target.mcpUrl, rpc('tools/call', params, headers));
      const message = rpcOf(answer);
      const result = message?.result;
      if (!result) {
        return says.fail(
          `calling ${tool.name} is answered ${describe(answer)} ${message?.error?.message ?? ''}`.trim(),
          'A failure of a tool is a result with isError, not an HTTP or JSON-RPC error; only a missing sign-in is 401.',
        );
      }
      if (!Array.isArray(result.content)) {
        return says.fail(
          `the result of ${tool.name} has no content`,
          'Answer {"content": [{"type": "text", "text": "…"}]}.',
        );
      }
      if (result.isError) {
        return says.fail(
          `${tool.name} fails: ${String(result.content[0]?.text).slice(0, 200)}`,
          'Sign-in works; look at what is behind the tool (NeonPanel, its address, the credential).',
        );
      }
      if (tool.outputSchema && result.structuredContent === undefined) {
        says.fail(
          `${tool.name} has an outputSchema, and its result no structuredContent`,
          'Send structuredContent that matches the schema.',
        );
      }
      says.note(tool.name);
    },
  },
];

async function listTools(
  { http, target, facts }: Examination,
  says: Says,
): Promise<Tool[] | undefined> {
  const tools: Tool[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const headers = bearer(facts.tokens!.access_token);
    const answer = await http.ask(
      target.mcpUrl,
      rpc('tools/list', cursor ? { cursor } : {}, headers),
    );
    const result = rpcOf(answer)?.result;
    if (!Array.isArray(result?.tools)) {
      says.fail(
        `tools/list is answered ${describe(answer)} without a list of tools`,
        'Answer with a JSON-RPC result that has tools.',
      );
      return undefined;
    }
    tools.push(...(result.tools as Tool[]));
    cursor = result.nextCursor;
    if (!cursor) return tools;
  }
  says.fail('tools/list has no end', `End within ${MAX_PAGES} pages.`);
  return undefined;
}

/** Reads only, and needs nothing. @returns undefined if there is none */
const harmless = (tools: readonly Tool[]): Tool | undefined =>
  tools.find(
    ({ annotations, inputSchema }) =>
      annotations?.readOnlyHint === true && ![inputSchema?.required ?? []].flat().length,
  );
