import { readFileSync } from 'node:fs';
import { AdminError } from '../../errors.ts';

/** What a file that the operator named holds. @throws AdminError with the file's name, and nothing of its content */
export function readJsonFile(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new AdminError('usage', `${path} can’t be read as JSON${code ? ` (${code})` : ''}.`);
  }
}
