import type { Redis } from 'ioredis';
import type { Log } from '../../log.ts';
import { wordsOf } from './reasons.ts';

/**
 * A look at a Redis that was just connected: what in its configuration would lose connections of users, and whether
 * its records are of a form that this program knows.
 */

/** The form of the records that this program writes. */
export const SCHEMA_VERSION = 1;
export const SCHEMA_KEY = 'neonpanel-mcp:{store}:schema';

/** @returns what an operator should know, a sentence each */
export async function findWeaknesses(node: Redis): Promise<string[]> {
  let info: Info;
  try {
    info = await infoOf(node);
  } catch (error) {
    // Gone again; others may still say something.
    if ((error as Error).name !== 'ReplyError') return [];
    return [`Redis does not say how it is configured (${wordsOf(error as Error)})`];
  }
  return WEAKNESSES.filter(({ when }) => when(info)).map(({ say }) => say(info));
}

/** What INFO says, by name. */
export async function infoOf(node: Redis): Promise<Info> {
  const text = await node.info();
  return Object.fromEntries(
    text.split(/\r?\n/).map((line) => line.split(/:(.*)/s).slice(0, 2) as [string, string]),
  );
}

type Info = Readonly<Record<string, string | undefined>>;

/** From 2021; older ones are not tested. */
const OLDEST = [6, 2] as const;

const WEAKNESSES: readonly { when: (info: Info) => boolean; say: (info: Info) => string }[] = [
  {
    when: ({ maxmemory_policy: policy }) => policy !== undefined && policy !== 'noeviction',
    say: ({ maxmemory_policy: policy }) =>
      `Redis removes records when its memory is full (maxmemory-policy ${policy}): users lose their connections. Set maxmemory-policy noeviction`,
  },
  {
    when: (info) => info.aof_enabled === '0' && !(Number(info.connected_slaves) > 0),
    say: () =>
      'Redis has neither an append-only file nor a replica: when it restarts, users lose their connections. Set appendonly yes',
  },
  {
    when: (info) => info.role === 'slave',
    say: () => 'REDIS_URL leads to a replica, which takes no writes',
  },
  {
    when: ({ redis_version: version }) => version !== undefined && isTooOld(version),
    say: ({ redis_version: version }) =>
      `Redis ${version} is too old; ${OLDEST.join('.')} or newer is needed`,
  },
];

function isTooOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
}

/**
 * Marks an empty store as ours.
 * @returns why the store can't be used, or undefined if it can
 * @throws what Redis says if it neither has a mark nor takes one
 */
export async function checkSchema(client: {
  set(key: string, value: string, mode: 'NX'): Promise<unknown>;
  get(key: string): Promise<string | null>;
}): Promise<string | undefined> {
  const [marked, mark] = await Promise.allSettled([
    client.set(SCHEMA_KEY, String(SCHEMA_VERSION), 'NX'),
    client.get(SCHEMA_KEY),
  ]);
  if (mark.status === 'rejected') throw mark.reason;
  const found = mark.value;
  // Where there is a mark, it does not matter that Redis takes no writes.
  if (found === null && marked.status === 'rejected') throw marked.reason;
  if (Number(found) <= SCHEMA_VERSION) return undefined;
  return `a newer version of this program wrote the records (schema ${found}, this one knows ${SCHEMA_VERSION}); run the newer version`;
}

/** Says each sentence once, however often Redis is connected. */
export function createTeller(log: Log | undefined): (weaknesses: readonly string[]) => void {
  const told = new Set<string>();
  return (weaknesses) => {
    for (const weakness of weaknesses) {
      if (told.has(weakness)) continue;
      told.add(weakness);
      log?.warn({ event: 'store' }, `store: ${weakness}.`);
    }
  };
}
