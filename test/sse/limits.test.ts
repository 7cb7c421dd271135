import test from 'ava';
import { setTimeout as wait } from 'node:timers/promises';
import { openEventStream, postMessage, toolRequest } from '../support/event-stream.ts';
import { sendBytes } from '../raw-http.ts';
import { type Harness, startHarness } from '../support/harness.ts';
import { connect, postForm } from '../support/oauth.ts';
import { startServerProcess } from '../support/server-process.ts';

/** How streams end and how many there may be, with limits that are quick to reach. */

const BEAT_MS = 100;
const harness = await startHarness({
  streams: { beatMs: BEAT_MS, perGrant: 3, perClient: 5, inAll: 7, underWay: 3 },
  env: { PUBLIC_DISCOVERY: 'true' },
});
const { url, logs, sandbox } = harness;
const ada = await connect(harness);
const token = ada.tokens.access_token;
test.after.always(() => harness.close());

const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
const anotherGrant = async (client?: typeof ada.client) =>
  (await connect(harness, client && { client })).tokens.access_token;

test.serial('[N16] [N48] PUBLIC_DISCOVERY opens no stream and takes no message', async (t) => {
  for (const bearer of [undefined, 'not-a-token']) {
    const refused = await openEventStream(url, bearer);
    t.is(refused.status, 401);
    const endpoint = '/messages?sessionId=11111111-2222-4333-8444-555555555555';
    t.is((await postMessage(url, endpoint, bearer, LIST)).status, 401);
  }
});

test.serial(
  '[N32] on a stream there are the endpoint, JSON-RPC messages and comments, to its end',
  async (t) => {
    const stream = await openEventStream(url, token);
    const endpoint = await stream.endpoint();
    const progress = { _meta: { progressToken: 'p' } };
    for (const body of [
      LIST,
      toolRequest(2, 'listCompanies'),
      { ...LIST, method: 'no/such', id: 'three' },
      { ...LIST, params: progress, id: 4 },
      { jsonrpc: '2.0', id: 5, result: {} },
    ]) {
      await postMessage(url, endpoint, token, body);
    }
    await stream.messages(4);
    while (stream.text().split(': keep-alive\n\n').length < 4) await wait(BEAT_MS);
    const frames = stream.text().split('\n\n');
    t.is(frames.pop(), '');
    t.is(frames.shift(), `event: endpoint\ndata: ${endpoint}`);
    for (const frame of frames) {
      if (frame === ': keep-alive') continue;
      const [, json] = /^event: message\ndata: (\{.*\})$/.exec(frame)!;
      t.is(JSON.parse(json!).jsonrpc, '2.0');
    }
    stream.close();
  },
);

test.serial(
  '[T36] [D7] when a grant ends, calls are refused at once and its idle streams end',
  async (t) => {
    const mine = await connect(harness);
    const idle = await openEventStream(url, mine.tokens.access_token);
    const endpoint = await idle.endpoint();
    const others = await openEventStream(url, token);
    t.teardown(() => others.close());
    logs.clear();
    await postForm(`${url}/oauth2/revoke`, {
      token: mine.tokens.refresh_token,
      client_id: mine.client.client_id,
    });
    t.is(await idle.ended, 'end');
    t.like(await logs.waitFor({ event: 'stream' }), { reason: 'grant' });
    const answer = await postMessage(url, endpoint, mine.tokens.access_token, LIST);
    t.is(answer.status, 401, 'and not 404: the client has to hear that its user must sign in');
    t.regex(answer.headers.get('www-authenticate')!, /error="invalid_token"/);
    t.is((await openEventStream(url, mine.tokens.access_token)).status, 401);
    const kept = await others.endpoint();
    t.is((await postMessage(url, kept, token, LIST)).status, 202, 'nobody else’s stream ended');
  },
);

test.serial(
  'of streams a grant, a client and the server have so many, and then it says when to come back',
  async (t) => {
    const open: Awaited<ReturnType<typeof openEventStream>>[] = [];
    const begin = async (bearer: string) => {
      const stream = await openEventStream(url, bearer);
      if (stream.status === 200) open.push(stream);
      else t.truthy(stream.headers['retry-after'], String(stream.status));
      return stream.status;
    };
    t.teardown(() => open.forEach((stream) => stream.close()));
    const sameClient = await anotherGrant(ada.client);
    const [stranger, lateComer] = [await anotherGrant(), await anotherGrant()];
    for (let i = 0; i < 3; i++) t.is(await begin(token), 200);
    t.is(await begin(token), 429, 'of one grant');
    for (let i = 0; i < 2; i++) t.is(await begin(sameClient), 200);
    t.is(await begin(sameClient), 429, 'of one client');
    for (let i = 0; i < 2; i++) t.is(await begin(stranger), 200);
    t.is(await begin(lateComer), 503, 'of all');
    logs.clear();
    open.shift()!.close();
    await logs.waitFor({ event: 'stream', reason: 'client' });
    t.is(await begin(lateComer), 200, 'there is room again');
  },
);

test.serial('no more messages of a stream are worked on than its share', async (t) => {
  sandbox.faults.set('hang', { operation: 'listReports' });
  t.teardown(() => sandbox.faults.clear());
  const stream = await openEventStream(url, token);
  const endpoint = await stream.endpoint();
  const post = (id: number) => postMessage(url, endpoint, token, toolRequest(id, 'listReports'));
  const batch = (...ids: number[]) =>
    postMessage(
      url,
      endpoint,
      token,
      ids.map((id) => toolRequest(id, 'listReports')),
    );
  t.is((await batch(1, 2)).status, 202);
  t.is((await batch(3, 4)).status, 429, 'the requests are counted, not the POSTs');
  t.is((await post(3)).status, 202);
  const notification = { jsonrpc: '2.0', method: 'notifications/initialized' };
  t.is((await postMessage(url, endpoint, token, notification)).status, 202);
  const refused = await post(4);
  t.is(refused.status, 429);
  t.is(refused.headers.get('retry-after'), '1');
  t.is(refused.json.error.data.error, 'too_many_requests');
  logs.clear();
  stream.close();
  await logs.waitFor({ event: 'stream', reason: 'client' });
});

for (const [whose, limits] of [
  ['of its own', { backlogBytes: 100_000, backlogBytesInAll: Infinity }],
  ['of all readers', { backlogBytes: Infinity, backlogBytesInAll: 100_000 }],
] as const) {
  test.serial(
    `[T41] a reader with too much to read, ${whose}, is cut off when more comes, and holds up nobody`,
    async (t) => {
      const waiting = await startHarness({ streams: limits });
      t.teardown(() => waiting.close());
      const { access_token } = (await connect(waiting)).tokens;
      const slow = await openEventStream(waiting.url, access_token);
      const endpoint = await slow.endpoint();
      slow.pause();
      const batch = Array.from({ length: 20 }, (_, id) => ({ ...LIST, id }));
      // What the kernel takes for a reader that sleeps is some megabytes.
      for (let i = 0; i < 200; i++) {
        const { status } = await postMessage(waiting.url, endpoint, access_token, batch);
        if (status === 404) break;
        t.true([202, 429].includes(status), String(status));
      }
      t.is((await waiting.logs.waitFor({ event: 'stream' })).reason, 'slow_reader');
      const stream = await openEventStream(waiting.url, access_token);
      t.teardown(() => stream.close());
      await postMessage(waiting.url, await stream.endpoint(), access_token, LIST);
      t.is((await stream.messages(1)).length, 1);
    },
  );
}

test.serial(
  '[T41] a reader that sleeps with something to read is cut off before more comes',
  async (t) => {
    const patient = await startHarness({ streams: { beatMs: BEAT_MS } });
    t.teardown(() => patient.close());
    const { access_token } = (await connect(patient)).tokens;
    const slow = await openEventStream(patient.url, access_token);
    const endpoint = await slow.endpoint();
    slow.pause();
    const batch = Array.from({ length: 20 }, (_, id) => ({ ...LIST, id }));
    for (let i = 0; i < 12; i++) await postMessage(patient.url, endpoint, access_token, batch);
    t.is((await patient.logs.waitFor({ event: 'stream' })).reason, 'slow_reader');
  },
);

test.serial(
  'a stream that has lived long enough ends in order, and a new one goes on without a word',
  async (t) => {
    const brief = await startHarness({ streams: { beatMs: BEAT_MS, lifetimeMs: 3_000 } });
    t.teardown(() => brief.close());
    const { access_token } = (await connect(brief)).tokens;
    const stream = await openEventStream(brief.url, access_token);
    t.is(await stream.ended, 'end');
    t.is(brief.logs.only({ event: 'stream' }).reason, 'lifetime');
    const next = await openEventStream(brief.url, access_token);
    await postMessage(
      brief.url,
      await next.endpoint(),
      access_token,
      toolRequest(1, 'listCompanies'),
    );
    t.is((await next.messages(1))[0].id, 1, 'no initialize was needed');
  },
);

test.serial(
  '[X25] a server that stops answers what is under way, and ends every stream in order',
  async (t) => {
    const stopping = await startHarness();
    t.teardown(() => stopping.close());
    const { access_token } = (await connect(stopping)).tokens;
    const [idle, busy] = await Promise.all([
      openEventStream(stopping.url, access_token),
      openEventStream(stopping.url, access_token),
    ]);
    stopping.sandbox.faults.set('slow', { operation: 'listReports', ms: 1_500 });
    const endpoint = await busy.endpoint();
    await postMessage(stopping.url, endpoint, access_token, toolRequest(7, 'listReports'));
    const restarted = stopping.restart();
    t.is(await idle.ended, 'end');
    t.notRegex(busy.text(), /event: message/, 'the other one still waits');
    t.is(await busy.ended, 'end');
    t.is((await busy.messages(1))[0].id, 7);
    t.notRegex(idle.text(), /event: (?!endpoint)/);
    await restarted;
    const reasons = stopping.logs.find({ event: 'stream' }).map(({ reason }) => reason);
    t.deepEqual(reasons, ['stopping', 'stopping']);
    const gone = await postMessage(stopping.url, endpoint, access_token, LIST);
    t.is(gone.status, 404, 'a stream is not found again after a restart');
  },
);

test.serial(
  '[X25] SIGTERM with a stream open ends the stream in order, and the process',
  async (t) => {
    const server = await startServerProcess(t, { stdout: 'pipe' });
    server.child.stdout!.resume();
    // The users of the sandbox that the process brings along.
    const world = { url: server.url.replace('127.0.0.1', 'localhost'), sandbox } as Harness;
    const { access_token } = (await connect(world)).tokens;
    const stream = await openEventStream(server.url, access_token);
    await stream.endpoint();
    server.child.kill('SIGTERM');
    t.is(await stream.ended, 'end');
    t.is(await server.ended, 0);
  },
);

test.serial(
  '[T47] bytes that no client sends open nothing that stays, and harm nobody’s stream',
  async (t) => {
    // No comments in between: what comes is waited for until nothing does.
    const quiet = await startHarness();
    t.teardown(() => quiet.close());
    const { url, logs } = quiet;
    const token = (await connect(quiet)).tokens.access_token;
    const mine = await openEventStream(url, token);
    t.teardown(() => mine.close());
    const endpoint = await mine.endpoint();
    const get = (more = '', version = '1.1') =>
      `GET /sse HTTP/${version}\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n${more}\r\n`;
    const post = `POST ${endpoint} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n`;
    // Pipelined behind a stream: it has no end, so nothing behind it is answered on that connection.
    const piped = await sendBytes(url, get() + get() + `${post}Content-Length: 2\r\n\r\n{}`, 300);
    t.is(piped.match(/HTTP\/1\.1 /g)!.length, 1);
    t.regex(piped, /event: endpoint/);
    // An old proxy: the end of the connection is the end of the stream.
    const old = await sendBytes(url, get('', '1.0'), 300);
    t.regex(old, /^HTTP\/1\.1 200 /);
    t.notRegex(old, /transfer-encoding/i);
    t.regex(old, /\r\n\r\nevent: endpoint\ndata: \/messages/);
    // A body for GET, two lengths.
    t.regex(await sendBytes(url, `${get('Content-Length: 5\r\n')}hello`, 300), /event: endpoint/);
    t.regex(
      await sendBytes(url, `${post}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}`, 300),
      /^HTTP\/1\.1 400 /,
    );
    // All of those have gone with their connections.
    while (logs.find({ event: 'stream', reason: 'client' }).length < 3) await wait(10);
    await postMessage(url, endpoint, token, LIST);
    t.is((await mine.messages(1)).length, 1);
  },
);
