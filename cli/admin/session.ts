import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import { loadMasterKeys } from '../../adapters/master-keys.ts';
import { openStore } from '../../adapters/open-store.ts';
import { createSecrets, type Secrets } from '../../adapters/secrets.ts';
import type { Store } from '../../adapters/store.ts';
import { type Config, loadConfig } from '../../config.ts';
import { createLog, type Log } from '../../log.ts';
import { assertPlace } from './place.ts';
import type { Terminal } from '../terminal.ts';

/** What a command works with: the same configuration, store and secrets as the instances that are running. */
export interface Session {
  readonly config: Config;
  readonly store: Store;
  readonly secrets: Secrets;
  /** Goes to stderr; the audit log is in it. */
  readonly log: Log;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly terminal: Terminal;
  /** Who is at work, for the audit log: the name of the system's user. */
  readonly actor: string;
}

type Place = 'existing' | 'new' | 'scratch';

/**
 * Opens the store for one command and closes it behind it.
 *
 * @param place `existing`: what is not there is not made; `new`: it is; `scratch`: in its place something that is gone
 * afterwards
 * @throws ConfigError, AdminError, and what opening the store throws
 */
export async function withSession<T>(
  terminal: Terminal,
  work: (session: Session) => Promise<T>,
  place: Place = 'existing',
): Promise<T> {
  const config = loadConfig(terminal.env);
  if (place === 'existing') assertPlace(config);
  const { now = Date.now } = terminal;
  const log = createLog('warn', { write: (line) => terminal.err(line) });
  const isScratch = place === 'scratch';
  const masterKeys = isScratch
    ? [randomBytes(32)]
    : loadMasterKeys(config.masterKeys, config.dataDir);
  const secrets = createSecrets(masterKeys);
  const storeConfig = isScratch ? ({ kind: 'sqlite', path: ':memory:' } as const) : config.store;
  const store = await openStore(storeConfig, { log, now });
  try {
    return await work({ config, store, secrets, log, now, terminal, actor: actorOf(terminal) });
  } finally {
    await store.close();
  }
}

/** Behind sudo, whoever called it. */
function actorOf({ env }: Terminal): string {
  if (env.SUDO_USER) return env.SUDO_USER;
  try {
    return userInfo().username;
  } catch {
    // A container may run as a number that has no name.
    return String(process.getuid?.() ?? 'unknown');
  }
}
