import type { ExecutionContext } from 'ava';
import { request } from 'undici';
import type { Harness } from '../../support/harness.ts';
import { type Answers, type Attempt, signIn } from '../../support/oauth.ts';

/**
 * Where a client is replayed: it sends exactly the headers it is given, keeps a transcript, and holds every answer against
 * what all clients need. What one client needs to go on is said in its own file.
 */
export interface Stage {
  readonly t: ExecutionContext;
  /** PUBLIC_URL, and so the issuer. */
  readonly url: string;
  /** What the person pasted into the client. */
  readonly address: string;
  /** `METHOD path status` of every request of the client, in order. */
  readonly transcript: string[];
  send(method: string, url: string, content?: Content): Promise<Received>;
  /** The person in front of the browser: consent, login. @returns where the browser is sent */
  person(url: URL, answers?: Answers): Promise<URL>;
  /** So much time goes by. */
  later(milliseconds: number): void;
}

export interface Content {
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly form?: Readonly<Record<string, string>>;
  /** The one request of a client that a browser makes as a rule. */
  readonly asBrowser?: boolean;
}

export interface Received {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The JSON body, or the message of a stream that has one. */
  readonly json: any;
}

/** Claude gives discovery, registration and token so long, others more. */
const PATIENCE_MS = 10_000;
/** Past the life of an access token and the tolerance for clocks. */
export const ACCESS_TOKEN_EXPIRED_MS = 3_660_000;

export function createStage(
  t: ExecutionContext,
  harness: Harness,
  clock: { advance(milliseconds: number): void },
  address: string,
): Stage {
  const transcript: string[] = [];
  return {
    t,
    url: harness.url,
    address,
    transcript,
    async send(method, url, { headers = {}, json, form, asBrowser = false } = {}) {
      const body =
        json !== undefined
          ? { type: 'application/json', text: JSON.stringify(json) }
          : form && {
              type: 'application/x-www-form-urlencoded',
              text: new URLSearchParams(form).toString(),
            };
      const answer = await request(url, {
        method: method as 'POST',
        headers: { ...(body && { 'content-type': body.type }), ...headers },
        body: body?.text ?? null,
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      const received = receivedFrom(answer.statusCode, answer.headers, await answer.body.text());
      const line = `${method} ${new URL(url).pathname} ${received.status}`;
      transcript.push(line);
      t.true(received.status < 500, `${line} ${received.text}`);
      t.truthy(received.headers.get('x-request-id'), line);
      if (!asBrowser) {
        t.is(received.headers.get('location'), null, line);
        t.is(received.headers.get('set-cookie'), null, line);
        t.notRegex(received.headers.get('content-type') ?? '', /html/, line);
      }
      return received;
    },
    async person(url, answers) {
      const redirectUri = url.searchParams.get('redirect_uri')!;
      const callback = await signIn(harness, { url, redirectUri } as Attempt, answers);
      transcript.push(`person ${url.pathname} ${callback.protocol}//${callback.host}`);
      t.is(callback.href.split('?')[0], redirectUri);
      t.is(callback.searchParams.get('state'), url.searchParams.get('state'));
      t.is(callback.searchParams.get('iss'), harness.url);
      return callback;
    },
    later: (milliseconds) => clock.advance(milliseconds),
  };
}

function receivedFrom(
  status: number,
  raw: Record<string, string | string[] | undefined>,
  text: string,
): Received {
  const headers = new Headers();
  for (const [name, value] of Object.entries(raw))
    for (const one of [value].flat()) if (one !== undefined) headers.append(name, one);
  const type = headers.get('content-type') ?? '';
  const data = type.startsWith('text/event-stream') ? /^data: (.*)$/m.exec(text)?.[1] : text;
  const isJson = /^(application\/json|text\/event-stream)/.test(type) && data;
  return { status, headers, text, json: isJson ? JSON.parse(data) : undefined };
}
