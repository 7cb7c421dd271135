import type { Certificates } from './certificates.ts';
import { freePort } from './ports.ts';
import { type RedisServer, startRedis, until } from './redis.ts';
import { createTcpShim, type TcpShim } from './tcp-shim.ts';

/** A primary, a replica of it, and three sentinels that watch them: real processes on loopback. */
export interface RedisSentinels {
  /** What was the primary, and the replica, when it was started. */
  readonly primary: WatchedServer;
  readonly replica: WatchedServer;
  readonly sentinels: readonly Sentinel[];
  /** For REDIS_SENTINEL_NAME. */
  readonly name: string;
  /** Of the sentinels, through their shims. */
  readonly urls: readonly string[];
  /** Waits until all sentinels lead to this server, and it takes writes. */
  untilPrimary(server: WatchedServer): Promise<void>;
  /** Waits until one server is a replica of another. */
  untilFollows(replica: WatchedServer, primary: WatchedServer): Promise<void>;
  /** Makes the replica the primary while both run. */
  failOver(): Promise<void>;
  stop(): Promise<void>;
}

export interface WatchedServer extends RedisServer {
  /** What the sentinels know it by. */
  readonly address: number;
}

export interface Sentinel extends RedisServer {
  /** What clients and other sentinels are led to. */
  readonly shim: TcpShim;
}

const NAME = 'mymaster';
/** A primary that is silent for so long counts as dead. */
const DOWN_AFTER_MS = 1_500;

/** @param options.certificates TLS wherever two of them speak to each other, and for clients */
export async function startRedisSentinels(
  options: { readonly certificates?: Certificates } = {},
): Promise<RedisSentinels> {
  const running: { stop(): Promise<void> }[] = [];
  const keep = <T extends { stop(): Promise<void> }>(server: T): T => {
    running.push(server);
    return server;
  };
  const stop = async (): Promise<void> => {
    await Promise.all(running.map((server) => server.stop()));
  };
  const tls = options.certificates;
  const startServer = async (replicaOf?: WatchedServer): Promise<WatchedServer> => {
    const tlsPort = tls ? await freePort() : 0;
    const args = [
      // What was written survives a kill all the same.
      ['--appendfsync', 'no'],
      ['--repl-diskless-sync-delay', '0'],
      replicaOf ? ['--replicaof', '127.0.0.1', String(replicaOf.address)] : [],
      tls ? [...tls.redisArgs(tlsPort), '--tls-replication', 'yes'] : [],
    ].flat();
    const server = keep(await startRedis({ persist: true, args }));
    return Object.assign(server, { address: tls ? tlsPort : server.port });
  };
  try {
    const primary = await startServer();
    const replica = await startServer(primary);
    await untilFollows(replica, primary);
    const sentinels = await Promise.all(
      [1, 2, 3].map(async () => keep(await startSentinel(primary, tls))),
    );
    await until('the sentinels know each other, and the replica', async () => {
      const known = await Promise.all(sentinels.map(knows));
      return known.every(({ others, replicas }) => others === 2 && replicas === 1);
    });
    return { ...controlOf(sentinels), primary, replica, sentinels, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startSentinel(
  primary: WatchedServer,
  tls: Certificates | undefined,
): Promise<Sentinel> {
  // Its address is part of its configuration, and there before it is.
  const target = { port: 0 };
  const shim = await createTcpShim(target);
  const tlsPort = tls ? await freePort() : 0;
  const server = await startRedis({
    sentinel: [
      ...(tls ? [...tls.redisConfig(tlsPort), 'tls-replication yes'] : []),
      'sentinel announce-ip 127.0.0.1',
      `sentinel announce-port ${shim.port}`,
      `sentinel monitor ${NAME} 127.0.0.1 ${primary.address} 2`,
      `sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}`,
      `sentinel failover-timeout ${NAME} 5000`,
    ],
  });
  target.port = tls ? tlsPort : server.port;
  return {
    ...server,
    get pid() {
      return server.pid;
    },
    url: `${tls ? 'rediss' : 'redis'}://127.0.0.1:${shim.port}`,
    shim,
    async stop() {
      await server.stop();
      await shim.close();
    },
  };
}

function controlOf(
  sentinels: readonly Sentinel[],
): Omit<RedisSentinels, 'primary' | 'replica' | 'sentinels' | 'stop'> {
  return {
    name: NAME,
    urls: sentinels.map(({ url }) => url),
    async untilPrimary(server) {
      await until('all sentinels lead to the new primary', async () => {
        const answers = await Promise.all(
          sentinels.map((each) => each.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)),
        );
        const role = await server.command('ROLE');
        return (
          answers.every((answer) => answer.includes(`\r\n${server.address}\r\n`)) &&
          role.includes('master')
        );
      });
    },
    untilFollows,
    async failOver() {
      const reply = await sentinels[0]!.command('SENTINEL', 'FAILOVER', NAME);
      if (reply !== '+OK\r\n') throw new Error(`SENTINEL FAILOVER: ${reply}`);
    },
  };
}

const untilFollows = (replica: WatchedServer, primary: WatchedServer): Promise<void> =>
  until('the replica follows', async () => {
    const info = await replica.command('INFO', 'replication');
    return (
      info.includes('master_link_status:up') && info.includes(`master_port:${primary.address}`)
    );
  });

/** How many others a sentinel knows. */
async function knows(sentinel: RedisServer): Promise<{ others: number; replicas: number }> {
  const state = await sentinel.command('SENTINEL', 'MASTER', NAME);
  const count = (what: string): number =>
    Number(new RegExp(`${what}\\r\\n\\$\\d+\\r\\n(\\d+)`).exec(state)?.[1]);
  return { others: count('num-other-sentinels'), replicas: count('num-slaves') };
}
