import test from 'ava';
import { createServer } from 'node:net';
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
