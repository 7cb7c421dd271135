import { createServer, type Server } from 'node:http';
import test from 'ava';
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

test('[X20] [X12] after ten requests without an answer NeonPanel is asked no more, and asked again soon', async (t) => {
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
});

test('[X19] an operation that fails stops no other: an answer is an answer', async (t) => {
  for (const status of [500, 429, 403, 422]) {
    const { call, seen } = await stubbedApi(t, (response) =>
      json(response, status, {}, { 'retry-after': '60' }),
    );
    await failures(() => call({ method: 'POST', body: {} }), SILENCES + 5);
    t.is(seen.length, SILENCES + 5, String(status));
  }
});

test('[X19] callers who leave say nothing about NeonPanel', async (t) => {
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

test('[X20] [N29] with NeonPanel away a write is told that nothing was done, the connection lives, and all is well again after it', async (t) => {
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
});

/** Something else at NeonPanel's address. */
async function listen(port: number): Promise<Server> {
  const server = createServer((_, response) => json(response, 200, { count: 0, data: [] }));
  await new Promise<void>((resolve) => server.listen(port, 'localhost', resolve));
  return server;
}
