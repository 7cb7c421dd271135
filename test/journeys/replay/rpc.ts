/** JSON-RPC messages as clients write them, in both eras. */

export interface ClientInfo {
  readonly name: string;
  readonly title?: string;
  readonly version: string;
}

export const initialize = (
  clientInfo: ClientInfo,
  capabilities: object = {},
  protocolVersion = '2025-11-25',
) => ({
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion, capabilities, clientInfo },
});

export const INITIALIZED = { jsonrpc: '2.0', method: 'notifications/initialized' };

export const request = (id: number, method: string, params?: object) => ({
  jsonrpc: '2.0',
  id,
  method,
  ...(params && { params }),
});

/** A request of the 2026-07-28 era: what `initialize` used to say comes with each. */
export const modern = (
  clientInfo: ClientInfo,
  id: number,
  method: string,
  params: { readonly _meta?: object; readonly [name: string]: unknown } = {},
) =>
  request(id, method, {
    ...params,
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
      'io.modelcontextprotocol/clientInfo': clientInfo,
      ...params._meta,
    },
  });

/** The headers that repeat the body (SEP-2243). */
export const modernHeaders = (method: string, name?: string) => ({
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': method,
  ...(name !== undefined && { 'mcp-name': name }),
});
