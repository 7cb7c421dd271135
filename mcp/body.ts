import type { Context } from 'koa';
import { readText } from '../http/body.ts';
import { sizeOf } from '../json-size.ts';
import { isObject, MAX_DEPTH, MAX_VALUES } from './json-text.ts';
import { RpcRefusal } from './rpc-refusal.ts';

/** Messages of real clients are a few kilobytes; this leaves room for a large document. */
const MCP_BODY_LIMIT_BYTES = 1024 * 1024;
const MAX_BATCH = 20;

/** What a POST brings: one message, or a batch of them. */
export interface Posted {
  readonly body: unknown;
  readonly messages: readonly JsonRpcMessage[];
}

export type JsonRpcMessage = { readonly [member: string]: unknown };

/**
 * Reads the JSON-RPC message or (2025-03-26 and before) batch of a POST.
 *
 * @returns the parsed body and its messages
 * @throws RpcRefusal -32700, -32600, 415; Refusal 413
 */
export async function readMessages(ctx: Context): Promise<Posted> {
  if (!isJson(ctx)) {
    throw new RpcRefusal(415, -32600, 'Content-Type must be application/json.');
  }
  refuseEncoded(ctx);
  const text = await readText(ctx, MCP_BODY_LIMIT_BYTES);
  const { depth, values } = sizeOf(text, MAX_VALUES);
  if (depth > MAX_DEPTH) {
    throw new RpcRefusal(400, -32600, `The message is nested deeper than ${MAX_DEPTH} levels.`);
  }
  if (values > MAX_VALUES) {
    throw new RpcRefusal(400, -32600, `The message has more than ${MAX_VALUES} values.`);
  }
  const body = parse(text);
  const messages: unknown[] = Array.isArray(body) ? body : [body];
  if (messages.length === 0 || messages.length > MAX_BATCH) {
    throw new RpcRefusal(400, -32600, `A batch has 1 to ${MAX_BATCH} messages.`);
  }
  if (!messages.every(isObject)) throw new RpcRefusal(400, -32600, 'A message is a JSON object.');
  refuseRepeatedIds(messages);
  return { body, messages };
}

/** As most say it, without taking it apart. */
const isJson = (ctx: Context): boolean => {
  const { 'content-type': type, 'content-length': length } = ctx.req.headers;
  const isPlainly = type === 'application/json' && length !== undefined;
  return isPlainly || Boolean(ctx.is('application/json'));
};

/** Answers are told apart by their ids: of two with the same one would be lost, and it may be that of a write. */
function refuseRepeatedIds(messages: readonly JsonRpcMessage[]): void {
  if (messages.length === 1) return;
  const ids = requestIds(messages);
  if (new Set(ids).size === ids.length) return;
  throw new RpcRefusal(400, -32600, 'Each request of a batch needs an id of its own.');
}

/** True of what is to be answered under its id. */
export const isRequest = ({ method, id }: JsonRpcMessage): boolean =>
  method !== undefined && id !== undefined;

export const requestIds = (messages: readonly JsonRpcMessage[]): unknown[] =>
  messages.filter(isRequest).map(({ id }) => id);

/** A body that unfolds could be of any size (RFC 9110 §15.5.16). */
function refuseEncoded(ctx: Context): void {
  const encoding = (ctx.req.headers['content-encoding'] ?? '').trim().toLowerCase();
  if (encoding === '' || encoding === 'identity') return;
  ctx.set('Accept-Encoding', 'identity');
  const shown = encoding.replace(/[^\w.+, -]/g, '').slice(0, 40);
  throw new RpcRefusal(
    415,
    -32600,
    `Content-Encoding ${shown} is not read. Send the body as it is.`,
  );
}

/** Some platforms write one in front of every text. */
const BYTE_ORDER_MARK = '\uFEFF';

function parse(text: string): unknown {
  try {
    return JSON.parse(text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text);
  } catch {
    throw new RpcRefusal(400, -32700, 'The body is not valid JSON.');
  }
}
