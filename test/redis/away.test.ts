import test, { type ExecutionContext } from 'ava';
import { type Answer, callMcp, postForm } from '../support/oauth.ts';
import { oneAtEachStep, type Sent, type StepName, STEPS, upTo } from './flow.ts';
import { assertAway, assertUnavailable, PATIENCE_MS, untilReady } from './judge.ts';
import { startWorld } from './world.ts';

/** What the server does while Redis cannot be reached: from its start, or from the middle of a connection. */

const DOCUMENTS = ['', '/mcp', '/sse'].flatMap((suffix) =>
  ['oauth-authorization-server', 'openid-configuration', 'oauth-protected-resource'].map(
    (name) => `/.well-known/${name}${suffix}`,
  ),
);
const JWKS = '/.well-known/jwks.json';

test('[X1] [X2] [D11] redis: a server that starts without Redis says so to everybody in their own words, and serves as soon as it is there', async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  const { base, harness, redis } = world;
  const flows = await oneAtEachStep(world.flow);
  const { client, first } = flows.get('refresh')!.held;
  const token = first!.access_token;
  await redis.kill();
  await harness.restart();

  await assertDocuments(t, base);
  await assertNotReady(t, base);
  assertUnavailable(t, 'keys, which live in the store', 'program', await get(base + JWKS));

  const refused = new Map<StepName, Sent>();
  for (const [step, flow] of flows) {
    const answer = await flow.send(step);
    assertAway(t, flow, step, answer);
    refused.set(step, answer);
  }
  const form = { token, client_id: client!.client_id };
  const introspected = await postForm(`${base}/oauth2/introspect`, form);
  assertUnavailable(t, 'introspect', 'program', introspected);
  for (const [what, answer] of Object.entries({
    initialize: await callMcp(base, token, 'initialize'),
    'tools/list': await callMcp(base, token, 'tools/list'),
    'POST /': await callMcp(base, token, 'tools/list', {}, { path: '/' }),
    GET: await get(`${base}/mcp`, { authorization: `Bearer ${token}` }),
  })) {
    assertUnavailable(t, what, 'mcp client', answer);
  }
  await assertChallenge(t, base);

  await redis.start();
  const ms = await untilReady(base);
  t.true(ms < PATIENCE_MS, `ready ${Math.round(ms)} ms after Redis`);
  t.is((await fetch(base + JWKS)).status, 200);
  for (const [step, flow] of flows) await flow.goOn(step, refused.get(step)!);
  await world.flow().run();
});

test('[X2] [X3] [D11] redis: whenever Redis dies in the middle of a connection, the next request says so and can be repeated when it is back', async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  const { base, redis } = world;
  for (const step of STEPS) {
    const flow = await upTo(step, world.flow());
    // Nothing of it is still believed.
    world.advance(1);
    await redis.kill();
    const answer = await flow.send(step);
    assertAway(t, flow, step, answer);
    await assertDocuments(t, base);
    await assertNotReady(t, base);
    await assertChallenge(t, base);
    t.is((await fetch(base + JWKS)).status, 200, 'keys that were read once are known');

    await redis.start();
    const ms = await untilReady(base);
    t.true(ms < PATIENCE_MS, `${step}: ready ${Math.round(ms)} ms after Redis`);
    await flow.goOn(step, answer);
  }
});

test('[X2] redis: what is known for less than a second does not need Redis', async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  const flow = await upTo('refresh', world.flow());
  const call = () => flow.run('call a tool', 'call a tool');
  // A busy machine may need the second itself.
  let isServed = false;
  for (let attempt = 0; attempt < 5 && !isServed; attempt++) {
    await call();
    await world.redis.kill();
    isServed = await call().then(
      () => true,
      () => false,
    );
    await world.redis.start();
    await untilReady(world.base);
  }
  t.true(isServed);
});

async function assertDocuments(t: ExecutionContext, base: string): Promise<void> {
  const paths = ['/healthz', '/health', '/', '/assets/style.css', ...DOCUMENTS];
  const answers = await Promise.all(paths.map((path) => fetch(base + path)));
  answers.forEach(({ status }, i) => t.is(status, 200, paths[i]));
}

async function assertNotReady(t: ExecutionContext, base: string): Promise<void> {
  const { status, body } = await get(`${base}/readyz`);
  t.is(status, 503);
  t.like(body, { status: 'not ready', store: 'unavailable' });
}

/** Who has not signed in is told how to, whatever else is the matter. */
async function assertChallenge(t: ExecutionContext, base: string): Promise<void> {
  const { status, headers } = await callMcp(base, undefined, 'tools/list');
  t.is(status, 401);
  t.regex(headers.get('www-authenticate') ?? '', /^Bearer .*resource_metadata="/);
}

async function get(url: string, headers: Record<string, string> = {}): Promise<Answer<any>> {
  const response = await fetch(url, { headers });
  return { status: response.status, headers: response.headers, body: await response.json() };
}
