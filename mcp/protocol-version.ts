import { SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/server';
import type { Context } from 'koa';
import type { JsonRpcMessage } from './body.ts';
import { isObject } from './json-text.ts';
import { RpcRefusal } from './rpc-refusal.ts';

export const MODERN_VERSION = '2026-07-28';
/** Newest first. */
export const LEGACY_VERSIONS: readonly string[] = SUPPORTED_PROTOCOL_VERSIONS;
export const VERSIONS: readonly string[] = [MODERN_VERSION, ...LEGACY_VERSIONS];

const HEADER = 'mcp-protocol-version';
const MAX_SHOWN = 40;

/**
 * Refuses a version that is not served by its name; the transport would miss something else in the message. What an
 * `initialize` says counts more than its header, and messages of 2026-07-28 say their version themselves: the transport
 * looks at those. An empty header is none.
 *
 * @param served versions that may be named
 * @throws RpcRefusal 400
 */
export function checkVersion(
  ctx: Context,
  messages: readonly JsonRpcMessage[],
  served: readonly string[],
): void {
  const version = ctx.get(HEADER);
  if (served.includes(version)) return;
  if (version === '' || messages.some(({ method }) => method === 'initialize')) {
    delete ctx.req.headers[HEADER];
    return;
  }
  if (messages.some(saysItself)) return;
  const shown = version.slice(0, MAX_SHOWN);
  const description = `Unsupported protocol version in MCP-Protocol-Version: ${shown}. Served are ${served.join(', ')}.`;
  throw new RpcRefusal(400, -32000, description);
}

function saysItself({ params }: JsonRpcMessage): boolean {
  const meta = isObject(params) ? params['_meta'] : undefined;
  return isObject(meta) && 'io.modelcontextprotocol/protocolVersion' in meta;
}
