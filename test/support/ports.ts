import { createServer, type AddressInfo } from 'node:net';

/**
 * A port that is free on loopback now and was not handed out before by this process. The kernel chooses from its
 * ephemeral range, so two test processes rarely meet.
 */
export async function freePort(): Promise<number> {
  const port = await probe();
  if (handedOut.has(port)) return freePort();
  handedOut.add(port);
  return port;
}

const handedOut = new Set<number>();

/** Listens for a moment and gives the port back. */
function probe(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
