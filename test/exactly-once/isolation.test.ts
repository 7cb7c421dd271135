import { setTimeout as wait } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import { type FakeNeonpanel, json, PATHS, startFakeNeonpanel } from '../fake-neonpanel.ts';
import type { Harness } from '../support/harness.ts';
import { startHarness } from '../support/harness.ts';
import {
  answerConsent,
  authorizationRequest,
  callTool,
  redeem,
  register,
  type TestClient,
  userBrowser,
} from '../support/oauth.ts';
import { createStoreTest } from '../support/stores.ts';
import { many } from './support.ts';

/** From a caller's token over the store to that caller's own NeonPanel credential, with many callers at the same time. */
const USERS = 50;
const CALLS = process.env.LONG_TESTS ? 200_000 : 2_500;
/** Each look at the clock moves it, so that hardly anything is believed without asking the store. It is never slow. */
const TICK_MS = 5;

const storeTest = await createStoreTest(async (store) => {
  const neonpanel = await startFakeNeonpanel();
  const started = Date.now();
  let ticks = 0;
  const harness = await startHarness({
    store,
    instances: 2,
    neonpanelUrl: neonpanel.url,
    env: { NEONPANEL_CLIENT_ID: 'our-client' },
    now: () => Math.max(Date.now(), started + TICK_MS * ticks++),
  });
  return {
    harness,
    neonpanel,
    async close() {
      await harness.close();
      await neonpanel.close();
    },
  };
});

storeTest(
  '[T7] [D10] calls with equal ids of 50 users over two instances each reach NeonPanel as their own user, while connections to the store break',
  async (t, { harness, neonpanel }) => {
    const { url, instances, redis } = harness;
    echoTheUser(neonpanel);
    const client = (await register(url)).body;
    const tokens = await many(USERS, (i) => signInAs(harness, neonpanel, client, `user-${i}`));

    let broken = 0;
    let answered = 0;
    let done = false;
    const breaking = (async () => {
      while (redis && !done) {
        await redis.command('CLIENT', 'KILL', 'TYPE', 'normal');
        broken++;
        await wait(100);
        // Not again before the connections are back, which takes a busy machine a while.
        for (const until = answered + 20; answered < until && !done;) await wait(10);
      }
    })();
    let crossed = 0;
    const others = new Set<string>();
    await many(CALLS, async (i) => {
      const { status, body } = await callTool(
        instances[i % 2]!,
        tokens[i % USERS]!,
        'listCompanies',
      );
      const name = body.result?.structuredContent?.data?.[0]?.name;
      if (name === undefined) return void others.add(`${status} ${body.error ?? ''}`);
      answered++;
      if (name !== `user-${i % USERS}`) crossed++;
    });
    done = true;
    await breaking;
    t.is(crossed, 0);
    t.true(answered > CALLS * 0.9, `${answered} answered, ${[...others]}`);
    t.deepEqual(
      [...others].filter((other) => !other.startsWith('503')),
      [],
    );
    if (redis) t.true(broken > 3, `${broken} times`);
    t.log(answered, broken, [...others]);
  },
);

/** A NeonPanel that signs in whoever the code names, and whose list of companies names the caller. */
function echoTheUser(neonpanel: FakeNeonpanel): void {
  neonpanel.on(PATHS.token, async (response, request) => {
    const sub = new URLSearchParams(request.body).get('code')!;
    const answer = await neonpanel.answer({ access_token: await neonpanel.token({ sub }) });
    json(answer)(response, request);
  });
  neonpanel.on(PATHS.companies, (response, request) => {
    const { sub } = decodeJwt(request.headers.authorization!.slice('Bearer '.length));
    const company = { id: 1, uuid: 'a'.repeat(40), name: sub, short_name: sub, currency: 'USD' };
    json({ current_page: 1, per_page: 30, last_page: 1, data: [company] })(response, request);
  });
}

/** @returns the access token of a new connection of this user */
async function signInAs(
  { url }: Harness,
  neonpanel: FakeNeonpanel,
  client: TestClient,
  user: string,
): Promise<string> {
  const attempt = authorizationRequest(url, client);
  const browser = userBrowser(attempt);
  browser.stopAt(
    ({ origin, href }) => origin === neonpanel.url || href.startsWith(attempt.redirectUri),
  );
  const { stoppedAt: login } = await answerConsent(await browser.goto(attempt.url));
  const callback = new URL(login!.searchParams.get('redirect_uri')!);
  callback.searchParams.set('state', login!.searchParams.get('state')!);
  callback.searchParams.set('code', user);
  const { stoppedAt, text } = await browser.goto(callback, { from: neonpanel.url });
  if (!stoppedAt) throw new Error(text);
  const { status, body } = await redeem(url, attempt, stoppedAt.searchParams.get('code')!);
  if (status !== 200) throw new Error(`redemption: ${status}`);
  return body.access_token;
}
