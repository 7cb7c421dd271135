import { Agent, request } from 'undici';
import { explainFailure, type Explanation } from './failures.ts';

/** One answer, whole: nothing is followed, nothing is decompressed, nothing is longer than the bound. */
export interface Answer {
  readonly url: string;
  readonly method: string;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly ms: number;
}

export interface Question {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Http {
  /** @throws Unanswered */
  ask(url: string | URL, question?: Question): Promise<Answer>;
  /** The same for libraries that take a fetch. */
  readonly fetch: typeof globalThis.fetch;
  close(): Promise<void>;
}

/** Nothing that could be called an answer came back. */
export class Unanswered extends Error {
  readonly explanation: Explanation;

  constructor(explanation: Explanation, cause?: unknown) {
    super(explanation.cause, { cause });
    this.explanation = explanation;
  }
}

/** Of one body. A list of tools that does not fit is of no use to a model either. */
const MAX_BODY_BYTES = 2 * 1024 * 1024;
const USER_AGENT = 'neonpanel-doctor/1.0';

/**
 * @param timeoutMs for one request, from the first packet to the last
 * @param signal ends everything, when the time for all of it is up
 * @param ca PEM of an authority that is trusted besides the usual ones
 */
export function createHttp(options: {
  timeoutMs: number;
  signal: AbortSignal;
  ca?: string | undefined;
}): Http {
  const agent = new Agent({
    connect: { timeout: options.timeoutMs, ...(options.ca && { ca: options.ca }) },
    // A server that gets stuck on one request must not hold up the others.
    connections: 8,
    pipelining: 1,
  });
  const ask = async (address: string | URL, question: Question = {}): Promise<Answer> => {
    const url = new URL(address);
    const method = question.method ?? 'GET';
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)]);
    const started = performance.now();
    try {
      const response = await request(url, {
        dispatcher: agent,
        method: method as 'GET',
        headers: { 'user-agent': USER_AGENT, accept: 'application/json', ...question.headers },
        ...(question.body !== undefined && { body: question.body }),
        signal,
      });
      const text = await readText(response.body, url);
      const headers = headersOf(response.headers);
      const ms = Math.round(performance.now() - started);
      return { url: url.href, method, status: response.statusCode, headers, text, ms };
    } catch (error) {
      if (error instanceof Unanswered) throw error;
      if (options.signal.aborted) throw new Unanswered(TIME_IS_UP, error);
      throw new Unanswered(explainFailure(error as Error, url, options.timeoutMs), error);
    }
  };
  return { ask, fetch: fetchBy(ask), close: () => agent.destroy() };
}

const TIME_IS_UP: Explanation = {
  cause: 'the time for the whole examination was up',
  fix: 'See which steps above were slow; the server answers too slowly for clients as well.',
};

async function readText(body: AsyncIterable<Buffer>, url: URL): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) {
      throw new Unanswered({
        cause: `${url.pathname} answers with more than ${MAX_BODY_BYTES} bytes`,
        fix: 'Find out what is served there; no document of OAuth or MCP is that long.',
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function headersOf(raw: Readonly<Record<string, string | string[] | undefined>>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(raw)) {
    for (const one of [value ?? []].flat()) headers.append(name, one);
  }
  return headers;
}

function fetchBy(ask: Http['ask']): typeof globalThis.fetch {
  return async (input, init = {}) => {
    const { method, body } = init;
    const answer = await ask(input instanceof Request ? input.url : input, {
      ...(method && { method }),
      headers: {
        ...(body instanceof URLSearchParams && {
          'content-type': 'application/x-www-form-urlencoded;charset=UTF-8',
        }),
        ...Object.fromEntries(new Headers(init.headers)),
      },
      ...(body !== undefined && body !== null && { body: String(body) }),
    });
    const isEmpty = [101, 204, 205, 304].includes(answer.status);
    const { status, headers } = answer;
    return new Response(isEmpty ? null : answer.text, { status, headers });
  };
}

export const isHtml = (answer: Answer): boolean =>
  /\bhtml\b/i.test(answer.headers.get('content-type') ?? '') ||
  /^\s*<(!doctype|html)/i.test(answer.text);

export const isRedirect = ({ status }: Answer): boolean => status >= 300 && status < 400;

/** The body as a JSON object, or undefined if it is none. */
export function jsonOf(answer: Answer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(answer.text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** `404 text/html` */
export function describe(answer: Answer): string {
  const type = answer.headers.get('content-type')?.split(';')[0]?.trim() || 'without content type';
  const location = answer.headers.get('location');
  return `${answer.status} ${location && isRedirect(answer) ? `to ${location.slice(0, 200)}` : type}`;
}
