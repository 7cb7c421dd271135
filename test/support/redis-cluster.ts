import type { Certificates } from './certificates.ts';
import { freePort } from './ports.ts';
import { type RedisServer, startRedis, until } from './redis.ts';
import { createTcpShim, type TcpShim } from './tcp-shim.ts';

/** A real Redis Cluster of redis-server processes on loopback, formed by commands alone: redis-cli is not needed. */
export interface RedisCluster {
  readonly masters: readonly ClusterNode[];
  /** Replica i follows master i. */
  readonly replicas: readonly ClusterNode[];
  /** One for each master. */
  readonly urls: readonly string[];
  /** Waits until every node that runs finds the cluster complete. */
  healthy(): Promise<void>;
  /** Which of the nodes has the slot of this key now, as its master. */
  ownerOf(key: string): Promise<ClusterNode>;
  /**
   * Begins to move the slot of a key: of what is in it, those names that are picked, by default all. Until it is
   * finished, its old owner answers ASK for them; later MOVED.
   */
  beginMove(key: string, to: ClusterNode, isPicked?: (name: string) => boolean): Promise<Move>;
  stop(): Promise<void>;
}

export interface Move {
  /** Moves what is left, while the slot is still with its old owner. */
  moveRest(): Promise<void>;
  finish(): Promise<void>;
}

export interface ClusterNode extends RedisServer {
  readonly id: string;
  /** What clients are led to, if the cluster has shims. */
  readonly shim: TcpShim;
}

export interface ClusterOptions {
  /** How many of the three masters have a replica. Default: none. */
  readonly replicas?: number;
  /** How long a node may be silent before it counts as dead. Default: more than a busy machine ever is. */
  readonly nodeTimeoutMs?: number;
  /** A shim before each node, which announces it as its own address. */
  readonly shims?: boolean;
  /** TLS between client and node, and between the nodes. */
  readonly certificates?: Certificates;
}

const MASTERS = 3;
const SLOTS = 16_384;

export async function startRedisCluster(options: ClusterOptions = {}): Promise<RedisCluster> {
  const count = MASTERS + (options.replicas ?? 0);
  // Once more: somebody else may have taken one of its ports meanwhile.
  const start = () => startNode(options).catch(() => startNode(options));
  const started = await Promise.allSettled(Array.from({ length: count }, start));
  const nodes = started.filter((node) => node.status === 'fulfilled').map(({ value }) => value);
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  try {
    for (const node of started) if (node.status === 'rejected') throw node.reason;
    await form(nodes.slice(0, MASTERS), nodes.slice(MASTERS));
  } catch (error) {
    await stop();
    throw error;
  }
  return { ...controlOf(nodes), stop };
}

interface StartedNode extends ClusterNode {
  readonly busPort: number;
}

async function startNode(options: ClusterOptions): Promise<StartedNode> {
  const busPort = await freePort();
  const { certificates, shims, nodeTimeoutMs = 15_000 } = options;
  const tlsPort = certificates ? await freePort() : 0;
  const server = await startRedis({
    // Its slots and its records survive a kill, though not a power cut.
    persist: true,
    args: [
      ['--appendfsync', 'no'],
      ['--cluster-enabled', 'yes'],
      // The default would be the port + 10000, which somebody may have.
      ['--cluster-port', String(busPort)],
      ['--cluster-node-timeout', String(nodeTimeoutMs)],
      // However long it heard nothing of its master, a replica stands for election.
      ['--cluster-replica-validity-factor', '0'],
      ['--repl-diskless-sync-delay', '0'],
      certificates ? [...certificates.redisArgs(tlsPort), '--tls-cluster', 'yes'] : [],
    ].flat(),
  });
  const shim = await createTcpShim({ port: server.port });
  const announce = async (): Promise<void> => {
    if (shims) await must(server, 'CONFIG', 'SET', 'cluster-announce-port', String(shim.port));
  };
  await announce();
  const port = certificates ? tlsPort : shims ? shim.port : server.port;
  return {
    ...server,
    get pid() {
      return server.pid;
    },
    id: textOf(await server.command('CLUSTER', 'MYID')),
    url: `${certificates ? 'rediss' : 'redis'}://127.0.0.1:${port}`,
    shim,
    busPort,
    async start() {
      await server.start();
      await announce();
    },
    async stop() {
      await server.stop();
      await shim.close();
    },
  };
}

/** Shares the slots out, lets the nodes know each other, and waits until all of them agree. */
async function form(
  masters: readonly StartedNode[],
  replicas: readonly StartedNode[],
): Promise<void> {
  const all = [...masters, ...replicas];
  for (const [i, master] of masters.entries()) {
    const [from, end] = [slotsBefore(i), slotsBefore(i + 1)];
    await must(master, 'CLUSTER', 'ADDSLOTSRANGE', String(from), String(end - 1));
    // All begin with the same epoch, and would have to find that out first.
    await must(master, 'CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
  }
  // Each other, at once: what they hear of third ones comes later.
  for (const [i, node] of all.entries()) {
    for (const { port, busPort } of all.slice(i + 1)) {
      await must(node, 'CLUSTER', 'MEET', '127.0.0.1', String(port), String(busPort));
    }
  }
  // By their names: until they have shaken hands, a made-up one stands for each.
  await until('every node of the cluster knows the others', async () => {
    const known = await Promise.all(all.map((node) => node.command('CLUSTER', 'NODES')));
    return known.every((lines) => all.every(({ id }) => lines.includes(id)));
  });
  for (const [i, replica] of replicas.entries()) {
    await must(replica, 'CLUSTER', 'REPLICATE', masters[i]!.id);
  }
  await until('every replica has what its master has', async () => {
    const infos = await Promise.all(replicas.map((node) => node.command('INFO', 'replication')));
    return infos.every((info) => info.includes('master_link_status:up'));
  });
  await allComplete(all);
}

const slotsBefore = (master: number): number => Math.ceil((SLOTS * master) / MASTERS);

const allComplete = (nodes: readonly ClusterNode[]): Promise<void> =>
  until('every node finds the cluster complete', async () => {
    const states = await Promise.all(nodes.map((node) => infoOf(node, 'cluster_state')));
    return states.every((state) => state === 'ok');
  });

function controlOf(nodes: readonly ClusterNode[]): Omit<RedisCluster, 'stop'> {
  const masters = nodes.slice(0, MASTERS);
  const running = (): ClusterNode[] => nodes.filter(isRunning);

  async function slotOf(key: string): Promise<number> {
    return Number((await running()[0]!.command('CLUSTER', 'KEYSLOT', key)).slice(1));
  }

  async function ownerOf(key: string): Promise<ClusterNode> {
    const slot = await slotOf(key);
    for (const node of running()) {
      // id address flags … slots: its own line says `myself`.
      const line = linesOf(await node.command('CLUSTER', 'NODES')).find((l) =>
        l.includes('myself'),
      );
      const ranges = line!
        .split(' ')
        .slice(8)
        .filter((range) => /^[\d-]+$/.test(range));
      const bounds = ranges.map((range) => range.split('-').map(Number));
      if (bounds.some(([from, to = from]) => from! <= slot && slot <= to!)) return node;
    }
    throw new Error(`no node that runs has slot ${slot}`);
  }

  return {
    masters,
    replicas: nodes.slice(MASTERS),
    urls: masters.map(({ url }) => url),
    healthy: () => allComplete(running()),
    ownerOf,
    async beginMove(key, to, isPicked = () => true) {
      const slot = String(await slotOf(key));
      const from = await ownerOf(key);
      await must(to, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id);
      await must(from, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id);
      const move = async (names: readonly string[]): Promise<void> => {
        if (names.length === 0) return;
        const target = ['127.0.0.1', String(to.port), '', '0', '5000'];
        await must(from, 'MIGRATE', ...target, 'KEYS', ...names);
      };
      const inside = async (): Promise<string[]> =>
        linesOf(await from.command('CLUSTER', 'GETKEYSINSLOT', slot, '1000'));
      await move((await inside()).filter(isPicked));
      return {
        async moveRest() {
          await move(await inside());
        },
        async finish() {
          await move(await inside());
          // The new owner first, or for a moment nobody would serve the slot.
          for (const node of new Set([to, from, ...masters])) {
            await must(node, 'CLUSTER', 'SETSLOT', slot, 'NODE', to.id);
          }
        },
      };
    },
  };
}

function isRunning(node: ClusterNode): boolean {
  try {
    return node.pid > 0;
  } catch {
    return false;
  }
}

async function infoOf(node: RedisServer, name: string): Promise<string | undefined> {
  const line = linesOf(await node.command('CLUSTER', 'INFO')).find((l) => l.startsWith(`${name}:`));
  return line?.slice(name.length + 1);
}

/** @throws Error unless the answer is OK */
async function must(node: RedisServer, ...words: string[]): Promise<void> {
  const reply = await node.command(...words);
  if (reply !== '+OK\r\n') throw new Error(`${words.slice(0, 3).join(' ')}: ${reply}`);
}

/** The lines of a reply without those that only say how long things are. */
const linesOf = (reply: string): string[] =>
  reply.split(/\r?\n/).filter((line) => line !== '' && !/^[$*]\d+$/.test(line));

const textOf = (reply: string): string => linesOf(reply)[0]!;
