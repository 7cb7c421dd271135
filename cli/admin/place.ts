import { type Stats, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { masterKeyFile } from '../../adapters/master-keys.ts';
import type { Config } from '../../config.ts';
import { AdminError } from '../errors.ts';

/**
 * What a server makes at its first start, and a command must not: called in the wrong directory it would go on with an
 * empty store and a new master key, and say that there is nothing.
 *
 * @returns the first file that is missing, in words; undefined if everything is there
 * @throws AdminError if it belongs to somebody else
 */
export function missingPlace({ store, masterKeys, dataDir }: Config): string | undefined {
  if (store.kind === 'sqlite') {
    const file = resolve(store.path);
    if (!statOf(file)) return `store at ${file}`;
  }
  if (!masterKeys) {
    const file = resolve(masterKeyFile(dataDir));
    if (!statOf(file)) return `master key at ${file}`;
  }
  return undefined;
}

/** @throws AdminError exit code 4 */
export function assertPlace(config: Config): void {
  const missing = missingPlace(config);
  if (!missing) return;
  const variables = config.store.kind === 'sqlite' ? 'DATA_DIR/SQLITE_PATH' : 'DATA_DIR';
  throw new AdminError(
    'not_found',
    `There is no ${missing}; is ${variables} the server’s? It makes them when it starts for the first time.`,
  );
}

function statOf(file: string): Stats | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false });
  } catch (error) {
    throw asForbidden(error as Error, file) ?? error;
  }
}

/** @returns undefined if that is not what is wrong */
export function asForbidden(error: Error, file?: string): AdminError | undefined {
  const { code, path = file, cause } = error as NodeJS.ErrnoException;
  if (cause instanceof Error && cause !== error) return asForbidden(cause, path);
  if (code !== 'EACCES' && code !== 'EPERM') return undefined;
  return new AdminError('failed', `${path} may not be used (${code}): ${AS_SERVER}.`);
}

export const AS_SERVER = 'run this as the server’s user';
