import { rmSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../test/support/ports.ts';
import { type RedisServer, startRedis } from '../test/support/redis.ts';
import { type Generator, startGenerator } from './generator/client.ts';
import type { Authority } from './generator/protocol.ts';
import { endWithRun, type Running, start } from './process.ts';

/** Who has signed in at the peers. */
export const USER = { email: 'user@bench.example', password: 'invented-for-the-bench' };

/** What is around the servers under measurement: each a process of its own, started when it is first needed. */
export interface World {
  readonly generator: Generator;
  readonly redis: RedisServer;
  /** NeonPanel's login. */
  readonly sandbox: Running;
  /** NeonPanel's API, as quick as can be, or with a delay. */
  readonly upstream: Running;
  /** A directory that goes with the world. */
  readonly directory: string;
  delayUpstream(ms: number): Promise<void>;
  /** A file of peers/; started once for each name. */
  peer(file: string, env?: Record<string, string>, name?: string): Promise<Running>;
  /** Takes over to stop it at the end. */
  keep(running: Promise<Running>): Promise<Running>;
  file(name: string, content: unknown): Promise<string>;
  close(): Promise<void>;
}

export const UPSTREAM_PATH = '/api/v1/companies';

export async function createWorld(): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-'));
  const running: Promise<Running>[] = [];
  const peers = new Map<string, Promise<Running>>();
  const keep = (started: Promise<Running>) => {
    running.push(started);
    return started;
  };
  const peer: World['peer'] = async (file, env = {}, name = file) => {
    const known = peers.get(name);
    if (known) return known;
    const preload =
      file === 'workers-oauth-provider' ? ['--import', './bench/peers/cloudflare-workers.ts'] : [];
    const started = keep(
      start({
        command: [...preload, `bench/peers/${file}.ts`],
        port: await freePort(),
        readyPath: '/',
        env,
      }),
    );
    peers.set(name, started);
    return started;
  };

  const generator = startGenerator();
  const redis = await startRedis();
  const nothingLeft = endWithRun(() => {
    process.kill(redis.pid, 'SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });
  const close = async () => {
    generator.stop();
    const settled = await Promise.allSettled(running);
    await Promise.all(settled.map((each) => each.status === 'fulfilled' && each.value.stop()));
    nothingLeft();
    await redis.stop();
    await rm(directory, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void close().finally(() => process.exit(1)));
  }
  try {
    const sandboxPort = await freePort();
    const [sandbox, upstream] = await Promise.all([
      keep(
        start({
          command: ['--import', './bench/inside/hooks.ts', 'sandbox/main.ts'],
          port: sandboxPort,
          readyPath: '/',
          env: { SANDBOX_PORT: String(sandboxPort), SANDBOX_STATE: join(directory, 'sandbox.db') },
        }),
      ),
      peer('upstream'),
    ]);
    return {
      generator,
      redis,
      sandbox,
      upstream,
      directory,
      peer,
      keep,
      close,
      async delayUpstream(ms) {
        await fetch(`${upstream.origin}/_delay/${ms}`);
      },
      async file(name, content) {
        const path = join(directory, name);
        await writeFile(path, JSON.stringify(content));
        return path;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

export const authorityAt = (kind: Authority['kind'], { origin }: Running): Authority => ({
  kind,
  origin,
  ...(kind === 'better-auth' && { user: USER }),
});
