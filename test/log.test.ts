import test from 'ava';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from 'undici';
import { send } from './raw-http.ts';
import { startServerProcess } from './support/server-process.ts';

/** Their log lines are several times what a pipe and a socket hold. */
const REQUESTS = 4_000;
const LONG_PATH = '/x'.repeat(95);

async function manyRequests(url: string): Promise<number> {
  const dispatcher = new Agent({ connections: 8 });
  let answered = 0;
  const one = async () => {
    for (let i = 0; i < REQUESTS / 8; i++) {
      const answer = await dispatcher.request({ origin: url, path: LONG_PATH, method: 'GET' });
      await answer.body.dump();
      answered += 1;
    }
  };
  await Promise.all(Array.from({ length: 8 }, one));
  await dispatcher.close();
  return answered;
}

test.serial('[X30] with stdout on a full disk the server serves and stops as ever', async (t) => {
  const full = openSync('/dev/full', 'w');
  t.teardown(() => closeSync(full));
  const server = await startServerProcess(t, { stdout: full });
  for (let i = 0; i < 20; i++) t.is((await send(server.url, '/nothing-here')).status, 404);
  t.is((await send(server.url, '/healthz')).status, 200);
  server.child.kill('SIGTERM');
  t.is(await server.ended, 0);
});

test.serial('[X30] a log that nobody reads holds no request up and no stop: socket', async (t) => {
  const server = await startServerProcess(t, { stdout: 'pipe' });
  t.is(await manyRequests(server.url), REQUESTS);
  t.is((await send(server.url, '/healthz')).status, 200);
  server.child.kill('SIGTERM');
  t.is(await server.ended, 0);
});

test.serial('[X30] a log that nobody reads holds no request up and no stop: pipe', async (t) => {
  // The shell says on a stream of its own how the server ended; its log goes to a program that never reads.
  const script =
    'exec 3>&1; ( "$NODE" server.js & echo $! >&3; wait $!; echo "ended $?" >&3 ) | sleep 600';
  const server = await startServerProcess(t, { stdout: 'pipe', command: ['sh', '-c', script] });
  let said = '';
  server.child.stdout!.setEncoding('utf8').on('data', (text: string) => (said += text));
  t.is(await manyRequests(server.url), REQUESTS);
  t.is((await send(server.url, '/healthz')).status, 200);
  process.kill(Number(/^\d+/.exec(said)![0]), 'SIGTERM');
  while (!said.includes('ended')) await sleep(20);
  t.regex(said, /^ended 0$/m);
});

test.serial('[X30] a reader that has gone ends no server', async (t) => {
  const server = await startServerProcess(t, { stdout: 'pipe' });
  server.child.stdout!.destroy();
  for (let i = 0; i < 20; i++) t.is((await send(server.url, '/nothing-here')).status, 404);
  server.child.kill('SIGTERM');
  t.is(await server.ended, 0);
});

test.serial('a reader that was slow gets every later line whole, and the last one', async (t) => {
  const server = await startServerProcess(t, { stdout: 'pipe' });
  await manyRequests(server.url);
  let log = '';
  server.child.stdout!.setEncoding('utf8').on('data', (text: string) => (log += text));
  const closed = new Promise((resolve) => server.child.stdout!.once('close', resolve));
  server.child.kill('SIGTERM');
  t.is(await server.ended, 0);
  await closed;
  const lines = log.trimEnd().split('\n');
  for (const line of lines) t.notThrows(() => JSON.parse(line), line);
  t.true(lines.some((line) => JSON.parse(line).event === 'stop'));
});
