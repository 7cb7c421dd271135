import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../test/support/ports.ts';
import type { Sample } from './figures.ts';
import type { Load } from './generator/protocol.ts';
import { mcpShot } from './mcp-requests.ts';
import { ourServer, type Surroundings } from './ours.ts';
import { cpuSecondsOf, type Program, type Running, start } from './process.ts';
import { authorityAt, UPSTREAM_PATH, type World } from './world.ts';

export type StoreName = 'redis' | 'sqlite';

/** One store, our server on it with users who have connected, and the peers that are given what our server says. */
export interface Stage {
  readonly store: StoreName;
  readonly world: World;
  readonly ours: Running;
  /** How it was started: a script with its environment works on the same store. */
  readonly program: Program;
  /** One access token for each user, got by connecting. */
  readonly tokens: readonly string[];
  /** Another instance of ours on the same store, under the same name. */
  another(options?: Partial<Surroundings>): Promise<Running>;
  /** A peer that has the tools that our server lists. */
  peerWithTools(file: 'sdk-v1' | 'sdk-v2' | 'json-rpc' | 'naive'): Promise<Running>;
  /** What the load costs the processes that serve it. */
  sample(servers: readonly Running[], load: () => Promise<Load>): Promise<Sample>;
}

/** @param options.tools how many our server has besides `echo`. Default: those it ships with */
export async function createStage(
  world: World,
  store: StoreName,
  options: { users: number; tools?: number },
): Promise<Stage> {
  const port = await freePort();
  const publicUrl = `http://localhost:${port}`;
  const directory = join(world.directory, `${store}-${port}`);
  await mkdir(directory);
  const surroundings = (own: Partial<Surroundings> = {}): Surroundings => ({
    port,
    publicUrl,
    directory,
    redisUrl: store === 'redis' ? world.redis.url : undefined,
    neonpanelUrl: world.sandbox.origin,
    apiUrl: `${world.upstream.origin}${UPSTREAM_PATH.replace('/companies', '')}`,
    ...(options.tools !== undefined && { tools: options.tools }),
    ...own,
  });
  const program = ourServer(surroundings());
  const ours = await world.keep(start(program));
  const authority = authorityAt('ours', ours);
  const tokens = await world.generator.connect({
    kind: 'connect',
    authority,
    count: options.users,
  });

  return {
    store,
    world,
    ours,
    program,
    tokens,
    another: async (own) =>
      world.keep(start(ourServer(surroundings({ port: await freePort(), ...own })))),

    async peerWithTools(file) {
      const env: Record<string, string> = {
        TOOLS_FILE: await world.file('tools.json', await listedBy(ours, tokens[0]!)),
        UPSTREAM_TARGET: world.upstream.origin + UPSTREAM_PATH,
      };
      if (file !== 'naive') return world.peer(file, env);
      // It takes this store's tokens, so it must know this store's keys and grants.
      const jwks: unknown = await (await fetch(`${ours.origin}/.well-known/jwks.json`)).json();
      const naive = { jwks, grants: tokens.map(grantOf) };
      const NAIVE_FILE = await world.file(`naive-${port}.json`, naive);
      return world.peer(file, { ...env, NAIVE_FILE, REDIS_URL: world.redis.url }, `naive-${port}`);
    },

    async sample(servers, load) {
      const usedBy = (pid: number) => cpuSecondsOf(pid);
      const pids = servers.map(({ pid }) => pid);
      const before = pids.map(usedBy);
      const redisBefore = usedBy(world.redis.pid);
      const done = await load();
      const after = pids.map(usedBy);
      const redisAfter = usedBy(world.redis.pid);
      const isOurs = store === 'redis' && servers.some(({ origin }) => origin === ours.origin);
      return {
        ...done,
        cpuSeconds: difference(before, after),
        ...(isOurs && { storeCpuSeconds: difference([redisBefore], [redisAfter]) }),
      };
    },
  };
}

function difference(
  before: readonly (number | undefined)[],
  after: readonly (number | undefined)[],
): number | undefined {
  let sum = 0;
  for (const [i, value] of after.entries()) {
    const start = before[i];
    if (value === undefined || start === undefined) return undefined;
    sum += value - start;
  }
  return sum;
}

async function listedBy({ origin }: Running, token: string): Promise<unknown> {
  const { path, method, headers, body } = mcpShot('2026-07-28', 'tools/list', {}, token);
  const answer = await fetch(origin + path, { method, headers: { ...headers }, body: body! });
  const { result } = (await answer.json()) as { result?: unknown };
  if (!result) throw new Error('our server does not list its tools');
  return result;
}

/** The grant that a token of ours names. */
export const grantOf = (token: string): string =>
  (JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as { grant_id: string })
    .grant_id;
