import { spawn } from 'node:child_process';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { startSandbox } from '../../sandbox/index.ts';
import {
  apiOf,
  createClock,
  jsonOf,
  obtainCode,
  refresh,
  signIn,
  start,
  token,
  uuidOf,
  type Tokens,
} from './_setup.ts';

async function statePath(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sandbox-'));
  t.teardown(() => rm(folder, { recursive: true }));
  return join(folder, 'deeper', 'sandbox.db');
}

test('registrations, tokens, codes, keys and imports survive a restart', async (t) => {
  const clock = createClock();
  const options = { port: 0, statePath: await statePath(t), now: clock.now, host: '127.0.0.1' };
  const first = await startSandbox(options);
  const port = Number(new URL(first.url).port);
  const { client, tokens } = await signIn(first);
  const used = await jsonOf<Tokens>(await refresh(first, client.client_id, tokens.refresh_token));
  const { exchange } = await obtainCode(first);
  const api = await apiOf(first);
  const company = uuidOf(first, 201);
  const job = await jsonOf(
    await api.post(`/companies/${company}/import/bill/pdf`, {
      file: { name: 'a.pdf', link: 'https://files.example/a.pdf' },
    }),
  );
  const keys = await jsonOf(await fetch(`${first.url}/.well-known/jwks.json`));
  await first.close();

  const second = await start(t, { ...options, port });
  t.is(second.url, first.url);
  t.deepEqual(await jsonOf(await fetch(`${second.url}/.well-known/jwks.json`)), keys);
  const headers = { Authorization: `Bearer ${used.access_token}` };
  t.is((await fetch(`${second.url}/api/v1/companies`, { headers })).status, 200);
  clock.pass(16);
  const path = `${second.url}/api/v1/companies/${company}/import/bill/status/${job.request_id}`;
  t.is((await jsonOf(await fetch(path, { headers }))).status, 'processing');
  t.is((await token(second, exchange)).status, 200);
  t.is((await refresh(second, client.client_id, used.refresh_token)).status, 200);
  t.is((await refresh(second, client.client_id, tokens.refresh_token)).status, 400);
});

test('a rotation that was answered survives a kill', async (t) => {
  const path = await statePath(t);
  const env = { ...process.env, SANDBOX_PORT: '0', SANDBOX_STATE: path };
  const child = spawn(process.execPath, ['sandbox/main.ts'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => void child.kill('SIGKILL'));
  const [chunk] = await once(child.stdout, 'data');
  const [, url = ''] = /sandbox at (\S+)/.exec(String(chunk)) ?? [];
  t.regex(url, /^http:\/\/localhost:\d+$/);
  const users = [
    { email: 'ada@harborpine.example', password: 'pine-needle-tea', name: 'Ada Marsh' },
  ];
  const remote = { url, users } as Awaited<ReturnType<typeof startSandbox>>;
  const { client, tokens } = await signIn(remote);
  const next = await jsonOf<Tokens>(await refresh(remote, client.client_id, tokens.refresh_token));
  child.kill('SIGKILL');
  await once(child, 'exit');

  const again = await start(t, { statePath: path });
  t.is((await refresh(again, client.client_id, next.refresh_token)).status, 200);
  t.is((await stat(path)).mode & 0o077, 0);
});

test('without a path nothing is kept', async (t) => {
  const first = await startSandbox({ port: 0 });
  const { client, tokens } = await signIn(first);
  await first.close();
  const second = await start(t);
  t.is((await refresh(second, client.client_id, tokens.refresh_token)).status, 401);
});

test('a port that is taken, a foreign address and a broken file are clear errors', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => void taken.close());
  const { port } = taken.address() as { port: number };
  await t.throwsAsync(startSandbox({ port }), {
    message: /cannot listen on 127\.0\.0\.1 port \d+ \(EADDRINUSE\)/,
  });
  await t.throwsAsync(startSandbox({ port: 0, host: '0.0.0.0' }), { message: /loopback only/ });
  const path = join(await mkdtemp(join(tmpdir(), 'sandbox-')), 'broken.db');
  t.teardown(() => rm(join(path, '..'), { recursive: true }));
  await writeFile(path, 'this is not a database, however long it may be, '.repeat(100));
  await t.throwsAsync(startSandbox({ port: 0, statePath: path }), {
    message: /state file .*delete it/,
  });
});

test('localhost means every loopback address, and closing lets go of all of them', async (t) => {
  const sandbox = await startSandbox({ port: 0 });
  const port = new URL(sandbox.url).port;
  t.is(sandbox.url, `http://localhost:${port}`);
  t.is((await fetch(`http://127.0.0.1:${port}/.well-known/jwks.json`)).status, 200);
  t.is((await fetch(`${sandbox.url}/.well-known/jwks.json`)).status, 200);
  await Promise.all([sandbox.close(), sandbox.close()]);
  await t.throwsAsync(fetch(`http://127.0.0.1:${port}/.well-known/jwks.json`));
  const again = await startSandbox({ port: Number(port) });
  await again.close();
});
