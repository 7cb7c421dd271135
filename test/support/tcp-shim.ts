import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A TCP proxy that misbehaves on command, to stand between the product and Redis or NeonPanel. `up` is towards the
 * target, `down` is the way back. A setting holds for every connection, open ones included, until the next one.
 */

export type Direction = 'up' | 'down';

export interface Traffic {
  /** Connections accepted so far. */
  connections: number;
  /** Connections open now. */
  open: number;
  /** Bytes passed on towards the target. */
  up: number;
  /** Bytes passed on towards the client. */
  down: number;
  /** Bytes swallowed, either way. */
  dropped: number;
}

export interface TcpShim {
  readonly port: number;
  readonly traffic: Readonly<Traffic>;
  /** Back to normal. Bytes swallowed meanwhile stay lost. */
  pass(): void;
  /** Holds every chunk back for this long. */
  delay(milliseconds: number, direction?: Direction): void;
  /** Accepts and reads, but nothing comes through, and nothing is closed. */
  blackhole(direction?: Direction): void;
  /** Refuses new connections and closes open ones, until `pass`. */
  down(): void;
  /**
   * Requests reach the target, but their replies are swallowed and their connections then cut: those of the next `count`
   * requests, or of every request that a predicate picks. It is shown all bytes on their way up, chunk by chunk; what else
   * is under way on a picked connection loses its reply too.
   */
  swallowReply(which?: number | ((request: Buffer) => boolean)): void;
  /** Cuts both sides after that many more bytes in this direction; the last chunk is truncated. */
  cutAfter(bytes: number, direction: Direction): void;
  /** Closes every open connection now, in an orderly way (FIN). */
  cut(): void;
  /** Resets every open connection now (RST). */
  reset(): void;
  /** Ends our sending side towards the client (FIN), while still reading from it. */
  halfClose(): void;
  close(): Promise<void>;
}

interface Behaviour {
  readonly delayMs: Record<Direction, number>;
  readonly blackhole: Record<Direction, boolean>;
  refuse: boolean;
  repliesToSwallow: number;
  isPicked: (request: Buffer) => boolean;
  /** Connections whose next reply is swallowed. */
  readonly picked: Set<Pair>;
  /** Bytes left before the cut. */
  readonly cutAfter: Record<Direction, number>;
}

const normal = (): Behaviour => ({
  delayMs: { up: 0, down: 0 },
  blackhole: { up: false, down: false },
  refuse: false,
  repliesToSwallow: 0,
  isPicked: () => false,
  picked: new Set(),
  cutAfter: { up: Infinity, down: Infinity },
});

interface Pair {
  readonly client: Socket;
  readonly target: Socket;
  /** Chunks are handled one after the other, so a delay never reorders them. */
  readonly queue: Record<Direction, Promise<void>>;
}

/** Starts a shim on a free loopback port. */
export async function createTcpShim(target: { port: number; host?: string }): Promise<TcpShim> {
  let behaviour = normal();
  const pairs = new Set<Pair>();
  const traffic: Traffic = { connections: 0, open: 0, up: 0, down: 0, dropped: 0 };
  const directions = (only?: Direction): Direction[] => (only ? [only] : ['up', 'down']);

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    if (behaviour.refuse) return void client.resetAndDestroy();
    const { host = '127.0.0.1', port } = target;
    const onward = connect({ host, port, allowHalfOpen: true, noDelay: true });
    const queue = { up: Promise.resolve(), down: Promise.resolve() };
    const pair: Pair = { client, target: onward, queue };
    pairs.add(pair);
    traffic.connections += 1;
    traffic.open += 1;
    client.once('close', () => {
      pairs.delete(pair);
      traffic.open -= 1;
    });
    relay(pair, 'up');
    relay(pair, 'down');
  });

  function relay(pair: Pair, direction: Direction): void {
    const [from, to] = direction === 'up' ? [pair.client, pair.target] : [pair.target, pair.client];
    const enqueue = (work: () => void): void => {
      const wait = behaviour.delayMs[direction];
      const before = pair.queue[direction];
      const due = wait > 0 ? Promise.all([before, sleep(wait)]) : before;
      pair.queue[direction] = due.then(work, () => undefined);
    };
    from.on('data', (chunk) => enqueue(() => forward(pair, direction, chunk)));
    from.on('end', () => enqueue(() => void (behaviour.blackhole[direction] || to.end())));
    from.on('error', () => to.resetAndDestroy());
    from.on('close', () => enqueue(() => void (behaviour.blackhole[direction] || to.destroy())));
  }

  function forward(pair: Pair, direction: Direction, chunk: Buffer): void {
    const to = direction === 'up' ? pair.target : pair.client;
    if (behaviour.blackhole[direction]) {
      traffic.dropped += chunk.length;
      return;
    }
    if (direction === 'up' && behaviour.isPicked(chunk)) behaviour.picked.add(pair);
    if (direction === 'down' && isSwallowed(pair)) {
      traffic.dropped += chunk.length;
      return sever(pair);
    }
    const budget = behaviour.cutAfter[direction];
    const part = chunk.subarray(0, Math.min(chunk.length, budget));
    behaviour.cutAfter[direction] = budget - part.length;
    traffic[direction] += part.length;
    traffic.dropped += chunk.length - part.length;
    if (budget > chunk.length) return void to.write(part);
    // Written out before the cut, or the truncated part would be lost with it.
    to.write(part, () => sever(pair));
    behaviour.cutAfter[direction] = Infinity;
  }

  function isSwallowed(pair: Pair): boolean {
    if (behaviour.picked.delete(pair)) return true;
    if (behaviour.repliesToSwallow === 0) return false;
    behaviour.repliesToSwallow -= 1;
    return true;
  }

  function sever({ client, target: onward }: Pair): void {
    client.destroy();
    onward.destroy();
  }

  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });

  return {
    port,
    traffic,
    pass() {
      behaviour = normal();
    },
    delay(milliseconds, only) {
      for (const d of directions(only)) behaviour.delayMs[d] = milliseconds;
    },
    blackhole(only) {
      for (const d of directions(only)) behaviour.blackhole[d] = true;
    },
    down() {
      behaviour.refuse = true;
      pairs.forEach(sever);
    },
    swallowReply(which = 1) {
      const isCount = typeof which === 'number';
      behaviour.repliesToSwallow = isCount ? which : 0;
      behaviour.isPicked = isCount ? () => false : which;
    },
    cutAfter(bytes, direction) {
      behaviour.cutAfter[direction] = bytes;
    },
    cut() {
      pairs.forEach(sever);
    },
    reset() {
      for (const { client, target: onward } of pairs) {
        client.resetAndDestroy();
        onward.resetAndDestroy();
      }
    },
    halfClose() {
      for (const { client } of pairs) client.end();
    },
    close() {
      pairs.forEach(sever);
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
