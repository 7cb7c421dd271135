import type { ExecutionContext } from 'ava';
import { type Harness, restartStore, startHarness } from '../support/harness.ts';
import {
  answerConsent,
  answerLogin,
  authorizationRequest,
  callTool,
  redeem,
  refresh,
  register,
  userBrowser,
} from '../support/oauth.ts';
import { createStoreTest } from '../support/stores.ts';
import { startBalancer } from './balancer.ts';
import { connectApp, createApp, KINDS, userSignsIn } from './clients.ts';

/**
 * Nothing of a connection lives in a process: a server may be restarted, or another instance take over, between any two
 * requests, and neither the client nor the user notices. The same goes for a Redis that comes back with its data.
 */
const STEPS = [
  'after registration',
  'on the consent page',
  "at NeonPanel's login",
  'between callback and code',
  'before redemption',
  'with an access token',
  'with a refresh token',
  'with the refresh token before that, in the grace',
] as const;
type Step = (typeof STEPS)[number];

/** The whole way of one client, stopping for `at` at each step. Fails the test where anything goes wrong. */
async function journey(
  t: ExecutionContext,
  base: string,
  { sandbox }: Pick<Harness, 'sandbox'>,
  at: (step: Step) => Promise<void> | void,
): Promise<void> {
  const { status, body: client } = await register(base);
  t.is(status, 201);
  await at('after registration');

  const attempt = authorizationRequest(base, client);
  const browser = userBrowser(attempt);
  const consent = await browser.goto(attempt.url);
  t.is(consent.status, 200, consent.text);
  await at('on the consent page');

  const login = await answerConsent(consent);
  t.is(new URL(login.url).origin, sandbox.url, login.text);
  await at("at NeonPanel's login");

  browser.stopAt(
    ({ origin, pathname }) => origin === base && /authorize\/(?!callback)/.test(pathname),
  );
  const back = await answerLogin(login, sandbox.users[0]!);
  t.truthy(back.stoppedAt, back.text);
  await at('between callback and code');

  browser.stopAt(({ href }) => href.startsWith(attempt.redirectUri));
  const { stoppedAt: callback, text } = await browser.goto(back.stoppedAt!, { from: login.url });
  t.is(callback?.searchParams.get('state'), attempt.state, text);
  await at('before redemption');

  const redeemed = await redeem(base, attempt, callback!.searchParams.get('code')!);
  t.is(redeemed.status, 200, JSON.stringify(redeemed.body));
  await at('with an access token');

  const works = async (accessToken: string) => {
    const called = await callTool(base, accessToken, 'listCompanies');
    t.is(called.status, 200, JSON.stringify(called.body));
    t.is(called.body.result.structuredContent.data.length, 3);
  };
  await works(redeemed.body.access_token);
  await at('with a refresh token');

  const renewed = await refresh(base, client, redeemed.body.refresh_token);
  t.is(renewed.status, 200, JSON.stringify(renewed.body));
  await works(renewed.body.access_token);
  await at('with the refresh token before that, in the grace');

  const repeated = await refresh(base, client, redeemed.body.refresh_token);
  t.is(repeated.body.refresh_token, renewed.body.refresh_token, 'the same successor');
  await works(repeated.body.access_token);
  await works(renewed.body.access_token);
  const next = await refresh(base, client, renewed.body.refresh_token);
  t.is(next.status, 200, JSON.stringify(next.body));
}

const storeTest = await createStoreTest(async (store) => {
  const single = await startHarness({ store });
  const balancer = await startBalancer();
  const pair = await startHarness({ store, instances: 2, env: { PUBLIC_URL: balancer.url } });
  balancer.targets = pair.instances;
  return {
    single,
    pair,
    balancer,
    /** Lets the instances take turns. */
    inTurn() {
      let turn = 0;
      balancer.route = () => turn++ % 2;
      balancer.served.length = 0;
    },
    async close() {
      await balancer.close();
      await Promise.all([single.close(), pair.close()]);
    },
  };
});

for (const step of STEPS) {
  storeTest(`[N52] [F19] a restart ${step} goes unnoticed`, async (t, { single }) => {
    await journey(t, single.url, single, async (now) => {
      if (now === step) await single.restart();
    });
  });

  for (const first of [0, 1]) {
    storeTest(
      `[D11] [N52] what instance ${first} began ${step} the other finishes`,
      async (t, { balancer, pair }) => {
        let instance = first;
        balancer.route = () => instance;
        balancer.served.length = 0;
        await journey(t, balancer.url, pair, (now) => {
          if (now === step) instance = 1 - first;
        });
        t.deepEqual([...new Set(balancer.served.map(([served]) => served))], [first, 1 - first]);
      },
    );
  }
}

storeTest(
  '[N52] a server that restarts after every single step loses nobody',
  async (t, { single }) => {
    await journey(t, single.url, single, () => single.restart());
  },
);

storeTest.redis(
  '[N52] [X3] [D11] a redis-server that restarts with its data after every single step goes unnoticed',
  async (t, { single }) => {
    await journey(t, single.url, single, () => restartStore(single));
  },
);

storeTest(
  '[N52] two instances in turn, one of which restarts after every step, and the store’s process with it, lose nobody',
  async (t, { balancer, pair, inTurn }) => {
    inTurn();
    let steps = 0;
    await journey(t, balancer.url, pair, async () => {
      await Promise.all([pair.restart(steps++ % 2), restartStore(pair)]);
    });
    t.is(steps, STEPS.length);
  },
);

storeTest(
  '[D11] [N52] two instances take turns, request by request',
  async (t, { balancer, pair, inTurn }) => {
    inTurn();
    await journey(t, balancer.url, pair, () => {});
    const by = (wanted: RegExp) => balancer.served.find(([, request]) => wanted.test(request))![0];
    const [shown, approved, called, resumed] = [
      by(/^GET \/interaction/),
      by(/^POST \/interaction/),
      by(/^GET \/oauth2\/authorize\/callback/),
      by(/^GET \/oauth2\/authorize\/(?!callback)/),
    ];
    t.not(shown, approved, 'consent was shown by one, answered at the other');
    t.not(
      approved,
      called,
      'NeonPanel sent the browser back to the one that did not send it there',
    );
    t.not(called, resumed);
    t.not(resumed, by(/^POST \/oauth2\/token/), 'the code was redeemed where it was not made');
  },
);

for (const kind of KINDS) {
  storeTest(
    `[D16] ${kind}: signs in and calls over two instances in turn`,
    async (t, { balancer, pair, inTurn }) => {
      inTurn();
      const app = await connectApp(pair, `${balancer.url}/mcp`, { kind });
      t.teardown(() => app.close());
      for (let i = 0; i < 6; i++) {
        const { structuredContent } = await app.call('listWarehouses', { companyUuid: 'HPH' });
        t.is(structuredContent.data.length, 12);
      }
      const calls = balancer.served.filter(([, request]) => request === 'POST /mcp');
      t.deepEqual([...new Set(calls.map(([instance]) => instance))].toSorted(), [0, 1]);
    },
  );

  storeTest(
    `[N52] [X3] ${kind}: restarts of server and store during sign-in and between calls go unnoticed`,
    async (t, { single }) => {
      const restart = async () => {
        await single.restart();
        await restartStore(single);
      };
      const app = createApp(`${single.url}/mcp`, { kind });
      t.teardown(() => app.close());
      await t.throwsAsync(() => app.open());
      await restart();
      await userSignsIn(single, app);
      await restart();
      await app.open();
      for (let i = 0; i < 3; i++) {
        const { structuredContent } = await app.call('listCompanies');
        t.is(structuredContent.data.length, 3);
        await restart();
      }
      t.is((await app.tools()).length, 16);
      t.is(app.provider.saved.length, 1, 'one sign-in, no refresh');
    },
  );
}
