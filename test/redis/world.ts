import { type Balancer, startBalancer } from '../journeys/balancer.ts';
import { type Harness, startHarness, untilReady } from '../support/harness.ts';
import { type RedisOptions, type RedisServer, startRedis } from '../support/redis.ts';
import { createTcpShim, type TcpShim } from '../support/tcp-shim.ts';
import { commandsIn, purposeOf } from './commands.ts';
import { createFlow, type Flow } from './flow.ts';

/** Our server on a Redis of its own that is reached through a shim; everything stops with `close`. */
export interface World {
  readonly harness: Harness;
  readonly redis: RedisServer;
  readonly shim: TcpShim;
  /** Where clients go: the one instance, or a balancer that gives each request to the next of them. */
  readonly base: string;
  readonly balancer?: Balancer | undefined;
  /** Another connection; the balancer begins with the first instance. */
  flow(): Flow;
  /** Moves the clock of our server and of NeonPanel forward; Redis has its own. */
  advance(seconds: number): void;
  /**
   * Calls back for every command that a request sends, before it reaches Redis, until `unwatch`.
   * @param onCommand gets what it is for; returns true if its reply is to be swallowed and its connection cut
   */
  watch(onCommand: (purpose: string) => boolean | void): void;
  unwatch(): void;
  /** Names of our records of one kind. */
  records(kind: string): Promise<string[]>;
  close(): Promise<void>;
}

export interface WorldOptions {
  readonly instances?: number;
  readonly redis?: RedisOptions;
  readonly env?: Record<string, string>;
}

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const { instances = 1 } = options;
  const redis = await startRedis({ persist: true, ...options.redis });
  const shim = await createTcpShim({ port: redis.port });
  const balancer = instances > 1 ? await startBalancer() : undefined;
  let ahead = 0;
  let turn = 0;
  const harness = await startHarness({
    instances,
    now: () => Date.now() + ahead,
    env: {
      REDIS_URL: `redis://127.0.0.1:${shim.port}`,
      RATE_LIMIT_FACTOR: '0',
      ...(balancer && { PUBLIC_URL: balancer.url }),
      ...options.env,
    },
  });
  if (balancer) {
    balancer.targets = harness.instances;
    balancer.route = () => turn++ % instances;
  }
  // As a balancer does: on a busy machine an instance may start before it has reached Redis, and says 503 until then.
  await Promise.all(harness.instances.map(untilReady));
  const base = balancer?.url ?? harness.url;

  return {
    harness,
    redis,
    shim,
    base,
    balancer,
    flow() {
      turn = 0;
      return createFlow({ base, sandbox: harness.sandbox });
    },
    advance(seconds) {
      ahead += seconds * 1000;
    },
    watch(onCommand) {
      shim.swallowReply((request) => {
        const wanted = commandsIn(request)
          .map(purposeOf)
          .filter((purpose) => purpose !== undefined);
        return wanted.map((purpose) => onCommand(purpose) === true).includes(true);
      });
    },
    unwatch() {
      shim.swallowReply(0);
    },
    async records(kind) {
      const reply = await redis.command('KEYS', `neonpanel-mcp:*:${kind}`);
      return reply.split('\r\n').filter((line) => line.startsWith('neonpanel-mcp:'));
    },
    async close() {
      await harness.close();
      await balancer?.close();
      await shim.close();
      await redis.stop();
    },
  };
}
