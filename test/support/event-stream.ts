import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

/** `GET /sse` seen byte by byte, with nothing of a client in between. */
export interface EventStream {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Everything that has come. */
  text(): string;
  /** The address for messages, as the stream names it; waits for it. */
  endpoint(): Promise<string>;
  /** The JSON-RPC messages that have come; waits until there are so many. */
  messages(count: number): Promise<any[]>;
  /** Resolves when the server has ended it, to `end` or, if it was cut, `cut`. */
  readonly ended: Promise<'end' | 'cut'>;
  /** Reads no more, and stays connected. */
  pause(): void;
  /** The client goes. */
  close(): void;
}

const PATIENCE_MS = 20_000;

/** @param token none: anonymous */
export function openEventStream(
  base: string,
  token: string | undefined,
  headers: Record<string, string> = {},
  path = '/sse',
): Promise<EventStream> {
  const { hostname, port } = new URL(base);
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    const outgoing = request({
      hostname,
      port,
      path,
      agent: false,
      headers: { accept: 'text/event-stream', ...authorization, ...headers },
    });
    outgoing.on('error', reject);
    outgoing.on('response', (answer) => resolve(streamOf(answer)));
    outgoing.end();
  });
}

function streamOf(answer: IncomingMessage): EventStream {
  let text = '';
  answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const ended = new Promise<'end' | 'cut'>((resolve) => {
    answer.once('end', () => resolve('end'));
    answer.once('error', () => resolve('cut'));
    answer.once('close', () => resolve('cut'));
  });
  const until = async <T>(look: () => T | undefined): Promise<T> => {
    for (let waited = 0; waited < PATIENCE_MS; waited += 10) {
      const found = look();
      if (found !== undefined) return found;
      await wait(10);
    }
    throw new Error(`the stream has only:\n${text}`);
  };
  return {
    status: answer.statusCode!,
    headers: answer.headers,
    text: () => text,
    endpoint: () => until(() => /^event: endpoint\ndata: (.+)\n\n/.exec(text)?.[1]),
    messages: (count) =>
      until(() => {
        const found = [...text.matchAll(/^event: message\ndata: (.*)\n\n/gm)];
        return found.length >= count ? found.map(([, json]) => JSON.parse(json!)) : undefined;
      }),
    ended,
    pause: () => void answer.pause(),
    close: () => void answer.destroy(),
  };
}

/** A POST to the address that a stream named. */
export async function postMessage(
  base: string,
  endpoint: string,
  token: string | undefined,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; text: string; json: any }> {
  const response = await fetch(new URL(endpoint, base), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Not every answer has a body.
  }
  return { status: response.status, headers: response.headers, text, json };
}

export const toolRequest = (id: unknown, name: string, args: object = {}) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: args },
});
