import type { Shot } from './generator/protocol.ts';

export type Era = '2025-11-25' | '2026-07-28';

/** What a client sends to an MCP endpoint, complete with the headers that its era wants. */
export function mcpShot(
  era: Era,
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  token?: string,
): Shot {
  const isModern = era === '2026-07-28';
  const envelope = {
    'io.modelcontextprotocol/protocolVersion': era,
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
  };
  return {
    method: 'POST',
    path: '/mcp',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': era,
      ...(isModern && { 'mcp-method': method }),
      ...(isModern && typeof params['name'] === 'string' && { 'mcp-name': params['name'] }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method,
      params: isModern ? { ...params, _meta: envelope } : params,
    }),
  };
}

/** A tool that answers at once, so that what is measured is everything around a tool. */
export const echoCall = (era: Era, token?: string): Shot =>
  mcpShot(era, 'tools/call', { name: 'echo', arguments: { text: ECHOED } }, token);

export const ECHOED = 'a sentence of about the length that people write to a tool';

/** The tool that asks NeonPanel one thing and hands on the answer. */
export const companiesCall = (era: Era, token?: string): Shot =>
  mcpShot(era, 'tools/call', { name: 'listCompanies', arguments: {} }, token);

/** In every answer that went the whole way to the upstream. */
export const FROM_UPSTREAM = 'Harbor & Pine Home';
