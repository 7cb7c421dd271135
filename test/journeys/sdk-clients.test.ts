import { type Harness, startHarness } from '../support/harness.ts';
import { createBrowser } from '../support/browser.ts';
import { callMcp, postForm, refresh } from '../support/oauth.ts';
import { createStoreTest } from '../support/stores.ts';
import { connectApp, createApp, isSignInNeeded, KINDS, userSignsIn, VERSIONS } from './clients.ts';
import { stopTime } from './time.ts';

/** The clients people really use, each with the documented address and with the bare origin. */
const clock = stopTime();
const storeTest = await createStoreTest((store) => startHarness({ store }));

const TOOLS = [
  'checkImportStatus',
  'createDocuments',
  'createDocumentsByPdf',
  'fetch',
  'getImportInstructions',
  'getInventoryCogs',
  'getInventoryDetails',
  'getInventoryLandedCost',
  'getRevenueAndCogs',
  'getWarehouseBalances',
  'listCompanies',
  'listCompaniesWithPermission',
  'listInventoryItems',
  'listReports',
  'listWarehouses',
  'search',
];
const HINTS = ['destructiveHint', 'idempotentHint', 'openWorldHint', 'readOnlyHint'];
const HOUR_MS = 3_600_000;
/** Past the life of an access token and the tolerance for clocks, which are 1 h and 15 s. */
const EXPIRED_MS = HOUR_MS + 60_000;

const names = (result: { structuredContent?: any }): string[] =>
  result.structuredContent.data.map(({ short_name }: { short_name: string }) => short_name);

const BILL = { companyUuid: 'HPH', type: 'bill', data: { ref_number: 'FR-1', date: '2026-02-01' } };

/** The writes NeonPanel has seen. */
const created = ({ sandbox }: Pick<Harness, 'sandbox'>) =>
  sandbox.recorder.requests().filter(({ path }) => path.includes('/create/bill'));

/** A granted scope as the clients of this version ask for it: they add `offline_access` by themselves. */
const scope = (resource: string) => `offline_access ${resource}`;

/** A fetch that keeps what went by: method, path and status. */
function watchedFetch() {
  const seen: string[] = [];
  const watched: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    const method = init?.method ?? 'GET';
    seen.push(`${method} ${new URL(String(input)).pathname} ${response.status}`);
    return response;
  };
  return { fetch: watched, seen };
}

/**
 * A fetch whose first requests for tokens leave together. Left to themselves, one may come so late that it carries what
 * is two generations old by then, which ends the family (D8).
 */
function togetherFetch(count: number): typeof fetch {
  const { promise: allAreThere, resolve } = Promise.withResolvers<void>();
  let waiting = 0;
  return async (input, init) => {
    if (String(input).endsWith('/oauth2/token') && String(init?.body).includes('refresh_token')) {
      if (++waiting === count) resolve();
      await allAreThere;
    }
    return fetch(input, init);
  };
}

for (const kind of KINDS) {
  for (const path of ['/mcp', '/']) {
    const at = `${kind} on ${path}`;

    storeTest(
      `[F2] [F7] [F25] [F31] [F33] [A8] [A14] ${at}: connects, lists the tools and calls one`,
      async (t, harness) => {
        const app = createApp(harness.url + path, { kind });
        t.teardown(() => app.close());
        const refusal = await t.throwsAsync(() => app.open());
        t.true(isSignInNeeded(refusal), String(refusal));
        const { searchParams } = app.provider.authorizationUrl!;
        t.is(searchParams.get('resource'), harness.url + path.replace(/\/$/, ''));
        t.deepEqual(searchParams.get('scope')!.split(' ').slice(0, 2), [
          'neonpanel.read',
          'neonpanel.write',
        ]);

        const callback = await userSignsIn(harness, app);
        t.is(callback.searchParams.get('iss'), harness.url);
        await app.open();
        t.is(app.version(), VERSIONS[kind]);
        const [tokens] = app.provider.saved;
        t.is(tokens!.token_type, 'Bearer');
        t.truthy(tokens!.refresh_token);

        const tools = await app.tools();
        t.deepEqual(tools.map(({ name }) => name).toSorted(), TOOLS);
        for (const tool of tools) {
          t.is(tool.inputSchema.type, 'object', tool.name);
          t.is(tool.outputSchema?.type, 'object', tool.name);
          t.deepEqual(Object.keys(tool.annotations!).toSorted(), HINTS, tool.name);
        }
        t.deepEqual(names(await app.call('listCompanies')), ['HPH', 'NLO', 'TWP']);
        t.is(app.provider.saved.length, 1, 'one sign-in, no refresh');
      },
    );

    storeTest(
      `[F29] [A10] ${at}: an expired access token is refreshed unnoticed`,
      async (t, harness) => {
        const watched = watchedFetch();
        const app = await connectApp(harness, harness.url + path, { kind, fetch: watched.fetch });
        t.teardown(() => app.close());
        await app.call('listCompanies');
        // NeonPanel's own token ends after an hour, too: both are renewed behind one ordinary call.
        for (const refreshes of [1, 2, 3]) {
          clock.advance(EXPIRED_MS);
          watched.seen.length = 0;
          t.deepEqual(names(await app.call('listCompanies')), ['HPH', 'NLO', 'TWP']);
          t.is(app.provider.saved.length, 1 + refreshes);
          t.is(app.provider.authorizationUrl, undefined, 'the user is not bothered');
          const token = watched.seen.filter((line) => line.includes('/oauth2/token'));
          t.deepEqual(token, ['POST /oauth2/token 200']);
          t.is(watched.seen[0], `POST ${path} 401`);
          t.is(watched.seen.at(-1), `POST ${path} 200`);
        }
        const refreshTokens = app.provider.saved.map(({ refresh_token }) => refresh_token);
        t.is(new Set(refreshTokens).size, 4, 'each refresh rotates');
        const clients = watched.seen.filter((line) => line.includes('/oauth2/register'));
        t.deepEqual(clients, [], 'and nobody registers again');
      },
    );

    storeTest(
      `[F24] [N23] ${at}: after a revocation the next call asks the user to sign in, and then works`,
      async (t, harness) => {
        const app = await connectApp(harness, harness.url + path, { kind });
        t.teardown(() => app.close());
        await app.call('listCompanies');
        const { client } = app.provider;
        const revoked = await postForm(`${harness.url}/oauth2/revoke`, {
          token: app.provider.tokens()!.refresh_token,
          client_id: client!.client_id,
        });
        t.is(revoked.status, 200);
        clock.advance(1_000);

        const refusal = await t.throwsAsync(() => app.call('listCompanies'));
        t.true(isSignInNeeded(refusal), String(refusal));
        await userSignsIn(harness, app, { user: harness.sandbox.users[1]! });
        t.deepEqual(names(await app.call('listCompanies')), ['QNC'], 'as whoever signed in now');
        t.is(app.provider.client!.client_id, client!.client_id, 'still the same client');
      },
    );

    storeTest(
      `[T38] [D10] [F24] [N49] ${at}: when NeonPanel ends the session, the next call asks the user to sign in`,
      async (t, harness) => {
        const app = await connectApp(harness, harness.url + path, { kind });
        t.teardown(() => app.close());
        await app.call('listCompanies');
        const { email } = harness.sandbox.users[0]!;
        const ended = await fetch(`${harness.sandbox.url}/_sandbox/revoke-user`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ email }),
        });
        t.true(ended.ok);
        // NeonPanel's refusal is noticed at the latest when its token has to be refreshed.
        clock.advance(HOUR_MS - 10_000);

        const refusal = await t.throwsAsync(() => app.call('listCompanies'));
        t.true(isSignInNeeded(refusal), String(refusal));
        await userSignsIn(harness, app);
        t.deepEqual(names(await app.call('listCompanies')), ['HPH', 'NLO', 'TWP']);
      },
    );

    storeTest(
      `[F19] ${at}: an application started again uses what it kept, without asking anybody`,
      async (t, harness) => {
        const watched = watchedFetch();
        const first = await connectApp(harness, harness.url + path, { kind });
        await first.close();
        const { provider } = first;
        const again = await connectApp(harness, harness.url + path, {
          kind,
          provider,
          fetch: watched.fetch,
        });
        t.teardown(() => again.close());
        t.deepEqual(names(await again.call('listCompanies')), ['HPH', 'NLO', 'TWP']);
        t.deepEqual(
          watched.seen.filter((line) => line.includes('/oauth2/')),
          [],
        );
      },
    );

    if (kind !== 'v1 client') {
      storeTest(
        `[F10] ${at}: calls that find the token expired at the same time all come through`,
        async (t, harness) => {
          const calls = 8;
          const app = await connectApp(harness, harness.url + path, {
            kind,
            fetch: togetherFetch(calls),
          });
          t.teardown(() => app.close());
          clock.advance(EXPIRED_MS);
          const results = await Promise.all(
            Array.from({ length: calls }, () => app.call('listCompanies')),
          );
          t.true(results.every((result) => names(result).length === 3));
          const refreshed = app.provider.saved.slice(1);
          t.true(refreshed.length >= calls, 'each call refreshed for itself');
          const successors = refreshed.slice(0, calls).map(({ refresh_token }) => refresh_token);
          t.is(new Set(successors).size, 1, 'with the same successor');
          t.is(app.provider.authorizationUrl, undefined, 'the user is not bothered');
        },
      );
    }

    if (kind === 'v1 client') {
      storeTest(
        `[T35] ${at}: cannot step up, but loses nothing by trying to write with a read grant`,
        async (t, harness) => {
          const app = await connectApp(harness, harness.url + path, { kind, write: false });
          t.teardown(() => app.close());
          const refusal = await t.throwsAsync(() => app.call('createDocuments', BILL));
          t.is((refusal as { code?: unknown }).code, 403);
          t.deepEqual(names(await app.call('listCompanies')), ['HPH', 'NLO', 'TWP']);
          t.deepEqual(created(harness), []);
        },
      );
    } else {
      storeTest(
        `[R6] [T35] [D14] ${at}: steps up from a read grant to a write tool, once, and keeps reading`,
        async (t, harness) => {
          const app = await connectApp(harness, harness.url + path, { kind, write: false });
          t.teardown(() => app.close());
          t.is(app.provider.tokens()!.scope, scope('neonpanel.read'));
          t.deepEqual(names(await app.call('listCompanies')), ['HPH', 'NLO', 'TWP']);

          const refusal = await t.throwsAsync(() => app.call('createDocuments', BILL));
          t.true(isSignInNeeded(refusal), String(refusal));
          t.deepEqual(created(harness), [], 'nothing reached NeonPanel');
          const asked = app.provider.authorizationUrl!.searchParams.get('scope')!.split(' ');
          t.true(asked.includes('neonpanel.read') && asked.includes('neonpanel.write'), `${asked}`);

          const before = app.provider.tokens()!;
          const page = await createBrowser().goto(app.provider.authorizationUrl!);
          t.regex(page.text, /sent you here because it wanted to create something/);
          await userSignsIn(harness, app, { write: true });
          t.is(app.provider.tokens()!.scope, scope('neonpanel.read neonpanel.write'));
          const result = await app.call('createDocuments', BILL);
          t.is(result.structuredContent.status, 'done');
          t.is(created(harness).length, 1);
          t.deepEqual(names(await app.call('listCompanies')), ['HPH', 'NLO', 'TWP']);
          const { client } = app.provider;
          const old = await callMcp(harness.url, before.access_token, 'tools/list');
          t.is(old.status, 200, 'the grant that only reads goes on beside it');
          const refreshed = await refresh(harness.url, client as never, before.refresh_token!);
          t.is(refreshed.status, 200);
          t.is(refreshed.body.scope, scope('neonpanel.read'));
          harness.sandbox.recorder.clear();
        },
      );

      storeTest(
        `[R6] [D14] ${at}: a user who still does not allow writing is not asked in a loop`,
        async (t, harness) => {
          const app = await connectApp(harness, harness.url + path, { kind, write: false });
          t.teardown(() => app.close());
          await t.throwsAsync(() => app.call('createDocuments', BILL));
          await userSignsIn(harness, app, { write: false });
          const refusal = await t.throwsAsync(() => app.call('createDocuments', BILL));
          t.true(isSignInNeeded(refusal), String(refusal));
          t.deepEqual(created(harness), []);
          t.deepEqual(names(await app.call('listCompanies')), ['HPH', 'NLO', 'TWP']);
        },
      );
    }
  }
}

storeTest('[A10] ACCESS_TOKEN_TTL_SECONDS decides how long a token lasts', async (t, _, store) => {
  const brief = await startHarness({ store, env: { ACCESS_TOKEN_TTL_SECONDS: '2' } });
  t.teardown(() => brief.close());
  const app = await connectApp(brief, `${brief.url}/mcp`);
  t.teardown(() => app.close());
  t.is(app.provider.tokens()!.expires_in, 2);
  await app.call('listCompanies');
  t.is(app.provider.saved.length, 1);
  // The tolerance for clocks is 15 s.
  clock.advance(18_000);
  await app.call('listCompanies');
  t.is(app.provider.saved.length, 2);
});
