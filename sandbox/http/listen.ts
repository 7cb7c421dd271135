import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export type Listening = { port: number; close(): Promise<void> };

const addressesOf: Record<string, string[]> = {
  localhost: ['127.0.0.1', '::1'],
  '127.0.0.1': ['127.0.0.1'],
  '::1': ['::1'],
};
const unavailable = ['EADDRNOTAVAIL', 'EAFNOSUPPORT'];
const attemptsMax = 20;

/**
 * Listens on loopback only: `localhost` means 127.0.0.1 and, where the machine has it, ::1, both on the
 * same port. Port 0 takes a port that is free on both.
 */
export async function listen(
  port: number,
  host: string,
  handler: RequestListener,
): Promise<Listening> {
  const addresses = addressesOf[host];
  if (!addresses) throw new Error(`sandbox: it listens on loopback only, not on ${host}`);

  for (let attempt = 1; ; attempt++) {
    const servers: Server[] = [];
    let address = '';
    try {
      for (address of addresses) {
        const server = await bind(portOf(servers[0]) ?? port, address, handler, servers.length > 0);
        if (server) servers.push(server);
      }
      return { port: portOf(servers[0])!, close: () => closeAll(servers) };
    } catch (cause) {
      await closeAll(servers);
      const { code } = cause as NodeJS.ErrnoException;
      if (port === 0 && code === 'EADDRINUSE' && attempt < attemptsMax) continue;
      throw new Error(`sandbox: cannot listen on ${address} port ${port} (${code})`, { cause });
    }
  }
}

/** A listening server, or undefined where an optional address does not exist on this machine. */
function bind(port: number, address: string, handler: RequestListener, optional: boolean) {
  const server = createServer(handler);
  return new Promise<Server | undefined>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (optional && unavailable.includes(error.code ?? '')) resolve(undefined);
      else reject(error);
    });
    server.listen(port, address, () => resolve(server));
  });
}

function portOf(server: Server | undefined): number | undefined {
  return (server?.address() as AddressInfo | undefined)?.port;
}

/** Ends all connections, and gives clients in this process a moment to notice. */
async function closeAll(servers: Server[]): Promise<void> {
  await Promise.all(
    servers.map((server) => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      return closed;
    }),
  );
  await delay(servers.length > 0 ? 5 : 0);
}
