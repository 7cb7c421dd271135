import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { createBoundedFetch } from '../adapters/neonpanel/bounded-fetch.ts';
import { type NeonpanelClient, createNeonpanelClient } from '../adapters/neonpanel/client.ts';
import { NeonpanelError, type NeonpanelErrorKind } from '../adapters/neonpanel/neonpanel.ts';
import { createSecrets } from '../adapters/secrets.ts';
import { openSqliteStore } from '../adapters/sqlite/sqlite.ts';
import type { Store } from '../adapters/store.ts';
import { type FaultName, type FaultOptions, startSandbox } from '../sandbox/index.ts';
import {
  hang,
  html,
  huge,
  json,
  loginAt,
  newKey,
  PATHS,
  reset,
  type Script,
  startFakeNeonpanel,
  trickle,
} from './fake-neonpanel.ts';
import { type AtConsent, nothingGranted, openConsent, refusedByPage } from './login-support.ts';
import type { Page } from './support/browser.ts';
import { newBreaker } from './support/breaker.ts';
import { createClock } from './support/clock.ts';
import { type Harness, startHarness } from './support/harness.ts';
import { startTestServer } from './support/http-server.ts';
import {
  answerConsent,
  answerLogin,
  callTool,
  connect,
  postJson,
  redeem,
  refresh,
} from './support/oauth.ts';
import { freePort } from './support/ports.ts';
import { createTcpShim } from './support/tcp-shim.ts';

async function fakeNeonpanel(t: ExecutionContext, options: Parameters<typeof loginAt>[1] = {}) {
  const neonpanel = await startFakeNeonpanel();
  const ours = loginAt(neonpanel.url, options);
  t.teardown(async () => {
    await neonpanel.close();
    await ours.close();
  });
  return { neonpanel, ...ours };
}

/** It fails as a NeonpanelError of this kind, in words of our own. */
async function fails(
  t: ExecutionContext,
  work: Promise<unknown>,
  kind: NeonpanelErrorKind,
  what = '',
): Promise<void> {
  const error = await t.throwsAsync(work, { instanceOf: NeonpanelError }, what);
  t.is(error?.kind, kind, `${what}: ${error?.message} ${error?.detail}`);
  t.notRegex(error!.message, /Whoops|srv|hunter2/, what);
}

/** For answers that never come: no test should have to wait long for them. */
const LATE = { timeoutMs: 800 };

/** What can go wrong with any answer, whoever gives it. */
const SPOILT: [what: string, script: Script][] = [
  ['an HTML page with 500', html(500)],
  ['an HTML page with 200', html(200)],
  ['JSON that is none', json('{"access_token":"ey')],
  ['JSON of another kind', json([])],
  ['null', json('null')],
  ['an empty body', json('')],
  ['10 MB', huge(10)],
  ['a little over 64 KiB', huge(64 / 1024)],
  ['nothing, ever', hang],
  ['bytes that never end', trickle],
  ['a reset', reset],
];

test.serial(
  '[D5] a good answer gives the verified subject and a credential that ends with the token',
  async (t) => {
    const { neonpanel, complete } = await fakeNeonpanel(t);
    const { subject, credential } = await complete();
    t.is(subject, '1001');
    t.is(credential.refreshToken, 'refresh-1');
    t.true(Math.abs(credential.expiresAt - Date.now() - 3_600_000) < 60_000);
    const form = new URLSearchParams(neonpanel.asked(PATHS.token)[0]!.body);
    t.deepEqual(Object.fromEntries(form), {
      grant_type: 'authorization_code',
      code: 'their-code',
      redirect_uri: 'http://localhost:3000/oauth2/authorize/callback',
      code_verifier: 'v'.repeat(43),
      client_id: 'our-client',
    });
    const proof = neonpanel.asked(PATHS.companies)[0]!;
    t.is(proof.url.search, '?page=1&per_page=10');
    t.is(proof.headers.authorization, `Bearer ${credential.accessToken}`);
  },
);

test.serial(
  '[X13] [N29] whatever the token endpoint answers wrongly is “unavailable”, at sign-in and at refresh',
  async (t) => {
    const { neonpanel, complete, refresh } = await fakeNeonpanel(t, LATE);
    for (const [what, script] of SPOILT) {
      neonpanel.on(PATHS.token, script);
      await fails(t, complete(), 'unavailable', `${what} at sign-in`);
      await fails(t, refresh(), 'unavailable', `${what} at refresh`);
    }
    neonpanel.on(PATHS.token, json(await neonpanel.answer()));
    t.is((await complete()).subject, '1001');
  },
);

test.serial(
  '[X13] key documents that are wrong, late or missing are “unavailable”, and the next attempt asks again',
  async (t) => {
    const { neonpanel, complete } = await fakeNeonpanel(t, LATE);
    for (const [what, script] of [...SPOILT, ['404', json({}, 404)] as const]) {
      neonpanel.on(PATHS.jwks, script);
      await fails(t, complete(), 'unavailable', what);
    }
    t.is(neonpanel.asked(PATHS.companies).length, 0, 'no unverified token was used');
    neonpanel.on(PATHS.jwks, json({ keys: [neonpanel.jwk] }));
    t.is((await complete()).subject, '1001');
  },
);

test.serial(
  '[X13] metadata that is refused, late or too large is “unavailable”, and the next attempt asks again',
  async (t) => {
    const { neonpanel, login } = await fakeNeonpanel(t, LATE);
    const begin = () => login.begin({ state: 'our-state', codeVerifier: 'v'.repeat(43) });
    const unread = [
      'an HTML page with 500',
      '10 MB',
      'a little over 64 KiB',
      'nothing, ever',
      'a reset',
    ];
    for (const [what, script] of SPOILT.filter(([what]) => unread.includes(what))) {
      neonpanel.on(PATHS.metadata, script);
      await fails(t, begin(), 'unavailable', what);
    }
    neonpanel.on(PATHS.metadata, json({}));
    t.is((await begin()).origin, neonpanel.url);
  },
);

test.serial(
  '[X19] [X22] metadata and keys are asked for once more, a request for a token never is, and its Retry-After is passed on',
  async (t) => {
    const { neonpanel, complete, refresh } = await fakeNeonpanel(t);
    for (const [path, good] of [
      [PATHS.metadata, json({})],
      [PATHS.jwks, json({ keys: [neonpanel.jwk] })],
    ] as const) {
      let failures = 0;
      neonpanel.on(path, (...request) => {
        if (failures++ > 0) return good(...request);
        return path === PATHS.jwks ? html(503)(...request) : reset(...request);
      });
    }
    t.is((await complete()).subject, '1001');
    t.is(neonpanel.asked(PATHS.metadata).length, 2);
    t.is(neonpanel.asked(PATHS.jwks).length, 2);
    const before = neonpanel.asked(PATHS.token).length;
    const busy: [string, Script][] = [
      ['an OAuth error', json({ error: 'temporarily_unavailable' }, 503)],
      ['a page', html(503)],
    ];
    for (const [what, script] of busy) {
      neonpanel.on(PATHS.token, (response, request) => {
        response.setHeader('retry-after', '17');
        return script(response, request);
      });
      for (const work of [complete, () => refresh()]) {
        const error = await t.throwsAsync(work(), { instanceOf: NeonpanelError }, what);
        t.is(error!.retryAfterSeconds, 17, what);
      }
    }
    t.is(neonpanel.asked(PATHS.token).length, before + 4);
    const wait = async (work: Promise<unknown>) =>
      (await t.throwsAsync(work, { instanceOf: NeonpanelError }))!.retryAfterSeconds;
    // Asked no more, it has a wait of ours.
    neonpanel.on(PATHS.token, reset);
    for (let i = 0; i < 10; i++) await wait(refresh());
    t.is(await wait(refresh()), 2);
    const other = loginAt(neonpanel.url);
    t.teardown(other.close);
    neonpanel.on(PATHS.metadata, (response) =>
      response.writeHead(503, { 'retry-after': '18' }).end(),
    );
    t.is(await wait(other.complete()), 18);
  },
);

test.serial('without a metadata document the documented paths are used', async (t) => {
  const { neonpanel, complete, login } = await fakeNeonpanel(t);
  t.is((await complete()).subject, '1001');
  t.is(neonpanel.asked(PATHS.metadata).length, 1);
  const to = await login.begin({ state: 's', codeVerifier: 'v'.repeat(43) });
  t.is(to.origin + to.pathname, `${neonpanel.url}/oauth2/authorize`);
});

test.serial('a page or nonsense where the metadata should be counts as none', async (t) => {
  for (const [what, script] of [
    ['HTML', html(200)],
    ['garbage', json('{"issuer":"ht')],
    ['null', json('null')],
    ['an array', json([])],
    ['text', json('"text"')],
  ] as const) {
    const { neonpanel, login } = await fakeNeonpanel(t);
    neonpanel.on(PATHS.metadata, script);
    const to = await login.begin({ state: 's', codeVerifier: 'v'.repeat(43) });
    t.is(to.origin + to.pathname, `${neonpanel.url}/oauth2/authorize`, what);
  }
});

test.serial('of a metadata document the addresses are taken, and nothing else', async (t) => {
  const clock = createClock();
  const { neonpanel, complete, login } = await fakeNeonpanel(t, { now: clock.now });
  const document = {
    issuer: 'https://issuer.example',
    authorization_endpoint: `${neonpanel.url}/elsewhere/authorize?tenant=1`,
    token_endpoint: `${neonpanel.url}/elsewhere/token`,
    jwks_uri: 17,
    registration_endpoint: 'not a URL',
    scopes_supported: ['dcr.create'],
    token_endpoint_auth_methods_supported: ['client_secret_basic'],
    __proto__: { polluted: true },
  };
  neonpanel.on(PATHS.metadata, json(document));
  neonpanel.on('/elsewhere/token', json(await neonpanel.answer()));
  t.is((await complete()).subject, '1001', 'issuer = NEONPANEL_URL is fine still');
  const access_token = await neonpanel.token({ iss: 'https://issuer.example' });
  neonpanel.on('/elsewhere/token', json(await neonpanel.answer({ access_token })));
  t.is((await complete()).subject, '1001', 'and so is the one it names');
  const to = await login.begin({ state: 's', codeVerifier: 'v'.repeat(43) });
  t.is(to.searchParams.get('tenant'), '1');
  t.is(to.searchParams.get('scope'), 'openid');

  t.is(neonpanel.asked(PATHS.metadata).length, 1, 'kept for a while');
  clock.advance(301_000);
  neonpanel.on(PATHS.metadata, json({}, 404));
  await complete();
  t.is(neonpanel.asked(PATHS.metadata).length, 2);
  t.is(neonpanel.asked(PATHS.token).length, 1, 'and forgotten then');
});

test.serial(
  'token types in any case, lifetimes as numbers or text or not at all are taken',
  async (t) => {
    const { neonpanel, complete } = await fakeNeonpanel(t);
    const soon = Math.floor(Date.now() / 1000) + 600;
    const noExp = await neonpanel.token({ exp: undefined });
    const shortExp = await neonpanel.token({ exp: soon });
    const cases: [what: string, change: Record<string, unknown>, seconds: number][] = [
      ['bearer', { token_type: 'bearer' }, 3_600],
      ['BEARER', { token_type: 'BEARER' }, 3_600],
      ['expires_in as text', { expires_in: '1800' }, 1_800],
      ['no expires_in', { expires_in: undefined, access_token: shortExp }, 600],
      ['neither expires_in nor exp', { expires_in: undefined, access_token: noExp }, 3_600],
      ['expires_in alone', { expires_in: 60, access_token: noExp }, 60],
      ['expires_in later than exp', { expires_in: 86_400, access_token: shortExp }, 600],
      ['fractions', { access_token: await neonpanel.token({ exp: soon + 0.25 }) }, 600],
      ['unknown members', { id: 1, user: { email: 'x' }, foo: null }, 3_600],
    ];
    for (const [what, change, seconds] of cases) {
      neonpanel.on(PATHS.token, json(await neonpanel.answer(change)));
      const { credential } = await complete();
      t.true(Math.abs(credential.expiresAt - Date.now() - seconds * 1000) < 60_000, what);
    }
    for (const change of [
      { token_type: 'mac' },
      { token_type: undefined },
      { access_token: undefined },
      { access_token: '' },
      { access_token: { value: 1 } },
      { expires_in: -1 },
      { expires_in: 'soon' },
    ]) {
      neonpanel.on(PATHS.token, json(await neonpanel.answer(change)));
      await fails(t, complete(), 'unavailable', JSON.stringify(change));
    }
  },
);

test.serial(
  'without a refresh token the credential simply ends, and a refresh that brings none keeps the old',
  async (t) => {
    const { neonpanel, complete, login, refresh } = await fakeNeonpanel(t);
    neonpanel.on(PATHS.token, json(await neonpanel.answer({ refresh_token: undefined })));
    const { credential } = await complete();
    t.is(credential.refreshToken, undefined);
    const before = neonpanel.requests.length;
    await fails(t, login.refresh(credential, '1001'), 'refused');
    t.is(neonpanel.requests.length, before);
    t.is((await refresh('refresh-0')).refreshToken, 'refresh-0');
  },
);

test.serial(
  '[X13] only a token signed by NeonPanel’s published key, for a user, in time, is taken',
  async (t) => {
    const { neonpanel, complete, refresh } = await fakeNeonpanel(t);
    const now = Math.floor(Date.now() / 1000);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const body = part({ iss: neonpanel.url, sub: '1001', iat: now, exp: now + 3_600 });
    const hmac = (header: object, secret: string | Buffer) => {
      const signed = `${part(header)}.${body}`;
      return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
    };
    const pem = neonpanel.publicKey.export({ format: 'pem', type: 'spki' }) as string;
    const stranger = newKey();
    const tokens: [what: string, token: string][] = [
      ['wrong issuer', await neonpanel.token({ iss: 'https://evil.example' })],
      ['no issuer', await neonpanel.token({ iss: undefined })],
      ['issuer with a slash', await neonpanel.token({ iss: `${neonpanel.url}/` })],
      ['no subject', await neonpanel.token({ sub: undefined })],
      ['empty subject', await neonpanel.token({ sub: '' })],
      ['subject that is no text', await neonpanel.token({ sub: 1001 as never })],
      ['expired', await neonpanel.token({ exp: now - 60 })],
      ['not yet valid', await neonpanel.token({ nbf: now + 300 })],
      [
        'another key under the same kid',
        await neonpanel.token({}, { signedBy: stranger.privateKey }),
      ],
      ['unknown kid', await neonpanel.token({}, { header: { kid: 'key-2' } })],
      ['PS256', await neonpanel.token({}, { header: { alg: 'PS256' } })],
      [
        'a key of its own',
        await neonpanel.token(
          {},
          {
            signedBy: stranger.privateKey,
            header: { jwk: stranger.publicKey.export({ format: 'jwk' }) },
          },
        ),
      ],
      [
        'an unknown critical header',
        await neonpanel.token({}, { header: { crit: ['x'], x: 1 } }).catch(() => 'x.y.z'),
      ],
      ['none', `${part({ alg: 'none', kid: 'key-1' })}.${body}.`],
      ['HS256 keyed with the public key', hmac({ alg: 'HS256', kid: 'key-1' }, pem)],
      [
        'HS256 keyed with the modulus',
        hmac({ alg: 'HS256', kid: 'key-1' }, String(neonpanel.jwk.n)),
      ],
      ['no JWT at all', 'opaque-token-of-some-length'],
    ];
    for (const [what, access_token] of tokens) {
      neonpanel.on(PATHS.token, json(await neonpanel.answer({ access_token })));
      await fails(t, complete(), 'unavailable', what);
      // At a refresh an unknown key is one that we can't have yet: what came for the spent token is kept.
      if (what === 'unknown kid') t.is((await refresh()).accessToken, access_token);
      else await fails(t, refresh(), 'unavailable', `${what} at refresh`);
    }
    t.is(neonpanel.asked(PATHS.companies).length, 0, 'none of them was used');
  },
);

test.serial('a token without kid is verified by the only key', async (t) => {
  const { neonpanel, complete } = await fakeNeonpanel(t);
  const access_token = await neonpanel.token({}, { header: { kid: undefined } });
  neonpanel.on(PATHS.token, json(await neonpanel.answer({ access_token })));
  t.is((await complete()).subject, '1001');
});

test.serial(
  '[D10] refusals of the user’s code or token are final, everything else is not',
  async (t) => {
    const { neonpanel, complete, refresh } = await fakeNeonpanel(t);
    const cases: [error: string, status: number, kind: NeonpanelErrorKind][] = [
      ['invalid_grant', 400, 'refused'],
      ['access_denied', 403, 'refused'],
      ['invalid_client', 401, 'unavailable'],
      ['invalid_request', 400, 'unavailable'],
      ['unauthorized_client', 400, 'unavailable'],
      ['server_error', 500, 'unavailable'],
      ['temporarily_unavailable', 503, 'unavailable'],
      ['slow_down', 429, 'unavailable'],
    ];
    for (const [error, status, kind] of cases) {
      const error_description = '<h1>Whoops</h1> /srv/panel hunter2';
      neonpanel.on(PATHS.token, json({ error, error_description }, status));
      await fails(t, complete(), kind, error);
      await fails(t, refresh(), kind, error);
    }
  },
);

test.serial('[D10] a refresh that is answered for another user is not taken', async (t) => {
  const { neonpanel, refresh } = await fakeNeonpanel(t);
  const access_token = await neonpanel.token({ sub: '1002' });
  neonpanel.on(PATHS.token, json(await neonpanel.answer({ access_token })));
  await fails(t, refresh('refresh-0', '1001'), 'refused');
});

test.serial('[D5] a token that the API does not take is worth nothing', async (t) => {
  const { neonpanel, complete } = await fakeNeonpanel(t, LATE);
  const cases: [what: string, script: Script, kind: NeonpanelErrorKind][] = [
    ['401', json({ message: 'Unauthenticated.' }, 401), 'refused'],
    ['403', json({ message: 'Forbidden.' }, 403), 'refused'],
    ['422', json({ errors: { page: ['Whoops'] } }, 422), 'refused'],
    ['429', json({ message: 'Too Many Attempts.' }, 429), 'unavailable'],
    ['500', html(500), 'unavailable'],
    ['HTML 200', html(200), 'unavailable'],
    ['a redirect', (r) => r.writeHead(302, { location: '/login' }).end(), 'unavailable'],
    ['nothing', hang, 'unavailable'],
    ['reset', reset, 'unavailable'],
  ];
  for (const [what, script, kind] of cases) {
    neonpanel.on(PATHS.companies, script);
    await fails(t, complete(), kind, what);
  }
});

test.serial('our client authenticates in the form and never by Basic', async (t) => {
  for (const client of [
    { clientId: 'public' },
    { clientId: 'secret&ive', clientSecret: 'p@ss w%rd' },
  ] as NeonpanelClient[]) {
    const { neonpanel, complete, refresh } = await fakeNeonpanel(t, { client });
    await complete();
    await refresh();
    for (const { headers, body } of neonpanel.asked(PATHS.token)) {
      t.is(headers.authorization, undefined);
      t.is(headers['content-type'], 'application/x-www-form-urlencoded;charset=UTF-8');
      const form = new URLSearchParams(body);
      t.is(form.get('client_id'), client.clientId);
      t.is(form.get('client_secret'), client.clientSecret ?? null);
    }
    t.is(neonpanel.asked(PATHS.token).length, 2);
  }
});

test.serial(
  'redirects of the token endpoint, the keys and the metadata are not followed',
  async (t) => {
    const { neonpanel, complete, login } = await fakeNeonpanel(t);
    const target = await startTestServer((_, response) => response.end('{}'));
    t.teardown(target.close);
    for (const status of [301, 302, 307, 308]) {
      const script: Script = (response) =>
        response.writeHead(status, { location: `http://localhost:${target.port}/` }).end();
      neonpanel.on(PATHS.token, script);
      await fails(t, complete(), 'unavailable', `token ${status}`);
      neonpanel.on(PATHS.token, json(await neonpanel.answer()));
      neonpanel.on(PATHS.jwks, script);
      await fails(t, complete(), 'unavailable', `jwks ${status}`);
    }
    t.is(target.requests.length, 0);
    void login;
  },
);

test.serial(
  '[X13] the bounded fetch caps the body, the time and the redirects, and leaves no socket behind',
  async (t) => {
    const open = new Set<unknown>();
    const scripts: Record<string, Script> = {
      '/exact': (r) => r.end('x'.repeat(1_000)),
      '/over': (r) => r.end('x'.repeat(1_001)),
      '/endless': (r) => {
        const timer = setInterval(() => r.write('x'.repeat(400)), 5);
        r.once('close', () => clearInterval(timer));
      },
      '/hang': hang,
      '/trickle': trickle,
      '/empty': (r) => r.writeHead(204).end(),
      '/gzip': (r) => r.writeHead(200, { 'content-encoding': 'gzip' }).end('not gzip'),
    };
    const server = await startTestServer(({ url }, response) => {
      open.add(response);
      response.once('close', () => open.delete(response));
      return scripts[url.pathname]!(response, {} as never);
    });
    const fetch = createBoundedFetch({ timeoutMs: 5_000, maxBytes: 1_000, breaker: newBreaker() });
    const hurried = createBoundedFetch({ timeoutMs: 150, maxBytes: 1_000, breaker: newBreaker() });
    t.teardown(async () => {
      await Promise.all([fetch.close(), hurried.close()]);
      await server.close();
    });
    const at = (path: string) => `http://localhost:${server.port}${path}`;
    t.is((await (await fetch(at('/exact'))).text()).length, 1_000);
    t.is((await fetch(at('/empty'))).status, 204);
    t.is(await (await fetch(at('/gzip'))).text(), 'not gzip');
    for (const path of ['/over', '/endless']) {
      await t.throwsAsync(fetch(at(path)), { message: 'answer of more than 1000 bytes' });
    }
    for (const path of ['/hang', '/trickle']) {
      await t.throwsAsync(hurried(at(path)), { name: 'TimeoutError' });
    }
    await t.throwsAsync(fetch(at('/exact'), { signal: AbortSignal.abort() }));
    // Its time ends while all connections are taken, too, and then it never was sent.
    const asked = server.requests.length;
    const all = Array.from({ length: 16 }, () => hurried(at('/hang')).catch(() => {}));
    await t.throwsAsync(hurried(at('/exact'), { signal: AbortSignal.timeout(60) }), {
      message: 'no connection was free in time',
    });
    await Promise.all(all);
    t.is(server.requests.slice(asked).filter(({ url }) => url.pathname === '/exact').length, 0);
    t.is(server.requests.filter((r) => r.headers['accept-encoding'] !== 'identity').length, 0);
    for (let i = 0; open.size > 0 && i < 100; i++) await sleep(20);
    t.is(open.size, 0, 'answers still open');
  },
);

// Our client at NeonPanel.

async function clientAt(
  t: ExecutionContext,
  options: { store?: Store; redirectUri?: string; url: string; now?: () => number },
) {
  const store = options.store ?? (await openSqliteStore({ path: ':memory:' }));
  const fetch = createBoundedFetch({ ...LATE, maxBytes: 64 * 1024, breaker: newBreaker() });
  t.teardown(() => fetch.close());
  const client = createNeonpanelClient({
    configured: undefined,
    neonpanelUrl: options.url,
    redirectUri: options.redirectUri ?? 'http://localhost:3000/oauth2/authorize/callback',
    registrationEndpoint: async () => `${options.url}/oauth2/register`,
    fetch,
    store,
    secrets: createSecrets([new Uint8Array(32)]),
    ...(options.now && { now: options.now }),
  });
  return { client, store };
}

async function registrar(t: ExecutionContext) {
  let count = 0;
  const state = {
    management: undefined as Script | undefined,
    register: undefined as Script | undefined,
  };
  const server = await startTestServer((request, response) => {
    if (request.method === 'POST') {
      if (state.register) return state.register(response, request);
      count += 1;
      const registration = {
        client_id: `client-${count}`,
        registration_client_uri: `http://localhost:${server.port}/oauth2/register/client-${count}`,
        registration_access_token: `management-${count}`,
      };
      return json(registration, 201)(response, request);
    }
    return (state.management ?? json({}))(response, request);
  });
  t.teardown(server.close);
  const url = `http://localhost:${server.port}`;
  const registrations = () => server.requests.filter(({ method }) => method === 'POST');
  return { url, state, server, registrations };
}

test.serial(
  'a client that registered itself is kept, sealed, and used again after a restart',
  async (t) => {
    const { url, server, registrations } = await registrar(t);
    const { client, store } = await clientAt(t, { url });
    const all = await Promise.all([client(), client(), client()]);
    t.deepEqual(new Set(all.map(({ clientId }) => clientId)), new Set(['client-1']));
    t.like(JSON.parse(registrations()[0]!.body), {
      redirect_uris: ['http://localhost:3000/oauth2/authorize/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none',
    });
    const [entry] = await store.read({ tag: 'neonpanel', kind: 'client' });
    t.false(entry!.value.includes('management-1'));

    const restarted = await clientAt(t, { url, store });
    t.is((await restarted.client()).clientId, 'client-1');
    t.is(registrations().length, 1);
    const check = server.requests.at(-1)!;
    t.is(check.url.pathname, '/oauth2/register/client-1');
    t.is(check.headers.authorization, 'Bearer management-1');
  },
);

test.serial(
  'a client that NeonPanel forgot, or that has another callback, registers itself anew',
  async (t) => {
    const { url, state, registrations } = await registrar(t);
    const { client, store } = await clientAt(t, { url });
    await client();
    for (const status of [401, 404]) {
      state.management = json({}, status);
      const before = registrations().length;
      const again = await clientAt(t, { url, store });
      t.is((await again.client()).clientId, `client-${before + 1}`);
    }
    state.management = json({});
    const before = registrations().length;
    const moved = await clientAt(t, { url, store, redirectUri: 'http://localhost:4000/cb' });
    await moved.client();
    t.is(registrations().length, before + 1);
  },
);

test.serial(
  'a NeonPanel that cannot say whether it knows our client does not cost us the client',
  async (t) => {
    const { url, state, registrations } = await registrar(t);
    const { client, store } = await clientAt(t, { url });
    await client();
    for (const script of [html(500), json({}, 429)]) {
      state.management = script;
      t.is((await (await clientAt(t, { url, store })).client()).clientId, 'client-1');
    }
    state.management = hang;
    const stuck = await clientAt(t, { url, store });
    await fails(t, stuck.client(), 'unavailable');
    state.management = undefined;
    t.is((await stuck.client()).clientId, 'client-1');
    t.is(registrations().length, 1);
  },
);

test.serial(
  '[X13] a failed registration is “unavailable”, stores nothing, and is tried again',
  async (t) => {
    const { url, state } = await registrar(t);
    const { client, store } = await clientAt(t, { url });
    const scripts = [
      ...SPOILT.map(([, script]) => script),
      json({ client_id: 7 }, 201),
      json({ error: 'invalid_redirect_uri' }, 400),
    ];
    for (const script of scripts) {
      state.register = script;
      await fails(t, client(), 'unavailable');
      t.deepEqual(await store.read({ tag: 'neonpanel', kind: 'client' }), [undefined]);
    }
    state.register = undefined;
    t.is((await client()).clientId, 'client-1');
  },
);

// The same in front of a person.

/** A refused way: page with a retry, nothing stored, nothing of NeonPanel's in it. @returns the page */
function spoilt(
  t: ExecutionContext,
  harness: Harness,
  page: Page,
  { uid }: AtConsent,
  status: number,
): Page {
  refusedByPage(t, harness, page, status);
  nothingGranted(t, harness, uid);
  t.notRegex(page.text, /Whoops|srv\/panel|DB_HOST|Unauthenticated|Too Many|Exception/);
  t.is(page.dom.querySelector('a.button')?.text, 'Try again');
  return page;
}

/** Follows the retry of a refused page to the end. */
async function retry(
  t: ExecutionContext,
  harness: Harness,
  page: Page,
  { attempt }: AtConsent,
  what: string,
) {
  const consent = await page.follow('a.button');
  t.is(consent.status, 200, what);
  const login = await answerConsent(consent);
  const end = login.stoppedAt ? login : await answerLogin(login, harness.sandbox.users[0]!);
  const code = end.stoppedAt?.searchParams.get('code');
  t.truthy(code, `${what}: ${end.text}`);
  const { status, body } = await redeem(harness.url, attempt, code!);
  t.is(status, 200, what);
  const called = await callTool(harness.url, body.access_token, 'listCompanies');
  t.is(called.body.result?.structuredContent?.data.length, 3, what);
}

const AT_CALLBACK: [name: FaultName, options: FaultOptions, status: number][] = [
  ['html-500', { operation: 'token', times: 1 }, 502],
  ['garbage', { operation: 'token', times: 1 }, 502],
  ['huge-body', { operation: 'token', megabytes: 10, times: 1 }, 502],
  ['reset', { operation: 'token', times: 1 }, 502],
  ['cut', { operation: 'token', times: 1 }, 502],
  ['html-500', { operation: 'listCompanies', times: 2 }, 502],
  ['garbage', { operation: 'listCompanies', times: 2 }, 502],
  ['rate-limit', { operation: 'listCompanies', seconds: 30, times: 1 }, 502],
  ['expired-token', { operation: 'listCompanies', times: 1 }, 400],
  ['forbidden', { operation: 'listCompanies', times: 1 }, 400],
];

test.serial(
  '[X12] [X13] [T58] each failure of NeonPanel at the callback is a page whose retry works',
  async (t) => {
    const harness = await startHarness();
    t.teardown(harness.close);
    for (const [name, options, status] of AT_CALLBACK) {
      const what = `${name} ${JSON.stringify(options)}`;
      const started = await openConsent(harness);
      const login = await answerConsent(started.page);
      harness.sandbox.faults.set(name, options);
      const page = await answerLogin(login, harness.sandbox.users[0]!);
      harness.sandbox.faults.clear();
      spoilt(t, harness, page, started, status);
      await retry(t, harness, page, started, what);
    }
  },
);

test.serial('a token answer of the wrong content type is taken for what it is', async (t) => {
  const harness = await startHarness();
  t.teardown(harness.close);
  harness.sandbox.faults.set('wrong-content-type', { operation: 'token' });
  const { tokens } = await connect(harness);
  t.is((await callTool(harness.url, tokens.access_token, 'listCompanies')).status, 200);
});

test.serial(
  '[X12] [X13] failing keys, metadata and registration are pages whose retry works',
  async (t) => {
    const harness = await startHarness();
    t.teardown(harness.close);
    const { faults } = harness.sandbox;
    for (const [name, options] of [
      ['html-500', { operation: 'metadata' }],
      ['reset', { operation: 'metadata' }],
      ['registration-500', {}],
    ] as const) {
      const started = await openConsent(harness);
      faults.set(name, options);
      const page = await answerConsent(started.page);
      faults.clear();
      spoilt(t, harness, page, started, 502);
      t.false(page.history.some((hop) => hop.setCookie.some((c) => c.includes('-login-'))));
      const consent = await page.follow('a.button');
      t.is(consent.status, 200);
    }
    const started = await openConsent(harness);
    const login = await answerConsent(started.page);
    faults.set('html-500', { operation: 'jwks' });
    const page = await answerLogin(login, harness.sandbox.users[0]!);
    faults.clear();
    spoilt(t, harness, page, started, 502);
    await retry(t, harness, page, started, 'jwks');
  },
);

test.serial(
  '[X12] with NeonPanel down, the consent page works, and what was begun is finished when it is back',
  async (t) => {
    const port = await freePort();
    const shim = await createTcpShim({ port });
    t.teardown(shim.close);
    const neonpanelUrl = `http://localhost:${shim.port}`;
    const harness = await startHarness({
      neonpanelUrl,
      sandbox: { port, publicUrl: neonpanelUrl },
    });
    t.teardown(harness.close);

    shim.down();
    const started = await openConsent(harness);
    t.is(started.page.status, 200);
    const page = await answerConsent(started.page);
    shim.pass();
    spoilt(t, harness, page, started, 502);

    const login = await answerConsent(await page.follow('a.button'));
    started.browser.stopAt((url) => url.origin === harness.url);
    const callback = (await answerLogin(login, harness.sandbox.users[0]!)).stoppedAt!;
    started.browser.stopAt((url) => url.href.startsWith(started.attempt.redirectUri));
    shim.down();
    const second = await started.browser.goto(callback);
    shim.pass();
    spoilt(t, harness, second, started, 502);
    await retry(t, harness, second, started, 'down at the callback');
  },
);

test.serial(
  '[X12] [N29] a NeonPanel that never answers ends in a page, and the retry works',
  async (t) => {
    const harness = await startHarness();
    t.teardown(harness.close);
    const started = await openConsent(harness);
    const login = await answerConsent(started.page);
    harness.sandbox.faults.set('hang', { operation: 'token', times: 1 });
    const page = await answerLogin(login, harness.sandbox.users[0]!);
    spoilt(t, harness, page, started, 502);
    await retry(t, harness, page, started, 'hang');
  },
);

test.serial('keys that NeonPanel rotated between two logins are fetched', async (t) => {
  const harness = await startHarness();
  t.teardown(harness.close);
  await connect(harness);
  harness.sandbox.faults.set('rotate-jwks');
  // Keys are not fetched more than once a second.
  await sleep(1_100);
  const { tokens } = await connect(harness);
  t.is((await callTool(harness.url, tokens.access_token, 'listCompanies')).status, 200);
  const asked = harness.sandbox.recorder
    .requests()
    .filter(({ path }) => path.endsWith('jwks.json'));
  t.is(asked.length, 2);
});

test.serial(
  '[D10] [T38] a refused refresh ends the grant with 401, an unavailable one does not',
  async (t) => {
    const clock = createClock(Date.now());
    const harness = await startHarness({ now: clock.now, sandbox: { now: Date.now } });
    t.teardown(harness.close);
    const { url, sandbox } = harness;
    sandbox.faults.set('token-lifetime', { seconds: 40 });
    const { tokens, client } = await connect(harness);
    const call = () => callTool(url, tokens.access_token, 'listCompanies');
    clock.advance(41_000);

    for (const fault of ['html-500', 'reset'] as const) {
      sandbox.faults.set(fault, { operation: 'token' });
      const answer = await call();
      t.is(answer.status, 200, fault);
      t.true(answer.body.result.isError, fault);
      t.notRegex(JSON.stringify(answer.body), /Whoops|srv/);
      sandbox.faults.clear(fault);
    }
    t.is((await call()).body.result.structuredContent.data.length, 3);

    clock.advance(41_000);
    sandbox.faults.set('refuse-refresh');
    const refused = await call();
    t.is(refused.status, 401);
    t.regex(refused.headers.get('www-authenticate')!, /error="invalid_token"/);
    t.is((await refresh(url, client, tokens.refresh_token)).status, 400);
    sandbox.faults.clear();
    t.is((await call()).status, 401, 'and it stays so');
  },
);

test.serial(
  'a configured client with a secret signs people in where Basic is not read',
  async (t) => {
    const port = await freePort();
    const sandboxUrl = `http://localhost:${port}`;
    const env: Record<string, string> = {};
    const sandbox = await startSandbox({ port });
    // The redirect URI is known only with our own port.
    const ours = await freePort();
    const callback = `http://localhost:${ours}/oauth2/authorize/callback`;
    const { body } = await postJson<{ client_id: string; client_secret: string }>(
      `${sandboxUrl}/oauth2/register`,
      {
        redirect_uris: [callback],
        grant_types: ['authorization_code', 'refresh_token'],
        token_endpoint_auth_method: 'client_secret_post',
      },
    );
    Object.assign(env, {
      NEONPANEL_CLIENT_ID: body.client_id,
      NEONPANEL_CLIENT_SECRET: body.client_secret,
      PORT: String(ours),
      PUBLIC_URL: `http://localhost:${ours}`,
    });
    const started = await startHarness({ env, neonpanelUrl: sandboxUrl });
    t.teardown(async () => {
      await started.close();
      await sandbox.close();
    });
    const harness = { ...started, url: env['PUBLIC_URL']!, sandbox };
    sandbox.faults.set('ignore-basic');
    sandbox.faults.set('token-lifetime', { seconds: 20, times: 1 });
    const { tokens } = await connect(harness);
    const called = await callTool(harness.url, tokens.access_token, 'listCompanies');
    t.is(called.body.result.structuredContent.data.length, 3);
    const asked = sandbox.recorder.requests().filter(({ path }) => path === '/oauth2/token');
    t.deepEqual(
      asked.map(({ headers }) => headers.authorization),
      [undefined, undefined],
    );
    for (const { body: form } of asked) {
      t.is(new URLSearchParams(form).get('client_secret'), body.client_secret);
    }
  },
);

test.serial(
  'our registration at NeonPanel survives our restarts, and is renewed when NeonPanel lost it',
  async (t) => {
    const port = await freePort();
    let sandbox = await startSandbox({ port });
    const started = await startHarness({ neonpanelUrl: sandbox.url });
    t.teardown(async () => {
      await started.close();
      await sandbox.close();
    });
    const harness: Harness = {
      ...started,
      get sandbox() {
        return sandbox;
      },
    };
    const registrations = () =>
      sandbox.recorder
        .requests()
        .filter(({ path, method }) => path === '/oauth2/register' && method === 'POST');
    const { client } = await connect(harness);
    await harness.restart();
    await connect(harness, { client });
    t.is(registrations().length, 1);

    await sandbox.close();
    sandbox = await startSandbox({ port });
    await harness.restart();
    await connect(harness, { client });
    t.is(registrations().length, 1, 'once, at the new one');
  },
);

test.serial(
  'a client that NeonPanel forgets while we run is replaced within a minute',
  async (t) => {
    const { url, state, server, registrations } = await registrar(t);
    const clock = createClock();
    const { client } = await clientAt(t, { url, now: clock.now });
    t.is((await client()).clientId, 'client-1');
    state.management = json({}, 401);
    clock.advance(59_000);
    t.is((await client()).clientId, 'client-1');
    t.is(server.requests.length, 1, 'until then nobody is asked');

    clock.advance(1_000);
    const all = await Promise.all([client(), client(), client()]);
    t.deepEqual(new Set(all.map(({ clientId }) => clientId)), new Set(['client-2']));
    t.is(registrations().length, 2, 'once for all');

    state.management = json({});
    clock.advance(60_000);
    t.is((await client()).clientId, 'client-2');
    t.is(server.requests.at(-1)!.url.pathname, '/oauth2/register/client-2');
    const asked = server.requests.length;
    await client();
    t.is(server.requests.length, asked, 'what was verified is believed again');
  },
);

test.serial('a client in use outlives a check that NeonPanel does not answer', async (t) => {
  const { url, state, registrations } = await registrar(t);
  const clock = createClock();
  const { client } = await clientAt(t, { url, now: clock.now });
  await client();
  for (const script of [reset, html(500), json({}, 429)]) {
    state.management = script;
    clock.advance(60_000);
    t.is((await client()).clientId, 'client-1');
  }
  t.is(registrations().length, 1);
});

test.serial(
  '[X12] people sign in again after NeonPanel forgot our client, without a restart of ours',
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'sandbox-'));
    const statePath = join(folder, 'state.db');
    const sandbox = await startSandbox({ port: 0, statePath });
    const clock = createClock();
    const started = await startHarness({ neonpanelUrl: sandbox.url, now: clock.now });
    t.teardown(async () => {
      await started.close();
      await sandbox.close();
      rmSync(folder, { recursive: true });
    });
    const harness: Harness = { ...started, sandbox };
    const { client } = await connect(harness);

    const state = new DatabaseSync(statePath);
    t.is(Number(state.prepare("DELETE FROM records WHERE kind = 'clients'").run().changes), 1);
    state.close();
    await t.throwsAsync(connect(harness, { client }), undefined, 'NeonPanel does not know us');
    clock.advance(61_000);
    await connect(harness, { client });
    const registered = sandbox.recorder
      .requests()
      .filter(({ path, method }) => path === '/oauth2/register' && method === 'POST');
    t.is(registered.length, 2);
  },
);

// ------------------------------------------------------------------------ service accounts

test.serial(
  '[T73] a user of NeonPanel’s with the name of a service account is not signed in',
  async (t) => {
    const { neonpanel, complete } = await fakeNeonpanel(t);
    const access_token = await neonpanel.token({ sub: 'service:somebody' });
    neonpanel.on(PATHS.token, json(await neonpanel.answer({ access_token })));
    await fails(t, complete(), 'refused');
  },
);

test.serial(
  '[T73] [D15] a service account whose token is suddenly another’s is refused',
  async (t) => {
    const { neonpanel, login } = await fakeNeonpanel(t);
    const client = { clientId: 'their-service', clientSecret: 'their-secret' };
    const first = await login.signInService(client);
    t.like(first, { refreshToken: undefined, service: { ...client, subject: '1001' } });
    const form = new URLSearchParams(neonpanel.asked(PATHS.token)[0]!.body);
    t.like(Object.fromEntries(form), {
      grant_type: 'client_credentials',
      client_id: 'their-service',
      client_secret: 'their-secret',
    });
    const subject = 'service:ours';
    t.is((await login.refresh(first, subject)).service!.subject, '1001');
    const access_token = await neonpanel.token({ sub: '1002' });
    neonpanel.on(PATHS.token, json(await neonpanel.answer({ access_token })));
    await fails(t, login.refresh(first, subject), 'refused');
  },
);

for (const [name, script, kind] of [
  ['does not know the client', json({ error: 'invalid_client' }, 401), 'refused'],
  ['takes its grant from it', json({ error: 'unauthorized_client' }, 400), 'refused'],
  ['asks for other scopes', json({ error: 'invalid_scope' }, 400), 'unavailable'],
  ['answers with a page', html(500), 'unavailable'],
  ['hangs up', reset, 'unavailable'],
] as const) {
  test.serial(
    `[D10] [D15] a service account’s credential is ${kind} when NeonPanel ${name}`,
    async (t) => {
      const { neonpanel, login } = await fakeNeonpanel(t);
      const first = await login.signInService({ clientId: 'a', clientSecret: 'b' });
      neonpanel.on(PATHS.token, script);
      await fails(t, login.refresh(first, 'service:ours'), kind);
    },
  );
}

test.serial(
  '[D15] what NeonPanel’s challenge to a service client says is a refusal, to ours it is none',
  async (t) => {
    const { neonpanel, login, refresh } = await fakeNeonpanel(t);
    const first = await login.signInService({ clientId: 'a', clientSecret: 'b' });
    neonpanel.on(PATHS.token, (response) =>
      response
        .writeHead(401, {
          'www-authenticate': 'Basic realm="x"',
          'content-type': 'application/json',
        })
        .end('{"error":"invalid_client"}'),
    );
    await fails(t, login.refresh(first, 'service:ours'), 'refused');
    await fails(t, refresh(), 'unavailable');
  },
);
