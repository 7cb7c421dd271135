import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Balancer {
  /** What everybody outside is given: PUBLIC_URL. */
  readonly url: string;
  /** Which instance served what, in order: `[0, 'POST /mcp']`. */
  readonly served: [instance: number, request: string][];
  /** Which instance gets the next request. Default: each in turn. */
  route: () => number;
  /** Where the requests go, once the instances run. */
  targets: readonly string[];
  close(): Promise<void>;
}

const KEEP_ALIVE_MS = 120_000;

/** A load balancer without stickiness in front of the instances, on one public address. */
export async function startBalancer(): Promise<Balancer> {
  let turn = 0;
  const server = createServer((incoming, answer) => {
    const instance = balancer.route();
    balancer.served.push([instance, `${incoming.method} ${incoming.url!.split('?')[0]}`]);
    const outgoing = request(
      new URL(incoming.url!, balancer.targets[instance]),
      // A connection of its own for every request: nothing but the store can tie two of them together.
      { method: incoming.method, headers: incoming.headers, agent: false },
      (response) => {
        answer.writeHead(response.statusCode!, response.headers);
        response.pipe(answer);
      },
    );
    outgoing.on('error', () => answer.destroy());
    incoming.pipe(outgoing);
  });
  // Whoever comes back after a long pause must not meet a connection that is just being closed.
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const balancer: Balancer = {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    served: [],
    targets: [],
    route: () => turn++ % balancer.targets.length,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return balancer;
}
