import test, { type ExecutionContext } from 'ava';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  authorizationRequest,
  callTool,
  redeem,
  refresh,
  register,
  signIn,
} from './support/oauth.ts';
import { freePort } from './support/ports.ts';

/** The commands as a user runs them: processes of their own, with nothing but an environment. */
const ROOT = join(import.meta.dirname, '..');
/** For a machine that is busy; nothing here is expected to take that long. */
const PATIENCE_MS = 60_000;

interface Command {
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  kill(signal: NodeJS.Signals): void;
  /** Until this was printed. @throws if the command ends or is silent for too long */
  prints(pattern: RegExp): Promise<RegExpExecArray>;
}

/** Runs `node <script>`; whatever is left of it ends with the test. */
function run(t: ExecutionContext, script: string, env: Record<string, string>): Command {
  const child: ChildProcess = spawn(process.execPath, [script], {
    cwd: ROOT,
    // Not this process's environment: it may hold settings of its own.
    env: { PATH: process.env.PATH!, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  let over = false;
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('close', (code, signal) => {
      over = true;
      resolve(code ?? signal!);
    });
  });
  return {
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    kill: (signal) => void child.kill(signal),
    async prints(pattern) {
      for (const end = Date.now() + PATIENCE_MS; ;) {
        const found = pattern.exec(stderr + stdout);
        if (found) return found;
        if (over || Date.now() > end)
          throw new Error(`never printed ${pattern}:\n${stdout}${stderr}`);
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    },
  };
}

/** A directory that is gone after the test. */
function temporary(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'neonpanel-mcp-commands-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** The environment of a laptop, except that nothing is shared with anybody. */
async function laptop(t: ExecutionContext): Promise<Record<string, string>> {
  return {
    PORT: String(await freePort()),
    SANDBOX_PORT: String(await freePort()),
    DATA_DIR: temporary(t),
  };
}

/** `npm start`, until it says that it is ready. */
async function startServer(t: ExecutionContext, env: Record<string, string>) {
  const server = run(t, 'server.js', env);
  const [, url] = await server.prints(/MCP server +(http:\S+)\/mcp/);
  await server.prints(/Connect a client/);
  return { ...server, url: url! };
}

/** The user that the command itself offers. */
function firstUser(stderr: string) {
  const [, email, password] = /^ +(\S+@\S+) +\/ +(\S+)$/m.exec(stderr)!;
  return { email: email!, password: password! };
}

/** Signs in at a running server, as whoever it says one can be. */
async function connectTo(server: { url: string; stderr: () => string }) {
  const { body: client } = await register(server.url);
  const attempt = authorizationRequest(server.url, client);
  const callback = await signIn({} as never, attempt, { user: firstUser(server.stderr()) });
  const { body: tokens } = await redeem(server.url, attempt, callback.searchParams.get('code')!);
  return { client, tokens };
}

async function companiesSeen(url: string, accessToken: string): Promise<number | undefined> {
  const { body } = await callTool(url, accessToken, 'listCompanies');
  return body.result?.structuredContent.data.length;
}

const lines = (text: string): string[] => text.trimEnd().split('\n');
const masterKey = () => randomBytes(32).toString('base64url');

/** Occupies a port on both loopback addresses, as another copy of the server would. */
async function occupy(t: ExecutionContext, port: string): Promise<void> {
  for (const host of ['127.0.0.1', '::1']) {
    const other = createServer();
    await new Promise<void>((resolve) => {
      other.once('error', () => resolve()); // no IPv6 here
      other.listen(Number(port), host, resolve);
    });
    t.teardown(() => other.close());
  }
}

test.serial(
  'node server.js serves, says how to sign in and how to connect each client, and stops at SIGTERM',
  async (t) => {
    const env = await laptop(t);
    const server = await startServer(t, env);
    t.is(server.url, `http://localhost:${env.PORT}`);
    const told = server.stderr();
    for (const words of [
      `${server.url}/mcp`,
      `http://localhost:${env.SANDBOX_PORT}`,
      'ada@harborpine.example',
      'bruno@quillcopper.example',
      `claude mcp add --transport http neonpanel ${server.url}/mcp`,
      'Cursor',
      'VS Code',
      'Inspector',
      'ChatGPT',
    ]) {
      t.true(told.includes(words), words);
    }
    const health = await fetch(`${server.url}/healthz`);
    t.is(health.status, 200);
    t.is((await fetch(`${server.url}/mcp`, { method: 'POST' })).status, 401);
    const { tokens } = await connectTo(server);
    t.is(await companiesSeen(server.url, tokens.access_token), 3);

    server.kill('SIGTERM');
    t.is(await server.ended, 0);
    for (const line of lines(server.stdout())) t.notThrows(() => JSON.parse(line), line);
    t.notRegex(server.stdout() + server.stderr(), new RegExp(tokens.access_token));
  },
);

test.serial('node server.js stops at Ctrl-C, too', async (t) => {
  const server = await startServer(t, await laptop(t));
  server.kill('SIGINT');
  t.is(await server.ended, 0);
});

test.serial(
  '[N52] [F19] after kill -9 and a new start a connection goes on: client, refresh token, NeonPanel',
  async (t) => {
    const env = await laptop(t);
    const first = await startServer(t, env);
    const { client, tokens } = await connectTo(first);
    const { body: renewed } = await refresh(first.url, client, tokens.refresh_token);
    first.kill('SIGKILL');
    t.is(await first.ended, 'SIGKILL');

    const second = await startServer(t, env);
    t.is(await companiesSeen(second.url, renewed.access_token), 3, 'same keys');
    const again = await refresh(second.url, client, renewed.refresh_token);
    t.is(again.status, 200, JSON.stringify(again.body));
    t.is(await companiesSeen(second.url, again.body.access_token), 3);
  },
);

test.serial(
  '[T52] MASTER_KEYS replace the generated key, rotate by prepending, and are needed',
  async (t) => {
    const env = await laptop(t);
    const [old, next] = [masterKey(), masterKey()];
    const first = await startServer(t, { ...env, MASTER_KEYS: old });
    t.false(existsSync(join(env.DATA_DIR!, 'master.key')));
    const { client, tokens } = await connectTo(first);
    first.kill('SIGTERM');
    await first.ended;

    const rotated = await startServer(t, { ...env, MASTER_KEYS: `${next},${old}` });
    const renewed = await refresh(rotated.url, client, tokens.refresh_token);
    t.is(renewed.status, 200, JSON.stringify(renewed.body));
    t.is(await companiesSeen(rotated.url, renewed.body.access_token), 3);
    rotated.kill('SIGTERM');
    await rotated.ended;

    const stranger = run(t, 'server.js', { ...env, MASTER_KEYS: masterKey() });
    t.is(await stranger.ended, 1);
    t.is(lines(stranger.stderr()).length, 1, stranger.stderr());
    t.regex(stranger.stderr(), /MASTER_KEYS|master key/i);
  },
);

test.serial('what is generated is readable by its owner only: every file', async (t) => {
  const env = await laptop(t);
  await startServer(t, env);
  const files = readdirSync(env.DATA_DIR!);
  t.true(files.includes('master.key'));
  for (const name of files) t.is(statSync(join(env.DATA_DIR!, name)).mode & 0o077, 0, name);
});

test.serial('what is generated is readable by its owner only: the directory', async (t) => {
  const env = await laptop(t);
  const made = join(env.DATA_DIR!, 'data');
  await startServer(t, { ...env, DATA_DIR: made });
  t.is((statSync(made).mode & 0o777).toString(8), '700');
});

test.serial(
  'a port that is taken is reported in one line that names it, with exit code 1',
  async (t) => {
    const env = await laptop(t);
    await occupy(t, env.PORT!);
    const server = run(t, 'server.js', env);
    t.is(await server.ended, 1);
    t.is(lines(server.stderr()).length, 1, server.stderr());
    t.true(server.stderr().includes(env.PORT!), server.stderr());
    t.notRegex(server.stderr(), /^ +at /m);
  },
);

test.serial('a sandbox port that is taken is no reason not to serve, and is said', async (t) => {
  const env = await laptop(t);
  const other = run(t, 'sandbox/main.ts', {
    SANDBOX_PORT: env.SANDBOX_PORT!,
    SANDBOX_STATE: join(env.DATA_DIR!, 'other.db'),
  });
  await other.prints(/NeonPanel sandbox at/);
  const server = await startServer(t, env);
  t.regex(server.stderr(), /not started, its port is taken/);
  t.true(server.stdout().includes(env.SANDBOX_PORT!));
  t.is((await fetch(`${server.url}/healthz`)).status, 200);
});

test.serial(
  'every mistake in the environment is listed at once, without its secret, with exit code 1',
  async (t) => {
    const secret = 'c2VjcmV0LXRoYXQtaXMtdG9vLXNob3J0';
    const server = run(t, 'server.js', {
      PORT: 'three thousand',
      PUBLIC_URL: 'ftp://mcp.example.com',
      MASTER_KEYS: secret,
      ACCESS_TOKEN_TTL_SECONDS: '0',
      PUBLIC_DISCOVERY: 'perhaps',
    });
    t.is(await server.ended, 1);
    const said = lines(server.stderr());
    t.regex(said[0]!, /^\d+ problems in the environment:$/);
    for (const variable of [
      'PORT',
      'PUBLIC_URL',
      'MASTER_KEYS',
      'ACCESS_TOKEN_TTL_SECONDS',
      'PUBLIC_DISCOVERY',
    ]) {
      const line = said.find((text) => text.trim().startsWith(`${variable}:`));
      t.regex(line ?? `no line about ${variable}`, /expected /);
    }
    t.false(server.stderr().includes(secret));
    t.is(server.stdout(), '', 'nothing was started');
  },
);

test.serial(
  '[D19] a public address starts no server without what a deployment needs, whatever NODE_ENV says',
  async (t) => {
    const required = ['MASTER_KEYS', 'SQLITE_PATH', 'NEONPANEL_URL', 'NEONPANEL_CLIENT_ID'];
    for (const NODE_ENV of ['development', 'production']) {
      const directory = temporary(t);
      const server = run(t, 'server.js', {
        PUBLIC_URL: 'https://mcp.example.com',
        DATA_DIR: directory,
        NODE_ENV,
      });
      t.is(await server.ended, 1);
      for (const variable of required)
        t.regex(server.stderr(), new RegExp(`^ +${variable}: `, 'm'));
      t.deepEqual(readdirSync(directory), [], 'nothing was generated');
    }
  },
);

test.serial('[D19] a public address without https starts no server', async (t) => {
  const server = run(t, 'server.js', {
    PUBLIC_URL: 'http://mcp.example.com',
    MASTER_KEYS: masterKey(),
    SQLITE_PATH: join(temporary(t), 'store.db'),
    NEONPANEL_URL: 'https://panel.example.com',
    NEONPANEL_CLIENT_ID: 'ours',
  });
  t.is(await server.ended, 1);
  t.regex(server.stderr(), /PUBLIC_URL: .*https/);
});

test.serial('[D19] ALLOW_SANDBOX serves behind a public address with a loud warning', async (t) => {
  const env = await laptop(t);
  const server = run(t, 'server.js', {
    ...env,
    HOST: '127.0.0.1',
    PUBLIC_URL: 'https://tunnel.example.com',
    ALLOW_SANDBOX: 'true',
    MASTER_KEYS: masterKey(),
    SQLITE_PATH: join(env.DATA_DIR!, 'store.db'),
  });
  await server.prints(/Connect a client/);
  t.regex(server.stderr(), /WARNING.*ALLOW_SANDBOX/);
  t.true(server.stderr().includes('https://tunnel.example.com/mcp'));
  t.is((await fetch(`http://127.0.0.1:${env.PORT}/healthz`)).status, 200);
  server.kill('SIGTERM');
  t.is(await server.ended, 0);
});

test.serial(
  'node cli/demo.ts goes the whole way, prints each step, leaves nothing behind, and exits with 0',
  async (t) => {
    const directory = temporary(t);
    const demo = run(t, 'cli/demo.ts', { TMPDIR: directory });
    t.is(await demo.ended, 0, demo.stderr());
    const steps = lines(demo.stdout()).flatMap((line) => /^ +ok +(.*?)  /.exec(line)?.[1] ?? []);
    t.deepEqual(steps, [
      'POST /mcp without a token',
      'Discovery',
      'Dynamic registration',
      'Consent page',
      'NeonPanel login',
      'Back at the connector',
      'Token',
      'tools/list',
      'tools/call listCompanies',
      'Refresh',
      'Revoke',
    ]);
    t.is(lines(demo.stdout()).at(-1), 'All of it worked.');
    t.notRegex(demo.stdout(), /\{/, 'no log between the steps');
    t.is(demo.stderr(), '');
    t.deepEqual(readdirSync(directory), []);
  },
);

test.serial('node sandbox/main.ts serves NeonPanel alone and says how to sign in', async (t) => {
  const port = String(await freePort());
  const state = join(temporary(t), 'sandbox.db');
  const sandbox = run(t, 'sandbox/main.ts', { SANDBOX_PORT: port, SANDBOX_STATE: state });
  await sandbox.prints(/Fault switches/);
  t.regex(sandbox.stdout(), /Ada Marsh: ada@harborpine\.example \/ \S+/);
  const metadata = `http://localhost:${port}/.well-known/oauth-authorization-server`;
  const { issuer } = (await (await fetch(metadata)).json()) as { issuer: string };
  t.is(issuer, `http://localhost:${port}`);
  t.is((await fetch(`${issuer}/api/v1/companies`)).status, 401);
  sandbox.kill('SIGTERM');
  t.is(await sandbox.ended, 0);
  t.true(existsSync(state));
});

test.serial(
  'node sandbox/main.ts reports a taken port in one line, with exit code 1',
  async (t) => {
    const port = String(await freePort());
    await occupy(t, port);
    const state = join(temporary(t), 'sandbox.db');
    const sandbox = run(t, 'sandbox/main.ts', { SANDBOX_PORT: port, SANDBOX_STATE: state });
    t.is(await sandbox.ended, 1);
    t.is(lines(sandbox.stderr()).length, 1, sandbox.stderr());
    t.true(sandbox.stderr().includes(port));
  },
);
