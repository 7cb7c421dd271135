import { randomBytes } from 'node:crypto';
import { StoreUnavailable } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { withoutPatience } from '../patience.ts';
import { checkKey, checkWrites } from '../store-checks.ts';
import type { SharedCounts } from '../rate-sharing.ts';
import { type Entry, type Key, NotReplicated, type Store, type Write } from '../store.ts';
import { createCalls } from './calls.ts';
import { createBackOff, createClient, type Client, type RedisConfig } from './client.ts';
import {
  commitArguments,
  COMMIT_SCRIPT,
  type CommitReply,
  needsTrace,
  OUTCOME,
  VERSION_LENGTH,
} from './commit-script.ts';
import { nodesOf, watchConnection } from './connection.ts';
import { createRedisCounts } from './counts.ts';
import { checkSchema, createTeller, findWeaknesses } from './examine.ts';
import { addressesOf, nodeAt } from './nodes.ts';
import { wordsOf } from './reasons.ts';
import { createReplicas } from './replicas.ts';
import { createServerClock } from './server-clock.ts';

/**
 * The store that several instances share: Redis, alone, watched by sentinels, or as a cluster.
 *
 *   client.ts         REDIS_URL and REDIS_MODE → ioredis
 *   silence.ts        when a connection that owes an answer is given up
 *   connection.ts     is it there, and what the operator is told about it
 *   reasons.ts        why not, as far as it may be told
 *   calls.ts          limits on time, one repetition, errors
 *   tracking.ts       whether a command that failed may have been carried out
 *   commit-script.ts  a commit as one Lua script
 *   nodes.ts          the nodes of a cluster, none left out
 *   counts.ts         counts of rate limits, on the same connection
 *   replicas.ts       whether a commit would survive a failover
 *   server-clock.ts   until when a commit may still be carried out
 *   examine.ts        what in Redis's configuration would lose records; the schema version
 *
 * A record is one key, `neonpanel-mcp:{tag}:kind`, with Redis's own expiry: lifetimes are measured by its clock, the
 * same for all instances. Records with one tag are on one node of a cluster.
 */
const PREFIX = 'neonpanel-mcp';
const SCAN_COUNT = 500;
/** How long to wait for Redis when the process starts, before it serves without. */
const FIRST_CONNECTION_MS = 2_000;
const EXAMINE_AGAIN_MS = 1_000;

/**
 * @returns a store that can be used at once: it says unavailable until Redis is there
 * @throws Error with one clear line if Redis holds records that a newer version of this program wrote
 */
export async function openRedisStore(options: {
  config: RedisConfig;
  log?: Log;
}): Promise<Store & { readonly shared: SharedCounts }> {
  const { config, log } = options;
  const backOff = createBackOff();
  const client = createClient(config, backOff);
  const tell = createTeller(log);
  const replicas = createReplicas(client, tell);
  client.defineCommand('neonpanelCommit', { lua: COMMIT_SCRIPT });
  let closed = false;
  let unusable: string | undefined;
  let examined = Promise.resolve();
  let examination: NodeJS.Timeout | undefined;
  const connection = watchConnection(client, {
    log,
    onReady() {
      backOff.reset();
      replicas.lookAgain();
      examined = withoutPatience(examine);
    },
  });
  const call = createCalls(connection, () => (closed ? 'the store is closed' : unusable));
  const ask = createCalls(connection, () => (closed ? 'the store is closed' : undefined));
  const clock = createServerClock();
  const shared = createRedisCounts({ client, prefix: PREFIX, isReady: connection.isReady, log });

  async function examine(): Promise<void> {
    clearTimeout(examination);
    try {
      const [seconds, microseconds] = await ask(() => client.time());
      clock.learn(performance.now(), Number(seconds) * 1_000 + Number(microseconds) / 1_000);
      const looking = Promise.all(nodesOf(client).map(findWeaknesses));
      const told = looking.then((found) => tell(found.flat()));
      unusable = await ask(() => checkSchema(client));
      if (unusable) log?.error({ event: 'store' }, `store: ${unusable}`);
      await told;
    } catch (error) {
      // It has gone again, or does not let us, or does not yet.
      if (client.status === 'ready') tell([`Redis refuses to work (${reasonOf(error)})`]);
      if (!closed) examination = setTimeout(examine, EXAMINE_AGAIN_MS).unref();
    }
  }

  async function sendCommit(
    names: readonly string[],
    version: string,
    writes: readonly Write[],
    options: { deadline: number; durable: boolean },
  ): Promise<number> {
    const { deadline, durable } = options;
    const args = commitArguments(version, writes, { until: clock.latest(deadline), durable });
    const reply = await runCommit(client, [names.length, ...names, ...args]);
    const [outcome, serverTime, followers] = reply;
    clock.learn(performance.now(), serverTime);
    if (followers > 0 && !(await replicas.haveAllUpTo(names[0]!))) throw new NotReplicated(version);
    return outcome;
  }

  function close(): void {
    closed = true;
    clearTimeout(examination);
    connection.close();
  }

  await connection.settled(FIRST_CONNECTION_MS);
  await examined;
  if (unusable) {
    close();
    throw new Error(`Cannot use the store in Redis: ${unusable}.`);
  }

  return {
    shared,

    async read(...keys) {
      keys.forEach(checkKey);
      if (keys.length === 0) return [];
      const names = keys.map(nameOf);
      // One command for each tag, all of them sent at once: in a cluster they go to different nodes.
      const groups = Map.groupBy(names, (_, i) => keys[i]!.tag);
      const found = new Map<string, string | null>();
      await call(() =>
        Promise.all(
          [...groups.values()].map(async (group) => {
            const values = await client.mget(group);
            group.forEach((name, i) => found.set(name, values[i]!));
          }),
        ),
      );
      return names.map((name) => entryOf(found.get(name)!));
    },

    async commit(writes, { durable = false } = {}) {
      checkWrites(writes);
      // Chosen once, before any attempt: it names this commit however often it has to be sent.
      const version = randomBytes((VERSION_LENGTH * 3) / 4).toString('base64url');
      const tag = writes[0]?.key.tag;
      if (tag === undefined) return version;
      const names = writes.map(({ key }) => nameOf(key));
      if (needsTrace(writes)) names.push(nameOf({ tag, kind: `commit:${version}` }));
      const outcome = await call(async (deadline) => {
        const send = () => sendCommit(names, version, writes, { deadline, durable });
        const first = await send();
        // Before its time, so Redis's clock was set forward: by now we know.
        return first === OUTCOME.tooLate ? send() : first;
      });
      if (outcome === OUTCOME.tooLate) throw new StoreUnavailable('redis: carried out too late');
      return outcome === OUTCOME.done ? version : undefined;
    },

    async *keys(kind) {
      checkKey({ tag: 'any', kind });
      const seen = new Set<string>();
      for (const address of await call(async () => addressesOf(client))) {
        let cursor = '0';
        do {
          const [next, names] = await call(async () =>
            nodeAt(client, address).scan(
              cursor,
              'MATCH',
              `${PREFIX}:{*}:${kind}`,
              'COUNT',
              SCAN_COUNT,
            ),
          );
          cursor = next;
          for (const name of names) {
            // SCAN may name a key twice.
            if (seen.has(name)) continue;
            seen.add(name);
            yield { tag: name.slice(PREFIX.length + 2, -kind.length - 2), kind };
          }
        } while (cursor !== '0');
      }
    },

    async ping() {
      await call(() => client.set(nameOf({ tag: 'ping', kind: 'ping' }), '', 'PX', 1_000));
    },

    async close() {
      if (!closed) close();
    },
  };
}

/** Braces occur in no tag, so the name can be taken apart again, and the tag is the hash tag of the cluster. */
const nameOf = ({ tag, kind }: Key): string => `${PREFIX}:{${tag}}:${kind}`;

function entryOf(stored: string | null): Entry | undefined {
  if (stored === null) return undefined;
  return { version: stored.slice(0, VERSION_LENGTH), value: stored.slice(VERSION_LENGTH) };
}

const reasonOf = (error: unknown): string | undefined =>
  error instanceof StoreUnavailable ? error.detail : wordsOf(error as Error);

/** ioredis types no commands that are defined at run time. */
function runCommit(client: Client, args: (string | number)[]): Promise<CommitReply> {
  const commands = client as unknown as Record<
    'neonpanelCommit',
    (...args: (string | number)[]) => Promise<CommitReply>
  >;
  return commands.neonpanelCommit(...args);
}
