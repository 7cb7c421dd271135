import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { reportRefusal } from '../adapters/limit-refusals.ts';
import { tell as tellFact } from '../facts.ts';
import type { Log } from '../log.ts';
import { networkOf } from './address.ts';

/** How many connections are held. */
export interface SocketLimits {
  readonly inAll: number;
  /** Of one address; as many as there are behind a proxy of ours, which has them all. */
  readonly perAddress: number;
}

export const SOCKETS_IN_ALL = 20_000;
export const SOCKETS_PER_ADDRESS = 1_000;
/** File descriptors for everything else: the store, NeonPanel, documents of clients, files. */
export const RESERVED_DESCRIPTORS = 256;
/** Beyond the limit so many more are told 503; still more are closed without a word. */
export const TOLD_AT_ONCE = 64;
/** For the answer to be read. */
const LINGER_MS = 1_000;
const TELL_EVERY_MS = 60_000;

/** The connections that are open. */
export interface Sockets extends Iterable<Socket> {
  /** Watches a server, before it listens. */
  of(server: Server): void;
  /** Whether a connection was one too many: nothing that it sends is served. */
  isRefused(socket: Socket): boolean;
}

/**
 * Holds no more connections than there may be. One too many is answered by 503 before it has asked, so that whoever made it
 * knows; running out of descriptors ends nothing and is told once a minute.
 */
export function createSockets({ inAll, perAddress }: SocketLimits, log: Log): Sockets {
  const open = new Set<Socket>();
  const byAddress = new Map<string, number>();
  const refused = new WeakSet<Socket>();
  const tell = createTeller(log);

  function hold(socket: Socket): void {
    const address = networkOf(socket.remoteAddress ?? '') ?? 'unknown';
    const ofAddress = byAddress.get(address) ?? 0;
    if (open.size >= inAll || ofAddress >= perAddress) return refuse(socket);
    open.add(socket);
    socket.on('error', countUnread);
    byAddress.set(address, ofAddress + 1);
    socket.once('close', () => {
      open.delete(socket);
      const left = byAddress.get(address)! - 1;
      if (left > 0) byAddress.set(address, left);
      else byAddress.delete(address);
    });
  }

  /** Node's HTTP parser ends a connection by its error, after an answer of its own. */
  function countUnread({ code = '' }: NodeJS.ErrnoException): void {
    const isTimeout = code === 'ERR_HTTP_REQUEST_TIMEOUT';
    if (!isTimeout && !code.startsWith('HPE_')) return;
    tellFact(log, 'unread', { status: isTimeout ? 408 : (BY_CODE[code] ?? 400) });
  }

  function refuse(socket: Socket): void {
    refused.add(socket);
    reportRefusal('sockets', log);
    tellFact(log, 'unread', { status: 503 });
    tell('too many connections');
    socket.on('error', () => {});
    socket.end(TOO_MANY);
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  }

  return {
    of(server) {
      server.maxConnections = inAll + TOLD_AT_ONCE;
      server.on('connection', hold);
      server.on('drop', () => {
        reportRefusal('sockets', log);
        tell('too many connections');
      });
      // Without a listener it would end the process. What could not be accepted waits, or is closed by the system.
      server.on('error', (error: NodeJS.ErrnoException) => {
        if (server.listening) tell(error.code ?? error.message);
      });
    },
    isRefused: (socket) => refused.has(socket),
    [Symbol.iterator]: () => open.values(),
  };
}

const BY_CODE: Readonly<Record<string, 413 | 431>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
};

const BODY = JSON.stringify({
  error: 'temporarily_unavailable',
  error_description: 'Too many connections. Try again.',
});
const TOO_MANY = [
  'HTTP/1.1 503 Service Unavailable',
  'Content-Type: application/json; charset=utf-8',
  `Content-Length: ${Buffer.byteLength(BODY)}`,
  'Retry-After: 1',
  'Cache-Control: no-store',
  'Connection: close',
  '',
  BODY,
].join('\r\n');

/** One line, and how often it was not said again. */
function createTeller(log: Log): (problem: string) => void {
  let saidAt = -Infinity;
  let unsaid = 0;
  return (problem) => {
    unsaid++;
    if (performance.now() - saidAt < TELL_EVERY_MS) return;
    saidAt = performance.now();
    log.warn({ event: 'sockets', problem, count: unsaid });
    unsaid = 0;
  };
}

/**
 * As many connections as the system has descriptors for, and no more than the stated number.
 *
 * @param options.isAlone every connection comes from whoever made it: no proxy of ours, no developer's machine
 */
export function socketLimits(options: { isAlone: boolean }): SocketLimits {
  const descriptors = maxDescriptors();
  const forSockets = Math.max(descriptors - RESERVED_DESCRIPTORS, Math.floor(descriptors / 2));
  return {
    inAll: Math.min(SOCKETS_IN_ALL, forSockets),
    perAddress: options.isAlone ? SOCKETS_PER_ADDRESS : Infinity,
  };
}

/** What the system allows this process; Node has raised it as far as it may. */
function maxDescriptors(): number {
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork?: boolean };
  report.excludeNetwork = true;
  const { userLimits } = report.getReport() as unknown as {
    userLimits?: { open_files?: { soft?: number | string } };
  };
  const soft = userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : Infinity;
}
