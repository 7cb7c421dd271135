import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process under measurement: one of its own, so that its CPU time can be told apart. */
export interface Running {
  readonly origin: string;
  readonly pid: number;
  /** Milliseconds from the start of the process to its first good answer. */
  readonly readyMs: number;
  stop(): Promise<void>;
}

export interface Program {
  /** Arguments of node, relative to the project, e.g. `['server.js']`. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly port: number;
  /** Polled until it answers 200. */
  readonly readyPath: string;
  /** Between two looks. Default: 25. */
  readonly pollMs?: number;
}

export const PROJECT = join(import.meta.dirname, '..');

const leftOver = new Set<() => void>();
process.once('exit', () => leftOver.forEach((end) => end()));

/**
 * A run that is broken off may be starting something just then: whatever is left ends with it.
 *
 * @param end must not wait for anything
 * @returns to be called when there is nothing left to end
 */
export function endWithRun(end: () => void): () => void {
  leftOver.add(end);
  return () => void leftOver.delete(end);
}

/** Starts a program and waits until it answers. Its log goes to /dev/null: it is written, and nobody pays for reading it. */
export async function start(program: Program): Promise<Running> {
  const since = performance.now();
  const child = spawn(process.execPath, [...program.command], {
    cwd: PROJECT,
    env: { PATH: process.env['PATH'], PORT: String(program.port), ...program.env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk).slice(-2000)));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  void ended.then(endWithRun(() => child.kill('SIGKILL')));

  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(timer);
  };

  const origin = `http://localhost:${program.port}`;
  const deadline = since + 30_000;
  while (!(await answers(origin + program.readyPath))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      await stop();
      throw new Error(`${program.command.join(' ')} did not start:\n${complaint}`);
    }
    await sleep(program.pollMs ?? 25);
  }
  return { origin, pid: child.pid!, readyMs: performance.now() - since, stop };
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** Ticks per second as /proc counts them; the kernel shows user space 100 on every architecture Node runs on. */
const TICKS = 100;

/**
 * User and system time of a process so far, all threads and ended children: fields 14 to 17 of proc(5) `stat`, counted after
 * the command name, which may contain spaces. Undefined where there is no /proc.
 */
export function cpuSecondsOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS;
  } catch {
    return undefined;
  }
}

/** Resident memory in bytes; undefined where there is no /proc. */
export function residentBytesOf(pid: number): number | undefined {
  try {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
    return Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}
