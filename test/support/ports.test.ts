import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import test from 'ava';
import { freePort } from './ports.ts';

test('a free port can be listened on, and is given once', async (t) => {
  const ports = await Promise.all(Array.from({ length: 20 }, freePort));
  t.is(new Set(ports).size, 20);
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(ports[0], '127.0.0.1', resolve);
  });
  await new Promise((resolve) => server.close(resolve));
  t.pass();
});

test('no port is given to two processes that live at the same time', async (t) => {
  const count = 400;
  const ports = `Promise.all(Array.from({ length: ${count} }, freePort))`;
  const script = `import { freePort } from ${JSON.stringify(import.meta.resolve('./ports.ts'))};
    console.log(JSON.stringify(await ${ports}));
    process.stdin.resume();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill());
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const theirs = new Set(JSON.parse(said.toString()) as number[]);
  const ours = await Promise.all(Array.from({ length: count }, freePort));
  t.is(theirs.size, count);
  // By chance there would be some fifteen.
  t.deepEqual(
    ours.filter((port) => theirs.has(port)),
    [],
  );
});
