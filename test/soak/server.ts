import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Sandbox, startSandbox } from '../../sandbox/index.ts';
import type { StoreName } from '../support/harness.ts';
import { recordsOf } from '../support/records.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { startServerProcess } from '../support/server-process.ts';

/** What the server's process holds. */
export interface Sample {
  /** Bytes. */
  readonly rss: number;
  /** Bytes in use after a collection. */
  readonly heap: number;
  /** What keeps it alive, sockets and timers above all, by type. */
  readonly handles: Readonly<Record<string, number>>;
}

export interface StoreSize {
  readonly bytes: number;
  /** Records by kind. */
  readonly records: Readonly<Record<string, number>>;
}

/** A server process that can be asked what it holds. NeonPanel is in our process. */
export interface Soaked {
  readonly url: string;
  readonly sandbox: Sandbox;
  look(): Promise<Sample>;
  /** Once nobody is connected any more: what is under way comes to its end first. */
  atRest(): Promise<Sample>;
  size(): Promise<StoreSize>;
  close(): Promise<void>;
}

export async function startSoaked(store: StoreName): Promise<Soaked> {
  const endings: (() => unknown)[] = [];
  const close = async () => {
    for (const end of endings.reverse()) await end();
  };
  const teardown = (end: () => unknown) => void endings.push(end);
  const sandbox = await startSandbox({ port: 0 });
  teardown(sandbox.close);
  let redis: RedisServer | undefined;
  if (store === 'redis') teardown((redis = await startRedis({ persist: true })).stop);
  const server = await startServerProcess(
    { teardown },
    {
      stdout: 'pipe',
      ipc: true,
      command: [process.execPath, '--expose-gc', '--import', './test/soak/probe.ts', 'server.js'],
      env: {
        ...(redis && { REDIS_URL: redis.url }),
        MASTER_KEYS: randomBytes(32).toString('base64url'),
        NEONPANEL_URL: sandbox.url,
        RATE_LIMIT_FACTOR: '0',
        LOG_LEVEL: 'warn',
      },
    },
  );
  const { child, url, dataDir } = server;
  child.stdout!.resume();
  // Whoever interrupts a soak of hours leaves nothing running.
  const endWithUs = () => {
    for (const pid of [child.pid!, ...(redis ? [redis.pid] : [])]) process.kill(pid, 'SIGKILL');
  };
  process.once('exit', endWithUs);
  teardown(() => process.off('exit', endWithUs));

  const look = async (): Promise<Sample> => {
    const answer = once(child, 'message');
    child.send('look');
    return (await answer)[0] as Sample;
  };
  return {
    // The address under which it knows itself.
    url: url.replace('127.0.0.1', 'localhost'),
    sandbox,
    look,
    async atRest() {
      let fewest = await look();
      for (let calm = 0; calm < 4; calm++) {
        await sleep(REST_MS);
        const sample = await look();
        if (total(sample) < total(fewest)) calm = 0;
        fewest = total(sample) <= total(fewest) ? sample : fewest;
      }
      return fewest;
    },
    size: async () => ({
      bytes: redis ? await redisBytes(redis) : await sqliteBytes(dataDir),
      records: Object.fromEntries(
        Map.groupBy(await recordsOf({ dataDir, redis }), ({ kind }) => kind.split(':')[0]!)
          .entries()
          .map(([kind, all]) => [kind, all.length]),
      ),
    }),
    close,
  };
}

/** Connections that are kept for the next request are closed after some seconds. */
const REST_MS = 1_500;
const total = ({ handles }: Sample): number => Object.values(handles).reduce((a, b) => a + b, 0);

async function redisBytes(redis: RedisServer): Promise<number> {
  return Number(/^used_memory_dataset:(\d+)/m.exec(await redis.command('INFO', 'memory'))![1]);
}

async function sqliteBytes(dataDir: string): Promise<number> {
  const { DatabaseSync } = await import('node:sqlite');
  const db = new DatabaseSync(`${dataDir}/neonpanel-mcp.db`, { readOnly: true });
  const pragma = (name: string) => Number(Object.values(db.prepare(`PRAGMA ${name}`).get()!)[0]);
  try {
    return (pragma('page_count') - pragma('freelist_count')) * pragma('page_size');
  } finally {
    db.close();
  }
}
