import type { McpHttpHandler } from '@modelcontextprotocol/server';
import { messagesIn } from './event-stream.ts';
import { exchangeOf } from './exchange.ts';

type Handler = Pick<McpHttpHandler, 'fetch'>;

/** What the transport insists on, whatever a client sends: most send less, and mean both. */
export const ACCEPT_ALL = 'application/json, text/event-stream';
/** Of a client that takes no stream: the transport reads the names only, and `asWanted` the rest. */
export const ACCEPT_JSON = 'application/json, text/event-stream;q=0';

/**
 * What the SDK answers, as we want it to leave:
 *
 * - An error that the SDK made by itself has the request id: in `error.data` of a JSON-RPC error, beside `error` of an
 *   OAuth one. A failed tool says its id in its text.
 * - A client that takes JSON only gets JSON, without what is told along the way.
 * - Nothing is stored anywhere: answers hold the data of a user.
 */
export function asWanted(handler: Handler): Handler {
  return {
    async fetch(request, options) {
      const response = await handler.fetch(request, options);
      const { headers } = response;
      const type = headers.get('content-type') ?? '';
      if (type.startsWith('application/json') && response.status >= 400) {
        const { requestId } = exchangeOf(options?.authInfo);
        return json(response, tagged(await response.json(), requestId));
      }
      if (type !== 'text/event-stream') return response;
      if (request.headers.get('accept') === ACCEPT_JSON) {
        return json(response, await answersIn(response.body!, Array.isArray(options?.parsedBody)));
      }
      // A proxy that compresses would hold messages back.
      headers.set('cache-control', 'no-store, no-transform');
      return response;
    },
  };
}

/** The same answer with another body. */
function json({ status, headers }: Response, body: unknown): Response {
  for (const name of ['content-length', 'connection', 'x-accel-buffering']) headers.delete(name);
  headers.set('content-type', 'application/json');
  headers.set('cache-control', 'no-store');
  return new Response(JSON.stringify(body), { status, headers });
}

/** What answers a request, of all that a stream says to its end. */
async function answersIn(body: ReadableStream<Uint8Array>, isBatch: boolean): Promise<unknown> {
  const answers: unknown[] = [];
  for await (const text of messagesIn(body)) {
    const message = JSON.parse(text) as { method?: unknown };
    if (message.method === undefined) answers.push(message);
  }
  return isBatch ? answers : answers[0];
}

function tagged(body: unknown, request_id: string): unknown {
  const { error } = Object(body) as { error?: unknown };
  if (typeof error === 'string') return { ...Object(body), request_id };
  if (typeof error !== 'object' || error === null) return body;
  const { data } = error as { data?: unknown };
  return { ...Object(body), error: { ...error, data: { ...Object(data), request_id } } };
}
