import type { IncomingHttpHeaders } from 'node:http';
import { classifyInboundRequest, type JSONRPCRequest } from '@modelcontextprotocol/server';
import { isObject } from './json-text.ts';
import type { Era } from './pool.ts';
import { LEGACY_VERSIONS, MODERN_VERSION } from './protocol-version.ts';

/** One request that leaves nothing to be judged: how it came is as it should be, and its answer is one of JSON. */
export interface PlainRequest {
  readonly era: Era;
  readonly request: JSONRPCRequest;
}

/**
 * Most requests by far are calls of a tool, or ask for the list, and are plainly right. What is, is asked for by the SDK's
 * classification and by the rule for headers of 2026-07-28 (SEP-2243); whatever else it is, batches, mistakes, requests
 * for progress or scopes that are missing, goes to the SDK's handler, which refuses what is to be refused.
 *
 * @param body what was posted
 * @param mayCall whether the caller has all scopes that the tool of this name needs; false if there is no such tool
 */
export function plainRequest(
  headers: IncomingHttpHeaders,
  body: unknown,
  mayCall: (toolName: string) => boolean,
): PlainRequest | undefined {
  if (!isObject(body) || !takesJson(headers)) return undefined;
  const { method, params = {} } = body;
  if (!isObject(params) || wantsProgress(params)) return undefined;
  const name = params['name'];
  const isCall = method === 'tools/call' && typeof name === 'string' && mayCall(name);
  const isList = method === 'tools/list' && params['cursor'] === undefined;
  if (!isCall && !isList) return undefined;

  const version = headerOf(headers, 'mcp-protocol-version');
  const mcpMethodHeader = headerOf(headers, 'mcp-method');
  const isOfLegacyEra = version === undefined || LEGACY_VERSIONS.includes(version);
  const legacy = { era: 'legacy', request: body as unknown as JSONRPCRequest } as const;
  if (isBare(body) && mcpMethodHeader === undefined && isOfLegacyEra) return legacy;
  const route = classifyInboundRequest({
    httpMethod: 'POST',
    body,
    ...(version !== undefined && { protocolVersionHeader: version }),
    ...(mcpMethodHeader !== undefined && { mcpMethodHeader }),
  });
  if (route.kind === 'legacy' && route.reason === 'no-claim') {
    return isOfLegacyEra ? legacy : undefined;
  }
  if (route.kind !== 'modern' || route.messageKind !== 'request') return undefined;
  const isAsNamed =
    version === MODERN_VERSION &&
    mcpMethodHeader === method &&
    (!isCall || headerOf(headers, 'mcp-name') === name);
  return isAsNamed && route.classification.revision === version
    ? { era: 'modern', request: route.message }
    : undefined;
}

/**
 * Whether a message is a request that says of itself nothing but what is asked for, which only the 2025 eras allow: there is
 * nothing in it to classify, and that the SDK finds out more slowly than it answers.
 */
const isBare = ({ jsonrpc, id, params, ...rest }: Record<string, unknown>): boolean =>
  jsonrpc === '2.0' &&
  (typeof id === 'string' || Number.isSafeInteger(id)) &&
  Object.keys(rest).every((name) => name === 'method') &&
  (params === undefined || !Object.hasOwn(params as object, '_meta'));

const headerOf = (headers: IncomingHttpHeaders, name: string): string | undefined => {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
};

/** Spelled out: negotiation is left to those who only nearly say so. */
const takesJson = ({ accept = '*/*' }: IncomingHttpHeaders): boolean =>
  /(?:^|, *)(?:application\/json|\*\/\*) *(?:,|$)/.test(accept);

const wantsProgress = (params: Record<string, unknown>): boolean =>
  isObject(params['_meta']) && params['_meta']['progressToken'] !== undefined;
