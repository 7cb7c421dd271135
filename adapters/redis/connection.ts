import { Cluster, type Redis } from 'ioredis';
import type { Log } from '../../log.ts';
import type { Client } from './client.ts';
import { NEVER_ANSWERED, NO_REASON, watchReasons, wordsOf } from './reasons.ts';
import { isAnswer } from './tracking.ts';

/**
 * Whether Redis can be reached now, and what to tell the operator about it: one line when the connection is lost, one
 * for each different reason why it does not come back, one when it is back.
 */
export interface Connection {
  /** Whether commands can be sent now. */
  isReady(): boolean;
  /**
   * Waits until commands can be sent.
   * @returns false if they can't be within this time. Only an outage that has just begun is worth a wait
   */
  ready(maxMs: number): Promise<boolean>;
  /** Waits until the first connection is made, or the first attempt has failed. */
  settled(maxMs: number): Promise<void>;
  /** Why the last attempt to connect failed. */
  readonly problem: string | undefined;
  close(): void;
}

/** Whoever comes later is told at once: a queue of waiting requests would only make it worse. */
const WORTH_WAITING_MS = 1_000;
/** With the silence that is tolerated (client.ts), half-open connections are found within three seconds. */
const WATCH_EVERY_MS = 1_500;
const REVIVE_AFTER_MS = 20;

/** @param options.onReady called whenever Redis has answered for the first time on a new connection */
export function watchConnection(
  client: Client,
  options: { log: Log | undefined; onReady: () => void },
): Connection {
  const { log, onReady } = options;
  const created = performance.now();
  let lostAt: number | undefined = created;
  let wasReady = false;
  let problem: string | undefined;
  /** ioredis would go on with database 0. */
  let misplaced = false;
  let closed = false;
  let revival: NodeJS.Timeout | undefined;
  const told = new Set<string>();
  /** One for all who wait, however many they are. */
  let coming = Promise.withResolvers<true>();

  const reason = watchReasons(client, log);

  client.on('connect', () => (misplaced = false));
  // Open is not enough: what is too busy, or no Redis at all, accepts connections and closes them.
  client.on('ready', () => {
    if (!misplaced) firstAnswer(client).then(made, failed);
  });
  const made = (): void => {
    if (misplaced || client.status !== 'ready') return;
    const awayMs = lostAt === undefined ? 0 : Math.round(performance.now() - lostAt);
    lostAt = undefined;
    problem = undefined;
    told.clear();
    log?.info({ event: 'store', ...(wasReady && { awayMs }) }, 'store: connected to Redis');
    wasReady = true;
    onReady();
    coming.resolve(true);
    coming = Promise.withResolvers();
  };
  const failed = (error: Error): void => {
    problem = wordsOf(error).replace(NO_REASON, (words) => reason() ?? words);
    if (isReady() || told.has(problem)) return;
    told.add(problem);
    log?.warn({ event: 'store', problem }, 'store: Redis cannot be reached');
  };
  client.on('close', () => {
    // By ourselves.
    if (closed) return;
    if (lostAt !== undefined) {
      if (problem === undefined) failed(new Error(NEVER_ANSWERED));
      return;
    }
    lostAt = performance.now();
    log?.warn({ event: 'store' }, 'store: the connection to Redis is lost');
  });
  // ioredis gives up for good when a sentinel reports a failover while it is asking for the new primary.
  client.on('end', () => {
    if (closed) return;
    revival = setTimeout(() => client.connect().catch(() => {}), REVIVE_AFTER_MS);
  });
  client.on('error', (error) => {
    if (error.command?.name === 'select') misplaced = true;
    failed(error);
  });

  const isReady = (): boolean => client.status === 'ready' && lostAt === undefined;

  const watchdog = setInterval(() => {
    if (misplaced) client.disconnect(true);
    for (const node of nodesOf(client)) if (node.status === 'ready') node.ping().catch(() => {});
  }, WATCH_EVERY_MS).unref();

  return {
    isReady,
    async ready(maxMs) {
      if (isReady()) return true;
      if (lostAt !== undefined && performance.now() - lostAt > WORTH_WAITING_MS) return false;
      return within(coming.promise, maxMs);
    },
    async settled(maxMs) {
      if (isReady()) return;
      const failed = new Promise<true>((resolve) =>
        client.once('reconnecting', () => resolve(true)),
      );
      await within(Promise.race([coming.promise, failed]), maxMs);
    },
    get problem() {
      return problem;
    },
    close() {
      closed = true;
      clearTimeout(revival);
      clearInterval(watchdog);
      client.disconnect();
    },
  };
}

/** Whatever it is, as long as Redis takes commands at all. */
async function firstAnswer(client: Client): Promise<void> {
  try {
    await client.ping();
  } catch (error) {
    if (!isAnswer(error as Error)) throw new Error(NEVER_ANSWERED, { cause: error });
    if (FULL.test((error as Error).message)) throw error;
  }
}

const FULL = /max number of clients/;

/** @returns false if it does not come in time */
async function within(event: Promise<true>, maxMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, maxMs, false);
  });
  try {
    return await Promise.race([event, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Every server that holds records. */
export const nodesOf = (client: Client): Redis[] =>
  client instanceof Cluster ? client.nodes('master') : [client];
