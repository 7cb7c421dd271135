import type { Answer, Question } from './http.ts';

/** JSON-RPC over Streamable HTTP, as little as is needed. */
export const LEGACY_VERSION = '2025-11-25';
export const MODERN_VERSION = '2026-07-28';

export const CLIENT_INFO = { name: 'doctor', version: '1.0.0' };

/** @param headers added, e.g. Authorization */
export const rpc = (
  method: string,
  params: unknown,
  headers: Readonly<Record<string, string>> = {},
): Question => ({
  method: 'POST',
  headers: {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': LEGACY_VERSION,
    ...headers,
  },
  body: JSON.stringify({
    jsonrpc: '2.0',
    // A notification has no id.
    ...(method.startsWith('notifications/') ? {} : { id: 1 }),
    method,
    params,
  }),
});

export const initialize = (headers?: Readonly<Record<string, string>>): Question =>
  rpc(
    'initialize',
    { protocolVersion: LEGACY_VERSION, capabilities: {}, clientInfo: CLIENT_INFO },
    headers,
  );

/** The question that clients of the newer protocol begin with. */
export const discover = (headers?: Readonly<Record<string, string>>): Question =>
  rpc(
    'server/discover',
    {
      _meta: {
        'io.modelcontextprotocol/protocolVersion': MODERN_VERSION,
        'io.modelcontextprotocol/clientInfo': CLIENT_INFO,
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    },
    { ...headers, 'mcp-protocol-version': MODERN_VERSION, 'mcp-method': 'server/discover' },
  );

export interface RpcMessage {
  readonly result?: any;
  readonly error?: { readonly code: number; readonly message: string };
}

/** The one JSON-RPC answer in a body or in an event stream; undefined if there is none. */
export function rpcOf(answer: Answer): RpcMessage | undefined {
  const data = [...answer.text.matchAll(/^data: ?(.*)$/gm)].map(([, line]) => line!);
  for (const text of data.length ? data : [answer.text]) {
    try {
      const message: unknown = JSON.parse(text);
      if (typeof message === 'object' && message !== null) {
        if ('result' in message || 'error' in message) return message as RpcMessage;
      }
    } catch {
      // Not this one.
    }
  }
  return undefined;
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
