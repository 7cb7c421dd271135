import test from 'ava';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SCHEMA_KEY } from '../adapters/redis/examine.ts';
import { SealBroken } from '../adapters/secrets.ts';
import { startApp } from '../app.ts';
import { loadConfig } from '../config.ts';
import { listen } from '../http/listen.ts';
import { createSockets } from '../http/sockets.ts';
import { createLog } from '../log.ts';
import { STOP_MS } from '../stop-times.ts';
import { send, sendBytes } from './raw-http.ts';
import { startHarness } from './support/harness.ts';
import { connect as connectClient } from './support/oauth.ts';
import { freePort } from './support/ports.ts';
import { startRedis } from './support/redis.ts';
import { startServerProcess } from './support/server-process.ts';

const harness = await startHarness();
test.after.always(() => harness.close());

const CLIENTS = 16;

/** One request; the connection it went over says `Connection: close` or not. */
function get(agent: Agent, url: string): Promise<{ status: number; last: boolean }> {
  return new Promise((resolve, reject) => {
    request(`${url}/.well-known/jwks.json`, { agent }, (answer) => {
      answer.resume();
      answer.once('error', reject);
      answer.once('end', () =>
        resolve({ status: answer.statusCode!, last: answer.headers.connection === 'close' }),
      );
    })
      .once('error', reject)
      .end();
  });
}

test.serial(
  '[X25] SIGTERM in the middle of busy keep-alive connections loses no request',
  async (t) => {
    const server = await startServerProcess(t, { stdout: 'pipe' });
    server.child.stdout!.resume();
    const failures: string[] = [];
    const statuses = new Set<number>();
    let answered = 0;
    let told = 0;
    const client = async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (;;) {
        const answer = await get(agent, server.url).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ECONNREFUSED') failures.push(`${error.code} ${error.message}`);
        });
        if (!answer) break;
        answered += 1;
        statuses.add(answer.status);
        // A client that is told to go comes back at once, until nobody is there.
        if (answer.last) told += 1;
      }
      agent.destroy();
    };
    const clients = Array.from({ length: CLIENTS }, client);
    while (answered < 500) await sleep(5);
    server.child.kill('SIGTERM');
    await Promise.all(clients);
    t.is(await server.ended, 0);
    t.deepEqual(failures, []);
    t.deepEqual([...statuses], [200]);
    t.true(told >= CLIENTS);
  },
);

test.serial(
  '[X25] while it stops the server is not ready, serves, and keeps no connection',
  async (t) => {
    const server = await startServerProcess(t, { stdout: 'pipe' });
    let log = '';
    server.child.stdout!.setEncoding('utf8').on('data', (text: string) => (log += text));
    server.child.kill('SIGTERM');
    while (!log.includes('"stop"')) await sleep(2);
    const ready = await send(server.url, '/readyz');
    t.is(ready.status, 503);
    t.deepEqual(ready.json, { status: 'stopping' });
    t.is(ready.headers.connection, 'close');
    const alive = await send(server.url, '/healthz');
    t.is(alive.status, 200);
    t.is(alive.headers.connection, 'close');
    t.is(await server.ended, 0);
  },
);

test.serial('[X25] a request under way at SIGTERM is finished', async (t) => {
  const server = await startServerProcess(t, { stdout: 'pipe' });
  let log = '';
  server.child.stdout!.setEncoding('utf8').on('data', (text: string) => (log += text));
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  await once(socket, 'connect');
  let answer = '';
  socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
  const body = '{}';
  socket.write(
    `POST /oauth2/register HTTP/1.1\r\nHost: ${new URL(server.url).host}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n{`,
  );
  await sleep(100);
  server.child.kill('SIGTERM');
  while (!log.includes('"stop"')) await sleep(5);
  // The listener has gone, the request has not.
  while (await send(server.url, '/healthz').then(Boolean, () => false)) await sleep(20);
  socket.write('}');
  await once(socket, 'close');
  t.regex(answer, /^HTTP\/1\.1 400 /);
  t.regex(answer, /^connection: close\r$/im);
  t.is(await server.ended, 0);
});

test.serial('a connection on which nothing was sent does not hold the stop up', async (t) => {
  const server = await startServerProcess(t, { stdout: 'pipe' });
  server.child.stdout!.resume();
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  server.child.kill('SIGTERM');
  t.is(await Promise.race([server.ended, sleep(20_000, 'still there', { ref: false })]), 0);
});

test.serial(
  '[X25] a store that hangs holds no stop up, and the log says what came of it',
  async (t) => {
    const redis = await startRedis();
    t.teardown(() => redis.stop());
    const env = { REDIS_URL: redis.url, NEONPANEL_URL: harness.sandbox.url };
    const server = await startServerProcess(t, { stdout: 'pipe', env });
    let log = '';
    server.child.stdout!.setEncoding('utf8').on('data', (text: string) => (log += text));
    // Something of it is only written behind answers.
    await connectClient({ ...harness, url: server.url.replace('127.0.0.1', 'localhost') });
    process.kill(redis.pid, 'SIGSTOP');
    server.child.kill('SIGTERM');
    const code = await Promise.race([server.ended, sleep(STOP_MS, 'still there', { ref: false })]);
    process.kill(redis.pid, 'SIGCONT');
    t.is(code, 0);
    const lines = log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const since = lines.findIndex(({ event }) => event === 'stop');
    t.is(lines[since].signal, 'SIGTERM');
    t.like(lines.at(-1), { event: 'stopped', exitCode: 0 });
  },
);

/** Each is read at another point of the start. */
const READ_AT_START = [
  'waitingClients',
  'missingConnectionsEveryMs',
  'resolve',
  'answers',
  'streams',
  'eventLoop',
  'sockets',
  'census',
] as const;

test.serial('[X25] a start that fails at any point leaves nothing open', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  t.teardown(() => taken.close());
  const dataDir = mkdtempSync(join(tmpdir(), 'neonpanel-mcp-start-'));
  t.teardown(() => rmSync(dataDir, { recursive: true }));
  const adminPort = await freePort();
  const start = (env: Record<string, string>, options: object = {}) => {
    const log = createLog('silent');
    const config = loadConfig({
      DATA_DIR: dataDir,
      REDIS_URL: redis.url,
      NEONPANEL_URL: harness.sandbox.url,
      ADMIN_PORT: String(adminPort),
      ...env,
    });
    return startApp(
      config,
      Object.defineProperties({ log }, Object.getOwnPropertyDescriptors(options)),
    );
  };
  const leavesNothing = async (point: string) => {
    const clients = () => redis.command('CLIENT', 'LIST', 'TYPE', 'normal');
    // Redis sees the end of a connection a moment later.
    let left = '';
    for (let tries = 0; tries < 100; tries++) {
      left = (await clients()).replace(/^.*cmd=client\|list.*$/m, '');
      if (!left.includes('id=') && timers() <= before) break;
      await sleep(20);
    }
    t.false(left.includes('id='), `${point}: ${left}`);
    t.true(timers() <= before, `${point}: ${process.getActiveResourcesInfo().join()}`);
    await t.notThrowsAsync(bound(adminPort), point);
  };
  const timers = () => process.getActiveResourcesInfo().filter((name) => name !== 'Timeout').length;
  const before = timers();

  const port = String((taken.address() as AddressInfo).port);
  await t.throwsAsync(start({ PORT: port, HOST: '127.0.0.1' }), { code: 'EADDRINUSE' });
  await leavesNothing('listening');
  for (const name of READ_AT_START) {
    const fault = {
      get [name]() {
        throw new Error(name);
      },
    };
    await t.throwsAsync(start({ PORT: port, HOST: '127.0.0.1' }, fault), { message: name });
    await leavesNothing(name);
  }
  const masterKeys = randomBytes(32).toString('base64url');
  const sealed = start({ PORT: port, HOST: '127.0.0.1', MASTER_KEYS: masterKeys });
  await t.throwsAsync(sealed, { instanceOf: SealBroken });
  await leavesNothing('keys');
  await redis.command('SET', SCHEMA_KEY, '999');
  await t.throwsAsync(start({ PORT: port, HOST: '127.0.0.1' }), {
    message: /Cannot use the store/,
  });
  await leavesNothing('store');
});

test.serial('of two listeners none is left if the second fails', async (t) => {
  const port = await freePort();
  const sockets = createSockets({ inAll: 1, perAddress: 1 }, createLog('silent'));
  let servers = 0;
  const of: typeof sockets.of = (server) => {
    if (++servers === 2) throw new Error('no second one');
    sockets.of(server);
  };
  const listening = listen(
    () => {},
    'localhost',
    port,
    Object.assign(Object.create(sockets), { of }),
  );
  await t.throwsAsync(listening, { message: 'no second one' });
  t.is(servers, 2);
  await t.notThrowsAsync(bound(port));
});

/** Resolves if the port is free on both loopback addresses. */
async function bound(port: number): Promise<void> {
  for (const host of ['127.0.0.1', '::1']) {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => server.close(() => resolve()));
    });
  }
}

for (const [how, head] of [
  ['of declared length', 'Content-Length: 50000000'],
  ['in chunks', 'Transfer-Encoding: chunked'],
] as const) {
  test(`[T41] after 413 to a body ${how} nothing follows and the connection ends`, async (t) => {
    const { host, port } = new URL(harness.url);
    const socket = connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => {}); // the server's good right, once it has answered
    let answer = '';
    let ended = false;
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
    socket.once('close', () => (ended = true));
    socket.write(
      `POST /oauth2/register HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n${head}\r\n\r\n`,
    );
    const part = 'x'.repeat(0x8000);
    const chunk = head.includes('chunked') ? `8000\r\n${part}\r\n` : part;
    // A slow sender that never stops of itself before the 15 s of a request are over.
    for (let i = 0; i < 400 && !ended; i++) {
      if (socket.writable) socket.write(chunk);
      await sleep(50);
    }
    t.true(ended);
    t.regex(answer, /^HTTP\/1\.1 413 /);
    t.regex(answer, /^connection: close\r$/im);
    t.is(answer.match(/HTTP\/1\.1 /g)!.length, 1, answer);
    t.notRegex(answer, / 408 /);
  });
}

for (const path of ['/mcp', '/oauth2/token', '/healthz', '/.well-known/jwks.json']) {
  test(`[T10] two Host headers are refused with 400 at ${path}`, async (t) => {
    const { host } = new URL(harness.url);
    const ask = (...hosts: string[]) =>
      sendBytes(
        harness.url,
        `GET ${path} HTTP/1.1\r\n${hosts.join('\r\n')}\r\nConnection: close\r\n\r\n`,
      );
    for (const second of [host, 'evil.example']) {
      t.regex(await ask(`Host: ${host}`, `Host: ${second}`), /^HTTP\/1\.1 400 /);
      t.regex(await ask(`Host: ${second}`, `hOST: ${host}`), /^HTTP\/1\.1 400 /);
    }
    t.notRegex(await ask(`Host: ${host}`, 'X-Host: evil.example'), /^HTTP\/1\.1 400 /);
  });
}
