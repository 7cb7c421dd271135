import type { ExecutionContext } from 'ava';
import { type AddressInfo, createServer } from 'node:net';

/** Something that must not be reached: it counts who connects. */
export interface Listener {
  readonly port: number;
  readonly connections: () => number;
}

/** @param host where to listen; undefined: on every address of this machine, both families */
export async function startListener(t: ExecutionContext, host?: string): Promise<Listener> {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.on('error', () => {});
    socket.end();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: 0, ...(host && { host }) }, resolve);
  });
  t.teardown(() => server.close());
  return { port: (server.address() as AddressInfo).port, connections: () => connections };
}
