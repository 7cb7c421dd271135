import type { Context } from 'koa';
import { readText } from '../http/body.ts';
import { RpcRefusal } from './rpc-refusal.ts';

/** Messages of real clients are a few kilobytes; this leaves room for a large document. */
const MCP_BODY_LIMIT_BYTES = 1024 * 1024;
const MAX_DEPTH = 64;
const MAX_BATCH = 20;

export type JsonRpcMessage = { readonly [member: string]: unknown };

/**
 * Reads the JSON-RPC message or (2025-03-26 and before) batch of a POST.
 *
 * @returns the parsed body, as it goes to the transport, and its messages
 * @throws RpcRefusal -32700, -32600; Refusal 413
 */
export async function readMessages(
  ctx: Context,
): Promise<{ body: unknown; messages: JsonRpcMessage[] }> {
  if (!ctx.is('application/json')) {
    throw new RpcRefusal(415, -32600, 'Content-Type must be application/json.');
  }
  const text = await readText(ctx, MCP_BODY_LIMIT_BYTES);
  if (depthOf(text) > MAX_DEPTH) {
    throw new RpcRefusal(400, -32600, `The message is nested deeper than ${MAX_DEPTH} levels.`);
  }
  const body = parse(text);
  const messages = [body].flat(1) as unknown[];
  if (messages.length === 0 || messages.length > MAX_BATCH) {
    throw new RpcRefusal(400, -32600, `A batch has 1 to ${MAX_BATCH} messages.`);
  }
  if (!messages.every(isObject)) throw new RpcRefusal(400, -32600, 'A message is a JSON object.');
  return { body, messages };
}

const isObject = (value: unknown): value is JsonRpcMessage =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RpcRefusal(400, -32700, 'The body is not valid JSON.');
  }
}

/** Deepest nesting, found without parsing: a parser or a validator may recurse, this does not. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (inString) {
      if (char === BACKSLASH) i++;
      else if (char === QUOTE) inString = false;
    } else if (char === QUOTE) inString = true;
    else if (char === OPEN_BRACE || char === OPEN_BRACKET) deepest = Math.max(deepest, ++depth);
    else if (char === CLOSE_BRACE || char === CLOSE_BRACKET) depth--;
  }
  return deepest;
}

const QUOTE = 34;
const BACKSLASH = 92;
const OPEN_BRACE = 123;
const OPEN_BRACKET = 91;
const CLOSE_BRACE = 125;
const CLOSE_BRACKET = 93;
