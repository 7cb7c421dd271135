import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a directory with those above it, for its owner only. Node's own `recursive` goes round for ever where the system
 * says of a path that it is not there and can't be made, as below /proc.
 *
 * @throws Error with one line that names the directory
 */
export function makeDirectory(path: string): void {
  try {
    make(path);
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw new Error(`The directory ${path} can't be made (${code}).`, { cause: error });
  }
}

function make(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  const parent = dirname(path);
  if (parent !== path) make(parent);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process was first.
    const isThere = statSync(path, { throwIfNoEntry: false })?.isDirectory();
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !isThere) throw error;
  }
}
