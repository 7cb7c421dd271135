import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the range from which systems take ports for outgoing connections, which would come between our look and the
 * server's start whenever several test processes are at work; and above those that browsers and `fetch` refuse to ask
 * (10080 is the last, https://fetch.spec.whatwg.org/#port-blocking).
 */
const LOWEST = 10_100;
const HIGHEST = 32_000;

/** A port that is free on loopback now and was not handed out before by this process. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST);
    if (handedOut.has(port)) continue;
    handedOut.add(port);
    if (await isFree(port)) return port;
  }
}

const handedOut = new Set<number>();

/** Listens for a moment and gives the port back. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => resolve(true));
    });
  });
}
