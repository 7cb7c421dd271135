import test from 'ava';
import { type Harness, startHarness, type StoreName } from '../support/harness.ts';
import {
  answerConsent,
  answerLogin,
  authorizationRequest,
  callMcp,
  connect,
  signIn,
  userBrowser,
} from '../support/oauth.ts';
import { recordsOf } from '../support/records.ts';
import { createStoreTest } from '../support/stores.ts';
import { codeForm, connectDocumented, publish, refreshForm } from './client.ts';
import { startDocumentHost } from './host.ts';
import { SHAPES } from './shapes.ts';

/** Real clients by their documents, the whole way, over two instances where the store is shared. */
const host = await startDocumentHost();
const storeTest = await createStoreTest((store: StoreName) =>
  startHarness({
    store,
    instances: 2,
    env: { CIMD_TEST_ORIGIN: host.origin, RATE_LIMIT_FACTOR: '0' },
  }),
);
test.after.always(() => host.close());

const hostName = new URL(host.origin).host;
const shapeOf = (name: string) => SHAPES.find((shape) => shape.name.startsWith(name))!;
const listTools = (base: string, accessToken: string) => callMcp(base, accessToken, 'tools/list');

for (const shape of SHAPES) {
  storeTest(
    `[A5] [A12] [T11] [T12] [D13] ${shape.name}: consent, login, tools, refresh, revocation`,
    async (t, harness, store) => {
      const [first, second] = harness.instances as [string, string];
      const app = await publish(host, shape, harness.url, `/${store}`);
      for (const [redirectUri, target] of shape.uses) {
        const asks = { redirect_uri: redirectUri, ...shape.asks };
        const attempt = authorizationRequest(first, app.client, asks);
        const browser = userBrowser(attempt);
        const consent = await browser.goto(attempt.url);
        t.is(consent.status, 200, consent.text);
        t.true(consent.text.includes(`<q>${shape.document.client_name}</q>`), consent.text);
        t.true(consent.text.includes(`<strong class="host">${target}</strong>`), consent.text);
        t.true(consent.text.includes(`described at <strong>${hostName}</strong>`), consent.text);
        const isLocal = !target.includes('.') || target.startsWith('127.');
        t.is(consent.text.includes('notice warning'), isLocal);
        const login = await answerConsent(consent);
        const end = await answerLogin(login, harness.sandbox.users[0]!);
        const form = codeForm(attempt, end.stoppedAt!);
        t.is(end.stoppedAt!.searchParams.get('iss'), harness.url);

        const redeemed = await app.post(`${second}/oauth2/token`, form);
        t.is(redeemed.status, 200, JSON.stringify(redeemed.body));
        const tokens = redeemed.body as any;
        t.is((await listTools(first, tokens.access_token)).status, 200);
        const refreshed = await app.post(`${first}/oauth2/token`, refreshForm(tokens));
        t.is(refreshed.status, 200, JSON.stringify(refreshed.body));

        const introspected = await app.post(`${second}/oauth2/introspect`, {
          token: refreshed.body.access_token,
        });
        if (shape.keys) {
          t.is(introspected.body.active, true);
          t.is(introspected.body.client_id, app.client.client_id);
        } else {
          t.not(introspected.body.active, true, 'for confidential clients only');
        }
        const revoked = await app.post(`${second}/oauth2/revoke`, {
          token: refreshed.body.refresh_token,
        });
        t.is(revoked.status, 200);
        const dead = await app.post(`${first}/oauth2/token`, refreshForm(refreshed.body as any));
        t.is(dead.status, 400);
        t.is(dead.body.error, 'invalid_grant');
      }
      const about = (await recordsOf(harness)).filter(
        ({ kind, tag, value }) => kind === 'client' && (tag + value).includes('localhost'),
      );
      t.deepEqual(about, [], 'nothing about the client is stored');
    },
  );
}

storeTest(
  '[T11] [D6] one browser that connects the same app twice is asked twice; prompt=none is refused',
  async (t, harness, store) => {
    const app = await publish(host, shapeOf('Claude'), harness.url, `/twice-${store}`);
    const attempt = authorizationRequest(harness.url, app.client);
    const browser = userBrowser(attempt);
    await signIn(harness, attempt, {}, browser);
    const again = authorizationRequest(harness.url, app.client);
    t.true((await browser.goto(again.url)).text.includes('<q>Claude</q>'));
    const silent = authorizationRequest(harness.url, app.client, { prompt: 'none' });
    const { stoppedAt } = await browser.goto(silent.url);
    t.is(stoppedAt!.searchParams.get('error'), 'login_required');
  },
);

storeTest(
  '[T73] [D15] a document can’t ask for client_credentials, and has no token without a person',
  async (t, harness, store) => {
    for (const grant_types of [
      ['client_credentials'],
      ['authorization_code', 'refresh_token', 'client_credentials'],
    ]) {
      const shape = shapeOf('a client with nulls');
      const app = await publish(
        host,
        { ...shape, document: { ...shape.document, grant_types } },
        harness.url,
        `/machine${grant_types.length}-${store}`,
      );
      const form = { grant_type: 'client_credentials', scope: 'neonpanel.read' };
      const { status, body } = await app.post(`${harness.url}/oauth2/token`, form);
      t.is(status, 400);
      t.is(body.error, 'unsupported_grant_type');
      const tokens = await connectDocumented(harness, app);
      t.truthy(tokens.refresh_token, 'the rest of it works');
    }
  },
);

storeTest(
  '[A5] [T8] a documented client can redeem, refresh, see and revoke only what is its own',
  async (t, harness, store) => {
    const one = await publish(host, shapeOf('Claude'), harness.url, `/one-${store}`);
    const other = await publish(
      host,
      shapeOf('a client with nulls'),
      harness.url,
      `/other-${store}`,
    );
    const attempt = authorizationRequest(harness.url, one.client);
    const form = codeForm(attempt, await signIn(harness, attempt));
    t.is((await other.post(`${harness.url}/oauth2/token`, form)).body.error, 'invalid_grant');
    const tokens = (await one.post(`${harness.url}/oauth2/token`, form)).body as any;
    const stolen = await other.post(`${harness.url}/oauth2/token`, refreshForm(tokens));
    t.is(stolen.body.error, 'invalid_grant');
    const seen = await other.post(`${harness.url}/oauth2/introspect`, {
      token: tokens.access_token,
    });
    t.deepEqual(seen.body, { active: false });
    await other.post(`${harness.url}/oauth2/revoke`, { token: tokens.refresh_token });
    t.is((await listTools(harness.url, tokens.access_token)).status, 200, 'still alive');
  },
);

storeTest(
  '[A5] [T74] a client with private_key_jwt can’t be spoken for without its key',
  async (t, harness, store) => {
    const app = await publish(
      host,
      shapeOf('ChatGPT with private'),
      harness.url,
      `/spoken-${store}`,
    );
    const tokens = await connectDocumented(harness, app);
    const { key } = app;
    app.key = undefined;
    const bare = await app.post(`${harness.url}/oauth2/token`, refreshForm(tokens));
    t.is(bare.status, 401);
    t.is(bare.body.error, 'invalid_client');
    const stranger = await publish(
      host,
      shapeOf('ChatGPT with private'),
      harness.url,
      `/stranger-${store}`,
    );
    app.key = {
      ...stranger.key!,
      publicJwk: { ...stranger.key!.publicJwk, kid: key!.publicJwk.kid! },
    };
    const forged = await app.post(`${harness.url}/oauth2/token`, refreshForm(tokens));
    t.is(forged.status, 401);
    app.key = key;
    t.is((await app.post(`${harness.url}/oauth2/token`, refreshForm(tokens))).status, 200);
  },
);

storeTest(
  '[D13] registered and documented clients live beside each other',
  async (t, harness, store) => {
    const app = await publish(host, shapeOf('Claude'), harness.url, `/beside-${store}`);
    const [documentedTokens, registered] = await Promise.all([
      connectDocumented(harness, app),
      connect(harness),
    ]);
    t.is((await listTools(harness.url, documentedTokens.access_token)).status, 200);
    t.is((await listTools(harness.url, registered.tokens.access_token)).status, 200);
  },
);

storeTest('[A5] the metadata advertises it wherever it is found', async (t, harness: Harness) => {
  for (const path of ['oauth-authorization-server', 'openid-configuration/mcp']) {
    const metadata = await (await fetch(`${harness.url}/.well-known/${path}`)).json();
    t.is((metadata as any).client_id_metadata_document_supported, true);
    t.true((metadata as any).token_endpoint_auth_methods_supported.includes('none'));
  }
});
