import { Agent, request, type Dispatcher } from 'undici';
import { bytesOf } from '../bounded-bytes.ts';
import { type Breaker, isNobodyHome } from './breaker.ts';

/**
 * A fetch for talking to NeonPanel's OAuth endpoints: no redirects, a total deadline, a cap on the body. What comes
 * back is a complete Response, never a stream that could trickle on.
 */
export interface BoundedFetch {
  (url: string | URL, init?: BoundedInit): Promise<Response>;
  close(): Promise<void>;
}

/** The part of RequestInit that OAuth libraries use. */
export interface BoundedInit {
  method?: string | undefined;
  headers?: unknown;
  body?: unknown;
  signal?: AbortSignal | null | undefined;
}

/**
 * @param options.timeoutMs from the start of the request to the last byte of the answer
 * @param options.maxBytes of the answer's body
 * @param options.breaker may keep a request from being made
 */
export function createBoundedFetch(options: {
  timeoutMs: number;
  maxBytes: number;
  breaker?: Breaker;
}): BoundedFetch {
  const { timeoutMs, maxBytes, breaker } = options;
  const dispatcher = new Agent({ connections: 16, pipelining: 1, connectTimeout: timeoutMs });

  const fetch = (url: string | URL, init: BoundedInit = {}): Promise<Response> =>
    breaker
      ? breaker.run(
          () => ask(url, init),
          (settled) =>
            settled.status === 'rejected'
              ? !init.signal?.aborted && !(settled.reason instanceof TooLarge)
              : isNobodyHome(settled.value.status),
        )
      : ask(url, init);

  const ask = async (url: string | URL, init: BoundedInit): Promise<Response> => {
    const deadline = AbortSignal.timeout(timeoutMs);
    const { statusCode, headers, body } = await request(url, {
      dispatcher,
      method: (init.method ?? 'GET') as Dispatcher.HttpMethod,
      headers: plainHeaders(init.headers),
      body: init.body == null ? null : String(init.body),
      signal: init.signal ? AbortSignal.any([deadline, init.signal]) : deadline,
    });
    const tooLarge = () => new TooLarge(`answer of more than ${maxBytes} bytes`);
    const bytes = await bytesOf(body, maxBytes, tooLarge);
    const answer = new Headers();
    for (const [name, value] of Object.entries(headers)) {
      for (const one of [value].flat()) if (one !== undefined) answer.append(name, one);
    }
    const noBody = [101, 204, 205, 304].includes(statusCode);
    return new Response(noBody ? null : bytes, { status: statusCode, headers: answer });
  };
  return Object.assign(fetch, { close: () => dispatcher.close() });
}

class TooLarge extends Error {}

const plainHeaders = (headers: unknown): Record<string, string> => ({
  ...Object.fromEntries(new Headers(headers as HeadersInit | undefined)),
  'accept-encoding': 'identity',
  'user-agent': 'neonpanel-mcp',
});
