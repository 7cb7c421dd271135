import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';

/**
 * Below the range from which systems take ports for outgoing connections, which would come between our look and the
 * server's start whenever several test processes are at work; and above those that browsers and `fetch` refuse to ask
 * (10080 is the last, https://fetch.spec.whatwg.org/#port-blocking).
 */
const LOWEST = 10_100;
const HIGHEST = 21_000;
/** Each port has a twin above them all, up to 31,900. Whoever listens there may use the port. */
const TWIN = 10_900;

/** A port that is free on loopback now and was not handed out before by this process, nor by another that is still there. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST);
    // Kept until this process ends, which it does not hold up.
    const reservation = await listen(port + TWIN);
    if (!reservation) continue;
    reservation.unref();
    const server = await listen(port);
    if (!server) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

/** @returns undefined if somebody else listens there */
function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(server));
  });
}
