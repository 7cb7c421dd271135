import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectory } from './directory.ts';

/**
 * The master keys: the configured ones, or, on a developer's machine, one that is made on first start and kept in a
 * file only its owner can read.
 *
 * @param directory where generated things live
 */
export function loadMasterKeys(
  configured: readonly Uint8Array[] | undefined,
  directory: string,
): readonly Uint8Array[] {
  if (configured) return configured;
  const file = masterKeyFile(directory);
  makeDirectory(directory);
  try {
    // `wx`: of two processes starting together only one writes.
    writeFileSync(file, randomBytes(32).toString('base64url'), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  chmodSync(file, 0o600);
  const key = Buffer.from(readFileSync(file, 'utf8').trim(), 'base64url');
  if (key.length !== 32) throw new Error(`${file} does not hold a 32-byte key`);
  return [new Uint8Array(key)];
}

export const masterKeyFile = (directory: string): string => join(directory, 'master.key');
