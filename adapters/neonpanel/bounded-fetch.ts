import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request, type Dispatcher } from 'undici';
import type { NeonpanelOutcome } from '../../facts.ts';
import { bytesOf } from '../bounded-bytes.ts';
import { type Breaker, type Heard, heardInStatus } from './breaker.ts';
import { NeonpanelError } from './neonpanel.ts';
import { operationOf } from './operation-name.ts';
import { noteDispatch, type Sending, unlessOver } from './sending.ts';
import type { NeonpanelWatch } from './watch.ts';

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
  /** A GET of what anybody may read as often as he likes: tried once more if it fails, within the same time. */
  mayRepeat?: boolean;
}

const CONNECTIONS = 16;
/** Making a connection takes no longer, so that a machine that is away is told from an answer that is late. */
const CONNECT_TIMEOUT_MS = 3_000;
/** A second attempt must have this much of the time left. */
const MIN_RETRY_MS = 500;

/**
 * @param options.timeoutMs from the start of the request to the last byte of the answer, both attempts together
 * @param options.maxBytes of the answer's body
 * @param options.breaker may keep a request from being made
 */
export function createBoundedFetch(options: {
  timeoutMs: number;
  maxBytes: number;
  breaker?: Breaker;
  watch?: NeonpanelWatch;
}): BoundedFetch {
  const { timeoutMs, maxBytes, breaker, watch } = options;
  const connectTimeout = Math.min(timeoutMs, CONNECT_TIMEOUT_MS);
  const agent = new Agent({
    connections: CONNECTIONS,
    pipelining: 1,
    // HTTP/1.1, as for the API: giving up on a request closes its own socket and nobody else's.
    allowH2: false,
    connectTimeout,
  });
  const dispatcher = agent.compose(noteDispatch);

  const fetch = async (url: string | URL, init: BoundedInit = {}): Promise<Response> => {
    const started = performance.now();
    const deadline = AbortSignal.timeout(timeoutMs);
    const first = await once(url, init, { deadline, isRetry: false }).catch(failed);
    const delayMs = 100 + Math.random() * 200;
    const leftMs = timeoutMs - (performance.now() - started) - delayMs;
    if (!init.mayRepeat || !isWorthRepeating(first, init) || leftMs < MIN_RETRY_MS) {
      return answerOf(first);
    }
    await sleep(delayMs);
    return once(url, init, { deadline, isRetry: true });
  };

  const once = async (
    url: string | URL,
    init: BoundedInit,
    { deadline, isRetry }: { deadline: AbortSignal; isRetry: boolean },
  ): Promise<Response> => {
    const started = performance.now();
    const method = init.method ?? 'GET';
    const { pathname: path } = new URL(url);
    const saw = (outcome: NeonpanelOutcome) =>
      watch?.saw({ method, path, isRetry }, outcome, started);
    try {
      const asked = () => ask(url, init, deadline);
      const answer = await (breaker
        ? breaker.run(asked, (settled) => heardIn(settled, init, { method, path }))
        : asked());
      saw(seenIn(answer.status));
      return answer;
    } catch (error) {
      saw(isNotAsked(error) ? 'not_asked' : seenAs(error, init));
      throw error;
    }
  };

  const ask = async (
    url: string | URL,
    init: BoundedInit,
    deadline: AbortSignal,
  ): Promise<Response> => {
    const signal = init.signal ? AbortSignal.any([deadline, init.signal]) : deadline;
    const sending: Sending = { isSent: false };
    const options = {
      dispatcher,
      method: (init.method ?? 'GET') as Dispatcher.HttpMethod,
      headers: plainHeaders(init.headers),
      body: init.body == null ? null : String(init.body),
      signal,
      sending,
    };
    const { statusCode, headers, body } = await unlessOver(request(url, options), signal).catch(
      (error: unknown) => {
        throw signal.aborted && !sending.isSent ? new NeverSent() : error;
      },
    );
    const tooLarge = () => new TooLarge(`answer of more than ${maxBytes} bytes`);
    const bytes = await bytesOf(body, maxBytes, tooLarge);
    const answer = new Headers();
    for (const [name, value] of Object.entries(headers)) {
      for (const one of [value].flat()) if (one !== undefined) answer.append(name, one);
    }
    const noBody = [101, 204, 205, 304].includes(statusCode);
    return new Response(noBody ? null : bytes, { status: statusCode, headers: answer });
  };
  return Object.assign(fetch, { close: () => agent.close() });
}

class TooLarge extends Error {}
/** All connections were taken for the whole of its time, which says nothing about NeonPanel. */
class NeverSent extends Error {
  constructor() {
    super('no connection was free in time');
  }
}

class Failed {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}
const failed = (error: unknown) => new Failed(error);

function answerOf(settled: Response | Failed): Response {
  if (settled instanceof Failed) throw settled.error;
  return settled;
}

/** Nobody answered, or only said that he can't. Who says when to come again is not asked before. */
function isWorthRepeating(settled: Response | Failed, init: BoundedInit): boolean {
  if (settled instanceof Failed) {
    return !isNotAsked(settled.error) && seenAs(settled.error, init) === 'silent';
  }
  return settled.status >= 500 && !settled.headers.has('retry-after');
}

const isNotAsked = (error: unknown): boolean => error instanceof NeonpanelError && !error.wasSent;

function heardIn(
  settled: PromiseSettledResult<Response>,
  init: BoundedInit,
  { method, path }: { method: string; path: string },
): Heard {
  const late = () => ({ late: operationOf(method, path) });
  if (settled.status === 'fulfilled') {
    const heard = heardInStatus(settled.value.status);
    return heard === 'late' ? late() : heard;
  }
  const { reason } = settled;
  if (seenAs(reason, init) === 'abandoned') return 'nothing';
  if (reason instanceof TooLarge) return 'answer';
  return (reason as Error).name === 'TimeoutError' ? late() : 'silence';
}

function seenAs(error: unknown, { signal }: BoundedInit): NeonpanelOutcome {
  if (signal?.aborted || error instanceof NeverSent) return 'abandoned';
  return error instanceof TooLarge ? 'failed' : 'silent';
}

function seenIn(status: number): NeonpanelOutcome {
  if (heardInStatus(status) !== 'answer') return 'silent';
  if (status === 429) return 'rate_limited';
  if (status >= 500) return 'failed';
  return status >= 400 ? 'rejected' : 'success';
}

const plainHeaders = (headers: unknown): Record<string, string> => ({
  ...Object.fromEntries(new Headers(headers as HeadersInit | undefined)),
  'accept-encoding': 'identity',
  'user-agent': 'neonpanel-mcp',
});
