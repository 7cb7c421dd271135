import { type Agent, createServer, request } from 'node:http';
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

/**
 * A load balancer without stickiness in front of the instances, on one public address.
 *
 * @param options.agent keeps its connections to the instances. Default: a connection of its own for every request, so that
 * nothing but the store can tie two of them together
 */
export async function startBalancer(options: { agent?: Agent } = {}): Promise<Balancer> {
  let turn = 0;
  const server = createServer(async (incoming, answer) => {
    const body = Buffer.concat(await Array.fromAsync(incoming).catch(() => []));
    const send = (tries: number): void => {
      const instance = balancer.route();
      balancer.served.push([instance, `${incoming.method} ${incoming.url!.split('?')[0]}`]);
      const outgoing = request(
        new URL(incoming.url!, balancer.targets[instance]),
        { method: incoming.method, headers: incoming.headers, agent: options.agent ?? false },
        (response) => {
          answer.writeHead(response.statusCode!, response.headers);
          response.pipe(answer);
        },
      );
      // Where nobody listens nothing was sent, so another may have it. All else is a request that failed.
      outgoing.on('error', ({ code }: NodeJS.ErrnoException) =>
        code === 'ECONNREFUSED' && tries > 1 ? send(tries - 1) : answer.destroy(),
      );
      outgoing.end(body);
    };
    send(2);
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
        options.agent?.destroy();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return balancer;
}
