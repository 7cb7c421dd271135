import test, { type ExecutionContext } from 'ava';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { send } from './raw-http.ts';
import { CANARY, NEVER_ANSWERED } from './support/crash-on-signal.ts';
import { type ServerProcess, startServerProcess } from './support/server-process.ts';

/** A fault of ours that nobody catches: said, and the end of the process, but of no other request. */

const WITH_FAULTS = ['--import', './test/support/crash-on-signal.ts', 'server.js'];

interface Crashing extends ServerProcess {
  log(): Record<string, any>[];
  logText(): string;
}

async function start(t: ExecutionContext): Promise<Crashing> {
  const command = [process.execPath, ...WITH_FAULTS] as [string, ...string[]];
  const server = await startServerProcess(t, { stdout: 'pipe', command });
  let text = '';
  server.child.stdout!.setEncoding('utf8').on('data', (part: string) => (text += part));
  return {
    ...server,
    logText: () => text,
    log: () =>
      text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
  };
}

/** A request of which the server has only the first half; `finish` sends the rest. */
async function beginRequest(t: ExecutionContext, { url }: ServerProcess) {
  const { port, host } = new URL(url);
  const socket: Socket = connect(Number(port), '127.0.0.1');
  await once(socket, 'connect');
  let answer = '';
  socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
  socket.write(
    `POST /oauth2/register HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{`,
  );
  // The server has read it when it has answered what came later.
  t.is((await send(url, '/healthz')).status, 200);
  return {
    async finish(): Promise<string> {
      socket.write('}');
      await once(socket, 'close');
      return answer;
    },
  };
}

const said = async (server: Crashing, event: string, times = 1): Promise<void> => {
  while (server.log().filter((line) => line.event === event).length < times) {
    if (server.child.exitCode !== null) throw new Error(`ended without ${event}`);
    await sleep(5);
  }
};

test.serial(
  '[X40] an exception and a rejection that nobody caught are one line each, requests under way are finished, and the process ends with 1',
  async (t) => {
    const server = await start(t);
    const request = await beginRequest(t, server);
    server.child.kill('SIGUSR2');
    await said(server, 'crash');
    t.deepEqual((await send(server.url, '/readyz')).json, { status: 'stopping' });
    // Another one, while it is about to end.
    server.child.kill('SIGHUP');
    await said(server, 'crash', 2);
    while (await send(server.url, '/healthz').then(Boolean, () => false)) await sleep(20);
    t.regex(await request.finish(), /^HTTP\/1\.1 400 /);
    t.is(await server.ended, 1);

    const [exception, rejection, ...more] = server.log().filter(({ event }) => event === 'crash');
    t.deepEqual(more, []);
    t.like(exception, { level: 60, origin: 'uncaughtException' });
    t.is(exception!.err.type, 'TypeError');
    t.regex(exception!.err.stack, /^ {4}at .*nobodyCatchesThis \(.*crash-on-signal\.ts:\d+:\d+\)/);
    t.like(rejection, { level: 60, origin: 'unhandledRejection' });
    t.is(rejection!.err.type, 'RangeError');
    t.false(server.logText().includes(CANARY), 'what the message held');
  },
);

test.serial(
  '[X40] errors that come again and again fill no log, and a request that is never answered holds nothing up for long',
  async (t) => {
    const server = await start(t);
    const { port, host } = new URL(server.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => {});
    socket.write(`GET ${NEVER_ANSWERED} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    t.is((await send(server.url, '/healthz')).status, 200);
    const storm = setInterval(() => server.child.kill('SIGHUP'), 20);
    t.teardown(() => clearInterval(storm));
    // 5 s on a laptop; what is under way at SIGTERM gets 26.
    const late = sleep(20_000, 'still there', { ref: false });
    t.is(await Promise.race([server.ended, late]), 1);
    const lines = server.log().filter(({ event }) => event === 'crash').length;
    t.is(lines, 10);
  },
);

for (const [how, close, withinMs, expected] of [
  [
    'fails',
    `Promise.reject(new Error('cannot close'))`,
    20_000,
    { err: { message: 'cannot close' } },
  ],
  ['never ends', `new Promise(() => {})`, 1_200, { problem: 'it takes too long' }],
] as const) {
  test.serial(`[X25] a stop whose closing ${how} says so and ends with 1`, async (t) => {
    const script = `
      import { createLog } from './log.ts';
      import { endWith } from './process-end.ts';
      endWith({ log: createLog('info'), close: () => ${close}, withinMs: ${withinMs}, crashWithinMs: ${withinMs} });
      process.kill(process.pid, 'SIGTERM');
      setInterval(() => {}, 1_000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
    t.teardown(() => child.kill('SIGKILL'));
    const [[code], lines] = await Promise.all([once(child, 'exit'), linesOf(child.stdout)]);
    t.is(code, 1);
    t.is(lines.length, 3);
    t.like(lines[1], { level: 50, event: 'stop', ...expected });
    t.like(lines[2], { level: 30, event: 'stopped', exitCode: 1 });
  });
}

async function linesOf(stream: AsyncIterable<Buffer>): Promise<Record<string, any>[]> {
  const parts = await Array.fromAsync(stream);
  return Buffer.concat(parts)
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}
