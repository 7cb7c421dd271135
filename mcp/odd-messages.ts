import { isRequest, type JsonRpcMessage, type Posted } from './body.ts';
import { isObject, parseInner, UNREADABLE } from './json-text.ts';

/**
 * What was posted as it is meant, where a client writes it in a way that the transport would refuse or never finish with.
 *
 * - The arguments of a call as a text of JSON, as nothing, or as an empty text. What is no object either way is left to the
 *   tool to refuse.
 * - A batch that gives up one of its own requests: that one would be waited for and never answered.
 */
export function asMeant(posted: Posted): Posted {
  if (!Array.isArray(posted.body)) {
    const messages = posted.messages.map(withObjectArguments);
    return { body: messages[0], messages };
  }
  const givenUp = new Set<unknown>(
    posted.messages.map(cancelledId).filter((id) => id !== undefined),
  );
  const messages = posted.messages
    .filter((message) => !isOrdinary(message) || !givenUp.has(message['id']))
    .map(withObjectArguments);
  return { body: messages, messages };
}

/** A request, and not one that gives up another. */
const isOrdinary = (message: JsonRpcMessage): boolean =>
  isRequest(message) && cancelledId(message) === undefined;

/** The request that a `notifications/cancelled` gives up. */
export const cancelledId = ({ method, params }: JsonRpcMessage): unknown =>
  method === 'notifications/cancelled'
    ? (params as { requestId?: unknown } | undefined)?.requestId
    : undefined;

function withObjectArguments(message: JsonRpcMessage): JsonRpcMessage {
  const { method, params } = message;
  if (method !== 'tools/call' || !isObject(params)) return message;
  const args = meant(params['arguments']);
  return args === undefined ? message : { ...message, params: { ...params, arguments: args } };
}

/** @returns undefined for what is as it should be */
function meant(args: unknown): object | undefined {
  if (args === undefined || isObject(args)) return undefined;
  if (args === null || args === '') return {};
  const inner = typeof args === 'string' ? parseInner(args) : undefined;
  return isObject(inner) ? inner : UNREADABLE;
}
