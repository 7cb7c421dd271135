import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type Received, send } from '../raw-http.ts';
import { startHarness } from '../support/harness.ts';
import { authorizationRequest, connect } from '../support/oauth.ts';
import { PUBLIC, startProduction } from './production.ts';
import { type Kind, openQuestion, PROOF, type Route, ROUTES, UID } from './routes.ts';

/** Every address × what it must say to whom: security headers, CORS, methods, cookies. */

const harness = await startHarness({ env: { RATE_LIMIT_FACTOR: '0', ...PROOF } });
const { url } = harness;
const { tokens } = await connect(harness);
const production = await startProduction({ env: PROOF });
test.after.always(() => Promise.all([harness.close(), production.close()]));

const HTML = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
const BEARER = { authorization: `Bearer ${tokens.access_token}` };
const { host: publicHost } = new URL(PUBLIC);

// --------------------------------------------------------------------- headers

const PAGE_POLICY =
  "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/** A picture opened by itself, which an operator may have put there, runs and loads nothing either. */
const ASSET_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

function policyOf(path: string, { ok, isPage }: { ok: boolean; isPage: boolean }) {
  // Nothing is decided at the front door; it alone has a script.
  if (ok && isPage && path === '/')
    return PAGE_POLICY.replace("'none';", "'none'; script-src 'self';");
  if (ok && path.startsWith('/assets/')) return ASSET_POLICY;
  return isPage ? PAGE_POLICY : undefined;
}

/** What every answer of an address says, and what it never does. */
function headersOf(path: string, kind: Kind, { ok, isPage }: { ok: boolean; isPage: boolean }) {
  const document = 'public, max-age=300';
  const kept = ok && { document, proof: document, asset: 'public, max-age=3600' }[kind as 'asset'];
  return {
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'x-robots-tag': 'noindex',
    'content-security-policy': policyOf(path, { ok, isPage }),
    'x-frame-options': isPage ? 'DENY' : undefined,
    'cache-control': kept || 'no-store',
    // A popup of ours must keep its opener; nobody is told what we run.
    'cross-origin-opener-policy': undefined,
    'access-control-allow-credentials': undefined,
    'x-powered-by': undefined,
    server: undefined,
  };
}

function assertHeaders(
  t: ExecutionContext,
  answer: Received,
  expected: Record<string, string | undefined>,
  about: string,
): void {
  for (const [name, value] of Object.entries(expected))
    t.is(answer.headers[name] as string | undefined, value, `${name} of ${about}`);
}

for (const { path, kind, methods } of ROUTES) {
  test(`[T32] [T28] ${path.replace(UID, ':uid')} carries its security headers, good or bad, on http and https`, async (t) => {
    for (const [base, host, https] of [
      [url, new URL(url).host, false],
      [production.url, publicHost, true],
    ] as const) {
      for (const method of new Set([...methods, 'GET', 'POST', 'DELETE', 'OPTIONS'])) {
        for (const accept of ['*/*', HTML]) {
          const answer = await send(base, path, { method, headers: { accept, host } });
          const about = `${method} ${path} ${accept} ${answer.status}`;
          const isPage = /^text\/html/.test(answer.headers['content-type'] ?? '');
          const ok = answer.status === 200;
          const { 'cache-control': cache, ...rest } = headersOf(path, kind, { ok, isPage });
          assertHeaders(t, answer, rest, about);
          // Two facts that are nobody's secret, and an answer without content, may be kept.
          const isPlain = path === '/robots.txt' || path === '/' || answer.status === 204;
          if (!ok || !isPlain) {
            if (answer.status !== 204) t.is(answer.headers['cache-control'], cache, about);
          }
          const hsts = https ? 'max-age=31536000; includeSubDomains' : undefined;
          t.is(answer.headers['strict-transport-security'] as string | undefined, hsts, about);
          t.truthy(answer.headers['x-request-id'], about);
          if (['page', 'front door'].includes(kind) && accept === HTML && method === 'GET')
            t.true(isPage, about);
          if (['document', 'proof', 'endpoint', 'mcp', 'messages'].includes(kind))
            t.false(isPage, about);
        }
      }
    }
  });
}

test('[T32] [T28] the answers of an authorization under way carry them, too', async (t) => {
  const question = await openQuestion(harness);
  const { attempt, cookie, csrf, path } = question;
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const authorize = attempt.url.pathname + attempt.url.search;
  const answers: [string, Received][] = [
    ['authorize', await send(url, authorize, { headers: { accept: HTML } })],
    ['error redirect', await send(url, `${authorize}&prompt=none`)],
    ['question', await send(url, path, { headers: { accept: HTML, cookie } })],
    [
      'approval',
      await send(url, path, {
        method: 'POST',
        headers: { ...form, cookie, accept: HTML },
        body: new URLSearchParams({ csrf, decision: 'approve' }).toString(),
      }),
    ],
    [
      'denial',
      await send(url, path, {
        method: 'POST',
        headers: { ...form, cookie, accept: HTML },
        body: new URLSearchParams({ csrf, decision: 'deny' }).toString(),
      }),
    ],
    [
      'resume',
      await send(url, path.replace('/interaction', '/oauth2/authorize'), { headers: { cookie } }),
    ],
  ];
  for (const [what, answer] of answers) {
    t.true([200, 303, 400].includes(answer.status), `${what} ${answer.status}`);
    t.is(answer.headers['cache-control'], 'no-store', what);
    t.is(answer.headers['referrer-policy'], 'no-referrer', what);
    t.is(answer.headers['x-content-type-options'], 'nosniff', what);
    // A body would be a page of the engine's making, without our policy.
    if (answer.status === 303) t.is(answer.text, '', what);
    for (const name of Object.keys(answer.headers)) t.false(name.startsWith('access-control-'));
  }
});

// ------------------------------------------------------------------------ CORS

const ORIGINS = {
  ours: url,
  loopback: 'http://127.0.0.1:6274',
  foreign: 'https://evil.example',
  hidden: 'null',
  extension: 'chrome-extension://abcdefghijklmnop',
} as const;

/** @returns what Access-Control-Allow-Origin must be */
function allowed(kind: Kind, who: keyof typeof ORIGINS, method: string): string | undefined {
  if (['document', 'proof', 'endpoint'].includes(kind)) return '*';
  const isMcp =
    kind === 'mcp' ||
    kind === 'messages' ||
    (kind === 'front door' && ['POST', 'OPTIONS', 'DELETE'].includes(method));
  return isMcp && (who === 'ours' || who === 'loopback') ? ORIGINS[who] : undefined;
}

for (const { path, kind } of ROUTES) {
  test(`[T30] [T31] [D21] ${path.replace(UID, ':uid')} is open to exactly the origins it should be, and never with credentials`, async (t) => {
    for (const [who, origin] of Object.entries(ORIGINS) as [keyof typeof ORIGINS, string][]) {
      for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']) {
        // A stream that is opened has no end; test/sse/ looks at those.
        const isStream = path.startsWith('/sse') && method === 'GET';
        const mayAct = ['mcp', 'messages', 'front door'].includes(kind) && !isStream;
        for (const bearer of mayAct ? [{}, BEARER] : [{}]) {
          const preflight = method === 'OPTIONS' && {
            'access-control-request-method': 'POST',
            'access-control-request-headers': 'authorization, content-type',
            'access-control-request-private-network': 'true',
          };
          const answer = await send(url, path, {
            method,
            headers: { origin, ...preflight, ...bearer, cookie: 'a=b' },
          });
          const about = `${method} ${path} from ${who} ${answer.status}`;
          const bearerAtFrontDoor = kind === 'front door' && 'authorization' in bearer;
          const asMcp = bearerAtFrontDoor || kind === 'messages' ? 'mcp' : kind;
          const expected = allowed(asMcp, who, method);
          t.is(
            answer.headers['access-control-allow-origin'] as string | undefined,
            expected,
            about,
          );
          t.is(answer.headers['access-control-allow-credentials'], undefined, about);
          t.is(answer.headers['access-control-allow-private-network'], undefined, about);
          if (expected !== undefined && expected !== '*')
            t.regex(String(answer.headers.vary), /\borigin\b/i, about);
          if (expected === undefined) {
            const told = Object.keys(answer.headers).filter((name) =>
              name.startsWith('access-control-'),
            );
            t.deepEqual(told, [], about);
            if (asMcp === 'mcp') t.is(answer.status, 403, about);
            if (method === 'OPTIONS') t.true(answer.status >= 400, about);
          } else if (method === 'OPTIONS') {
            t.is(answer.status, 204, about);
            const headers = String(answer.headers['access-control-allow-headers']);
            t.regex(headers, /\bauthorization\b/, about);
            t.false(headers.includes('*'), about);
          }
          t.false(answer.everything.includes('evil.example'), about);
        }
      }
    }
  });
}

test('[D21] [T31] a page of a public deployment that the deployment lists is let in, loopback ones are', async (t) => {
  for (const [origin, status] of [
    [PUBLIC, 401],
    ['https://other.example', 403],
    [`${PUBLIC}.evil.example`, 403],
    ['http://mcp.public.example', 403],
  ] as const) {
    const headers = { host: publicHost, origin };
    const answer = await send(production.url, '/mcp', { method: 'POST', headers });
    t.is(answer.status, status, origin);
  }
});

// --------------------------------------------------------------------- methods

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'];
const OVERRIDES = {
  'x-http-method-override': 'DELETE',
  'x-http-method': 'PUT',
  'x-method-override': 'POST',
};

/** What a method that is not served is answered. */
function refusal({ kind }: Route, method: string): number {
  if (method === 'OPTIONS') return ['page', 'asset', 'health'].includes(kind) ? 405 : 204;
  if (kind === 'mcp') return 401;
  return kind === 'front door' && method === 'DELETE' ? 401 : 405;
}

for (const route of ROUTES) {
  const { path, methods } = route;
  test(`[T59] ${path.replace(UID, ':uid')} serves ${methods.join(', ')}; any other method is told so, whatever headers say`, async (t) => {
    for (const method of METHODS) {
      for (const more of [{}, OVERRIDES] as Record<string, string>[]) {
        const canary = 'canary-of-a-trace';
        const answer = await send(url, `${path}?_method=DELETE`, {
          method,
          headers: { ...more, 'x-canary': canary },
        });
        const about = `${method} ${path} ${answer.status}`;
        t.false(answer.everything.includes(canary), about);
        t.is(answer.headers['set-cookie'], undefined, about);
        if (methods.includes(method)) {
          t.not(answer.status, 405, about);
          continue;
        }
        t.is(answer.status, refusal(route, method), about);
        t.is(answer.headers.location, undefined, about);
        if (answer.status === 401) continue;
        const allow = String(answer.headers.allow).split(', ');
        for (const served of methods) t.true(allow.includes(served), `${about}: ${allow}`);
        for (const other of allow) {
          const known = [...methods, 'OPTIONS'];
          t.true(known.includes(other), `${about} promises ${other}`);
        }
      }
    }
  });
}

test('[T59] HEAD begins no authorization, shows no question and finishes no sign-in', async (t) => {
  const { attempt, cookie, path, uid } = await openQuestion(harness);
  const authorize = attempt.url.pathname + attempt.url.search;
  const { client_id } = attempt.client;
  const lines = () => harness.logs.find({ event: 'authorization', client_id }).length;
  const before = lines();
  for (const to of [
    authorize,
    path,
    `/oauth2/authorize/${uid}`,
    '/oauth2/authorize/callback?state=x',
  ]) {
    const answer = await send(url, to, { method: 'HEAD', headers: { cookie, accept: HTML } });
    t.is(answer.status, 405, to);
    t.is(answer.headers['set-cookie'], undefined, to);
    t.is(answer.headers.location, undefined, to);
  }
  t.is(lines(), before);
});

test('[T59] [T71] every address of the server is in the table, and no other is served', async (t) => {
  // What the code names as a path is in the table or is refused.
  const sources = [
    'auth/paths.ts',
    'http/site.ts',
    'http/health.ts',
    'mcp/router.ts',
    'mcp/sse/endpoints.ts',
  ].map((file) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'));
  const named = new Set(
    sources
      .join('\n')
      .match(/'\/[\w./-]*'/g)!
      .map((text) => text.slice(1, -1)),
  );
  const known = new Set(ROUTES.map(({ path }) => path.replace(`/${UID}`, '')));
  t.deepEqual(
    [...named].filter((path) => !known.has(path)),
    [],
  );
  for (const path of [
    '/favicon.ico',
    '/apple-touch-icon.png',
    '/sitemap.xml',
    '/metrics',
    '/admin',
    '/debug',
    '/server-status',
    '/.env',
    '/package.json',
    '/docs',
    '/login',
    '/logout',
    '/index.html',
    '/assets/',
    '/assets',
    '/interaction',
  ]) {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const answer = await send(url, path, { method, headers: { accept: 'image/*,*/*;q=0.8' } });
      t.is(answer.status, 404, `${method} ${path}`);
      if (method === 'HEAD') continue;
      const { request_id, ...rest } = answer.json;
      t.is(request_id, answer.headers['x-request-id']);
      t.deepEqual(rest, {
        error: 'not_found',
        error_description: 'There is nothing at this address.',
      });
      t.true(answer.text.length < 200);
    }
  }
  t.is((await send(url, '/robots.txt')).text, 'User-agent: *\nDisallow: /\n');
});

// --------------------------------------------------------------------- cookies

test('[T63] [D20] each answer sets the cookies of its step and no others, signed or bound, on http and https', async (t) => {
  for (const [base, host, scheme] of [
    [url, new URL(url).host, url],
    [production.url, publicHost, PUBLIC],
  ] as const) {
    const jar = new Map<string, string>();
    const ask = async (path: string, form?: Record<string, string>) => {
      const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
      const answer = await send(base, path, {
        method: form ? 'POST' : 'GET',
        headers: {
          host,
          accept: HTML,
          cookie,
          ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
        },
        ...(form && { body: new URLSearchParams(form).toString() }),
      });
      const set = answer.headers['set-cookie'] ?? [];
      for (const one of set) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(one)!;
        jar.set(name, value);
        const attributes = one
          .split('; ')
          .slice(1)
          .map((part) => part.toLowerCase());
        for (const needed of ['secure', 'httponly', 'samesite=lax'])
          t.true(attributes.includes(needed), one);
        t.false(/domain=/i.test(one), one);
        const path = attributes.find((part) => part.startsWith('path='));
        if (name.startsWith('__Host-')) t.is(path, 'path=/', one);
        else
          t.regex(
            path!,
            new RegExp(
              `^path=/(interaction|oauth2/authorize)/${jar.get('uid') ?? '[\\w-]+'}$`,
              'i',
            ),
            one,
          );
      }
      return {
        ...answer,
        names: set.map((one) => one.split('=')[0]!.replace(/-login-.*/, '-login-…')).sort(),
      };
    };
    const registered = await send(base, '/oauth2/register', {
      method: 'POST',
      headers: { host, 'content-type': 'application/json' },
      body: JSON.stringify({
        redirect_uris: ['https://client.example/callback'],
        token_endpoint_auth_method: 'none',
      }),
    });
    const { url: authorize } = authorizationRequest(scheme, registered.json);
    const begun = await ask(authorize.pathname + authorize.search);
    t.deepEqual(begun.names, [
      '__Secure-neonpanel-interaction',
      '__Secure-neonpanel-interaction.sig',
      '__Secure-neonpanel-resume',
      '__Secure-neonpanel-resume.sig',
    ]);
    const question = await ask(begun.headers.location!);
    t.is(question.status, 200);
    t.deepEqual(question.names, ['__Host-neonpanel-consent']);
    const csrf = /name="csrf" value="([^"]+)"/.exec(question.text)![1]!;
    // Any of them changed by a letter is as good as absent.
    for (const name of [...jar.keys()]) {
      const right = jar.get(name)!;
      const at = right.length - 2;
      jar.set(name, right.slice(0, at) + (right[at] === 'A' ? 'B' : 'A') + right.slice(at + 1));
      const forged = await ask(begun.headers.location!, { csrf, decision: 'approve' });
      if (/resume/.test(name)) t.is(forged.status, 303, name);
      else t.true([400, 403].includes(forged.status), `${name} ${forged.status}`);
      if (!/resume/.test(name)) t.deepEqual(forged.names, [], name);
      jar.set(name, right);
    }
    const approved = await ask(begun.headers.location!, { csrf, decision: 'approve' });
    t.is(approved.status, 303);
    t.deepEqual(approved.names, ['__Host-neonpanel-login-…']);
    t.regex(approved.headers['set-cookie']![0]!, /Max-Age=600/);
    const over = await ask('/oauth2/authorize/callback?state=x&code=y');
    t.deepEqual(over.names, [], 'a stale state costs no binding');
    const state = new URL(approved.headers.location!).searchParams.get('state')!;
    const refused = await ask(`/oauth2/authorize/callback?code=y&state=${state}`);
    t.deepEqual(refused.names, ['__Host-neonpanel-login-…']);
    t.regex(refused.headers['set-cookie']![0]!, /=; Path=\/; Max-Age=0/);
    for (const path of [
      '/',
      '/nowhere',
      '/assets/style.css',
      '/.well-known/jwks.json',
      '/healthz',
      '/mcp',
    ])
      t.deepEqual((await ask(path)).names, [], path);
  }
});

test('[T63] [T52] cookies made under an older master key still count when a newer one stands in front', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'neonpanel-mcp-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [older, newer] = [1, 2].map((n) => Buffer.alloc(32, n).toString('base64url'));
  const env = { SQLITE_PATH: join(folder, 'store.db'), RATE_LIMIT_FACTOR: '0' };
  const before = await startHarness({ env: { ...env, MASTER_KEYS: older! } });
  t.teardown(() => before.close());
  const { path, cookie, csrf } = await openQuestion(before);
  const after = await startHarness({
    env: { ...env, MASTER_KEYS: `${newer},${older}`, PUBLIC_URL: before.url },
  });
  t.teardown(() => after.close());
  const headers = { cookie, 'content-type': 'application/x-www-form-urlencoded' };
  const shown = await send(after.instances[0]!, path, { headers: { cookie, accept: HTML } });
  t.is(shown.status, 200);
  t.is(shown.headers['set-cookie']?.length, 1, 'only the consent cookie, whole');
  const body = new URLSearchParams({ csrf, decision: 'approve' }).toString();
  const approved = await send(after.instances[0]!, path, { method: 'POST', headers, body });
  t.is(approved.status, 303, approved.text);
});
