import type { ExecutionContext } from 'ava';
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './ports.ts';

const { NODE_COMPILE_CACHE } = process.env;
const ROOT = join(import.meta.dirname, '../..');

/** `node server.js` as a process of its own, and where it serves. */
export interface ServerProcess {
  readonly child: ChildProcess;
  readonly url: string;
  readonly dataDir: string;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

/**
 * @param options.stdout where its log goes: a file descriptor, or a pipe that is the caller's to read
 * @param options.command what to run instead, e.g. through a shell
 * @param options.ipc messages can be sent to it
 */
export async function startServerProcess(
  t: Pick<ExecutionContext, 'teardown'>,
  options: {
    stdout: number | 'pipe';
    ipc?: boolean;
    command?: readonly [string, ...string[]];
    env?: Record<string, string>;
  },
): Promise<ServerProcess> {
  const dataDir = mkdtempSync(join(tmpdir(), 'neonpanel-mcp-process-'));
  const port = await freePort();
  const [program, ...args] = options.command ?? [process.execPath, 'server.js'];
  const stdio: StdioOptions = ['ignore', options.stdout, 'ignore'];
  if (options.ipc) stdio.push('ipc');
  const child = spawn(program, args, {
    cwd: ROOT,
    // A group of its own: a shell is ended together with what it started.
    detached: true,
    env: {
      PATH: process.env.PATH!,
      NODE: process.execPath,
      // Half of what a start costs is compiling.
      ...(NODE_COMPILE_CACHE !== undefined && { NODE_COMPILE_CACHE }),
      PORT: String(port),
      SANDBOX_PORT: String(await freePort()),
      DATA_DIR: dataDir,
      ...options.env,
    },
    stdio,
  });
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal!));
  });
  t.teardown(async () => {
    try {
      process.kill(-child.pid!, 'SIGKILL');
    } catch {
      // All of it has ended.
    }
    await ended;
    rmSync(dataDir, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries++) {
    const answer = await fetch(`${url}/healthz`).catch(() => undefined);
    if (answer?.status === 200) return { child, url, dataDir, ended };
    if (child.exitCode !== null || tries > 600) throw new Error('the server does not serve');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
