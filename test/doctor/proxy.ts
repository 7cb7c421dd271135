import { Agent, createServer, type IncomingHttpHeaders, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A proxy in front of a real server, at its public address, that can get one thing wrong at a time. */
export interface Proxy {
  readonly url: string;
  /** Where the real server listens. */
  forwardTo(port: number): void;
  /** What goes wrong from now on; undefined: nothing. */
  distort(distortion: Distortion | undefined): void;
  close(): Promise<void>;
}

export interface Asked {
  readonly method: string;
  /** As at the public address. */
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Reply {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

/** Middleware: it may change what is asked, answer by itself, or change what is answered. */
export type Distortion = (
  asked: Asked,
  forward: (asked: Asked) => Promise<Reply>,
) => Reply | Promise<Reply>;

export async function startProxy(): Promise<Proxy> {
  let upstream = 0;
  let distortion: Distortion | undefined;
  const agent = new Agent({ keepAlive: true });
  const forward = (asked: Asked): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const { method, url, body } = asked;
      const path = url.pathname + url.search;
      const headers = { ...asked.headers };
      delete headers.connection;
      delete headers['transfer-encoding'];
      if (body) headers['content-length'] = String(Buffer.byteLength(body));
      const outgoing = send(
        { host: 'localhost', port: upstream, agent, method, path, headers },
        async (incoming) => {
          const text = await textOf(incoming);
          const { statusCode = 0 } = incoming;
          resolve({ status: statusCode, headers: { ...incoming.headers }, body: text });
        },
      );
      outgoing.once('error', reject);
      outgoing.end(body);
    });
  const server = createServer(async (incoming, outgoing) => {
    const body = await textOf(incoming);
    const address = new URL(incoming.url!, url);
    const { method, headers } = incoming;
    const asked: Asked = { method: method!, url: address, headers, body };
    try {
      const reply = await (distortion ? distortion(asked, forward) : forward(asked));
      for (const [name, value] of Object.entries(reply.headers)) {
        if (/^(connection|transfer-encoding|content-length|keep-alive)$/.test(name)) continue;
        if (value !== undefined) outgoing.setHeader(name, value);
      }
      outgoing.writeHead(reply.status).end(reply.body);
    } catch {
      outgoing.destroy();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const url = `http://localhost:${(server.address() as AddressInfo).port}`;
  return {
    url,
    forwardTo: (port) => void (upstream = port),
    distort: (wanted) => void (distortion = wanted),
    close: () =>
      new Promise((resolve) => {
        agent.destroy();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

// What mistakes are made of.

type Where = string | RegExp | ((asked: Asked) => boolean);

const isThere = (where: Where, asked: Asked): boolean =>
  typeof where === 'function'
    ? where(asked)
    : typeof where === 'string'
      ? asked.url.pathname === where
      : where.test(asked.url.pathname);

/** Answers by itself. */
export const answer =
  (where: Where, status: number, body: string | object = '', headers = {}): Distortion =>
  (asked, forward) =>
    isThere(where, asked)
      ? {
          status,
          headers: {
            'content-type':
              typeof body === 'object' ? 'application/json' : 'text/html; charset=utf-8',
            ...headers,
          },
          body: typeof body === 'object' ? JSON.stringify(body) : body,
        }
      : forward(asked);

/** Changes the JSON that comes back, or the data of the one event. */
export const editJson =
  (where: Where, edit: (body: any, asked: Asked) => unknown): Distortion =>
  async (asked, forward) => {
    const reply = await forward(asked);
    if (!isThere(where, asked)) return reply;
    const event = /^data: (.*)$/m.exec(reply.body)?.[1];
    const text = event ?? reply.body;
    if (!text.startsWith('{')) return reply;
    const body = JSON.parse(text);
    const edited = JSON.stringify(edit(body, asked) ?? body);
    return { ...reply, body: event ? reply.body.replace(event, () => edited) : edited };
  };

export const editReply =
  (where: Where, edit: (reply: Reply, asked: Asked) => Partial<Reply>): Distortion =>
  async (asked, forward) => {
    const reply = await forward(asked);
    return isThere(where, asked) ? { ...reply, ...edit(reply, asked) } : reply;
  };

/** @param headers undefined takes one away */
export const editHeaders = (
  where: Where,
  headers: Readonly<Record<string, string | undefined>>,
): Distortion => editReply(where, (reply) => ({ headers: { ...reply.headers, ...headers } }));

export const editQuery =
  (where: Where, edit: (query: URLSearchParams) => void): Distortion =>
  (asked, forward) => {
    if (!isThere(where, asked)) return forward(asked);
    const url = new URL(asked.url);
    edit(url.searchParams);
    return forward({ ...asked, url });
  };

export const editForm =
  (where: Where, edit: (form: URLSearchParams) => void): Distortion =>
  (asked, forward) => {
    if (!isThere(where, asked)) return forward(asked);
    const form = new URLSearchParams(asked.body);
    edit(form);
    return forward({ ...asked, body: form.toString() });
  };

export const both =
  (...distortions: readonly Distortion[]): Distortion =>
  (asked, forward) =>
    distortions.reduceRight<(asked: Asked) => Promise<Reply>>(
      (next, distortion) => async (question) => distortion(question, next),
      forward,
    )(asked);
