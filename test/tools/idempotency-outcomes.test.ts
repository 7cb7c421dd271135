import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { type Fault, json, type Reply, whoops } from '../outsider/stand-in.ts';
import { holdWrites } from '../support/records.ts';
import { createStoreTest } from '../support/stores.ts';
import {
  COMPANY,
  UNKNOWN,
  NOT_SENT,
  newBill,
  create,
  resultOf,
  errorOf,
  start,
  faultFor,
  holdBill,
} from './support/bills.ts';

/**
 * The idempotency key of the tools that write, when something goes wrong: what was certainly not done may be sent again,
 * anything else never.
 */

const storeTest = await createStoreTest((store) => start({}, { store, instances: 2 }));

const refusals: readonly [string, Reply][] = [
  ['400', json(400, { message: 'data is required' })],
  ['403', json(403, { message: 'This action is unauthorized.' })],
  ['404', json(404, { message: 'Not found.' })],
  ['409', json(409, { message: 'Locked.' })],
  ['422', json(422, { message: 'Invalid.', errors: { date: ['The date is locked.'] } })],
  ['429', json(429, { message: 'Too Many Attempts.' }, { 'retry-after': '7' })],
];
storeTest(
  '[T55] what NeonPanel refused may be corrected and sent under the same key',
  async (t, world) => {
    const connection = await world.connect();
    for (const [name, reply] of refusals) {
      const { args, asked, number } = newBill();
      faultFor(world, number, () => reply);
      errorOf(t, await create(world.url, connection, args));
      const corrected = { ...args, data: { ref_number: number, date: '2026-01-31' } };
      const first = resultOf(t, await create(world.instances[1]!, connection, corrected));
      t.deepEqual(resultOf(t, await create(world.url, connection, corrected)), first, name);
      t.is(asked(world), 2, name);
    }
  },
);

storeTest(
  '[T55] when NeonPanel refuses a call, one that waited for it is sent',
  async (t, world) => {
    const connection = await world.connect();
    const { args, asked, number } = newBill();
    const go = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    faultFor(world, number, async () => {
      reached.resolve();
      await go.promise;
      return json(422, { message: 'Invalid.' });
    });
    const refused = create(world.url, connection, args);
    await reached.promise;
    const waiting = create(world.instances[1]!, connection, args);
    await sleep(300);
    t.is(asked(world), 1);
    go.resolve();
    errorOf(t, await refused);
    const result = resultOf(t, await waiting);
    t.deepEqual(resultOf(t, await create(world.url, connection, args)), result);
    t.is(asked(world), 2);
  },
);

const doubts: readonly [string, Fault][] = [
  ['500', () => whoops()],
  ['503', () => whoops(503)],
  ['408', () => json(408, { message: 'Timed out' })],
  ['302', () => ({ status: 302, headers: { location: '/login' } })],
  ['cut', () => 'cut'],
  ['HTML', () => whoops(200)],
  ['a list', () => json(201, [])],
  ['nothing', () => ({ status: 204 })],
  ['carried out, and then cut', (_, answer) => (answer(), 'cut')],
];
storeTest(
  '[T55] when nobody knows what NeonPanel did, the key never sends anything again',
  async (t, world) => {
    const connection = await world.connect();
    await Promise.all(
      doubts.map(async ([name, fault]) => {
        const { args, asked, number } = newBill();
        faultFor(world, number, fault);
        t.regex(errorOf(t, await create(world.url, connection, args)), UNKNOWN, name);
        for (const base of world.instances) {
          const text = errorOf(t, await create(base, connection, args));
          t.regex(text, UNKNOWN, name);
          t.regex(text, /not sent again.*new idempotencyKey/s, name);
        }
        t.is(asked(world), 1, name);
        const other = { ...args, data: { ref_number: number } };
        t.regex(errorOf(t, await create(world.url, connection, other)), /another document/);
        t.is(asked(world), 1, name);
      }),
    );
  },
);

storeTest(
  '[T55] a client that went away and comes back hears how its call ended',
  async (t, world) => {
    const connection = await world.connect();
    const { args, asked, number } = newBill();
    const held = holdBill(world, number);
    const client = new AbortController();
    const left = t.throwsAsync(
      fetch(`${world.url}/mcp`, {
        method: 'POST',
        signal: client.signal,
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          authorization: `Bearer ${connection.tokens.access_token}`,
        },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: 1,
          method: 'tools/call',
          params: { name: 'createDocuments', arguments: args },
        }),
      }),
      { name: 'AbortError' },
    );
    await held.reached;
    client.abort();
    await left;
    const again = create(world.instances[1]!, connection, args);
    await sleep(300);
    held.go();
    t.is(resultOf(t, await again).status, 'done');
    t.false(held.isAbandoned());
    t.is(asked(world), 1);
  },
);

storeTest(
  '[T55] while the store takes nothing, a call with a key is not sent, and works afterwards',
  async (t, world) => {
    const connection = await world.connect();
    const { args, asked } = newBill();
    const release = await holdWrites(world.harness);
    try {
      t.regex(errorOf(t, await create(world.url, connection, args)), NOT_SENT);
      t.is(asked(world), 0);
    } finally {
      await release();
    }
    const results = [];
    for (const base of world.instances)
      results.push(resultOf(t, await create(base, connection, args)));
    t.deepEqual(results[1], results[0]);
    t.is(asked(world), 1);
  },
);

storeTest(
  '[T55] when the store takes nothing at the end, the answer is given and never fetched twice',
  async (t, world) => {
    const connection = await world.connect();
    const [good, bad] = [newBill(), newBill()];
    const releases: (() => Promise<void>)[] = [];
    faultFor(world, good.number, async (_, answer) => {
      releases.push(await holdWrites(world.harness));
      return answer();
    });
    const first = resultOf(t, await create(world.url, connection, good.args));
    await releases.pop()!();
    t.deepEqual(resultOf(t, await create(world.instances[1]!, connection, good.args)), first);
    t.is(good.asked(world), 1);

    // What was refused is free again, as soon as that can be written.
    faultFor(world, bad.number, async () => {
      releases.push(await holdWrites(world.harness));
      return json(422, { message: 'Invalid.' });
    });
    errorOf(t, await create(world.url, connection, bad.args));
    await releases.pop()!();
    resultOf(t, await create(world.instances[1]!, connection, bad.args));
    t.is(bad.asked(world), 2);
  },
);

test('[T55] when NeonPanel is silent until the time of the call is over, the key never sends anything again', async (t) => {
  const world = await start({ lifetimeSeconds: 3000 }, { instances: 2 });
  t.teardown(world.close);
  const connection = await world.connect();
  const { args, asked, number } = newBill();
  // A slow list of companies has taken most of the time.
  world.standIn.fault(
    /^GET \/api\/v1\/companies$/,
    (_, answer) => {
      world.advance(23);
      return answer();
    },
    1,
  );
  faultFor(world, number, () => 'hang');
  const call = { ...args, companyUuid: COMPANY.name };
  t.regex(errorOf(t, await create(world.url, connection, call)), UNKNOWN);
  t.regex(errorOf(t, await create(world.instances[1]!, connection, call)), UNKNOWN);
  t.is(asked(world), 1);
});

test('[T55] a call that takes long is waited for, but not beyond the time of the one that waits', async (t) => {
  const world = await start({ lifetimeSeconds: 3000 }, { instances: 2 });
  t.teardown(world.close);
  const connection = await world.connect();
  const { args, asked, number } = newBill();
  const held = holdBill(world, number);
  const first = create(world.url, connection, args);
  await held.reached;
  const second = create(world.instances[1]!, connection, args);
  await sleep(2_000);
  world.advance(19.5);
  const text = errorOf(t, await second);
  t.regex(text, /still under way.*did nothing.*same idempotencyKey.*Wait \d+ seconds/s);
  held.go();
  const result = resultOf(t, await first);
  t.deepEqual(resultOf(t, await create(world.instances[1]!, connection, args)), result);
  t.is(asked(world), 1);
});
