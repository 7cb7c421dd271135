import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Shot } from './row.ts';

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const AUTOCANNON = join(import.meta.dirname, 'node_modules', 'autocannon', 'autocannon.js');

/**
 * Repeats one request for a while from a process of its own.
 * @throws when any answer is missing or has another status: a quick refusal must not look like speed
 */
export async function load(
  origin: string,
  shot: Shot,
  { seconds, connections }: { seconds: number; connections: number },
): Promise<LoadResult> {
  if (!existsSync(AUTOCANNON)) throw new Error('autocannon is missing; run: npm ci --prefix bench');
  const args = [
    ['--json', '--no-progress'],
    ['--duration', String(seconds)],
    ['--connections', String(connections)],
    ['--method', shot.method],
    ...Object.entries(shot.headers ?? {}).map(([name, value]) => ['--headers', `${name}=${value}`]),
    shot.body === undefined ? [] : ['--body', shot.body],
    [origin + shot.path],
  ].flat();
  const report = JSON.parse(await output([AUTOCANNON, ...args])) as Report;

  const status = shot.expectStatus ?? 200;
  const expected = report.statusCodeStats[status]?.count ?? 0;
  const answered = Object.values(report.statusCodeStats).reduce((sum, { count }) => sum + count, 0);
  if (expected === 0 || expected !== answered || report.errors > 0) {
    const seen = JSON.stringify({ errors: report.errors, ...report.statusCodeStats });
    throw new Error(`${shot.method} ${origin}${shot.path}: expected only ${status}, got ${seen}`);
  }
  return {
    requests: expected,
    seconds: report.duration,
    p50Ms: report.latency.p50,
    p99Ms: report.latency.p99,
  };
}

/** The part of autocannon's JSON that is used here. */
interface Report {
  readonly duration: number;
  readonly errors: number;
  readonly statusCodeStats: Readonly<Record<string, { readonly count: number }>>;
  readonly latency: { readonly p50: number; readonly p99: number };
}

function output(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let written = '';
    let complaint = '';
    child.stdout.on('data', (chunk: Buffer) => (written += String(chunk)));
    child.stderr.on('data', (chunk: Buffer) => (complaint += String(chunk)));
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve(written) : reject(new Error(`autocannon: ${complaint}`)),
    );
  });
}
