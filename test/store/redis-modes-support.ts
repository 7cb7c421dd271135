import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ExecutionContext } from 'ava';
import { openRedisStore } from '../../adapters/redis/redis.ts';
import type { Key, Store } from '../../adapters/store.ts';
import { StoreUnavailable } from '../../errors.ts';
import { createLog } from '../../log.ts';
import { createLogs, type Logs } from '../support/logs.ts';
import { type RedisServer, until } from '../support/redis.ts';

/** The Redis store on a cluster, behind sentinels, or with TLS: what the tests of these have in common. */

export type RedisConfig = Parameters<typeof openRedisStore>[0]['config'];

/** Closed when the test ends. */
export async function openStoreOn(
  t: ExecutionContext,
  config: Omit<RedisConfig, 'kind'>,
): Promise<{ store: Store; logs: Logs }> {
  const logs = createLogs();
  const log = createLog('debug', logs.sink);
  const store = await openRedisStore({ config: { kind: 'redis', ...config }, log });
  t.teardown(() => store.close());
  return { store, logs };
}

/** Waits until a replica has all that its primary has taken so far. */
export async function untilCopied(primary: RedisServer, replica: RedisServer): Promise<void> {
  const offset = async (server: RedisServer, name: string): Promise<number> =>
    Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await info(server))?.[1]);
  const info = (server: RedisServer) => server.command('INFO', 'replication');
  const wanted = await offset(primary, 'master_repl_offset');
  await until('the replica has what the primary has', async () => {
    return (await offset(replica, 'slave_repl_offset')) >= wanted;
  });
}

export interface Load {
  /** Records that were acknowledged, by key. */
  readonly done: ReadonlyMap<Key, string>;
  /** How many calls ended as unavailable. */
  readonly unavailable: () => number;
  /** How long the slowest call took. */
  readonly slowestMs: () => number;
  /** The same for what went wrong: anything but success and unavailable. */
  readonly faults: () => readonly string[];
  /** Ends it, and waits for the calls under way. */
  stop(): Promise<void>;
}

/**
 * Commits without a pause until it is stopped. Each inserts a record that nobody else inserts: if it is refused, it was
 * refused because of itself.
 */
export function startLoad(store: Store, fresh: () => Key, workers = 8): Load {
  const done = new Map<Key, string>();
  const faults: string[] = [];
  let running = true;
  let unavailable = 0;
  let slowestMs = 0;

  async function work(): Promise<void> {
    while (running) {
      const key = fresh();
      const started = performance.now();
      try {
        const version = await store.commit([{ key, expect: 'absent', put: 'x', lifetime: 600 }]);
        if (version === undefined) faults.push(`${key.tag} ${key.kind} was refused`);
        else done.set(key, version);
      } catch (error) {
        if (error instanceof StoreUnavailable) unavailable++;
        else faults.push(String(error));
      }
      slowestMs = Math.max(slowestMs, performance.now() - started);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  const working = Promise.all(Array.from({ length: workers }, work));

  return {
    done,
    unavailable: () => unavailable,
    slowestMs: () => slowestMs,
    faults: () => faults,
    async stop() {
      running = false;
      await working;
    },
  };
}

export interface Ended {
  readonly code: number | null;
  readonly output: string;
  /** How long it went on after it had closed the store. */
  readonly lingeredMs: number;
}

/** Opens, uses and closes the store in a process of its own: Node reads NODE_EXTRA_CA_CERTS only when it starts. */
export async function runChild(
  config: Omit<RedisConfig, 'kind'>,
  env: Record<string, string> = {},
): Promise<Ended> {
  const script = new URL('redis-child.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, JSON.stringify(config)], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
  });
  let output = '';
  let closedAt = Infinity;
  const read = (chunk: Buffer): void => {
    output += String(chunk);
    if (/^closed$/m.test(output)) closedAt = Math.min(closedAt, performance.now());
  };
  child.stdout.on('data', read);
  child.stderr.on('data', read);
  const timer = setTimeout(() => child.kill(), 30_000);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  return { code, output, lingeredMs: performance.now() - closedAt };
}
