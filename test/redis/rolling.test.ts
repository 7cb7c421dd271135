import { randomBytes } from 'node:crypto';
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { startSandbox } from '../../sandbox/index.ts';
import { type Balancer, startBalancer } from '../journeys/balancer.ts';
import { callTool, refresh } from '../support/oauth.ts';
import { startRedis } from '../support/redis.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { createFlow, type Flow, words } from './flow.ts';

/**
 * An update that rolls: two server processes on one Redis behind a balancer that asks /readyz, and one after the other is
 * stopped and started anew while clients are at work. Nobody may notice.
 */

const RESTARTS = process.env.LONG_TESTS ? 50 : 2;
const CLIENTS = 6;
const LOOK_EVERY_MS = 25;
/** Between two requests of a client: the machine has other things to do. */
const PAUSE_MS = 40;

const WITH_FAULTS = ['--import', './test/support/crash-on-signal.ts', 'server.js'] as const;

interface World {
  readonly balancer: Balancer;
  /** Another server, which gets requests as soon as it is ready. */
  start(): Promise<ServerProcess>;
  flow(): Flow;
}

async function startWorld(t: ExecutionContext): Promise<World> {
  const [redis, sandbox, balancer] = await Promise.all([
    startRedis({ persist: true }),
    startSandbox({ port: 0 }),
    startBalancer({ agent: new Agent({ keepAlive: true }) }),
  ]);
  for (const close of [redis.stop, sandbox.close, balancer.close]) t.teardown(close);
  const env = {
    REDIS_URL: redis.url,
    MASTER_KEYS: randomBytes(32).toString('base64url'),
    PUBLIC_URL: balancer.url,
    NEONPANEL_URL: sandbox.url,
    RATE_LIMIT_FACTOR: '0',
    LOG_LEVEL: 'warn',
  };
  const command = [process.execPath, ...WITH_FAULTS] as const;
  return {
    balancer,
    async start() {
      const server = await startServerProcess(t, { stdout: 'pipe', command, env });
      server.child.stdout!.resume();
      watch(balancer, server);
      while (!balancer.targets.includes(server.url)) await sleep(LOOK_EVERY_MS);
      return server;
    },
    flow: () => createFlow({ base: balancer.url, sandbox }),
  };
}

/** The balancer's health check of one server, until it has ended. */
function watch(balancer: Balancer, { url, child }: ServerProcess): void {
  const look = async (): Promise<void> => {
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    const others = balancer.targets.filter((target) => target !== url);
    balancer.targets = answer?.status === 200 ? [...others, url] : others;
    const hasEnded = child.exitCode !== null || child.signalCode !== null;
    if (!hasEnded) setTimeout(look, LOOK_EVERY_MS);
  };
  void look();
}

/** What clients do as long as the servers are restarted. */
interface Load {
  over: boolean;
  requests: number;
  readonly failed: string[];
}

test('[X25] [X40] redis: two servers that are restarted one after the other under load, one of them by a crash, fail no request', async (t) => {
  const world = await startWorld(t);
  const servers = [await world.start(), await world.start()];
  const chains: Flow[] = [];
  while (chains.length < CLIENTS) {
    const flow = world.flow();
    await flow.run('register', 'redeem the code');
    chains.push(flow);
  }
  const load: Load = { over: false, requests: 0, failed: [] };
  const work = [
    ...chains.map((flow) => keepRefreshing(world, flow, load)),
    keepSigningIn(world, load),
    keepSigningIn(world, load),
  ];

  for (let restart = 0; restart <= RESTARTS; restart++) {
    const last = restart === RESTARTS;
    const server = servers[restart % 2]!;
    server.child.kill(last ? 'SIGUSR2' : 'SIGTERM');
    t.is(await server.ended, last ? 1 : 0);
    servers[restart % 2] = await world.start();
  }
  load.over = true;
  const generations = await Promise.all(work);
  t.deepEqual(load.failed, []);
  const rotations = generations.slice(0, CLIENTS);
  t.true(
    rotations.every(({ sent, newest }) => sent > RESTARTS && sent === newest),
    JSON.stringify(rotations),
  );
  t.log(`${RESTARTS + 1} restarts, ${load.requests} requests, none failed`);
});

/** A chain of refreshes, each followed by a call. @returns how many, and the number of the newest refresh token */
async function keepRefreshing({ balancer: { url } }: World, { held }: Flow, load: Load) {
  let token = held.first!.refresh_token;
  let sent = 0;
  while (!load.over) {
    const renewed = await attempt(load, 'refresh', () => refresh(url, held.client!, token));
    if (!renewed) break;
    token = renewed.body.refresh_token;
    sent++;
    await sleep(PAUSE_MS);
    await attempt(load, 'call', () => callTool(url, renewed.body.access_token, 'listCompanies'));
    await sleep(PAUSE_MS);
  }
  return { sent, newest: Number(token.split('.')[1]) };
}

async function keepSigningIn({ flow }: World, load: Load) {
  let sent = 0;
  while (!load.over) {
    await flow()
      .run('register', 'redeem the code')
      .catch((error: Error) => load.failed.push(`sign-in: ${reasonOf(error)}`));
    load.requests += 7;
    sent++;
    await sleep(PAUSE_MS);
  }
  return { sent, newest: sent };
}

async function attempt<T extends { status: number }>(
  load: Load,
  what: string,
  send: () => Promise<T>,
): Promise<T | undefined> {
  load.requests++;
  const answer = await send().catch((error: Error) => reasonOf(error));
  if (typeof answer === 'object' && answer.status === 200) return answer;
  load.failed.push(`${what}: ${typeof answer === 'string' ? answer : words(answer as never)}`);
  return undefined;
}

const reasonOf = (error: Error): string => String(error.cause ?? error);
