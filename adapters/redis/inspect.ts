import { createBackOff, createClient, type RedisConfig } from './client.ts';
import { nodesOf, watchConnection } from './connection.ts';
import { findWeaknesses, infoOf, SCHEMA_KEY } from './examine.ts';
import { wordsOf } from './reasons.ts';

/** A look at a Redis, for commands that check a deployment. Nothing is written. */
export interface SeenRedis {
  /** Why it can't be used at all. */
  readonly problem?: string;
  /** `Redis 7.0.15`, of each node. */
  readonly versions: readonly string[];
  /** What in its configuration would lose connections of users, a sentence each. */
  readonly weaknesses: readonly string[];
  /** Schema version of the records; undefined if it has none of ours. */
  readonly schema?: string | undefined;
  /** How far its clock is ahead of ours, in milliseconds. */
  readonly skewMs?: number;
}

const PATIENCE_MS = 3_000;

/** @param now epoch milliseconds */
export async function inspectRedis(config: RedisConfig, now: () => number): Promise<SeenRedis> {
  const client = createClient(config, createBackOff());
  const connection = watchConnection(client, { log: undefined, onReady: () => {} });
  const nothing = { versions: [], weaknesses: [] };
  try {
    await connection.settled(PATIENCE_MS);
    if (!(await connection.ready(100))) {
      return { ...nothing, problem: connection.problem ?? 'it does not answer' };
    }
    const nodes = nodesOf(client);
    const asked = now();
    const [seconds, microseconds] = await client.time();
    const skewMs = Number(seconds) * 1_000 + Number(microseconds) / 1_000 - (asked + now()) / 2;
    const versions = await Promise.all(nodes.map(async (node) => versionOf(await infoOf(node))));
    const weaknesses = (await Promise.all(nodes.map(findWeaknesses))).flat();
    const schema = (await client.get(SCHEMA_KEY)) ?? undefined;
    return {
      versions: [...new Set(versions)],
      weaknesses: [...new Set(weaknesses)],
      schema,
      skewMs,
    };
  } catch (error) {
    return { ...nothing, problem: wordsOf(error as Error) };
  } finally {
    connection.close();
  }
}

const versionOf = (info: Readonly<Record<string, string | undefined>>): string =>
  info.valkey_version ? `Valkey ${info.valkey_version}` : `Redis ${info.redis_version ?? '?'}`;
