import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Contestant } from './row.ts';

/** A server under measurement: a process of its own, so that its CPU time can be told apart. */
export interface RunningServer {
  readonly origin: string;
  /** User and system time of the process so far, all threads; undefined where there is no /proc. */
  cpuSeconds(): number | undefined;
  stop(): Promise<void>;
}

const PROJECT = join(import.meta.dirname, '..');

/** Starts a contestant in an empty directory of its own and waits until it answers. */
export async function startServer(contestant: Contestant): Promise<RunningServer> {
  const port = await freePort();
  const directory = await mkdtemp(join(tmpdir(), 'bench-'));
  const [file, ...args] = contestant.command;
  const child = spawn(process.execPath, [join(PROJECT, file!), ...args], {
    cwd: PROJECT,
    env: { PATH: process.env['PATH'], ...contestant.env(port, directory) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  child.stderr.on(
    'data',
    (chunk: Buffer) => (complaint = (complaint + String(chunk)).slice(-2000)),
  );
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));

  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(timer);
    await rm(directory, { recursive: true, force: true });
  };

  const origin = `http://localhost:${port}`;
  const deadline = Date.now() + 20_000;
  while (!(await answers(origin + contestant.readyPath))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`${contestant.command.join(' ')} did not start:\n${complaint}`);
    }
    await sleep(50);
  }
  return { origin, cpuSeconds: () => cpuSecondsOf(child.pid!), stop };
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

/** Fields 14 and 15 of proc(5) `stat`, counted after the command name, which may contain spaces. */
function cpuSecondsOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  } catch {
    return undefined;
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
