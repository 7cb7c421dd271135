import { Resolver } from 'node:dns/promises';
import { request as requestHttp, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { bytesOf } from './bounded-bytes.ts';
import { isPublicAddress } from './public-host.ts';

/**
 * Fetching from addresses that strangers name, without becoming their way into our network (SSRF).
 *
 * The name is resolved here, its special-use addresses are thrown away, and the connection goes to what is left: there
 * is no second look-up whose answer could be another one, and what is refused is refused before any packet is sent, so
 * the time it takes says nothing about a port. One request, one connection, no redirect, no decompression; one deadline
 * for everything, from the look-up to the last byte.
 *
 * On node:https rather than undici: its `signal` ends a request at any stage, and nothing is pooled.
 */
export type GuardedFetch = (url: string, limits: { maxBytes: number }) => Promise<Fetched>;

export interface Fetched {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** There is no usable answer. The message is for the log only: what a network looks like is nobody's business. */
export class Unfetchable extends Error {
  /** Seconds after which trying again makes sense. */
  readonly retryAfterSeconds: number;

  constructor(message: string, retryAfterSeconds: number = RETRY_AFTER_SECONDS) {
    super(message);
    this.name = 'Unfetchable';
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Nobody was asked, because it is too much at the moment. */
export class TooManyFetches extends Unfetchable {
  override name = 'TooManyFetches';
}

/** All addresses of a host name, public or not. @throws if there are none */
export type ResolveName = (hostname: string) => Promise<readonly string[]>;

export const RETRY_AFTER_SECONDS = 10;
const MAX_ADDRESSES = 8;
const MAX_HEADER_BYTES = 8 * 1024;

/**
 * @param options.timeoutMs from the look-up of the name to the last byte
 * @param options.resolve default: by DNS
 * @param options.isAllowed which addresses are connected to; only tests have others than the public ones
 * @param options.exemptOrigin one origin that may be anywhere, and http: a developer's own machine, in tests
 * @returns a GET; it throws Unfetchable
 */
export function createGuardedFetch(options: {
  timeoutMs: number;
  resolve?: ResolveName | undefined;
  isAllowed?: (address: string) => boolean;
  exemptOrigin?: string | undefined;
}): GuardedFetch {
  const {
    timeoutMs,
    resolve = (hostname) => resolveByDns(hostname),
    isAllowed = isPublicAddress,
    exemptOrigin,
  } = options;

  return async function guardedFetch(address, { maxBytes }) {
    const url = new URL(address);
    const isExempt = url.origin === exemptOrigin;
    if (url.protocol !== 'https:' && !isExempt) throw new Unfetchable('not an https address');
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      if (isExempt) return await get(url, { signal, maxBytes });
      const all = await unlessAborted(addressesOf(url, resolve), signal);
      const addresses = all.filter(isAllowed).slice(0, MAX_ADDRESSES);
      if (addresses.length === 0) throw new Unfetchable(`no public address among ${all.join(' ')}`);
      return await get(url, { pinned: { addresses, isAllowed }, signal, maxBytes });
    } catch (error) {
      if (error instanceof Unfetchable) throw error;
      if (signal.aborted) throw new Unfetchable(`no complete answer within ${timeoutMs} ms`);
      const { code, message } = error as NodeJS.ErrnoException;
      throw new Unfetchable(`connection failed: ${code ?? message}`);
    }
  };
}

/**
 * What a host name stands for. Addresses we don't connect to are left out rather than taken as a reason to refuse: behind
 * DNS64 every name has one beside the real ones.
 */
async function addressesOf(url: URL, resolve: ResolveName): Promise<readonly string[]> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return isIP(host) ? [host] : resolve(host);
}

interface Sending {
  /** Where to connect; undefined: wherever the host name leads. */
  readonly pinned?: {
    readonly addresses: readonly string[];
    readonly isAllowed: (address: string) => boolean;
  };
  readonly signal: AbortSignal;
  readonly maxBytes: number;
}

function get(url: URL, { pinned, signal, maxBytes }: Sending): Promise<Fetched> {
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const request = send(url, {
      agent: false,
      signal,
      maxHeaderSize: MAX_HEADER_BYTES,
      headers: {
        accept: 'application/json',
        'accept-encoding': 'identity',
        'user-agent': 'neonpanel-mcp',
      },
      ...(pinned && { lookup: answering(pinned.addresses) }),
    });
    request.once('error', reject);
    if (pinned) request.once('socket', (socket) => refuseOtherPeer(socket, pinned.isAllowed));
    request.once('response', (response) => {
      read(response, maxBytes)
        .then(resolve, reject)
        .finally(() => request.destroy());
    });
    request.end();
  });
}

/** A look-up whose answer is known already. */
const answering =
  (addresses: readonly string[]): LookupFunction =>
  (_hostname, options, callback) => {
    const all = addresses.map((address) => ({ address, family: isIP(address) }));
    if (options.all) callback(null, all);
    else callback(null, all[0]!.address, all[0]!.family);
  };

/** Who was really reached, whatever came before: an address that was not meant gets no request. */
function refuseOtherPeer(socket: Socket, isAllowed: (address: string) => boolean): void {
  socket.once('connect', () => {
    const peer = socket.remoteAddress ?? 'nobody';
    if (!isAllowed(peer))
      socket.destroy(new Unfetchable(`connected to ${peer}, which is not public`));
  });
}

async function read(response: IncomingMessage, maxBytes: number): Promise<Fetched> {
  const { statusCode: status = 0, headers } = response;
  if (status >= 300 && status < 400) throw new Unfetchable(`redirect (status ${status})`);
  if ((headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity') {
    throw new Unfetchable('content encoding that was not asked for');
  }
  const tooLarge = () => new Unfetchable(`more than ${maxBytes} bytes`);
  if (Number(headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const bytes = await bytesOf(response, maxBytes, tooLarge);
  if (!response.complete) throw new Unfetchable('answer was cut off');
  return { status, headers, text: utf8(bytes) };
}

/** RFC 8259 §8.1. */
function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Unfetchable('not UTF-8');
  }
}

/**
 * By DNS alone, never through getaddrinfo: that blocks one of the few threads that also sign our tokens for as long as
 * a stranger's name server likes, and it knows names of this machine and its network.
 *
 * @param servers default: the system's
 * @throws Unfetchable
 */
export async function resolveByDns(hostname: string, servers?: string[]): Promise<string[]> {
  const resolver = new Resolver({ timeout: 1_000, tries: 2 });
  if (servers) resolver.setServers(servers);
  const answers = await Promise.allSettled([
    resolver.resolve4(hostname),
    resolver.resolve6(hostname),
  ]);
  const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  if (found.length > 0) return found;
  const causes = answers.map((answer) => answer.status === 'rejected' && answer.reason.code);
  throw new Unfetchable(`name does not resolve: ${causes.find(Boolean) ?? 'no address'}`);
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}
