import test, { type ExecutionContext } from 'ava';
import { startApp } from '../../app.ts';
import { loadConfig } from '../../config.ts';
import { createLog } from '../../log.ts';
import { assertionForm, assertionKey, clientAssertion } from '../client-auth.ts';
import { stopTime } from '../journeys/time.ts';
import { startHarness } from '../support/harness.ts';
import { authorizationRequest, callMcp, signIn } from '../support/oauth.ts';
import { freePort } from '../support/ports.ts';
import {
  codeForm,
  connectDocumented,
  type DocumentedClient,
  publish,
  refreshForm,
} from './client.ts';
import { type DocumentHost, startDocumentHost } from './host.ts';
import { SHAPES } from './shapes.ts';

/** What happens to a connection when its document, its keys or their host change or go away. */
const clock = stopTime();
const shapeOf = (name: string) => SHAPES.find((shape) => shape.name.startsWith(name))!;
const CLAUDE = shapeOf('Claude');
const CHATGPT = shapeOf('ChatGPT with private');
const INLINE = shapeOf('a client with nulls');
const SECOND = 1_000;
const HOUR = 3_600_000;

/** A server of its own and the app's host. */
async function startWorld(t: ExecutionContext) {
  const host = await startDocumentHost();
  const harness = await startHarness({
    env: { CIMD_TEST_ORIGIN: host.origin, RATE_LIMIT_FACTOR: '0' },
  });
  t.teardown(() => Promise.all([harness.close(), host.close()]));
  const token = `${harness.url}/oauth2/token`;
  return { host, harness, token };
}

const away = (host: DocumentHost) =>
  host.answerAll((_, response) => response.writeHead(503, { 'content-type': 'text/html' }).end());

const timesOf = (host: DocumentHost, path: string) =>
  host.asked.filter((asked) => asked === path).length;

const ENDPOINTS = ['token', 'revoke', 'introspect'];

test.serial(
  '[T19] [A5] while an app’s host is away it goes on refreshing, calling tools and connecting people',
  async (t) => {
    const { host, harness, token } = await startWorld(t);
    for (const shape of [CLAUDE, INLINE, CHATGPT]) {
      const app = await publish(host, shape, harness.url, `/${shape.keys}`);
      let tokens = await connectDocumented(harness, app);
      away(host);
      for (let hour = 0; hour < 20; hour += 5) {
        clock.advance(5 * HOUR);
        const refreshed = await app.post<typeof tokens>(token, refreshForm(tokens));
        t.is(refreshed.status, 200, `${shape.name} ${hour} ${JSON.stringify(refreshed.body)}`);
        tokens = refreshed.body;
        t.is((await callMcp(harness.url, tokens.access_token, 'tools/list')).status, 200);
      }
      await connectDocumented(harness, app);
      host.answerAll(undefined);
    }
  },
);

test.serial(
  '[T19] an app that nobody can look up is answered with 503 and Retry-After, and is not lost',
  async (t) => {
    const { host, harness, token } = await startWorld(t);
    for (const shape of [CLAUDE, INLINE, CHATGPT]) {
      const app = await publish(host, shape, harness.url, `/${shape.keys}`);
      const tokens = await connectDocumented(harness, app);
      // What is remembered is forgotten with the process.
      await harness.restart();
      away(host);
      for (const endpoint of ENDPOINTS) {
        const form = { ...refreshForm(tokens), token: tokens.refresh_token };
        const answer = await app.post(`${harness.url}/oauth2/${endpoint}`, form);
        t.is(answer.status, 503, `${shape.name} ${endpoint} ${JSON.stringify(answer.body)}`);
        t.is(answer.headers.get('retry-after'), '10');
        t.is(answer.body.error, 'temporarily_unavailable');
        const { host: name } = new URL(host.origin);
        t.is(
          answer.body.error_description,
          `client metadata could not be fetched from ${name}; try again after 10 s`,
        );
        t.is(answer.headers.get('www-authenticate'), null);
      }
      t.is((await callMcp(harness.url, tokens.access_token, 'tools/list')).status, 200);
      host.answerAll(undefined);
      await harness.restart();
      t.is((await app.post(token, refreshForm(tokens))).status, 200);
    }
  },
);

test.serial(
  '[T19] [D18] a person whose app can’t be looked up gets a page to reload, and then it works',
  async (t) => {
    const { host, harness } = await startWorld(t);
    const app = await publish(host, CLAUDE, harness.url);
    for (const [what, answer] of Object.entries({
      away: (_: unknown, response: any) => response.writeHead(500).end(),
      elsewhere: (_: unknown, response: any) => response.writeHead(302, { location: '/' }).end(),
      broken: (request: any) => request.socket.destroy(),
      html: (_: unknown, r: any) => r.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
    })) {
      host.answerAll(answer);
      const attempt = authorizationRequest(harness.url, app.client);
      const before = host.asked.length;
      const page = await fetch(attempt.url, {
        redirect: 'manual',
        headers: { accept: 'text/html' },
      });
      const text = await page.text();
      t.is(page.status, 503, what);
      t.is(page.headers.get('retry-after'), '10');
      t.is(page.headers.get('cache-control'), 'no-store');
      t.regex(text, /The app’s description can’t be loaded right now/);
      t.regex(text, /localhost:\d+ about the app/);
      t.regex(text, /Reload this page/);
      t.regex(text, /<code>[\w-]{36}<\/code>/);
      t.is(host.asked.length - before, 1, 'one attempt');
      const data = await fetch(attempt.url, { redirect: 'manual' });
      t.is(data.status, 503);
      t.is(((await data.json()) as any).error, 'temporarily_unavailable');
      host.answerAll(undefined);
      clock.advance(10 * SECOND);
      const asked = await fetch(attempt.url, { redirect: 'manual' });
      t.is(asked.status, 303);
      await harness.restart();
    }
    const causes = harness.logs
      .find({ event: 'client_metadata', outcome: 'refused' })
      .map(({ cause }) => cause);
    t.is(new Set(causes).size, 4, JSON.stringify(causes));
  },
);

test.serial(
  '[A5] [F19] a document that is gone, or names another client, is 401 invalid_client',
  async (t) => {
    const { host, harness, token } = await startWorld(t);
    const gone: [string, (path: string, app: DocumentedClient) => void][] = [
      ['gone', (path) => host.serve(path, undefined)],
      [
        '410',
        (path) => host.serve(path, (_: unknown, response: any) => response.writeHead(410).end()),
      ],
      [
        'another’s',
        (path) => host.serve(path, { ...CLAUDE.document, client_id: 'https://a.example/' }),
      ],
      [
        'without redirect URIs',
        (path, { client }) => host.serve(path, { client_id: client.client_id, client_name: 'x' }),
      ],
    ];
    for (const [what, change] of gone) {
      const app = await publish(host, CLAUDE, harness.url, `/${gone.length}-${what.length}`);
      let tokens = await connectDocumented(harness, app);
      const { pathname } = new URL(app.client.client_id);
      change(pathname, app);
      const remembered = await app.post<typeof tokens>(token, refreshForm(tokens));
      t.is(remembered.status, 200, 'remembered for an hour');
      tokens = remembered.body;
      clock.advance(HOUR);
      const answer = await app.post(token, refreshForm(tokens));
      t.is(answer.status, 401, what);
      t.is(answer.body.error, 'invalid_client');
      // Put right again: what was granted is still there.
      host.serve(pathname, { client_id: app.client.client_id, ...CLAUDE.document });
      clock.advance(10 * SECOND);
      t.is((await app.post(token, refreshForm(tokens))).status, 200, what);
    }
  },
);

test.serial(
  '[T19] a key that is new at the jwks_uri works at once, an old one no longer',
  async (t) => {
    const { host, harness, token } = await startWorld(t);
    const app = await publish(host, CHATGPT, harness.url);
    const keysPath = `${CHATGPT.path}/jwks.json`;
    const first = app.key!;
    let tokens = await connectDocumented(harness, app);
    const refresh = async (label: string) => {
      const answer = await app.post<typeof tokens>(token, refreshForm(tokens));
      if (answer.status === 200) tokens = answer.body;
      return `${label} ${answer.status}`;
    };
    t.is(await refresh('same key'), 'same key 200');
    t.is(timesOf(host, keysPath), 1, 'fetched once for all of it');

    clock.advance(31 * SECOND);
    const second = await assertionKey('RS256');
    host.serve(keysPath, { keys: [first.publicJwk, second.publicJwk] });
    app.key = second;
    t.is(await refresh('published beside'), 'published beside 200');
    app.key = first;
    t.is(await refresh('the old one beside'), 'the old one beside 200');
    t.is(timesOf(host, keysPath), 2);

    clock.advance(31 * SECOND);
    // Under the same name: nothing but the signature tells.
    const third = await assertionKey('RS256');
    third.publicJwk.kid = second.publicJwk.kid!;
    host.serve(keysPath, { keys: [third.publicJwk] });
    app.key = third;
    t.is(await refresh('under the same kid'), 'under the same kid 200');
    app.key = first;
    t.is(await refresh('withdrawn'), 'withdrawn 401');
    app.key = second;
    t.is(await refresh('replaced'), 'replaced 401');
    const asked = timesOf(host, keysPath);
    for (let i = 0; i < 10; i++) await refresh('again');
    t.is(timesOf(host, keysPath), asked, 'bad assertions don’t make us fetch more');

    clock.advance(31 * SECOND);
    const elsewhere = host.serve('/moved/jwks.json', { keys: [second.publicJwk] });
    host.serve(keysPath, undefined);
    host.serve(CHATGPT.path, {
      client_id: app.client.client_id,
      ...CHATGPT.document,
      jwks_uri: elsewhere,
    });
    t.is(await refresh('moved'), 'moved 200');
  },
);

test.serial('[T19] a new key in the document itself works at once', async (t) => {
  const { host, harness, token } = await startWorld(t);
  const app = await publish(host, INLINE, harness.url);
  const tokens = await connectDocumented(harness, app);
  app.key = await assertionKey('ES256');
  host.serve(INLINE.path, {
    client_id: app.client.client_id,
    ...INLINE.document,
    jwks: { keys: [app.key.publicJwk] },
  });
  clock.advance(31 * SECOND);
  t.is((await app.post(token, refreshForm(tokens))).status, 200);
});

test.serial(
  '[T19] a key that can’t be looked up because its host is away is 503, not 401',
  async (t) => {
    const { host, harness, token } = await startWorld(t);
    const app = await publish(host, CHATGPT, harness.url);
    const tokens = await connectDocumented(harness, app);
    const good = app.key!;
    clock.advance(31 * SECOND);
    app.key = await assertionKey('RS256');
    away(host);
    const unknown = await app.post(token, refreshForm(tokens));
    t.is(unknown.status, 503, JSON.stringify(unknown.body));
    t.is(unknown.headers.get('retry-after'), '10');
    app.key = good;
    t.is((await app.post(token, refreshForm(tokens))).status, 200, 'the known one is enough');
  },
);

test.serial(
  '[T19] a key set that is no key set is the client’s fault; one that is missing is not',
  async (t) => {
    const { host, harness, token } = await startWorld(t);
    const path = `${CHATGPT.path}/jwks.json`;
    const app = await publish(host, CHATGPT, harness.url);
    const tokens = await connectDocumented(harness, app);
    const keys = { keys: [app.key!.publicJwk] };
    for (const [answer, status] of [
      [{ keys: [{ ...app.key!.publicJwk, d: 'x' }] }, 401],
      [{ keys: [] }, 401],
      [[], 401],
      [undefined, 503],
      [(_: unknown, response: any) => response.writeHead(502).end(), 503],
      [keys, 200],
    ] as const) {
      await harness.restart();
      host.serve(path, answer);
      clock.advance(31 * SECOND);
      const got = await app.post(token, refreshForm(tokens));
      t.is(got.status, status, JSON.stringify(answer));
    }
  },
);

test.serial('[T74] [T19] an assertion is good once, and only for this server', async (t) => {
  const { host, harness, token } = await startWorld(t);
  const app = await publish(host, CHATGPT, harness.url);
  const tokens = await connectDocumented(harness, app);
  const id = app.client.client_id;
  const assertion = await clientAssertion(app.key!, id, { aud: harness.url });
  const once = { ...app, post: app.post, key: undefined };
  const form = { ...refreshForm(tokens), ...assertionForm(assertion) };
  t.is((await once.post(token, form)).status, 200);
  t.is((await once.post(token, form)).status, 401);
  for (const claims of [
    { aud: 'https://elsewhere.example' },
    { aud: harness.url, iss: 'https://elsewhere.example' },
    { aud: harness.url, exp: 1 },
    { aud: harness.url, jti: undefined },
  ]) {
    const other = assertionForm(await clientAssertion(app.key!, id, claims));
    const answer = await once.post(token, { ...refreshForm(tokens), ...other });
    t.is(answer.status, 401, JSON.stringify(claims));
  }
  for (const text of ['', 'x', 'a.b.c', `${assertion.split('.')[0]}..`]) {
    const odd = await once.post(token, { ...refreshForm(tokens), ...assertionForm(text) });
    t.true([400, 401].includes(odd.status), `${text} ${odd.status}`);
  }
});

test.serial(
  '[A5] [A9] a redirect URI that the document has gained works at once, one that it has lost no longer',
  async (t) => {
    const { host, harness, token } = await startWorld(t);
    const app = await publish(host, CLAUDE, harness.url);
    const attempt = authorizationRequest(harness.url, app.client);
    const callback = await signIn(harness, attempt);
    const added = 'https://claude.example/new';
    host.serve(CLAUDE.path, {
      client_id: app.client.client_id,
      client_name: 'Claude',
      redirect_uris: [added],
    });
    const open = (redirect_uri: string) =>
      fetch(authorizationRequest(harness.url, app.client, { redirect_uri }).url, {
        redirect: 'manual',
      });
    t.is((await open(added)).status, 400, 'asked a moment ago');
    clock.advance(31 * SECOND);
    t.is((await open(added)).status, 303);
    t.is((await open(attempt.redirectUri)).status, 400);
    const { status } = await app.post(token, codeForm(attempt, callback));
    t.is(status, 200, 'what was begun before is finished');
  },
);

test.serial('[D13] an app that is connected stays so when registration is closed', async (t) => {
  const { host, harness } = await startWorld(t);
  const app = await publish(host, CLAUDE, harness.url);
  const tokens = await connectDocumented(harness, app);
  const port = await freePort();
  const closed = await startApp(
    loadConfig({
      PORT: String(port),
      PUBLIC_URL: harness.url,
      DATA_DIR: harness.dataDir,
      NEONPANEL_URL: harness.sandbox.url,
      CIMD_TEST_ORIGIN: host.origin,
      REGISTRATION: 'closed',
    }),
    { log: createLog('silent') },
  );
  t.teardown(() => closed.close());
  const base = `http://localhost:${port}`;
  t.is((await app.post(`${base}/oauth2/token`, refreshForm(tokens))).status, 200);
  const page = await fetch(authorizationRequest(base, app.client).url, { redirect: 'manual' });
  t.is(page.status, 400);
});
