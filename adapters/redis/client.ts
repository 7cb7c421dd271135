import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis';
import type { StoreConfig } from '../../config.ts';
import { readBeforeGivingUp } from './silence.ts';
import { tracked } from './tracking.ts';

/**
 * From REDIS_URL and REDIS_MODE to an ioredis client.
 *
 * All that ioredis would do by itself for commands that can't be sent or are not answered is off: it neither queues
 * nor repeats them. Whether something is sent again is decided in one place, calls.ts, by somebody who knows that it
 * may be.
 */
export type RedisConfig = Extract<StoreConfig, { kind: 'redis' }>;
export type Client = Redis | Cluster;

/** How long a connection may take, with its TLS handshake. */
const CONNECT_TIMEOUT_MS = 1_000;
/** A server that owes an answer and says nothing for so long is given up: half-open connections never say goodbye. */
const SILENCE_MS = 1_000;
const FIRST_RETRY_MS = 20;
/** Small enough to be back within a second of Redis, whatever happened. */
const LAST_RETRY_MS = 400;
const MAX_REDIRECTIONS = 4;

/** Pauses between attempts to connect, in milliseconds. */
export interface BackOff {
  /** Longer after every attempt in vain, never in step with other instances. */
  readonly next: () => number;
  /** Redis has answered. ioredis takes a connection for one as soon as it is open, and would never become patient. */
  readonly reset: () => void;
}

export function createBackOff(): BackOff {
  let attempts = 0;
  return {
    next: () =>
      Math.round(
        Math.min(FIRST_RETRY_MS * 2 ** attempts++, LAST_RETRY_MS) * (1 + Math.random() / 4),
      ),
    reset: () => void (attempts = 0),
  };
}

export function createClient(config: RedisConfig, backOff: BackOff): Client {
  const client = tracked(clientOf(config, backOff));
  readBeforeGivingUp(client);
  return client;
}

function clientOf(config: RedisConfig, { next }: BackOff): Client {
  const nodes = config.urls.map(nodeOf);
  const [first] = nodes;
  if (!first) throw new TypeError('no Redis node is given');
  const { username, password, db, tls } = first;
  const shared: RedisOptions = {
    ...BEHAVIOUR,
    retryStrategy: next,
    username,
    password,
    ...(tls && { tls: {} }),
    reconnectOnError: leaveReplica(),
  };
  const addresses = nodes.map(({ host, port }) => ({ host, port }));

  switch (config.mode) {
    case 'single':
      return new Redis({ ...shared, ...addresses[0], db });
    case 'sentinel':
      return new Redis({
        ...shared,
        sentinels: addresses,
        name: config.sentinelName!,
        db,
        // One set of credentials for the sentinels and for what they watch.
        ...(username && { sentinelUsername: username }),
        ...(password && { sentinelPassword: password }),
        ...(tls && { sentinelTLS: {}, enableTLSForSentinelMode: true }),
        sentinelCommandTimeout: SILENCE_MS,
        sentinelRetryStrategy: next,
        failoverDetector: true,
      });
    case 'cluster':
      return new Cluster(addresses, {
        ...CLUSTER_BEHAVIOUR,
        clusterRetryStrategy: next,
        redisOptions: shared,
      });
  }
}

const BEHAVIOUR: RedisOptions = {
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
  connectTimeout: CONNECT_TIMEOUT_MS,
  socketTimeout: SILENCE_MS,
  keepAlive: 10_000,
  // Behind a goodbye that is not returned.
  disconnectTimeout: 500,
  // LOADING is an answer like any other that means "not now".
  enableReadyCheck: false,
  // One form of answers, whatever the server's age.
  protocol: 2,
  disableClientInfo: true,
  connectionName: 'neonpanel-mcp',
};

const CLUSTER_BEHAVIOUR: ClusterOptions = {
  enableOfflineQueue: false,
  slotsRefreshTimeout: SILENCE_MS,
  retryDelayOnFailover: 0,
  retryDelayOnClusterDown: 0,
  maxRedirections: MAX_REDIRECTIONS,
  // Names stay names: certificates are issued for them.
  dnsLookup: (address, callback) => callback(null, address),
};

/**
 * A primary that became a replica: its address leads to the new one now, or in a moment. Not for every error, or a Redis
 * that stays read-only would cut the reads under way again and again.
 */
function leaveReplica(): (error: Error) => 1 | false {
  let last = -Infinity;
  return (error) => {
    if (!isReadOnly(error) || performance.now() - last < LEAVE_REPLICA_EVERY_MS) return false;
    last = performance.now();
    return 1;
  };
}

const LEAVE_REPLICA_EVERY_MS = 1_000;

/** Redis 6 wraps the code of an error inside a script into a longer message. */
export const isReadOnly = (error: Error): boolean => error.message.includes('READONLY');

function nodeOf(url: string) {
  const { protocol, hostname, port, username, password, pathname } = new URL(url);
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port || 6379),
    // Absent rather than empty: ioredis would send an AUTH.
    ...(username && { username: decoded(username) }),
    ...(password && { password: decoded(password) }),
    db: Number(pathname.slice(1) || 0),
    tls: protocol === 'rediss:',
  } as {
    host: string;
    port: number;
    username?: string;
    password?: string;
    db: number;
    tls: boolean;
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A % of its own; not encoded, but there is only one thing it can mean.
    return text;
  }
}
