import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/**
 * A folder for one test's files.
 * @param options.flushed false: in memory if there is such a place, where nothing waits for a disk
 */
export function temporaryFolder(options: { flushed: boolean } = { flushed: true }): {
  path: string;
  remove(): void;
} {
  const memory = '/dev/shm';
  const place = !options.flushed && existsSync(memory) ? memory : tmpdir();
  const path = mkdtempSync(join(place, 'store-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export interface Child {
  readonly process: ChildProcess;
  /** What it has said so far. */
  readonly lines: string[];
  /** Waits until it has said this many lines. */
  said(lines: number): Promise<void>;
  /** Waits for its end, and for its last line. */
  ended(): Promise<void>;
}

/** Starts a part of sqlite-child.ts as a process of its own. */
export function child(part: string, path: string, number = 0): Child {
  const script = join(import.meta.dirname, 'sqlite-child.ts');
  const started = spawn(process.execPath, [script, part, path, `${number}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  const reader = createInterface({ input: started.stdout });
  reader.on('line', (line) => lines.push(line));
  const end = Promise.all([once(started, 'close'), once(reader, 'close')]);
  return {
    process: started,
    lines,
    said: async (count) => {
      while (lines.length < count) {
        await Promise.race([once(reader, 'line'), end]);
        if (started.exitCode !== null && lines.length < count) {
          throw new Error(`${part} ended with ${started.exitCode} after ${lines.length} lines`);
        }
      }
    },
    ended: async () => void (await end),
  };
}

/** The files a SQLite database may consist of. */
export const PARTS = ['', '-wal', '-shm'] as const;

/** Copies a store nobody has open, as it lies on the disk. */
export function copyStore(from: string, to: string): void {
  for (const part of PARTS) {
    rmSync(to + part, { force: true });
    if (existsSync(from + part)) cpSync(from + part, to + part);
  }
}
