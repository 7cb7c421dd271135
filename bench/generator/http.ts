import { Agent, request } from 'undici';

/** What of a response the flows look at. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface Ask {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

/** Enough for everything at once; kept alive between requests, as clients' connections are. */
const dispatcher = new Agent({ connections: 256, pipelining: 1 });

/** undici without fetch on top of it: the generator shares the machine with what it measures. */
export async function ask(url: string | URL, { method = 'GET', headers, body }: Ask = {}) {
  const answer = await request(url, { dispatcher, method, headers: headers ?? {}, body });
  return {
    status: answer.statusCode,
    headers: headersOf(answer.headers),
    text: await answer.body.text(),
  } satisfies Answer;
}

function headersOf(received: Readonly<Record<string, string | string[] | undefined>>): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(received)) {
    for (const value of [values].flat()) if (value !== undefined) headers.append(name, value);
  }
  return headers;
}

export const postForm = (url: string, form: Readonly<Record<string, string>>) =>
  ask(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  });

export const postJson = (
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
) =>
  ask(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

/** @throws unless the status is the one expected */
export function jsonOf<T>({ status, text }: Answer, expected: number): T {
  if (status !== expected) throw new Error(`expected ${expected}, got ${status}: ${text}`);
  return JSON.parse(text) as T;
}

/** What a browser needs of fetch. */
export const fetch = (async (url: URL, init: RequestInit = {}) => {
  const { status, headers, text } = await ask(url, {
    method: init.method as 'GET' | 'POST',
    headers: {
      ...(init.headers as Record<string, string>),
      ...(init.body ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
    },
    body: init.body ? String(init.body) : undefined,
  });
  return { status, headers, text: async () => text };
}) as unknown as typeof globalThis.fetch;
