import { setTimeout as wait } from 'node:timers/promises';
import {
  connectApp,
  createApp,
  isSignInNeeded,
  SSE_KINDS,
  userSignsIn,
  VERSIONS,
} from '../journeys/clients.ts';
import { stopTime } from '../journeys/time.ts';
import { openEventStream, postMessage, toolRequest } from '../support/event-stream.ts';
import { startHarness } from '../support/harness.ts';
import { connect, postForm } from '../support/oauth.ts';
import { createStoreTest } from '../support/stores.ts';

/** Real clients over the transport of 2024-11-05, from the bare address; on Redis there are two instances. */
const clock = stopTime();
const storeTest = await createStoreTest((store) =>
  startHarness({ store, ...(store === 'redis' && { instances: 2 }) }),
);

/** Past the life of an access token and the tolerance for clocks, which are 1 h and 15 s. */
const EXPIRED_MS = 3_660_000;
const BILL = {
  companyUuid: 'HPH',
  type: 'bill',
  data: { ref_number: 'SSE-1', date: '2026-02-01' },
};

const names = (result: { structuredContent?: any }): string[] =>
  result.structuredContent.data.map(({ short_name }: { short_name: string }) => short_name);

for (const kind of SSE_KINDS) {
  storeTest.sqlite(
    `[D16] [F2] [F5] ${kind}: signs in from the bare address, lists the tools, calls, and refreshes unnoticed`,
    async (t, harness) => {
      const app = createApp(`${harness.url}/sse`, { kind });
      t.teardown(() => app.close());
      const refusal = await t.throwsAsync(() => app.open());
      t.true(isSignInNeeded(refusal), String(refusal));
      const { searchParams } = app.provider.authorizationUrl!;
      t.is(searchParams.get('resource'), `${harness.url}/sse`);
      t.deepEqual(searchParams.get('scope')!.split(' ').slice(0, 2), [
        'neonpanel.read',
        'neonpanel.write',
      ]);
      await userSignsIn(harness, app, { write: true });
      await app.open();
      if (app.version() !== undefined) t.is(app.version(), VERSIONS[kind]);
      t.is((await app.tools()).length, 16);
      t.deepEqual(names(await app.call('listCompanies')), ['HPH', 'NLO', 'TWP']);
      t.is((await app.call('createDocuments', BILL)).structuredContent.status, 'done');

      clock.advance(EXPIRED_MS);
      t.deepEqual(names(await app.call('listCompanies')), ['HPH', 'NLO', 'TWP']);
      t.is(app.provider.saved.length, 2, 'one refresh, over the stream that was open before it');
      t.is(app.provider.authorizationUrl, undefined, 'the user is not bothered');
    },
  );

  storeTest.sqlite(
    `[F24] [N23] [T36] ${kind}: after a revocation the next call asks the user to sign in, and then works`,
    async (t, harness) => {
      const app = await connectApp(harness, `${harness.url}/sse`, { kind });
      t.teardown(() => app.close());
      await app.call('listCompanies');
      await postForm(`${harness.url}/oauth2/revoke`, {
        token: app.provider.tokens()!.refresh_token,
        client_id: app.provider.client!.client_id,
      });
      clock.advance(1_000);
      const refusal = await t.throwsAsync(() => app.call('listCompanies'));
      t.true(isSignInNeeded(refusal), String(refusal));
      await userSignsIn(harness, app);
      await app.close();
      await app.open();
      t.deepEqual(names(await app.call('listCompanies')), ['HPH', 'NLO', 'TWP']);
    },
  );

  storeTest.sqlite(
    `[F35] [T35] ${kind}: a read-only connection writes nothing and goes on reading`,
    async (t, harness) => {
      const app = await connectApp(harness, `${harness.url}/sse`, { kind, write: false });
      t.teardown(() => app.close());
      harness.sandbox.recorder.clear();
      const refusal = await t.throwsAsync(() => app.call('createDocuments', BILL));
      t.regex(String(refusal), /insufficient_scope/);
      const heard = harness.sandbox.recorder.requests();
      t.false(heard.some(({ path }) => path.includes('/create/bill')));
      t.deepEqual(names(await app.call('listCompanies')), ['HPH', 'NLO', 'TWP']);
    },
  );
}

for (const kind of SSE_KINDS) {
  storeTest.sqlite(
    `[D16] [X25] ${kind}: goes on by itself after the server was started again`,
    async (t, harness) => {
      const app = await connectApp(harness, `${harness.url}/sse`, { kind });
      t.teardown(() => app.close());
      await app.call('listCompanies');
      await harness.restart();
      // It opens the next stream after the 3 s of an EventSource; until then its messages go to one that is gone.
      let answer = await app.call('listCompanies').catch(() => undefined);
      for (let tries = 0; !answer && tries < 200; tries++) {
        await wait(50);
        answer = await app.call('listCompanies').catch(() => undefined);
      }
      t.deepEqual(names(answer!), ['HPH', 'NLO', 'TWP']);
      t.is(app.provider.saved.length, 1, 'nobody signed in again');
    },
  );
}

storeTest.redis(
  '[D16] [N48] a stream that another instance holds is 404 there, and served where it is',
  async (t, harness) => {
    const [first, second] = harness.instances as [string, string];
    const { tokens } = await connect(harness);
    const token = tokens.access_token;
    for (const [here, there] of [
      [first, second],
      [second, first],
    ] as const) {
      const stream = await openEventStream(here, token);
      t.teardown(() => stream.close());
      const endpoint = await stream.endpoint();
      const call = toolRequest(1, 'listCompanies');
      const elsewhere = await postMessage(there, endpoint, token, call);
      t.is(elsewhere.status, 404);
      t.is(elsewhere.json.error.code, -32001);
      t.is((await postMessage(here, endpoint, token, call)).status, 202);
      t.deepEqual(names((await stream.messages(1))[0].result), ['HPH', 'NLO', 'TWP']);
    }
  },
);

storeTest.redis(
  '[X2] while Redis is away a message is 503 and the stream stays; both go on when it is back',
  async (t, harness) => {
    const { tokens } = await connect(harness);
    const stream = await openEventStream(harness.url, tokens.access_token);
    t.teardown(() => stream.close());
    const endpoint = await stream.endpoint();
    await harness.redis!.kill('SIGTERM');
    clock.advance(1_000);
    const away = await postMessage(
      harness.url,
      endpoint,
      tokens.access_token,
      toolRequest(1, 'listReports'),
    );
    t.is(away.status, 503);
    t.truthy(away.headers.get('retry-after'));
    const refused = await openEventStream(harness.url, tokens.access_token);
    t.is(refused.status, 503);
    t.truthy(refused.headers['retry-after']);
    await harness.redis!.start();
    const again = async () =>
      (await postMessage(harness.url, endpoint, tokens.access_token, toolRequest(2, 'listReports')))
        .status;
    let status = await again();
    for (let tries = 0; status === 503 && tries < 100; tries++) {
      await wait(50);
      status = await again();
    }
    t.is(status, 202);
    t.is((await stream.messages(1))[0].id, 2);
  },
);
