import { randomUUID } from 'node:crypto';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import type { ExecutionContext } from 'ava';
import { openRedisStore } from '../../adapters/redis/redis.ts';
import type { Key, Store, Write } from '../../adapters/store.ts';
import { StoreUnavailable } from '../../errors.ts';
import { createLog } from '../../log.ts';
import { createLogs, type Logs } from '../support/logs.ts';
import { startRedis, type RedisOptions, type RedisServer } from '../support/redis.ts';
import { createTcpShim, type TcpShim } from '../support/tcp-shim.ts';

/** The Redis store alone, with a proxy that misbehaves between it and a redis-server of its own. */

export interface Bench {
  readonly server: RedisServer;
  readonly shim: TcpShim;
  readonly store: Store;
  /** What the store has said. */
  readonly logs: Logs;
}

export async function startBench(t: ExecutionContext, options: RedisOptions = {}): Promise<Bench> {
  const server = await startRedis(options);
  t.teardown(server.stop);
  const shim = await startShim(t, server);
  return { server, shim, ...(await openStore(t, urlOf(shim))) };
}

export async function startShim(
  t: ExecutionContext,
  server: Pick<RedisServer, 'port'>,
): Promise<TcpShim> {
  const shim = await createTcpShim({ port: server.port });
  t.teardown(() => shim.close());
  return shim;
}

export async function openStore(
  t: ExecutionContext,
  url: string,
): Promise<Pick<Bench, 'store' | 'logs'>> {
  const logs = createLogs();
  const log = createLog('trace', logs.sink);
  const store = await openRedisStore({
    config: { kind: 'redis', mode: 'single', urls: [url] },
    log,
  });
  t.teardown(() => store.close());
  return { store, logs };
}

export const urlOf = ({ port }: { readonly port: number }, credentials = ''): string =>
  `redis://${credentials}127.0.0.1:${port}`;

/** A key nobody else uses. */
export const newKey = (kind = 'record', tag: string = randomUUID()): Key => ({ tag, kind });

/** Writes a record, whatever is there. @returns its version */
export async function put(store: Store, key: Key, value: string): Promise<string> {
  const version = await store.commit([{ key, expect: 'any', put: value, lifetime: 60 }]);
  if (version === undefined) throw new Error('an unconditional commit was refused');
  return version;
}

export async function valueOf(store: Store, key: Key): Promise<string | undefined> {
  return (await store.read(key))[0]?.value;
}

/** The call must end as unavailable. @returns the error, and how long that took */
export async function unavailable(
  t: ExecutionContext,
  call: () => Promise<unknown>,
): Promise<{ error: StoreUnavailable; ms: number }> {
  const started = performance.now();
  const error = await t.throwsAsync(async () => await call(), { instanceOf: StoreUnavailable });
  return { error, ms: performance.now() - started };
}

/** Waits until the store can write again. @returns how long that took */
export async function untilBack(store: Store, maxMs = 10_000): Promise<number> {
  const started = performance.now();
  for (;;) {
    const waited = performance.now() - started;
    try {
      await store.ping();
      return waited;
    } catch (error) {
      if (waited > maxMs) throw error;
      await sleep(10);
    }
  }
}

/** How often Redis was asked to carry out a commit. */
export async function commitsSeen(server: RedisServer): Promise<number> {
  const stats = await server.command('INFO', 'commandstats');
  const calls = stats.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+)/gm);
  return [...calls].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Everything an error shows to whoever prints it, however deep they look. */
export const allOf = (error: Error): string =>
  [inspect(error, { depth: null, showHidden: true }), JSON.stringify(error), error.stack].join(
    '\n',
  );

/**
 * An address that leads to one server and later to another one, as a name or a balancer does: connections that are open
 * stay where they are.
 * @param options.rewrite changes what comes back from the server
 */
export async function startAddress(
  t: ExecutionContext,
  first: { readonly port: number },
  rewrite: (reply: string) => string = (reply) => reply,
): Promise<{ port: number; connections: () => number; leadTo(server: { port: number }): void }> {
  let target = first.port;
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    connections++;
    const onward = connect(target, '127.0.0.1');
    for (const [one, other] of [[client, onward] as const, [onward, client] as const]) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
    client.pipe(onward);
    onward.on('data', (chunk) => client.write(rewrite(chunk.toString('latin1')), 'latin1'));
    onward.on('end', () => client.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    leadTo: ({ port }) => (target = port),
  };
}

/** A way to commit, and what must have become of it. */
export interface CommitKind {
  readonly title: string;
  /** Whether there is a record beforehand; `version` is its version. */
  readonly onRecord: boolean;
  readonly writes: (key: Key, version: string) => Write[];
  /** What must be refused afterwards, since the record is not what it was. */
  readonly rival?: (key: Key, version: string) => Write[];
  /** The value afterwards. */
  readonly leaves: string | undefined;
  /** The record has the version that the commit answered. */
  readonly putsVersion: boolean;
}

/** Another record of the same tag. */
export const beside = (key: Key): Key => ({ ...key, kind: 'beside' });

/** Every way to commit. */
export const COMMIT_KINDS: readonly CommitKind[] = [
  {
    title: 'a put where nothing is',
    onRecord: false,
    writes: (key) => [{ key, expect: 'absent', put: 'mine', lifetime: 60 }],
    rival: (key) => [{ key, expect: 'absent', put: 'theirs', lifetime: 60 }],
    leaves: 'mine',
    putsVersion: true,
  },
  {
    title: 'a put with a version',
    onRecord: true,
    writes: (key, version) => [{ key, expect: { version }, put: 'mine', lifetime: 'forever' }],
    rival: (key, version) => [{ key, expect: { version }, put: 'theirs', lifetime: 60 }],
    leaves: 'mine',
    putsVersion: true,
  },
  {
    title: 'a put over whatever is there',
    onRecord: true,
    writes: (key) => [{ key, expect: 'any', put: 'mine', lifetime: 60 }],
    rival: (key, version) => [{ key, expect: { version }, put: 'theirs', lifetime: 60 }],
    leaves: 'mine',
    putsVersion: true,
  },
  {
    title: 'a put that keeps the lifetime',
    onRecord: true,
    writes: (key, version) => [{ key, expect: { version }, put: 'mine', lifetime: 'keep' }],
    rival: (key, version) => [{ key, expect: { version }, put: 'theirs', lifetime: 'keep' }],
    leaves: 'mine',
    putsVersion: true,
  },
  {
    title: 'a touch with a version',
    onRecord: true,
    writes: (key, version) => [{ key, expect: { version }, touch: 600 }],
    rival: (key) => [{ key, expect: 'absent', put: 'theirs', lifetime: 60 }],
    leaves: 'old',
    putsVersion: false,
  },
  {
    title: 'a touch that ends the lifetime',
    onRecord: true,
    writes: (key, version) => [{ key, expect: { version }, touch: 0 }],
    rival: (key, version) => [{ key, expect: { version }, put: 'theirs', lifetime: 60 }],
    leaves: undefined,
    putsVersion: false,
  },
  {
    title: 'a put that is over at once',
    onRecord: true,
    writes: (key, version) => [{ key, expect: { version }, put: 'mine', lifetime: 0 }],
    rival: (key, version) => [{ key, expect: { version }, put: 'theirs', lifetime: 60 }],
    leaves: undefined,
    putsVersion: false,
  },
  {
    title: 'a removal with a version',
    onRecord: true,
    writes: (key, version) => [{ key, expect: { version }, remove: true }],
    rival: (key, version) => [{ key, expect: { version }, remove: true }],
    leaves: undefined,
    putsVersion: false,
  },
  {
    title: 'a removal of whatever is there',
    onRecord: true,
    writes: (key) => [{ key, expect: 'any', remove: true }],
    rival: (key, version) => [{ key, expect: { version }, put: 'theirs', lifetime: 60 }],
    leaves: undefined,
    putsVersion: false,
  },
  {
    title: 'a removal of what must not be there',
    onRecord: false,
    writes: (key) => [{ key, expect: 'absent', remove: true }],
    leaves: undefined,
    putsVersion: false,
  },
  {
    title: 'a put, a touch, a removal and a condition at once',
    onRecord: true,
    writes: (key, version) => [
      { key: { ...key, kind: 'new' }, expect: 'absent', put: 'x', lifetime: 60 },
      { key: { ...key, kind: 'other' }, expect: 'any', touch: 60 },
      { key: beside(key), expect: 'any', remove: true },
      { key, expect: { version }, put: 'mine', lifetime: 60 },
    ],
    rival: (key, version) => [
      { key, expect: { version }, put: 'theirs', lifetime: 60 },
      { key: beside(key), expect: 'absent', put: 'theirs', lifetime: 60 },
    ],
    leaves: 'mine',
    putsVersion: true,
  },
];
