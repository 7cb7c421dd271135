import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { createCertificate } from '../support/certificate.ts';

/** The https server of an app's maker: what it answers can be changed at any time. */
export interface DocumentHost {
  readonly origin: string;
  /** Paths that were asked for, in order. */
  readonly asked: string[];
  readonly connections: () => number;
  /** The addresses that were connected to, in order. */
  readonly reached: string[];
  /** @param answer a JSON value, or what writes the answer; undefined: 404. @returns the address */
  serve(path: string, answer: unknown, headers?: Record<string, string>): string;
  /** From now on everything is answered this way; undefined: as served. */
  answerAll(answer: RequestListener | undefined): void;
  close(): Promise<void>;
}

const trusted = createCertificate(['localhost', 'public.example']);
// For this process: what the server trusts is Node's list.
setDefaultCACertificates([...getCACertificates('default'), trusted.cert]);

/** @param options.tls another certificate, for instance one that nobody trusts */
export async function startDocumentHost(options: ServerOptions = {}): Promise<DocumentHost> {
  const answers = new Map<string, RequestListener>();
  const asked: string[] = [];
  const reached: string[] = [];
  let always: RequestListener | undefined;
  const server = createServer({ ...trusted, ...options }, (request, response) => {
    const path = request.url!;
    asked.push(path);
    const answer = always ?? answers.get(path);
    if (answer) return answer(request, response);
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"not_found"}');
  });
  server.on('connection', (socket) =>
    reached.push((socket as Socket).localAddress!.replace('::ffff:', '')),
  );
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const origin = `https://localhost:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    asked,
    reached,
    connections: () => reached.length,
    serve(path, answer, headers = {}) {
      if (answer === undefined) answers.delete(path);
      else
        answers.set(
          path,
          typeof answer === 'function' ? (answer as RequestListener) : json(answer, headers),
        );
      return origin + path;
    },
    answerAll(answer) {
      always = answer;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const json =
  (content: unknown, headers: Record<string, string>) =>
  (_: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(content));
  };
