import test, { type ExecutionContext } from 'ava';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createTcpShim } from './tcp-shim.ts';

/** An echo server behind a shim, and a client in front of it. */
async function setUp(t: ExecutionContext) {
  const heard: Buffer[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      heard.push(chunk);
      socket.write(chunk);
    });
    socket.on('end', () => socket.end('bye'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const shim = await createTcpShim({ port: (server.address() as AddressInfo).port });
  const sockets: Socket[] = [];
  t.teardown(async () => {
    sockets.forEach((s) => s.destroy());
    await shim.close();
    await new Promise((resolve) => server.close(resolve));
  });

  const client = async (allowHalfOpen = false) => {
    const socket = connect({ port: shim.port, host: '127.0.0.1', allowHalfOpen });
    sockets.push(socket);
    const state = { received: '', ended: false, closed: false, error: '' };
    socket.on('data', (chunk) => (state.received += String(chunk)));
    socket.on('end', () => (state.ended = true));
    socket.on('close', () => (state.closed = true));
    socket.on('error', (error: NodeJS.ErrnoException) => (state.error = error.code ?? 'error'));
    await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
    return { socket, state };
  };
  return { shim, client, heard: () => Buffer.concat(heard).toString() };
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('waited in vain');
    await sleep(5);
  }
}

test('it passes bytes both ways and counts them', async (t) => {
  const { shim, client } = await setUp(t);
  const { socket, state } = await client(true);
  socket.write('hello');
  await until(() => state.received === 'hello');
  t.like(shim.traffic, { connections: 1, open: 1, up: 5, down: 5, dropped: 0 });
  socket.end();
  await until(() => state.received === 'hellobye' && state.ended);
  t.pass();
});

test('it delays without reordering', async (t) => {
  const { shim, client } = await setUp(t);
  const { socket, state } = await client();
  shim.delay(50, 'down');
  socket.write('a');
  await sleep(5);
  shim.delay(0, 'down');
  socket.write('b');
  t.is(state.received, '');
  await until(() => state.received === 'ab');
  t.pass();
});

test('it swallows a reply and then cuts: the request arrived', async (t) => {
  const { shim, client, heard } = await setUp(t);
  const { socket, state } = await client();
  shim.swallowReply();
  socket.write('once');
  await until(() => state.closed);
  t.is(heard(), 'once');
  t.is(state.received, '');
  t.is(shim.traffic.dropped, 4);
  const second = await client();
  second.socket.write('again');
  await until(() => second.state.received === 'again');
});

test('it swallows the reply to a request that is picked by what is in it', async (t) => {
  const { shim, client, heard } = await setUp(t);
  const first = await client();
  const second = await client();
  const seen: string[] = [];
  shim.swallowReply((request) => {
    seen.push(String(request));
    return request.includes('pay');
  });
  first.socket.write('look');
  await until(() => first.state.received === 'look');
  second.socket.write('pay');
  await until(() => second.state.closed);
  t.is(second.state.received, '');
  t.is(heard(), 'lookpay');
  t.false(first.state.closed, 'the other connection goes on');

  first.socket.write('pay');
  await until(() => first.state.closed);
  t.is(first.state.received, 'look', 'every one that is picked, not only the first');
  t.deepEqual(seen, ['look', 'pay', 'pay']);

  shim.swallowReply(0);
  const third = await client();
  third.socket.write('pay');
  await until(() => third.state.received === 'pay');
});

test('what a predicate sets while it looks at a request holds for that request', async (t) => {
  const { shim, client, heard } = await setUp(t);
  const { socket, state } = await client();
  shim.swallowReply((request) => {
    if (request.includes('pay')) shim.cutAfter(1, 'up');
    return false;
  });
  socket.write('look');
  await until(() => state.received === 'look');
  socket.write('pay');
  await until(() => state.closed && heard() === 'lookp');
  t.is(state.received, 'look');
});

test('after pass() a picked connection has its reply', async (t) => {
  const { shim, client } = await setUp(t);
  const { socket, state } = await client();
  shim.delay(50, 'down');
  shim.swallowReply(() => true);
  socket.write('late');
  await until(() => shim.traffic.up === 4);
  shim.pass();
  await until(() => state.received === 'late');
  t.false(state.closed);
});

test('a blackhole neither answers nor closes', async (t) => {
  const { shim, client, heard } = await setUp(t);
  const { socket, state } = await client();
  shim.blackhole();
  socket.write('lost');
  await sleep(50);
  t.like(state, { received: '', closed: false });
  t.is(heard(), '');
  shim.pass();
  socket.write('back');
  // On a busy machine the other may come as late.
  await until(() => /^(lost)?back$/.test(state.received));
});

test('it cuts after a number of bytes, in the middle of a message', async (t) => {
  const { shim, client, heard } = await setUp(t);
  const { socket, state } = await client();
  shim.cutAfter(3, 'down');
  socket.write('hello');
  await until(() => state.closed);
  t.is(state.received, 'hel');
  t.is(heard(), 'hello');

  const second = await client();
  shim.cutAfter(2, 'up');
  second.socket.write('world');
  await until(() => second.state.closed && heard() === 'hellowo');
  t.pass();
});

test('it closes in order, or resets', async (t) => {
  const { shim, client } = await setUp(t);
  const first = await client();
  shim.cut();
  await until(() => first.state.closed);
  t.is(first.state.error, '');

  const second = await client();
  await until(() => shim.traffic.open === 1);
  shim.reset();
  await until(() => second.state.closed);
  t.is(second.state.error, 'ECONNRESET');
});

test('it half-closes: our side may still send', async (t) => {
  const { shim, client, heard } = await setUp(t);
  const { socket, state } = await client(true);
  await until(() => shim.traffic.open === 1);
  shim.halfClose();
  await until(() => state.ended);
  socket.write('still');
  await until(() => heard() === 'still');
  t.false(state.closed);
});

test('while it is down, connections are refused; later they work again', async (t) => {
  const { shim, client } = await setUp(t);
  const first = await client();
  shim.down();
  await until(() => first.state.closed);
  const refused = await client();
  await until(() => refused.state.closed);
  shim.pass();
  const { socket, state } = await client();
  socket.write('up');
  await until(() => state.received === 'up');
  t.pass();
});
