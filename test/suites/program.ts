import { spawn } from 'node:child_process';
import { join } from 'node:path';

const BIN = join(import.meta.dirname, 'node_modules', '.bin');
/** Nothing here is expected to take that long. */
const LIMIT_MS = 240_000;

/**
 * Runs a suite's own command to its end, in an environment of its own.
 *
 * @param options.onUrl called once with the first authorization URL it prints
 * @returns what it printed
 * @throws with what it printed if it ends with anything but 0, or not at all
 */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: {
    env?: Record<string, string>;
    cwd: string;
    onUrl?: (url: string) => Promise<void>;
  },
): Promise<string> {
  const child = spawn(process.execPath, [join(BIN, command), ...args], {
    cwd: options.cwd,
    // No PATH: some would open a browser of their own beside.
    env: { PATH: '', HOME: options.cwd, NO_COLOR: '1', ...options.env },
    // Some end when their input does.
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  let printed = '';
  let problem: unknown;
  let { onUrl } = options;
  const read = (text: string): void => {
    printed += text;
    const [url] = /https?:\/\/\S+\/oauth2\/authorize\?\S+(?=\s)/.exec(printed) ?? [];
    if (!url || !onUrl) return;
    const open = onUrl;
    onUrl = undefined;
    open(url).catch((error: unknown) => {
      problem = error;
      child.kill('SIGKILL');
    });
  };
  child.stdout.setEncoding('utf8').on('data', read);
  child.stderr.setEncoding('utf8').on('data', read);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(limit);
  if (problem) throw problem;
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${printed}`);
  return printed;
}
