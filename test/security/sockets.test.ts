import { execFileSync } from 'node:child_process';
import { get } from 'node:http';
import { connect as connectTcp, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { send } from '../raw-http.ts';
import { startHarness } from '../support/harness.ts';
import { createLogs } from '../support/logs.ts';
import { connect } from '../support/oauth.ts';
import { startServerProcess } from '../support/server-process.ts';

/** More connections than there may be, and more than the system gives descriptors for. */

interface Held {
  readonly socket: Socket;
  readonly answer: () => string;
  readonly isOpen: () => boolean;
}

/** A connection that asks nothing. */
function hold(port: number): Promise<Held> {
  return new Promise((resolve) => {
    const socket = connectTcp(port, '127.0.0.1');
    let answer = '';
    let isOpen = true;
    const held = { socket, answer: () => answer, isOpen: () => isOpen };
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
    socket.on('error', () => {});
    socket.once('connect', () => resolve(held));
    socket.once('close', () => {
      isOpen = false;
      resolve(held);
    });
  });
}

const holdMany = (port: number, count: number) =>
  Promise.all(Array.from({ length: count }, () => hold(port)));

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1_000; tries++) {
    if (await holds()) return;
    await sleep(30);
  }
  throw new Error(`never: ${what}`);
}

/** Over a connection of its own. */
const statusAlone = (url: string, path = '/healthz'): Promise<number | undefined> =>
  new Promise((resolve) => {
    const asked = get(url + path, { agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    asked.on('error', () => resolve(undefined));
  });

const IN_ALL = 40;

test.serial(
  '[X33] more idle connections than are held are answered by 503, those there are go on, and room is used again',
  async (t) => {
    const harness = await startHarness({ sockets: { inAll: IN_ALL } });
    t.teardown(() => harness.close());
    const { url } = harness;
    const port = Number(new URL(url).port);
    // Its connection stays.
    t.is((await send(url, '/healthz')).status, 200);
    const held = await holdMany(port, IN_ALL + 10);
    await until('told', () => held.filter(({ isOpen }) => !isOpen()).length === 11);
    for (const { answer, isOpen } of held) {
      if (isOpen()) continue;
      t.regex(answer(), /^HTTP\/1\.1 503 Service Unavailable\r\n/);
      t.regex(answer(), /^Retry-After: 1\r$/m);
      t.regex(answer(), /"error":"temporarily_unavailable"/);
    }
    t.is(await statusAlone(url), 503);
    t.is((await send(url, '/healthz')).status, 200);
    t.is(harness.logs.find({ event: 'sockets' }).length, 1);
    held.forEach(({ socket }) => socket.destroy());
    await until('room', async () => (await statusAlone(url)) === 200);
  },
);

test.serial(
  '[X33] one address holds so many connections, and what its other ones send is not served',
  async (t) => {
    const harness = await startHarness({ sockets: { perAddress: 5 } });
    t.teardown(() => harness.close());
    const { url } = harness;
    const held = await holdMany(Number(new URL(url).port), 5);
    t.is(await statusAlone(url), 503);
    const served = harness.logs.find({ event: 'request' }).length;
    t.is(await statusAlone(url), 503);
    t.is(harness.logs.find({ event: 'request' }).length, served);
    held.pop()!.socket.destroy();
    await until('room', async () => (await statusAlone(url)) === 200);
    held.forEach(({ socket }) => socket.destroy());
  },
);

// ----------------------------------------------------------------- file descriptors

const FEWER_THAN_OPEN = 10;

/** The soft limit only: the hard one stays, so that it can be raised again. */
const limitDescriptors = (pid: number, count: number): void =>
  void execFileSync('prlimit', ['--pid', String(pid), `--nofile=${count}:`]);

/** Our server as a process of its own, on the store and the NeonPanel of a harness. */
async function startLimited(t: ExecutionContext, descriptorsAtStart: number) {
  const harness = await startHarness();
  t.teardown(() => harness.close());
  const logs = createLogs();
  const { PORT: _, ...env } = harness.env;
  const server = await startServerProcess(t, {
    stdout: 'pipe',
    command: [
      'prlimit',
      `--nofile=${descriptorsAtStart}:${descriptorsAtStart}`,
      process.execPath,
      'server.js',
    ],
    env: { ...env, LOG_LEVEL: 'warn' },
  });
  server.child.stdout!.setEncoding('utf8').on('data', (text: string) => logs.sink.write(text));
  return { harness, logs, server, pid: server.child.pid!, port: Number(new URL(server.url).port) };
}

test.serial(
  '[X37] a process with few descriptors keeps some for its work: what it can’t hold is told 503, and it recovers',
  async (t) => {
    const { server, logs, port } = await startLimited(t, 200);
    const held = await holdMany(port, 300);
    await until('told', () => held.filter(({ isOpen }) => isOpen()).length <= 100);
    t.is(await statusAlone(server.url), 503);
    held.forEach(({ socket }) => socket.destroy());
    await until('room', async () => (await statusAlone(server.url, '/readyz')) === 200);
    t.is(server.child.exitCode, null);
    t.is(logs.entries().length, 1, logs.text());
    t.is(logs.only({ event: 'sockets' }).problem, 'too many connections');
  },
);

test.serial(
  '[X37] without a single descriptor left, those who are connected are served, others wait, and everything goes on afterwards',
  async (t) => {
    const { harness, logs, server, pid, port } = await startLimited(t, 1_000);
    const { tokens } = await connect(harness);
    t.is((await send(server.url, '/readyz')).status, 200);
    // Not even the one that libuv keeps for this.
    limitDescriptors(pid, FEWER_THAN_OPEN);
    const held = await holdMany(port, 50);
    await sleep(300);
    // On the connection that there is.
    t.is((await send(server.url, '/readyz')).status, 200);
    const headers = {
      authorization: `Bearer ${tokens.access_token}`,
      'content-type': 'application/json',
    };
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'listCompanies', arguments: {} },
    });
    // It has no connection to NeonPanel, and can make none.
    const call = await send(server.url, '/mcp', { method: 'POST', headers, body });
    t.is(call.status, 200, call.text);
    t.regex(call.text, /"isError":true/);
    t.regex(call.text, /NeonPanel/);
    const waiting = statusAlone(server.url);
    t.is(await Promise.race([waiting, sleep(300, 'waits')]), 'waits');
    limitDescriptors(pid, 1_000);
    t.is(await waiting, 200);
    held.forEach(({ socket }) => socket.destroy());
    await until('served again', async () => (await statusAlone(server.url, '/readyz')) === 200);
    const answer = await send(server.url, '/mcp', { method: 'POST', headers, body });
    t.is(answer.status, 200);
    t.notRegex(answer.text, /"isError":true/);
    t.is(server.child.exitCode, null);
    const told = logs.find({ event: 'sockets' });
    t.true(told.length <= 1, logs.text());
    t.true(logs.entries().length <= 5, logs.text());
  },
);

// ------------------------------------------------------------------------ long form

/** Of requests one after another, in milliseconds. */
async function slowest(url: string, count: number): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const since = performance.now();
    await send(url, '/.well-known/jwks.json');
    times.push(performance.now() - since);
  }
  return times.toSorted((a, b) => a - b)[Math.floor(count * 0.99)]!;
}

if (process.env.LONG_TESTS) {
  test.serial(
    '[X33] 10,000 silent connections are cut off in time and slow nobody down',
    async (t) => {
      const server = await startServerProcess(t, { stdout: 'pipe', env: { LOG_LEVEL: 'error' } });
      server.child.stdout!.resume();
      await slowest(server.url, 1_000);
      const before = await slowest(server.url, 1_000);
      const since = performance.now();
      const held: Held[] = [];
      // Not all at once: what overflows the system's own queue is never seen by the server.
      while (held.length < 10_000) {
        held.push(...(await holdMany(Number(new URL(server.url).port), 200)));
      }
      t.teardown(() => held.forEach(({ socket }) => socket.destroy()));
      const during = await slowest(server.url, 1_000);
      t.log(`p99 ${before.toFixed(2)} ms, then ${during.toFixed(2)} ms`);
      t.true(during < 2 * before + 5);
      await until('cut off', () => held.every(({ isOpen }) => !isOpen()));
      t.true(performance.now() - since < 30_000);
    },
  );
}
