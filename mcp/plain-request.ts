import type { IncomingHttpHeaders } from 'node:http';
import { classifyInboundRequest, type JSONRPCRequest } from '@modelcontextprotocol/server';
import { createBoundedMap } from '../bounded-map.ts';
import { isObject } from './json-text.ts';
import type { Era } from './pool.ts';
import { LEGACY_VERSIONS, MODERN_VERSION } from './protocol-version.ts';

/** One request that leaves nothing to be judged: how it came is as it should be, and its answer is one of JSON. */
export interface PlainRequest {
  readonly era: Era;
  readonly request: JSONRPCRequest;
}

/** Clients whose envelope is known; one sends the same with every request. */
const KNOWN_ENVELOPES = 1_000;
const MAX_KNOWN_LENGTH = 1_000;

/**
 * Most requests by far are calls of a tool, or ask for the list, and are plainly right. What is, is asked for by the SDK's
 * classification and by the rule for headers of 2026-07-28 (SEP-2243); whatever else it is, batches, mistakes, requests
 * for progress or scopes that are missing, goes to the SDK's handler, which refuses what is to be refused.
 *
 * The SDK finds out more slowly what a request is than it answers it. So it is not asked about what can be seen at a glance:
 * a message with nothing in it to classify, and one whose envelope it has found right before.
 */
export function createPlainReader() {
  /** Envelopes that are right, as JSON. */
  const known = createBoundedMap<true>(KNOWN_ENVELOPES);

  /**
   * @param body what was posted
   * @param mayCall whether the caller has all scopes that the tool of this name needs; false if there is no such tool
   */
  return function plainRequest(
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
    const methodHeader = headerOf(headers, 'mcp-method');
    const isModern =
      version === MODERN_VERSION &&
      methodHeader === method &&
      (!isCall || headerOf(headers, 'mcp-name') === name);
    const isLegacy = version === undefined || LEGACY_VERSIONS.includes(version);
    const as = (era: Era) => ({ era, request: body as unknown as JSONRPCRequest });

    const isFormal = hasFormOfRequest(body);
    const envelope = params['_meta'];
    if (isFormal && isLegacy && methodHeader === undefined && envelope === undefined) {
      return as('legacy');
    }
    const json = isFormal && isModern ? wordsOf(envelope) : undefined;
    if (json !== undefined && known.get(json)) return as('modern');

    const route = classifyInboundRequest({
      httpMethod: 'POST',
      body,
      ...(version !== undefined && { protocolVersionHeader: version }),
      ...(methodHeader !== undefined && { mcpMethodHeader: methodHeader }),
    });
    if (route.kind === 'legacy') {
      return isLegacy && route.reason === 'no-claim' ? as('legacy') : undefined;
    }
    if (route.kind !== 'modern' || route.messageKind !== 'request' || !isModern) return undefined;
    if (route.classification.revision !== version) return undefined;
    if (json !== undefined && json.length <= MAX_KNOWN_LENGTH) known.set(json, true);
    return as('modern');
  };
}

/** Whether a message has the form of a request (JSON-RPC 2.0 §4) and nothing else in it, as far as this can be seen at once. */
const hasFormOfRequest = ({ jsonrpc, id, params: _, ...rest }: Record<string, unknown>): boolean =>
  jsonrpc === '2.0' &&
  (typeof id === 'string' || Number.isSafeInteger(id)) &&
  Object.keys(rest).every((name) => name === 'method');

/** As JSON, if that says all: infinity, which `1e999` is read as, would be written as null. */
function wordsOf(envelope: unknown): string | undefined {
  const json = JSON.stringify(envelope);
  return json?.includes('null') ? undefined : json;
}

const headerOf = (headers: IncomingHttpHeaders, name: string): string | undefined => {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
};

/** Spelled out: negotiation is left to those who only nearly say so. */
const takesJson = ({ accept = '*/*' }: IncomingHttpHeaders): boolean =>
  /(?:^|, *)(?:application\/json|\*\/\*) *(?:,|$)/.test(accept);

const wantsProgress = (params: Record<string, unknown>): boolean =>
  isObject(params['_meta']) && params['_meta']['progressToken'] !== undefined;
