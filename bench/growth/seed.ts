import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Seeded } from '../generator/protocol.ts';
import type { Program } from '../process.ts';
import { PROJECT } from '../process.ts';

/** Writes so many live connections into a server's store. @returns some of them, spread evenly */
export async function seed(server: Program, count: number, samples: number): Promise<Seeded[]> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['bench/inside/seed.ts', String(count), String(samples)],
    {
      cwd: PROJECT,
      env: { PATH: process.env['PATH'], PORT: String(server.port), ...server.env },
      maxBuffer: 2 ** 26,
    },
  );
  return JSON.parse(stdout) as Seeded[];
}
