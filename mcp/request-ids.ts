import type { McpHttpHandler } from '@modelcontextprotocol/server';
import { exchangeOf } from './exchange.ts';

/**
 * Puts the request id into errors that the SDK answers by itself: into `error.data` of a JSON-RPC error, beside `error`
 * of an OAuth one. Answers of status 200 pass untouched; a failed tool says its id in its text.
 */
export function withRequestIds(
  handler: Pick<McpHttpHandler, 'fetch'>,
): Pick<McpHttpHandler, 'fetch'> {
  return {
    async fetch(request, options) {
      const response = await handler.fetch(request, options);
      const isJson = /^application\/json/.test(response.headers.get('content-type') ?? '');
      if (response.status < 400 || !isJson) return response;
      const { requestId } = exchangeOf(options?.authInfo);
      const { status, headers } = response;
      headers.delete('content-length');
      return new Response(JSON.stringify(tagged(await response.json(), requestId)), {
        status,
        headers,
      });
    },
  };
}

function tagged(body: unknown, request_id: string): unknown {
  const { error } = Object(body) as { error?: unknown };
  if (typeof error === 'string') return { ...Object(body), request_id };
  if (typeof error !== 'object' || error === null) return body;
  const { data } = error as { data?: unknown };
  return { ...Object(body), error: { ...error, data: { ...Object(data), request_id } } };
}
