import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Longer than a balancer keeps its idle connections (60 s): it must never send into one we are closing. */
const KEEP_ALIVE_MS = 75_000;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 15_000;
/** Requests under way get this long to finish when the process is told to stop. */
const DRAIN_MS = 25_000;

export interface Listening {
  readonly port: number;
  /** What is really bound: of `localhost` one address may be missing. */
  readonly addresses: readonly string[];
  /** Stops accepting, lets requests under way finish, closes idle connections. */
  close(): Promise<void>;
}

/**
 * Serves HTTP. `localhost` means both loopback addresses, because clients try either.
 * @throws the listen error (EADDRINUSE, EACCES …) if no address could be bound
 */
export async function listen(
  handler: RequestListener,
  host: string,
  port: number,
): Promise<Listening> {
  if (host === '::') return combine([await bindEverywhere(handler, port)]);
  if (host !== 'localhost') return combine([await bind(handler, host, port)]);
  const first = await bind(handler, '127.0.0.1', port);
  const second = await bind(handler, '::1', portOf(first)).catch((error: NodeJS.ErrnoException) => {
    // A machine without IPv6, or another program on that one address: the other still serves.
    if (['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EADDRINUSE'].includes(error.code ?? ''))
      return undefined;
    throw error;
  });
  return combine(second ? [first, second] : [first]);
}

/** `::` takes IPv4 as well; a machine without IPv6 has only the other. */
async function bindEverywhere(handler: RequestListener, port: number): Promise<Server> {
  return bind(handler, '::', port).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EAFNOSUPPORT') throw error;
    return bind(handler, '0.0.0.0', port);
  });
}

async function bind(handler: RequestListener, host: string, port: number): Promise<Server> {
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 5_000,
    },
    handler,
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return server;
}

function combine(servers: readonly Server[]): Listening {
  return {
    port: portOf(servers[0]!),
    addresses: servers.map((server) => (server.address() as AddressInfo).address),
    async close() {
      const closed = servers.map((server) => new Promise((resolve) => server.close(resolve)));
      servers.forEach((server) => server.closeIdleConnections());
      const cut = setTimeout(() => servers.forEach((s) => s.closeAllConnections()), DRAIN_MS);
      await Promise.all(closed);
      clearTimeout(cut);
    },
  };
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;
