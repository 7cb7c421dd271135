import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { createNeonpanelApi } from '../adapters/neonpanel/api.ts';
import { createBreaker, type Heard } from '../adapters/neonpanel/breaker.ts';
import { createFairTurns, NoTurn } from '../adapters/neonpanel/fair-turns.ts';
import { createNeonpanelWatch } from '../adapters/neonpanel/watch.ts';
import { type Facts, withListener } from '../facts.ts';
import { createLog } from '../log.ts';
import { NeonpanelError } from '../adapters/neonpanel/neonpanel.ts';
import { startHarness } from './support/harness.ts';
import { callTool, connect } from './support/oauth.ts';
import { eventually, json, stubbedApi } from './tools/support/http-stub.ts';

/** A NeonPanel that does not answer is asked no more for a while. */

const SILENCES = 10;
const kindOf = (error: unknown) => (error as NeonpanelError).kind;
const failures = async (call: () => Promise<unknown>, count: number) => {
  const errors: NeonpanelError[] = [];
  for (let i = 0; i < count; i++)
    errors.push(
      await call().then(
        () => undefined,
        (e) => e,
      ),
    );
  return errors;
};

test.serial(
  '[X20] [X12] after ten requests without an answer NeonPanel is asked no more, and asked again soon',
  async (t) => {
    let isAway = true;
    const { call, seen } = await stubbedApi(t, (response) => {
      if (isAway) response.socket!.destroy();
      else json(response, 200, {});
    });
    const post = () => call({ method: 'POST', body: {} });
    await failures(post, SILENCES);
    t.is(seen.length, SILENCES);
    const [refused] = await failures(post, 1);
    t.is(kindOf(refused), 'unavailable');
    t.false(refused!.wasSent);
    t.is(refused!.retryAfterSeconds, 2);
    t.is(seen.length, SILENCES);

    isAway = false;
    // Not before its pause is over, and then with nobody's help.
    const deadline = Date.now() + 30_000;
    while ((await failures(call, 1))[0] && Date.now() < deadline)
      await new Promise((r) => setTimeout(r, 100));
    t.true((await call()).status === 200);
  },
);

test.serial('[X19] an operation that fails stops no other: an answer is an answer', async (t) => {
  for (const status of [500, 429, 403, 422]) {
    const { call, seen } = await stubbedApi(t, (response) =>
      json(response, status, {}, { 'retry-after': '60' }),
    );
    await failures(() => call({ method: 'POST', body: {} }), SILENCES + 5);
    t.is(seen.length, SILENCES + 5, String(status));
  }
});

test.serial('[X19] callers who leave say nothing about NeonPanel', async (t) => {
  const { call, seen } = await stubbedApi(t, (response, _request, hit) => {
    if (hit > SILENCES + 5) json(response, 200, {});
  });
  for (let i = 1; i <= SILENCES + 5; i++) {
    const gone = new AbortController();
    const left = call({ signal: gone.signal });
    await eventually(() => seen.length === i);
    gone.abort();
    await t.throwsAsync(left);
  }
  t.is((await call()).status, 200);
});

test.serial(
  '[X20] [N29] with NeonPanel away a write is told that nothing was done, the connection lives, and all is well again after it',
  async (t) => {
    const harness = await startHarness();
    t.teardown(() => harness.close());
    const { tokens } = await connect(harness);
    const tool = async (name: string, args: object) =>
      (await callTool(harness.url, tokens.access_token, name, args)).body.result;
    const bill = { companyUuid: 'a'.repeat(40), type: 'bill', data: { ref_number: '7' } };

    const { port } = new URL(harness.sandbox.url);
    await harness.sandbox.close();
    // Nobody is there, and that is found out before anything is sent.
    t.regex((await tool('createDocuments', bill)).content[0].text, /nothing was done/);
    for (let i = 0; i < SILENCES; i++) await tool('listReports', {});
    const { isError, content } = await tool('createDocuments', bill);
    t.true(isError);
    t.regex(content[0].text, /nothing was done/);
    t.regex(content[0].text, /Wait 2 seconds/);
    t.is(harness.logs.find({ event: 'neonpanel.away' }).length, 1);

    const back = await listen(Number(port));
    t.teardown(() => back.close());
    const deadline = Date.now() + 30_000;
    for (;;) {
      const { content: answer } = await tool('listReports', {});
      if (answer[0].text === '{"count":0,"data":[]}') break;
      if (Date.now() > deadline) return t.fail(answer[0].text);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    t.is(harness.logs.find({ event: 'neonpanel.back' }).length, 1);
  },
);

// ------------------------------------------------------------------ what is learnt of NeonPanel

/** A breaker that is told what was heard. */
function breakerOf() {
  const told: boolean[] = [];
  const breaker = createBreaker(
    withListener(createLog('silent'), (fact, about) => {
      if (fact === 'neonpanel.breaker') told.push((about as Facts['neonpanel.breaker']).isOpen);
    }),
  );
  const hear = async (heard: Heard, times = 1) => {
    for (let i = 0; i < times; i++)
      await breaker.run(
        async () => {},
        () => heard,
      );
  };
  const isAsked = () =>
    hear('nothing').then(
      () => true,
      () => false,
    );
  return { ...breaker, hear, isAsked, told };
}

test.serial(
  '[X20] a caller who leaves neither stops the count of silences nor adds to it',
  async (t) => {
    const { hear, isAsked, told } = breakerOf();
    await hear('silence', SILENCES - 1);
    await hear('nothing', SILENCES);
    t.true(await isAsked());
    await hear('silence');
    t.false(await isAsked());
    t.deepEqual(told, [true]);
  },
);

test.serial(
  '[X19] [X20] late answers of one operation are no outage, those of two are, and an answer ends the count',
  async (t) => {
    const { hear, isAsked } = breakerOf();
    await hear({ late: 'listReports' }, 5 * SILENCES);
    t.true(await isAsked());
    await hear({ late: 'listCompanies' }, SILENCES / 2 - 1);
    await hear('answer');
    await hear({ late: 'listCompanies' }, 5 * SILENCES);
    await hear({ late: 'listReports' }, SILENCES / 2 - 1);
    t.true(await isAsked());
    await hear({ late: 'listReports' });
    t.false(await isAsked());
  },
);

test.serial(
  '[X20] [X12] while one request is tried the others are refused at once; one that is left or takes too long makes room for the next',
  async (t) => {
    const { hear, isAsked, run, assertAsked, told } = breakerOf();
    const late = Promise.withResolvers<void>();
    // It was sent before, and says nothing about now.
    const before = run(
      () => late.promise,
      () => 'silence',
    );
    await hear('silence', SILENCES);
    t.throws(assertAsked, { instanceOf: NeonpanelError });
    await sleep(2_100);
    const slow = Promise.withResolvers<void>();
    const tried = run(
      () => slow.promise,
      () => 'answer',
    );
    const refused = await t.throwsAsync(hear('answer'), { instanceOf: NeonpanelError });
    t.false(refused!.wasSent);
    late.resolve();
    await before;
    t.throws(assertAsked, { instanceOf: NeonpanelError }, 'still one is tried');
    await sleep(3_100);
    // Left, and left again: the next is tried at once, and everybody is not let through by that.
    await hear('nothing');
    await hear('nothing');
    t.deepEqual(told, [true]);
    await hear('silence');
    t.false(await isAsked());
    // It was answered after all.
    slow.resolve();
    await tried;
    t.true(await isAsked());
    t.deepEqual(told, [true, false]);
  },
);

// ------------------------------------------------------------------ turns

const CALLS_PER_GRANT = 8;
const GRANT = { grant: 'of one user' };

/** A NeonPanel that answers everything but reports, with what is seen of it. */
async function withoutReports(t: ExecutionContext) {
  const facts: Facts['neonpanel.request'][] = [];
  const log = withListener(createLog('silent'), (fact, about) => {
    if (fact === 'neonpanel.request') facts.push(about as Facts['neonpanel.request']);
  });
  const watch = createNeonpanelWatch(log);
  const stub = await stubbedApi(
    t,
    (response, request) => {
      if (!request.url!.includes('reports')) json(response, 200, {});
    },
    { watch, breaker: createBreaker(log) },
  );
  return { ...stub, watch, facts };
}

test.serial(
  '[X20] [N29] one user whose calls take long has his share and no more; what was never sent says so, and is no silence',
  async (t) => {
    const { call, seen, watch, facts, api } = await withoutReports(t);
    const left = new AbortController();
    const reports = (more: object) => call({ path: '/reports', ...GRANT, ...more });
    const slow = Array.from({ length: CALLS_PER_GRANT }, () => reports({ signal: left.signal }));
    await eventually(() => seen.length === CALLS_PER_GRANT);
    const tooMany = Array.from({ length: 2 * SILENCES }, (_, i) =>
      reports({ deadline: Date.now() + 300, ...(i % 2 && { method: 'POST', body: {} }) }),
    );
    t.is(api.connections().waiting, 2 * SILENCES);
    // Whose time was over before it had to wait does not wait.
    for (const over of [{ deadline: Date.now() }, { signal: AbortSignal.abort() }])
      await t.throwsAsync(reports({ ...over, path: '/companies' }), { instanceOf: NoTurn });
    // Of another user, and of a sign-in.
    t.is((await call({ grant: 'of another' })).status, 200);
    t.is((await call()).status, 200);
    for (const settled of await Promise.allSettled(tooMany)) {
      const { reason } = settled as PromiseRejectedResult;
      t.true(reason instanceof NoTurn, String(reason));
      t.regex(reason.description, /nothing was done. Ask for less at a time/);
    }
    t.is(seen.length, CALLS_PER_GRANT + 2);
    t.is(watch.state(), 'ok');
    t.is(facts.filter(({ outcome }) => outcome === 'no_room').length, 2 * SILENCES + 1);
    // Whoever waits goes on when there is a turn.
    const next = call({ ...GRANT });
    left.abort();
    await Promise.allSettled(slow);
    t.is((await next).status, 200);
    t.is(api.connections().waiting, 0);
  },
);

test.serial('[X20] ten late answers of one operation keep nobody from the others', async (t) => {
  const { call, watch } = await withoutReports(t);
  const late = Array.from({ length: 2 * SILENCES }, (_, i) =>
    call({ path: '/reports', grant: `${i}`, deadline: Date.now() + 3_000 }),
  );
  for (const { status } of await Promise.allSettled(late)) t.is(status, 'rejected');
  t.is(watch.state(), 'unavailable');
  t.is((await call()).status, 200);
  t.is(watch.state(), 'ok');
});

test.serial('turns go to the waiting in turn, whoever has asked most', async (t) => {
  const turns = createFairTurns({ inAll: 2, perGrant: 2 });
  const forever = new AbortController().signal;
  const releases = [await turns.take('a', forever), await turns.take('a', forever)];
  const order: string[] = [];
  const ask = (grant: string | undefined) =>
    Promise.resolve(turns.take(grant, forever)).then((release) => {
      order.push(grant ?? 'sign-in');
      releases.push(release);
    });
  const asked = ['a', 'a', 'a', 'b', 'b', undefined, 'c'].map(ask);
  while (releases.length > 0) {
    releases.shift()!();
    await sleep(0);
  }
  await Promise.all(asked);
  t.deepEqual(order, ['b', 'sign-in', 'c', 'a', 'b', 'a', 'a']);
  t.is(turns.waiting, 0);
});

test.serial(
  '[X20] [N29] the deadline holds for a call that waits for a connection, and it says that it never was sent',
  async (t) => {
    // It takes connections, and says nothing of TLS.
    const mute = createTcpServer(() => {});
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const sockets = new Set<{ destroy(): void }>();
    mute.on('connection', (socket) => sockets.add(socket.on('error', () => {})));
    const api = createNeonpanelApi({
      apiUrl: `https://127.0.0.1:${(mute.address() as AddressInfo).port}/api/v1`,
      arrayStyle: 'brackets',
      breaker: createBreaker(createLog('silent')),
    });
    t.teardown(() => {
      for (const socket of sockets) socket.destroy();
      mute.close();
    });
    for (const leftMs of [0, 200]) {
      const started = performance.now();
      const error = await t.throwsAsync(
        api.call({
          method: 'POST',
          path: '/companies',
          body: {},
          accessToken: 'of the caller',
          deadline: Date.now() + leftMs,
        }),
        { instanceOf: NeonpanelError },
      );
      t.false(error!.wasSent);
      t.is(error!.detail, 'deadline');
      // Not the five seconds of a connection.
      t.true(performance.now() - started < 4_000);
    }
  },
);

/** Something else at NeonPanel's address. */
async function listen(port: number): Promise<Server> {
  const server = createServer((_, response) => json(response, 200, { count: 0, data: [] }));
  await new Promise<void>((resolve) => server.listen(port, 'localhost', resolve));
  return server;
}
