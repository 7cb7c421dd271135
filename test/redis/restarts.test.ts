import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { connectApp, isSignInNeeded, KINDS, userSignsIn } from '../journeys/clients.ts';
import { startHarness } from '../support/harness.ts';
import { callTool, refresh } from '../support/oauth.ts';
import { type Flow, oneAtEachStep, type StepName, words } from './flow.ts';
import { PATIENCE_MS, untilReady } from './judge.ts';
import { startWorld, type World } from './world.ts';

/** Redis restarts: with its data nobody notices, without them everybody finds the way back in. */

const MASTER_KEYS = randomBytes(32).toString('base64url');
const SESSIONS = 20;

test('[X3] [D11] redis: a restart of Redis with its data loses none of the sessions that are in use meanwhile', async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  const { base, redis } = world;
  const [idle, ...busy] = await Promise.all(
    Array.from({ length: SESSIONS + 1 }, async () => {
      const flow = world.flow();
      await flow.run('register', 'redeem the code');
      return flow;
    }),
  );
  let over = false;
  const statuses = new Map<number, number>();
  const sessions = busy.map((flow) => keepRefreshing(base, flow, statuses, () => over));
  await sleep(300);
  await redis.kill('SIGTERM');
  await sleep(1_500);
  await redis.start();

  const started = performance.now();
  let answer = await idle!.send('refresh');
  while (answer.status === 503) {
    await sleep(20);
    answer = await idle!.send('refresh');
  }
  const ms = performance.now() - started;
  t.true(ms < PATIENCE_MS, `served ${Math.round(ms)} ms after Redis`);
  await idle!.goOn('refresh', answer);
  over = true;
  for (const { rotations, accessToken } of await Promise.all(sessions)) {
    t.true(rotations > 1);
    t.is((await callTool(base, accessToken, 'listCompanies')).status, 200);
  }
  t.log(`${SESSIONS} sessions, answers by status: ${JSON.stringify([...statuses])}`);
  t.true(statuses.has(503), 'they were in use during the restart');
});

/** A client that refreshes all the time, and sends again what was answered with 503. @throws Error at any other refusal */
async function keepRefreshing(
  base: string,
  { held }: Flow,
  statuses: Map<number, number>,
  isOver: () => boolean,
): Promise<{ rotations: number; accessToken: string }> {
  let token = held.first!.refresh_token;
  for (let rotations = 0; ; await sleep(50)) {
    const { status, body } = await refresh(base, held.client!, token);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (status === 503) continue;
    if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
    token = body.refresh_token;
    rotations++;
    if (isOver()) return { rotations, accessToken: body.access_token };
  }
}

/** What a client or a person is told about something that Redis has forgotten. */
const FORGOTTEN: Readonly<Record<Exclude<StepName, 'register'>, { status: number; says: RegExp }>> =
  {
    authorize: { status: 400, says: /not known here any more.*add it again/ },
    'consent page': { status: 400, says: /can no longer be completed.*connect again/ },
    approve: { status: 400, says: /can no longer be completed.*connect again/ },
    callback: { status: 400, says: /can no longer be completed.*connect again/ },
    resume: { status: 400, says: /can no longer be completed.*connect again/ },
    'redeem the code': { status: 401, says: /"invalid_client"/ },
    'call a tool': { status: 401, says: /"invalid_token"/ },
    refresh: { status: 401, says: /"invalid_client"/ },
    'call a tool again': { status: 401, says: /"invalid_token"/ },
    revoke: { status: 401, says: /"invalid_client"/ },
  };

const LOSSES = {
  'a restart': async ({ redis }: World) => {
    await redis.kill();
    await redis.start();
  },
  FLUSHALL: async ({ redis }: World) => {
    await redis.command('FLUSHALL');
  },
} as const;

for (const [loss, lose] of Object.entries(LOSSES)) {
  test(`[X4] redis: when ${loss} has lost all data, everybody is told how to begin anew, and the signing keys stay`, async (t) => {
    const world = await startWorld({
      instances: 2,
      redis: { persist: false },
      env: { MASTER_KEYS },
    });
    t.teardown(world.close);
    const { base, harness, balancer } = world;
    const keys = await jwks(base);
    const flows = await oneAtEachStep(world.flow);
    await lose(world);
    world.advance(1);
    for (const instance of harness.instances) {
      t.true((await untilReady(instance)) < PATIENCE_MS, instance);
    }

    for (const [step, flow] of flows) await assertForgotten(t, flow, step);
    for (const instance of harness.instances) t.deepEqual(await jwks(instance), keys);
    const third = await startHarness({
      neonpanelUrl: harness.sandbox.url,
      env: { REDIS_URL: world.redis.url, MASTER_KEYS, PUBLIC_URL: base },
    });
    t.teardown(third.close);
    await untilReady(third.url);
    const instances = [...harness.instances, third.instances[0]!];
    t.deepEqual(await jwks(instances[2]!), keys);

    // A connection that is made at the third alone works everywhere.
    balancer!.targets = [instances[2]!];
    balancer!.route = () => 0;
    const flow = world.flow();
    await flow.run('register', 'redeem the code');
    for (const instance of instances) {
      const answer = await callTool(instance, flow.held.first!.access_token, 'listCompanies');
      t.is(answer.status, 200, instance);
    }
    t.deepEqual(harness.logs.find({ event: 'server_error' }), []);
    const worst = harness.logs.find({ event: 'request' }).map(({ status }) => status as number);
    t.false(worst.includes(500));
  });
}

async function assertForgotten(t: ExecutionContext, flow: Flow, step: StepName): Promise<void> {
  const answer = await flow.send(step);
  if (step === 'register') return void t.is(answer.status, 201);
  const { status, says } = FORGOTTEN[step];
  const shown = `${step}: ${answer.status} ${words(answer)}`;
  t.is(answer.status, status, shown);
  t.regex(words(answer), says, shown);
  t.is(answer.headers.get('location'), null, shown);
  const challenge = answer.headers.get('www-authenticate') ?? '';
  if (flow.reader(step) === 'mcp client') {
    t.regex(challenge, /^Bearer .*error="invalid_token".*resource_metadata="/, shown);
  }
  if (flow.reader(step) === 'person') t.regex(answer.headers.get('content-type')!, /^text\/html/);
}

for (const kind of KINDS) {
  test(`[X4] redis: ${kind}: when all data are lost it registers and signs in anew by itself`, async (t) => {
    const world = await startWorld({ redis: { persist: false } });
    t.teardown(world.close);
    const { base, harness } = world;
    const app = await connectApp(harness, `${base}/mcp`, { kind });
    t.teardown(app.close);
    t.is((await app.call('listCompanies')).structuredContent.data.length, 3);
    const before = app.provider.client!.client_id;
    await LOSSES['a restart'](world);
    world.advance(1);
    await untilReady(base);

    const error = await t.throwsAsync(app.call('listCompanies'));
    t.true(isSignInNeeded(error), String(error));
    t.not(app.provider.client?.client_id, before);
    await userSignsIn(harness, app);
    await app.open();
    t.is((await app.call('listCompanies')).structuredContent.data.length, 3);
  });
}

async function jwks(base: string): Promise<unknown> {
  const response = await fetch(`${base}/.well-known/jwks.json`);
  return response.json();
}
