import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { WaitingLimits } from '../../adapters/waiting-clients.ts';
import { type RunningApp, startApp } from '../../app.ts';
import { loadConfig } from '../../config.ts';
import type { LoopLimits } from '../../http/event-loop.ts';
import { createLog } from '../../log.ts';
import type { AnswerRoomLimits } from '../../adapters/neonpanel/answer-room.ts';
import type { Patience } from '../../http/listen.ts';
import type { SocketLimits } from '../../http/sockets.ts';
import type { StreamLimits } from '../../mcp/sse/limits.ts';
import type { CensusTimes } from '../../metrics/census.ts';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../sandbox/index.ts';
import { createLogs, type Logs } from './logs.ts';
import { freePort } from './ports.ts';
import { type RedisServer, startRedis } from './redis.ts';

/** Our server, one or two instances on one store, and the sandbox behind it; everything on free loopback ports. */
export interface Harness {
  /** PUBLIC_URL: the first instance. */
  readonly url: string;
  /** The address of each instance. */
  readonly instances: readonly string[];
  readonly sandbox: Sandbox;
  readonly logs: Logs;
  readonly dataDir: string;
  /** Where each instance serves its metrics, if it does. */
  readonly metricsUrls?: readonly string[];
  /** The environment of the first instance: a command with it works on the same store. */
  readonly env: Readonly<Record<string, string>>;
  /** The clock of the instances, if it is not the machine's. */
  readonly now?: (() => number) | undefined;
  /** The store behind the instances, where it is Redis of our own. */
  readonly redis?: RedisServer | undefined;
  /** Stops an instance and starts it again with the same configuration and store. */
  restart(instance?: number): Promise<void>;
  close(): Promise<void>;
}

/** What may keep the records. Whatever only goes over HTTP should hold on each. */
export const STORES = ['sqlite', 'redis'] as const;
export type StoreName = (typeof STORES)[number];

export interface HarnessOptions {
  /** `redis` starts a redis-server that keeps its data over a restart. Default: the embedded store. */
  readonly store?: StoreName;
  readonly instances?: number;
  /** Added to the environment of every instance. */
  readonly env?: Record<string, string>;
  readonly sandbox?: Partial<SandboxOptions>;
  /** NeonPanel, if it is not the sandbox. */
  readonly neonpanelUrl?: string;
  readonly now?: () => number;
  /** Default: debug. */
  readonly logLevel?: string;
  /** How many clients may wait for their first login, and how often is looked. */
  readonly waitingClients?: Partial<WaitingLimits>;
  /** How often is looked whether it is time to complete the lists of connections. */
  readonly missingConnectionsEveryMs?: number;
  /** What legacy streams may take. */
  readonly streams?: Partial<StreamLimits>;
  /** How much of NeonPanel's answers is held. */
  readonly answers?: Partial<AnswerRoomLimits>;
  /** How long is waited for readers of answers. */
  readonly patience?: Partial<Patience>;
  /** How many connections are held. */
  readonly sockets?: Partial<SocketLimits>;
  /** What names of hosts that strangers name stand for. */
  readonly resolve?: (hostname: string) => Promise<string[]>;
  /** Every instance serves metrics, on a port of its own. */
  readonly metrics?: boolean;
  /** When records are counted. */
  readonly census?: Partial<CensusTimes>;
  /** When the event loop counts as slow or stuck. */
  readonly eventLoop?: Partial<LoopLimits>;
}

export async function startHarness(options: HarnessOptions = {}): Promise<Harness> {
  const dataDir = mkdtempSync(join(tmpdir(), 'neonpanel-mcp-test-'));
  const logs = createLogs();
  const log = createLog(options.logLevel ?? 'debug', logs.sink);
  const clock = options.now ? { now: options.now } : {};
  const sandbox = await startSandbox({ port: 0, ...clock, ...options.sandbox });
  const redis = options.store === 'redis' ? await startRedis({ persist: true }) : undefined;
  const ports = await Promise.all(Array.from({ length: options.instances ?? 1 }, () => freePort()));
  const adminPorts = options.metrics ? await Promise.all(ports.map(() => freePort())) : [];
  const url = `http://localhost:${ports[0]}`;
  const envOf = (port: number): Record<string, string> => ({
    PORT: String(port),
    PUBLIC_URL: url,
    DATA_DIR: dataDir,
    NEONPANEL_URL: options.neonpanelUrl ?? sandbox.url,
    // Everybody here has one address. Tests of the limits turn them on again.
    RATE_LIMIT_FACTOR: '0',
    ...(redis && { REDIS_URL: redis.url }),
    ...(options.metrics && { ADMIN_PORT: String(adminPorts[ports.indexOf(port)]) }),
    ...options.env,
  });
  const start = (port: number): Promise<RunningApp> => {
    const { waitingClients, missingConnectionsEveryMs, streams, sockets, answers, patience } =
      options;
    const { census, eventLoop } = options;
    const resolve = options.resolve && { resolve: options.resolve };
    return startApp(loadConfig(envOf(port)), {
      log,
      ...clock,
      waitingClients,
      missingConnectionsEveryMs,
      streams,
      sockets,
      answers,
      patience,
      census,
      eventLoop,
      ...resolve,
    });
  };
  const apps: RunningApp[] = [];
  const close = async () => {
    await Promise.all(apps.map((app) => app.close()));
    await sandbox.close();
    await redis?.stop();
    rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    for (const port of ports) apps.push(await start(port));
  } catch (error) {
    // What is left running would keep the process of the tests from ending.
    await close();
    throw error;
  }

  return {
    url,
    instances: ports.map((port) => `http://localhost:${port}`),
    sandbox,
    logs,
    dataDir,
    metricsUrls: adminPorts.map((port) => `http://localhost:${port}/metrics`),
    // As a restart would see it: a test may have changed its part.
    get env() {
      return envOf(ports[0]!);
    },
    now: options.now,
    redis,
    async restart(instance = 0) {
      await apps[instance]!.close();
      apps[instance] = await start(ports[instance]!);
    },
    close,
  };
}

/**
 * Stops redis-server in an orderly way, starts it again with its data, and waits until every instance is ready again.
 * The embedded store has no process of its own to restart.
 */
export async function restartStore({ redis, instances }: Harness): Promise<void> {
  if (!redis) return;
  await redis.kill('SIGTERM');
  await redis.start();
  await Promise.all(instances.map(untilReady));
}

export async function untilReady(instance: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    // It may be restarting itself.
    const answer = await fetch(`${instance}/readyz`).catch(() => undefined);
    if (answer?.status === 200) return;
    await wait(50);
  }
  throw new Error(`${instance} does not get ready again`);
}
