import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { DRAIN_MS } from '../stop-times.ts';
import type { Sockets } from './sockets.ts';

/** Longer than a balancer keeps its idle connections (60 s): it must never send into one we are closing. */
const KEEP_ALIVE_MS = 75_000;
/** With the time until it is noticed, a head takes 10 s at most, and a request 15 s. */
const HEADERS_TIMEOUT_MS = 9_000;
const REQUEST_TIMEOUT_MS = 14_000;
const NOTICED_WITHIN_MS = 1_000;
/** Of an answer whose reader takes nothing for so long, the connection is closed: it holds memory that others wait for. */
const UNREAD_MS = 15_000;
/** Nor may it be taken byte by byte for ever: the largest one, of twenty calls, has some ten megabytes. */
const TAKEN_WITHIN_MS = 120_000;
/** A connection that was just made gets this long to send its request. */
const FIRST_REQUEST_MS = 1_000;
const SWEEP_MS = 50;
/** Enough for what is on its way to be accepted. */
const HOLD_MS = 100;

export interface Patience {
  /** See UNREAD_MS; lowered by tests, as is the other. */
  readonly unreadMs: number;
  /** See TAKEN_WITHIN_MS. */
  readonly takenWithinMs: number;
}

export interface Listening {
  readonly port: number;
  /** What is really bound: of `localhost` one address may be missing. */
  readonly addresses: readonly string[];
  /**
   * Tells every client to close its connection (`Connection: close`), stops accepting, lets requests under way finish.
   *
   * What has no answer DRAIN_MS after the call is cut off.
   *
   * @param graceMs accepts for so long while it tells them, so that no busy connection is cut between two requests
   */
  close(graceMs?: number): Promise<void>;
}

/**
 * Serves HTTP. `localhost` means both loopback addresses, because clients try either.
 * @throws the listen error (EADDRINUSE, EACCES …) if no address could be bound
 */
export async function listen(
  serve: RequestListener,
  host: string,
  port: number,
  sockets: Sockets,
  { unreadMs = UNREAD_MS, takenWithinMs = TAKEN_WITHIN_MS }: Partial<Patience> = {},
): Promise<Listening> {
  const traffic = createTraffic(sockets);
  const bind = (...address: [host: string, port: number]) => bindTo(handler, sockets, ...address);
  const combine = (servers: readonly Server[]) => listeningOn(servers, traffic, sockets);
  const handler: RequestListener = (req, res) => {
    if (sockets.isRefused(req.socket)) return;
    // Counts from the last byte that went either way. Without an answer that waits to be read it says nothing.
    res.setTimeout(unreadMs, () => {
      if (req.socket.writableLength > 0) req.socket.destroy();
    });
    res.once('prefinish', () => {
      if (req.socket.writableLength === 0) return;
      const cut = setTimeout(() => req.socket.destroy(), takenWithinMs).unref();
      res.once('close', () => clearTimeout(cut));
    });
    traffic.begin(req.socket, res, () => serve(req, res));
  };
  if (host === '::') return combine([await bindEverywhere(bind, port)]);
  if (host !== 'localhost') return combine([await bind(host, port)]);
  const first = await bind('127.0.0.1', port);
  const second = await bind('::1', portOf(first)).catch((error: NodeJS.ErrnoException) => {
    // A machine without IPv6, or another program on that one address: the other still serves.
    if (['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EADDRINUSE'].includes(error.code ?? ''))
      return undefined;
    // Else it would serve for as long as the process lives.
    first.close();
    first.closeAllConnections();
    throw error;
  });
  return combine(second ? [first, second] : [first]);
}

/** `::` takes IPv4 as well; a machine without IPv6 has only the other. */
async function bindEverywhere(
  bind: (host: string, port: number) => Promise<Server>,
  port: number,
): Promise<Server> {
  return bind('::', port).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EAFNOSUPPORT') throw error;
    return bind('0.0.0.0', port);
  });
}

async function bindTo(
  handler: RequestListener,
  sockets: Sockets,
  host: string,
  port: number,
): Promise<Server> {
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: NOTICED_WITHIN_MS,
    },
    handler,
  );
  sockets.of(server);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return server;
}

interface Traffic {
  begin(socket: Socket, answer: ServerResponse, serve: () => void): void;
  /** From now on every answer is the last one of its connection. */
  stop(): void;
  /** Serves nothing that comes during `action`, but everything after it. */
  holdDuring(action: () => Promise<void>): Promise<void>;
  isBusy(socket: Socket): boolean;
}

/**
 * The answers under way, by connection. One Map of them all would make V8 keep most answers until it collects the old
 * generation: each time a Map has to make room it leaves its table behind with what was in it, and a table that has become old
 * keeps the next one.
 */
function createTraffic(sockets: Iterable<Socket>): Traffic {
  const underWay = new WeakMap<Socket, Set<ServerResponse>>();
  let stopping = false;
  let held: (() => void)[] | undefined;
  const last = (answer: ServerResponse) => {
    answer.shouldKeepAlive = false;
  };
  return {
    begin(socket, answer, serve) {
      const answers = underWay.get(socket) ?? new Set();
      underWay.set(socket, answers.add(answer));
      answer.once('close', () => answers.delete(answer));
      if (stopping) last(answer);
      if (held) held.push(serve);
      else serve();
    },
    stop() {
      stopping = true;
      for (const socket of sockets) underWay.get(socket)?.forEach(last);
    },
    async holdDuring(action) {
      const waiting: (() => void)[] = [];
      held = waiting;
      try {
        await action();
      } finally {
        held = undefined;
        for (const serve of waiting) serve();
      }
    },
    isBusy: (socket) => (underWay.get(socket)?.size ?? 0) > 0,
  };
}

function listeningOn(
  servers: readonly Server[],
  traffic: Traffic,
  sockets: Iterable<Socket>,
): Listening {
  return {
    port: portOf(servers[0]!),
    addresses: servers.map((server) => (server.address() as AddressInfo).address),
    async close(graceMs = 0) {
      traffic.stop();
      const cut = setTimeout(() => servers.forEach((s) => s.closeAllConnections()), DRAIN_MS);
      if (graceMs > 0) await sleep(graceMs);
      let closed: Promise<unknown>[] = [];
      await traffic.holdDuring(async () => {
        // Connections that still wait in the queue of the listener are reset when it closes. Clients that wait for an
        // answer make no new ones, and those that were made are accepted meanwhile.
        if (graceMs > 0) await sleep(HOLD_MS);
        closed = servers.map((server) => new Promise((resolve) => server.close(resolve)));
      });
      const since = performance.now();
      const sweep = setInterval(() => {
        servers.forEach((server) => server.closeIdleConnections());
        if (performance.now() - since < FIRST_REQUEST_MS) return;
        for (const socket of sockets) if (!traffic.isBusy(socket)) socket.destroy();
      }, SWEEP_MS);
      await Promise.all(closed);
      clearInterval(sweep);
      clearTimeout(cut);
    },
  };
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;
