import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { type JWTPayload, SignJWT } from 'jose';
import { createBoundedFetch } from '../adapters/neonpanel/bounded-fetch.ts';
import type { NeonpanelClient } from '../adapters/neonpanel/client.ts';
import { createNeonpanelApi } from '../adapters/neonpanel/api.ts';
import { createNeonpanelMetadata } from '../adapters/neonpanel/metadata.ts';
import { createNeonpanelLogin } from '../adapters/neonpanel/oauth.ts';
import { newBreaker } from './support/breaker.ts';
import { type ReceivedRequest, startTestServer } from './support/http-server.ts';

/** Answers one request; a script may do anything, also nothing at all. */
export type Script = (response: ServerResponse, request: ReceivedRequest) => unknown;

export const json =
  (body: unknown, status = 200): Script =>
  (response) =>
    response
      .writeHead(status, { 'content-type': 'application/json' })
      .end(typeof body === 'string' ? body : JSON.stringify(body));

export const html =
  (status: number): Script =>
  (response) =>
    response
      .writeHead(status, { 'content-type': 'text/html' })
      .end('<h1>Whoops</h1><pre>#0 /srv/panel/app.php DB_PASSWORD=hunter2</pre>');

export const hang: Script = () => {};

/** One byte now and then: never silent, never done. */
export const trickle: Script = (response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const timer = setInterval(() => response.write(' '), 20);
  response.once('close', () => clearInterval(timer));
};

export const reset: Script = (response) => response.socket?.resetAndDestroy();

/** Valid JSON, and too much of it. */
export const huge =
  (megabytes: number): Script =>
  (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(`{"keys":[],"padding":"${'x'.repeat(megabytes * 1024 * 1024)}"}`);
  };

export const PATHS = {
  metadata: '/.well-known/oauth-authorization-server',
  jwks: '/.well-known/jwks.json',
  token: '/oauth2/token',
  companies: '/api/v1/companies',
} as const;

/** A NeonPanel whose every answer can be replaced, for what the sandbox does not do. */
export async function startFakeNeonpanel() {
  key ??= newKey();
  const { privateKey, publicKey } = key;
  const scripts = new Map<string, Script>();
  const server = await startTestServer((request, response) => {
    const script = scripts.get(request.url.pathname);
    return script
      ? script(response, request)
      : json({ error: 'not_found' }, 404)(response, request);
  });
  const url = `http://localhost:${server.port}`;
  const kid = 'key-1';

  /** An access token of NeonPanel’s. Claims that are undefined are left out. */
  const token = async (
    claims: JWTPayload = {},
    options: { signedBy?: KeyObject; header?: Record<string, unknown> } = {},
  ): Promise<string> => {
    const now = Math.floor(Date.now() / 1000);
    const all = { iss: url, sub: '1001', iat: now, exp: now + 3_600, ...claims };
    const header = { alg: 'RS256', typ: 'JWT', kid, ...options.header };
    return new SignJWT(JSON.parse(JSON.stringify(all)))
      .setProtectedHeader(JSON.parse(JSON.stringify(header)))
      .sign(options.signedBy ?? privateKey);
  };
  const answer = async (change: Record<string, unknown> = {}) => ({
    access_token: await token(),
    token_type: 'Bearer',
    expires_in: 3_600,
    refresh_token: 'refresh-1',
    scope: 'openid',
    ...change,
  });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' };

  scripts.set(PATHS.jwks, json({ keys: [jwk] }));
  scripts.set(PATHS.token, json(await answer()));
  scripts.set(PATHS.companies, json({ current_page: 1, data: [], last_page: 1 }));
  return {
    url,
    requests: server.requests,
    close: server.close,
    publicKey,
    jwk,
    token,
    /** A complete token response, with changes. Undefined leaves a member out. */
    answer,
    on(path: string, script: Script): void {
      scripts.set(path, script);
    },
    asked: (path: string) => server.requests.filter((request) => request.url.pathname === path),
  };
}

export type FakeNeonpanel = Awaited<ReturnType<typeof startFakeNeonpanel>>;

/** One for all: making a key takes as long as a whole test. */
let key: ReturnType<typeof newKey> | undefined;

export const newKey = () => generateKeyPairSync('rsa', { modulusLength: 2048 });

/** The product's login at a NeonPanel. @param options.timeoutMs short, where answers are to be late */
export function loginAt(
  url: string,
  options: { client?: NeonpanelClient; now?: () => number; timeoutMs?: number } = {},
) {
  const { now = Date.now, timeoutMs = 3_000, client = { clientId: 'our-client' } } = options;
  const breaker = newBreaker();
  const fetch = createBoundedFetch({ timeoutMs, maxBytes: 64 * 1024, breaker });
  // The proof that the API takes the token has ten seconds; its clock leaves it as little as the others have.
  const hurried = () => now() + 10_000 - timeoutMs;
  const api = createNeonpanelApi({
    breaker,
    apiUrl: `${url}/api/v1`,
    arrayStyle: 'brackets',
    now: hurried,
  });
  const metadata = createNeonpanelMetadata({ url, fetch, now });
  const login = createNeonpanelLogin({
    url,
    scope: 'openid',
    redirectUri: 'http://localhost:3000/oauth2/authorize/callback',
    metadata,
    client: async () => client,
    api,
    fetch,
    now,
  });
  return {
    metadata,
    login,
    /** The callback of a user who signed in. */
    complete: () =>
      login.complete({
        parameters: new URLSearchParams({ code: 'their-code', state: 'our-state' }),
        state: 'our-state',
        codeVerifier: 'v'.repeat(43),
      }),
    refresh: (refreshToken: string | undefined = 'refresh-0', subject = '1001') =>
      login.refresh({ accessToken: 'old', refreshToken, expiresAt: now() }, subject),
    close: () => Promise.all([fetch.close(), api.close()]),
  };
}
