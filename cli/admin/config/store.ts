import { randomUUID } from 'node:crypto';
import { existsSync, statfsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { openStore } from '../../../adapters/open-store.ts';
import { SCHEMA_VERSION as REDIS_SCHEMA } from '../../../adapters/redis/examine.ts';
import { inspectRedis } from '../../../adapters/redis/inspect.ts';
import { SCHEMA_VERSION as SQLITE_SCHEMA } from '../../../adapters/sqlite/schema.ts';
import type { Key, Store } from '../../../adapters/store.ts';
import type { Config, StoreConfig } from '../../../config.ts';
import { StoreUnavailable } from '../../../errors.ts';
import { createLog } from '../../../log.ts';
import { AS_SERVER } from '../place.ts';
import { clockFinding, fail, type Finding, pass, warn } from '../findings.ts';

type Work = (store: Store | undefined, findings: readonly Finding[]) => Promise<void>;

/**
 * Looks at the store, and opens it for further checks if it can be used.
 *
 * @param work gets no store if there is none that works, or none yet
 */
export async function withStore(config: Config, now: () => number, work: Work): Promise<void> {
  const { store } = config;
  return store.kind === 'redis' ? withRedis(store, now, work) : withSqlite(store.path, now, work);
}

type RedisConfig = Extract<StoreConfig, { kind: 'redis' }>;

async function withRedis(config: RedisConfig, now: () => number, work: Work): Promise<void> {
  const seen = await inspectRedis(config, now);
  if (seen.problem) {
    const fix = 'check REDIS_URL, REDIS_MODE, the password, TLS (rediss://), and the firewall';
    return work(undefined, [fail('store', `Redis can’t be used: ${seen.problem}`, fix)]);
  }
  const findings = [
    pass('store', `${seen.versions.join(', ')}, ${config.mode}`),
    ...(seen.weaknesses.length === 0
      ? [pass('store', 'it keeps what it has: eviction policy and persistence are as needed')]
      : seen.weaknesses.map(weaknessFinding)),
    schemaFinding(seen.schema, REDIS_SCHEMA),
    clockFinding('clock', 'Redis’s', seen.skewMs!),
  ];
  await withOpened(config, now, findings, work);
}

/** `… : users lose their connections. Set appendonly yes`: cause and fix. */
function weaknessFinding(sentence: string): Finding {
  const [cause = sentence, fix] = sentence.split('. ');
  const isFatal = /replica, which takes no writes|too old/.test(cause);
  return (isFatal ? fail : warn)('store', cause, fix);
}

function schemaFinding(found: string | undefined, ours: number): Finding {
  if (found === undefined) return pass('schema', 'empty so far; it is marked at first start');
  if (Number(found) <= ours) return pass('schema', `version ${found}`);
  const detail = `version ${found} was written by a newer version of this program`;
  return fail('schema', `${detail}; this one knows ${ours}`, 'run the newer version');
}

/** Less is not enough for a day of a busy server, or for its log file to be copied back. */
const LOW_DISK_BYTES = 1024 ** 3;
const FULL_DISK_BYTES = 64 * 1024 ** 2;

async function withSqlite(path: string, now: () => number, work: Work): Promise<void> {
  const file = resolve(path);
  const problem = lookFor(file);
  if (problem === 'forbidden') {
    return work(undefined, [fail('store', `SQLite: ${file} may not be looked at`, AS_SERVER)]);
  }
  if (problem === 'absent') {
    const detail = `SQLite: ${file} is not there yet; it is made at first start`;
    const fix = 'if the server has been started before, DATA_DIR or SQLITE_PATH are not its';
    return work(undefined, [warn('store', detail, fix), ...diskFindings(dirname(file))]);
  }
  const findings = [
    pass('store', `SQLite: ${file}`),
    ...modeFindings(file),
    ...diskFindings(dirname(file)),
  ];
  await withOpened({ kind: 'sqlite', path }, now, findings, (store, all) =>
    work(store, store ? [...all, ...SOUND] : all),
  );
}

function lookFor(file: string): 'absent' | 'forbidden' | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false }) ? undefined : 'absent';
  } catch {
    return 'forbidden';
  }
}

/** Opening it has examined it: every page, every row, and its schema. */
const SOUND = [
  pass('store', 'every record is as it was written'),
  pass('schema', `version ${SQLITE_SCHEMA}`),
];

function modeFindings(file: string): Finding[] {
  const mode = statSync(file).mode & 0o777;
  if ((mode & 0o077) === 0) return [];
  const detail = `others may read ${file} (mode ${mode.toString(8)})`;
  return [warn('store', detail, `chmod 600 ${file}`)];
}

function diskFindings(directory: string): Finding[] {
  if (!existsSync(directory)) return [];
  const { bavail, bsize } = statfsSync(directory);
  const free = bavail * bsize;
  const detail = `${(free / 1024 ** 3).toFixed(1)} GB are free in ${directory}`;
  if (free < FULL_DISK_BYTES) return [fail('disk', detail, 'make room: nothing can be written')];
  return [free < LOW_DISK_BYTES ? warn('disk', detail, 'make room') : pass('disk', detail)];
}

async function withOpened(
  config: StoreConfig,
  now: () => number,
  findings: readonly Finding[],
  work: Work,
): Promise<void> {
  let store: Store;
  try {
    store = await openStore(config, { log: createLog('silent', { write: () => {} }), now });
  } catch (error) {
    return work(undefined, [...findings, openFinding(error as Error)]);
  }
  try {
    const use = await useFinding(store);
    await work(use.status === 'fail' ? undefined : store, [...findings, use]);
  } finally {
    await store.close();
  }
}

function openFinding({ message, cause }: Error): Finding {
  const isForbidden = /EACCES|EPERM|SQLITE_(READONLY|CANTOPEN|PERM)|unable to open|readonly/i;
  const all = `${message} ${String((cause as NodeJS.ErrnoException | undefined)?.code)}`;
  return fail('store', message, isForbidden.test(all) ? AS_SERVER : undefined);
}

/** Everything that the program does with a store, on a record of its own: what an ACL does not allow shows here. */
async function useFinding(store: Store): Promise<Finding> {
  const key: Key = { tag: `check-${randomUUID()}`, kind: 'config-check' };
  try {
    const version = await store.commit([{ key, expect: 'absent', put: 'x', lifetime: 60 }]);
    const [entry] = await store.read(key);
    await store.commit([{ key, expect: { version: version! }, touch: 'forever' }]);
    await store.commit([{ key, expect: { version: version! }, remove: true }]);
    for await (const _ of store.keys(key.kind)) break;
    await store.ping();
    if (entry?.value === 'x') return pass('store', 'writes, reads, lists and deletes');
    return fail('store', 'a record that was written is not there');
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    const fix = /NOPERM|permission/i.test(error.detail ?? '')
      ? 'give its user what docs/storage.md lists'
      : undefined;
    return fail('store', error.detail ?? 'it does not answer', fix);
  }
}
