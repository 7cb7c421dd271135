import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { ExecutionContext } from 'ava';
import { createNeonpanelApi, type NeonpanelApiOptions } from '../../../adapters/neonpanel/api.ts';
import { newBreaker } from '../../support/breaker.ts';
import type { ApiRequest } from '../../../adapters/neonpanel/neonpanel.ts';

export interface Seen {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

type Reply = (response: ServerResponse, request: IncomingMessage, hit: number) => void;

/** A NeonPanel that is nothing but a node:http server on a free port, and the real client talking to it. */
export async function stubbedApi(
  t: ExecutionContext,
  reply: Reply,
  options: Partial<NeonpanelApiOptions> = {},
) {
  const seen: Seen[] = [];
  const closed: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { method = '', url = '', headers } = request;
    seen.push({ method, url, headers, body });
    response.on('close', () => closed.push(response.writableFinished ? 'answered' : 'cut'));
    reply(response, request, seen.length);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const api = createNeonpanelApi({
    apiUrl: `${origin}/api/v1`,
    arrayStyle: 'brackets',
    breaker: newBreaker(),
    ...options,
  });
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await Promise.allSettled([api.close(), new Promise((resolve) => server.close(resolve))]);
  });
  const call = (request: Partial<ApiRequest> = {}) =>
    api.call({
      method: 'GET',
      path: '/companies',
      accessToken: 'access-token-of-the-caller',
      deadline: (options.now ?? Date.now)() + 10_000,
      ...request,
    });
  return { seen, closed, sockets, origin, api, call };
}

/** Answers JSON. */
export function json(response: ServerResponse, status: number, body: unknown, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

/** Polls until something that is decided elsewhere has happened; a test that waits in vain fails by time-out. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
