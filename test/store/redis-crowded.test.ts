import { connect, createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { startRedis } from '../support/redis.ts';
import { openStore, unavailable, untilBack, urlOf } from './redis-support.ts';

/** Whoever accepts connections and then does not serve them: a Redis that is full, or something that is no Redis. */

const WATCHED_MS = 3_000;
/** 20, 40, 80 … 400 ms between attempts are a dozen in that time. */
const MAX_ATTEMPTS = 15;

const STRANGERS = {
  'a Redis that is full': '-ERR max number of clients reached\r\n',
  'a web server': 'HTTP/1.1 400 Bad Request\r\n\r\n',
  'one that says nothing': '',
} as const;

for (const [who, greeting] of Object.entries(STRANGERS)) {
  test(`[X2] [X7] redis: ${who} is asked less and less often, and told of once`, async (t) => {
    const stranger = await startStranger(t, greeting);
    const { store, logs } = await openStore(t, urlOf(stranger));
    await sleep(WATCHED_MS);
    t.true(stranger.connections() <= MAX_ATTEMPTS, `${stranger.connections()} connections`);
    await unavailable(t, () => store.ping());
    t.is(logs.find({ msg: 'store: connected to Redis' }).length, 0);
    t.true(logs.find({ event: 'store' }).length <= 3, logs.text());
    t.true(logs.find({ msg: 'store: Redis cannot be reached' }).length > 0);
  });
}

test('[X2] redis: a Redis that lets nobody in for a while is back as soon as it does', async (t) => {
  const server = await startRedis();
  t.teardown(server.stop);
  const { store, logs } = await openStore(t, server.url);
  logs.clear();
  const list = await server.command('CLIENT', 'LIST');
  const [, id] = /^id=(\d+) .* name=neonpanel-mcp /m.exec(list)!;
  // The only one that is let in.
  const guest = connect(server.port, '127.0.0.1');
  t.teardown(() => guest.destroy());
  guest.write(`CONFIG SET maxclients 1\r\nCLIENT KILL ID ${id}\r\n`);
  await sleep(2_000);
  await unavailable(t, () => store.ping());
  t.true(logs.find({ event: 'store' }).length <= 4, logs.text());
  t.regex(logs.text(), /maxclients/);
  guest.write('CONFIG SET maxclients 1000\r\n');
  t.true((await untilBack(store)) < 3_000);
});

async function startStranger(t: ExecutionContext, greeting: string) {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.on('error', () => {});
    socket.end(greeting);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  return { port: (server.address() as AddressInfo).port, connections: () => connections };
}
