import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './ports.ts';

/** A real redis-server of our own. */
export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** For SIGSTOP and SIGCONT: a server that hangs without closing anything. */
  readonly pid: number;
  /** Sends one command over a socket of its own. @returns the raw reply (RESP), e.g. `+PONG\r\n` */
  command(...words: string[]): Promise<string>;
  /** Stops the process (SIGKILL unless told otherwise) and keeps its data and its port for `start`. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port, after `kill`. */
  start(): Promise<void>;
  /** Ends it for good and removes its directory. */
  stop(): Promise<void>;
}

export interface RedisOptions {
  /** Keep data over a restart of the process, a kill included (append-only file). Default: false. */
  persist?: boolean;
  /** More arguments, e.g. `['--maxmemory', '1mb']`. */
  args?: readonly string[];
  /** What `command` has to sign in with, e.g. the password of `requirepass`. */
  auth?: readonly string[];
  /** Makes it a sentinel, with these lines in the configuration file, which it then rewrites as it learns. */
  sentinel?: readonly string[];
}

/**
 * Starts redis-server on a free loopback port and waits until it answers. A missing binary is an error, not a reason to
 * skip: a suite that did not run must not look like one that passed.
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const binary = process.env['REDIS_SERVER_PATH'] ?? 'redis-server';
  const directory = await mkdtemp(join(tmpdir(), 'redis-test-'));
  const port = await freePort();
  const auth = options.auth ?? [];
  const args = options.sentinel ? await sentinelArgs(options.sentinel) : serverArgs();
  let child: ChildProcess | undefined;

  function serverArgs(): string[] {
    return [
      ['--port', String(port)],
      ['--bind', '127.0.0.1'],
      ['--dir', directory],
      ['--save', ''],
      ['--appendonly', options.persist ? 'yes' : 'no'],
      // Written before every answer all the same; only a crash of the machine would need more, at the disk's speed.
      ['--appendfsync', 'no'],
      ['--loglevel', 'warning'],
      options.args ?? [],
    ].flat();
  }

  async function sentinelArgs(lines: readonly string[]): Promise<string[]> {
    const file = join(directory, 'sentinel.conf');
    const own = [`port ${port}`, 'bind 127.0.0.1', `dir ${directory}`, 'loglevel warning'];
    await writeFile(file, [...own, ...lines, ''].join('\n'));
    return [file, '--sentinel'];
  }

  async function start(): Promise<void> {
    const process = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    child = process;
    const output: string[] = [];
    process.stdout.on('data', (chunk: Buffer) => output.push(String(chunk)));
    process.stderr.on('data', (chunk: Buffer) => output.push(String(chunk)));
    const failed = new Promise<never>((_, reject) => {
      process.once('error', (cause) =>
        reject(new Error(`${binary} cannot be started; run: npm run setup`, { cause })),
      );
      process.once('exit', (code) =>
        reject(new Error(`${binary} ended with ${code}: ${output.join('')}`)),
      );
    });
    failed.catch(() => undefined);
    await Promise.race([failed, untilReady(port, auth)]);
  }

  async function kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const process = child;
    child = undefined;
    if (!process || process.exitCode !== null || process.signalCode !== null) return;
    const ended = new Promise((resolve) => process.once('exit', resolve));
    process.kill(signal);
    if (signal !== 'SIGKILL') process.kill('SIGCONT');
    await ended;
  }

  async function stop(): Promise<void> {
    await kill();
    // A copy that it was saving may still be writing there.
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  }

  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      if (child?.pid === undefined) throw new Error('redis-server is not running');
      return child.pid;
    },
    command: (...words) => command(port, words, auth),
    kill,
    start,
    stop,
  };
}

const untilReady = (port: number, auth: readonly string[]): Promise<void> =>
  until(`redis-server on port ${port} is ready`, async () => {
    const reply = await command(port, ['PING'], auth).catch(() => '');
    return reply.startsWith('+PONG');
  });

/** Asks again and again. @throws Error if it does not become true in time */
export async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 15_000;
  // Who is asked may be starting, or on its way out.
  while (!(await isTrue().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await sleep(20);
  }
}

const NO_QUIT = /-ERR unknown command 'QUIT'.*\r\n$/;

/** One command in RESP; the connection is asked to close, so everything up to its end is the reply. */
function command(port: number, words: readonly string[], auth: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const reply: Buffer[] = [];
    socket.setTimeout(5000, () => socket.destroy(new Error('redis-server does not answer')));
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      reply.push(chunk);
      // A sentinel can't be asked to close.
      if (NO_QUIT.test(Buffer.concat(reply).toString())) socket.end();
    });
    socket.on('close', () => {
      const text = Buffer.concat(reply)
        .toString()
        .replace(/\+OK\r\n$/, '')
        .replace(NO_QUIT, '');
      resolve(auth.length > 0 ? text.replace(/^\+OK\r\n/, '') : text);
    });
    const signIn = auth.length > 0 ? encode(['AUTH', ...auth]) : '';
    socket.write(signIn + encode(words) + encode(['QUIT']));
  });
}

const encode = (words: readonly string[]): string =>
  [`*${words.length}`, ...words.flatMap((w) => [`$${Buffer.byteLength(w)}`, w]), ''].join('\r\n');
