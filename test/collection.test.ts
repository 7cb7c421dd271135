import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { isDeadEverywhere } from './dead-client.ts';
import { type Received, send } from './raw-http.ts';
import { type Harness, startHarness, type StoreName } from './support/harness.ts';
import type { Page } from './support/browser.ts';
import {
  answerConsent,
  answerLogin,
  authorizationRequest,
  callMcp,
  connect,
  redeem,
  REDIRECT_URI,
  refresh,
  register,
  signIn,
  type TestClient,
  userBrowser,
} from './support/oauth.ts';
import { holdWrites, recordsOf } from './support/records.ts';
import { createStoreTest } from './support/stores.ts';

/** How long clients live, which go when too many wait for a first login, and what their users see of it. */

const DAY_SECONDS = 86_400;
const MAX_WAITING = 20;
/** From here on the oldest go. */
const CROWDED = 19;
const LOOK_MS = 25;

/** The clock of our server and of NeonPanel; Redis has its own. */
function createClock() {
  let aheadMs = 0;
  return {
    now: () => Date.now() + aheadMs,
    advance(seconds: number) {
      aheadMs += seconds * 1_000;
    },
  };
}

/** Two instances on one store, of which `max` clients may wait for a first login. */
async function startPair(store: StoreName, max: number) {
  const clock = createClock();
  const harness = await startHarness({
    store,
    instances: 2,
    now: clock.now,
    env: { CODE_TTL_SECONDS: '600' },
    waitingClients: { max, lookEveryMs: LOOK_MS },
  });
  return Object.assign(harness, { clock });
}

const storeTest = await createStoreTest(async (store) => {
  const pair = await startPair(store, MAX_WAITING);
  // Here whoever had a day goes at the next look.
  const strict = await startPair(store, 1);
  const close = async () => {
    await pair.close();
    await strict.close();
  };
  return { ...pair, strict, close };
});

const postRegistration = (base: string, origin?: string): Promise<Received> =>
  send(base, '/oauth2/register', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(origin && { origin }) },
    body: JSON.stringify({ redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: 'none' }),
  });

/** 400 invalid_grant: it is known; 401 invalid_client: it is not. */
async function isKnown(base: string, client: TestClient): Promise<boolean> {
  const { status } = await refresh(base, client, 'none of ours');
  return status === 400;
}

/** Registers one; while it is full, as soon as there is room. */
async function registerWhenRoom(base: string): Promise<TestClient> {
  for (let tries = 0; tries < 500; tries++) {
    const { status, body } = await register(base);
    if (status === 201) return body;
    await sleep(10);
  }
  throw new Error('there is no room');
}

async function until(holds: () => Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < 500; tries++) {
    if (await holds()) return true;
    await sleep(10);
  }
  return false;
}

const kinds = async (harness: Harness, tag: string): Promise<string[]> =>
  (await recordsOf(harness)).filter((record) => record.tag === tag).map(({ kind }) => kind);

// ----------------------------------------------------------------------------- lifetimes

test('[D13] [T26] a client that never completed a login lives 30 days', async (t) => {
  const clock = createClock();
  const harness = await startHarness({ now: clock.now });
  t.teardown(() => harness.close());
  const { url } = harness;
  const [client, late, signedIn] = await Promise.all(
    [1, 2, 3].map(async () => (await register(url)).body),
  );
  // A login that was never turned into tokens is not completed either.
  await signIn(harness, authorizationRequest(url, signedIn!));
  clock.advance(29.9 * DAY_SECONDS);
  t.true(await isKnown(url, client!));
  // Whoever comes back in time is served as on the first day.
  await connect(harness, { client: late! });
  clock.advance(0.2 * DAY_SECONDS);
  t.deepEqual(await Promise.all([client!, late!, signedIn!].map((each) => isKnown(url, each))), [
    false,
    true,
    false,
  ]);
});

test('[D13] [F19] a client that had a grant lives until 180 days after its last grant ended', async (t) => {
  const clock = createClock();
  const harness = await startHarness({ now: clock.now });
  t.teardown(() => harness.close());
  const { url } = harness;
  const { client, tokens } = await connect(harness);
  clock.advance(80 * DAY_SECONDS);
  const renewed = await refresh(url, client, tokens.refresh_token);
  t.is(renewed.status, 200);
  // The grant ends 90 days after its last refresh.
  clock.advance(89.9 * DAY_SECONDS);
  t.is((await refresh(url, client, renewed.body.refresh_token)).status, 200);
  clock.advance(90 * DAY_SECONDS + 179 * DAY_SECONDS);
  t.true(await isKnown(url, client));
  // Even now it can be used again.
  await connect(harness, { client });
  clock.advance(90 * DAY_SECONDS + 179 * DAY_SECONDS);
  t.true(await isKnown(url, client));
  clock.advance(2 * DAY_SECONDS);
  t.false(await isKnown(url, client));
});

test('[D13] on Redis the lifetimes are Redis’s own: 30 days, and with the first grant 270', async (t) => {
  const harness = await startHarness({ store: 'redis' });
  t.teardown(() => harness.close());
  const days = async (kind: string, id: string): Promise<number> => {
    const reply = await harness.redis!.command('TTL', `neonpanel-mcp:{${id}}:${kind}`);
    return Math.round(Number(/^:(-?\d+)/.exec(reply)![1]) / DAY_SECONDS);
  };
  const { body: client } = await register(harness.url);
  t.deepEqual(
    [await days('client', client.client_id), await days('waiting', client.client_id)],
    [30, 30],
  );
  await connect(harness, { client });
  t.is(await days('client', client.client_id), 270);
  t.deepEqual(await kinds(harness, client.client_id), ['client']);
});

// ---------------------------------------------------------------------- too many that wait

storeTest(
  '[T26] [D13] when too many wait for a first login, registration is refused for a while, at every instance, and everything else goes on',
  async (t, harness) => {
    const { url, instances } = harness;
    const used = await connect(harness);
    for (let i = 0; i < MAX_WAITING; i++) {
      t.true((await registerWhenRoom(url)).client_id.length > 8);
    }
    for (const instance of instances) {
      t.true(await until(async () => (await postRegistration(instance)).status === 429));
      const answer = await postRegistration(instance, 'https://inspector.example');
      t.is(answer.status, 429);
      t.is(answer.json.error, 'too_many_requests');
      t.is(answer.headers['retry-after'], '300');
      t.is(answer.headers['access-control-allow-origin'], '*');
      t.is(answer.headers['cache-control'], 'no-store');
    }
    const again = await connect(harness, { client: used.client });
    t.is((await callMcp(url, again.tokens.access_token, 'tools/list')).status, 200);
    t.is((await refresh(url, used.client, used.tokens.refresh_token)).status, 200);
    // A bad request is told what is wrong with it all the same.
    t.is((await register(url, { redirect_uris: [] })).status, 400);
  },
);

storeTest(
  '[T26] [D13] [F19] after a day the oldest make room, and clients in use are not among them',
  async (t, harness) => {
    const { url, clock } = harness;
    const used = await connect(harness, { client: await newest(harness) });
    clock.advance(DAY_SECONDS + 60);
    const young: TestClient[] = [];
    for (let i = 0; i < 5; i++) young.push(await registerWhenRoom(url));
    t.true(await until(async () => (await waitingIn(harness)).length <= CROWDED));
    for (const client of young) t.true(await isKnown(url, client), 'the young stay');
    t.true(await isKnown(url, used.client));
    t.is((await refresh(url, used.client, used.tokens.refresh_token)).status, 200);
    const waiting = await waitingIn(harness);
    t.true(waiting.length > young.length, 'no more went than was needed');
  },
);

storeTest(
  '[D13] [T26] when a client is collected while its user completes a login, either it stays and works, or it is 401 invalid_client and there is no grant',
  async (t, { strict: harness }) => {
    const { url, instances, clock } = harness;
    const outcomes: number[] = [];
    const rounds = process.env.LONG_TESTS ? 100 : 12;
    for (let round = 0; round < rounds; round++) {
      // Nearly a day old, with a code in hand.
      const client = await registerWhenRoom(url);
      clock.advance(DAY_SECONDS - 30);
      const attempt = authorizationRequest(url, client);
      const code = (await signIn(harness, attempt)).searchParams.get('code')!;
      const held = round % 2 === 0;
      const release = held ? await holdWrites(harness) : undefined;
      clock.advance(60);
      if (!held) await sleep(Math.random() * 4 * LOOK_MS);
      const redeeming = redeem(instances[round % 2]!, attempt, code);
      if (held) await sleep(100);
      await release?.();
      const { status, body } = await redeeming;
      outcomes.push(status);

      const [grantId] = code.split('.') as [string];
      if (status === 200) {
        t.deepEqual(await kinds(harness, client.client_id), ['client']);
        // Looked at more than once.
        await sleep(4 * LOOK_MS);
        const renewed = await refresh(instances[(round + 1) % 2]!, client, body.refresh_token);
        t.is(renewed.status, 200);
      } else {
        t.is(status, 401, JSON.stringify(body));
        t.is((body as unknown as { error: string }).error, 'invalid_client');
        t.deepEqual(await kinds(harness, client.client_id), []);
        t.false((await kinds(harness, grantId)).includes('grant'));
      }
    }
    t.log(`${outcomes.filter((status) => status === 200).length} of ${rounds} stayed`);
    t.true(outcomes.includes(200));
  },
);

storeTest(
  '[D13] [F36] [F19] a client that was collected is told so at every endpoint of every instance, and its user what to do',
  async (t, harness) => {
    const { url, clock } = harness;
    const client = await registerWhenRoom(url);
    clock.advance(DAY_SECONDS + 60);
    for (let i = 0; i < MAX_WAITING; i++) await registerWhenRoom(url);
    t.true(await until(async () => !(await isKnown(url, client))));
    for (const instance of harness.instances) await isDeadEverywhere(t, instance, client);
  },
);

storeTest(
  '[D13] [F36] [F19] a person whose app was collected while they were deciding is told to add it again, wherever they are',
  async (t, { strict: harness }) => {
    const { url, clock } = harness;
    const saysSo = (page: Page, where: string) => {
      t.is(page.status, 400, where);
      t.is(page.stoppedAt, undefined, where);
      t.regex(page.text, /Remove the NeonPanel connector in your app and add it again/, where);
    };
    const client = await registerWhenRoom(url);
    clock.advance(DAY_SECONDS - 30);
    const attempt = authorizationRequest(url, client);
    const browsers = [userBrowser(attempt), userBrowser(attempt)] as const;
    const [first, second] = await Promise.all(browsers.map((browser) => browser.goto(attempt.url)));
    t.is(first!.status, 200);
    const login = await answerConsent(second!);
    clock.advance(60);
    t.true(await until(async () => !(await isKnown(url, client))));
    saysSo(await browsers[0].goto(new URL(first!.url)), 'on the consent page');
    saysSo(await answerLogin(login, harness.sandbox.users[0]!), 'after the login');
  },
);

const waitingIn = async (harness: Harness): Promise<string[]> =>
  (await recordsOf(harness)).filter(({ kind }) => kind === 'waiting').map(({ tag }) => tag);

/** One of those that wait, as its client knows it. */
async function newest(harness: Harness): Promise<TestClient> {
  const [client_id] = await waitingIn(harness);
  return {
    client_id: client_id!,
    redirect_uris: [REDIRECT_URI],
    token_endpoint_auth_method: 'none',
  };
}
