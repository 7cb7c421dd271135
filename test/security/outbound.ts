import dns from 'node:dns';
import { Socket } from 'node:net';

/** Every TCP connection that this process opens, and every name it looks up, until `stop`. */
export interface Outbound {
  /** `host:port` of what was connected to. */
  readonly connections: readonly string[];
  readonly names: readonly string[];
  stop(): void;
}

/**
 * Below every HTTP client, so that nothing can go round it. Server and test are one process: tell the test's own
 * requests apart by their port.
 */
export function watchOutbound(): Outbound {
  const connections: string[] = [];
  const names: string[] = [];
  const { connect } = Socket.prototype;
  const { lookup } = dns;
  Socket.prototype.connect = function watched(this: Socket, ...args: unknown[]) {
    const [first] = args.flat() as [{ host?: string; port?: number; path?: string }];
    connections.push(`${first.host ?? first.path ?? 'localhost'}:${first.port ?? ''}`);
    return (connect as (...args: unknown[]) => Socket).apply(this, args);
  } as typeof connect;
  dns.lookup = ((name: string, ...rest: unknown[]) => {
    names.push(name);
    return (lookup as (...args: unknown[]) => void)(name, ...rest);
  }) as typeof lookup;
  return {
    connections,
    names,
    stop() {
      Socket.prototype.connect = connect;
      dns.lookup = lookup;
    },
  };
}
