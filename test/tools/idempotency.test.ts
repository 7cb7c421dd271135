import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { json, whoops } from '../outsider/stand-in.ts';
import { callMcp, callTool } from '../support/oauth.ts';
import { holdWrites, recordsOf } from '../support/records.ts';
import { createStoreTest } from '../support/stores.ts';
import {
  COMPANY,
  OTHER_COMPANY,
  UNKNOWN,
  newBill,
  create,
  resultOf,
  errorOf,
  start,
  faultFor,
  holdBill,
} from './support/bills.ts';

/**
 * The idempotency key of the tools that write: which calls are the same, and that NeonPanel is asked once for all of them.
 * Two instances on one store; NeonPanel is the outsider's stand-in, which counts.
 */

const DAY_MS = 24 * 60 * 60 * 1000;
const PDF = /^POST .*\/import\/bill\/pdf$/;
const storeTest = await createStoreTest((store) => start({}, { store, instances: 2 }));

storeTest(
  '[T55] of 20 calls with one key at once, over two instances, NeonPanel is asked once and all get its answer',
  async (t, world) => {
    const connections = await Promise.all([world.connect(), world.connect()]);
    const { args, asked, number } = newBill();
    faultFor(world, number, async (_, answer) => {
      await sleep(500);
      return answer();
    });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        create(world.instances[n % 2]!, connections[n % 3 === 0 ? 0 : 1]!, args),
      ),
    );
    const results = answers.map((answer) => resultOf(t, answer));
    t.is(typeof results[0]!.request_id, 'string');
    for (const result of results) t.deepEqual(result, results[0]);
    t.is(asked(world), 1);
  },
);

storeTest(
  '[T55] a repeated call gets the first answer, however its arguments are spelled',
  async (t, world) => {
    const connection = await world.connect();
    const { args, asked } = newBill();
    const first = resultOf(t, await create(world.url, connection, args));
    const data = args.data as { ref_number: string };
    const reordered = { amounts: { tax: [2, { rate: 3 }], net: 1 }, ref_number: data.ref_number };
    const spellings = [
      {},
      { companyUuid: COMPANY.uuid.toUpperCase() },
      { companyUuid: COMPANY.name },
      { companyUuid: ` ${COMPANY.short_name.toLowerCase()} ` },
      { companyUuid: COMPANY.id },
      { data: reordered },
    ];
    for (const [n, spelling] of spellings.entries()) {
      const again = await create(world.instances[n % 2]!, connection, { ...args, ...spelling });
      t.deepEqual(resultOf(t, again), first, JSON.stringify(spelling));
    }
    t.is(asked(world), 1);
  },
);

storeTest(
  '[T55] with other arguments the key is refused and NeonPanel is not asked',
  async (t, world) => {
    const connection = await world.connect();
    const { args, asked, number } = newBill();
    const first = resultOf(t, await create(world.url, connection, args));
    const others = [
      { data: { ref_number: number } },
      { data: { ref_number: number, amounts: { net: 1, tax: [{ rate: 3 }, 2] } } },
      { data: { ref_number: number, amounts: { net: '1', tax: [2, { rate: 3 }] } } },
      { companyUuid: OTHER_COMPANY.uuid },
    ];
    for (const other of others) {
      const text = errorOf(t, await create(world.instances[1]!, connection, { ...args, ...other }));
      t.regex(text, /idempotencyKey was used for another document.*nothing was done/s);
    }
    t.is(asked(world), 1);
    t.deepEqual(resultOf(t, await create(world.url, connection, args)), first);
  },
);

storeTest(
  '[T55] while a call is under way its key is refused to other arguments',
  async (t, world) => {
    const connection = await world.connect();
    const { args, asked, number } = newBill();
    const held = holdBill(world, number);
    const first = create(world.url, connection, args);
    await held.reached;
    const other = { ...args, data: { ref_number: number } };
    t.regex(errorOf(t, await create(world.instances[1]!, connection, other)), /another document/);
    held.go();
    resultOf(t, await first);
    t.is(asked(world), 1);
  },
);

storeTest('[T55] another key, no key and another tool are other calls', async (t, world) => {
  const connection = await world.connect();
  const { args, asked, idempotencyKey, number } = newBill();
  const { idempotencyKey: _, ...keyless } = args;
  const calls = [args, { ...args, idempotencyKey: `${idempotencyKey}x` }, keyless, keyless];
  const ids = [];
  for (const call of calls) {
    ids.push(resultOf(t, await create(world.url, connection, call)).request_id);
  }
  t.is(new Set(ids).size, 4);
  t.is(asked(world), 4);

  const file = { name: `${number}.pdf`, link: 'https://files.example.com/bill.pdf?sig=abc' };
  const pdf = { companyUuid: COMPANY.uuid, type: 'bill', file, idempotencyKey };
  const send = (base: string) =>
    callTool(base, connection.tokens.access_token, 'createDocumentsByPdf', pdf);
  const queued = resultOf(t, await send(world.url));
  t.is(queued.status, 'queued');
  t.is(queued.retry_after_seconds, 15);
  t.deepEqual(resultOf(t, await send(world.instances[1]!)), queued);
  t.is(world.standIn.seen(PDF).filter(({ body }) => body.includes(number)).length, 1);
});

storeTest('[T55] a call without a key stores nothing', async (t, world) => {
  const connection = await world.connect();
  const { args, asked, number } = newBill();
  const { idempotencyKey: _, ...keyless } = args;
  faultFor(world, number, () => whoops());
  const release = await holdWrites(world.harness);
  try {
    t.regex(errorOf(t, await create(world.url, connection, keyless)), UNKNOWN);
    resultOf(t, await create(world.url, connection, keyless));
  } finally {
    await release();
  }
  t.is(asked(world), 2);
});

storeTest('[T55] an answer too long to be kept is not fetched again', async (t, world) => {
  const connection = await world.connect();
  const { args, asked, number } = newBill();
  const documents = Array.from({ length: 2_000 }, (_, n) => ({ type: 'Bill', ref_number: `${n}` }));
  faultFor(world, number, () => json(200, { request_id: 'r-long', status: 'done', documents }));
  const first = resultOf(t, await create(world.url, connection, args));
  t.is((first.documents as unknown[]).length, 2_000);
  const text = errorOf(t, await create(world.instances[1]!, connection, args));
  t.regex(text, /was carried out.*nothing was sent again.*checkImportStatus.*"r-long"/s);
  t.is(asked(world), 1);
});

storeTest('[T55] neither key, document nor answer can be read in the store', async (t, world) => {
  const connection = await world.connect();
  const { args, idempotencyKey, number } = newBill();
  const { request_id } = resultOf(t, await create(world.url, connection, args));
  const all = await recordsOf(world.harness);
  t.true(all.some(({ kind }) => kind === 'idempotency'));
  const text = JSON.stringify(all);
  for (const secret of [idempotencyKey, number, String(request_id), COMPANY.uuid, 'ref_number']) {
    t.false(text.includes(secret), secret);
    const encoded = Buffer.from(secret).toString('base64').replace(/=+$/, '').slice(0, -2);
    t.false(text.includes(encoded), secret);
  }
});

test('[T55] whoever tries a key reads nothing about it in the list of tools but how to use it', async (t) => {
  const world = await start();
  t.teardown(world.close);
  const { tokens } = await world.connect();
  const { body } = await callMcp(world.url, tokens.access_token, 'tools/list');
  for (const name of ['createDocuments', 'createDocumentsByPdf']) {
    const tool = body.result.tools.find((one: { name: string }) => one.name === name);
    t.regex(tool.description, /idempotencyKey.*same key and arguments/s);
    t.regex(tool.inputSchema.properties.idempotencyKey.description, /24 hours/);
    t.false(tool.inputSchema.required.includes('idempotencyKey'));
  }
});

storeTest.redis('[T55] a key is remembered for 24 hours', async (t, world) => {
  const { args } = newBill();
  resultOf(t, await create(world.url, await world.connect(), args));
  const { redis } = world.harness;
  const [name] = /neonpanel-mcp:\S+:idempotency/.exec(await redis!.command('KEYS', '*'))!;
  const left = Number((await redis!.command('PTTL', name)).slice(1));
  t.true(left > DAY_MS - 600_000 && left <= DAY_MS, String(left));
});
