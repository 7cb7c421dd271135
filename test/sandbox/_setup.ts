import { createHash, randomBytes } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import { startSandbox, type Sandbox, type SandboxOptions } from '../../sandbox/index.ts';

export const callback = 'https://client.example/callback';

/** A clock that stands still until it is moved. */
export function createClock(start = '2026-03-15T12:00:00Z') {
  const clock = {
    ms: Date.parse(start),
    now: () => clock.ms,
    pass: (seconds: number) => void (clock.ms += seconds * 1000),
  };
  return clock;
}

/** A sandbox of the test's own, closed when the test ends. */
export async function start(t: ExecutionContext, options: Partial<SandboxOptions> = {}) {
  const sandbox = await startSandbox({ port: 0, host: '127.0.0.1', ...options });
  t.teardown(() => sandbox.close());
  return sandbox;
}

export type Registered = {
  client_id: string;
  client_secret?: string;
  registration_client_uri: string;
  registration_access_token: string;
  [name: string]: unknown;
};

/** Registers a client: public, with code and refresh, unless told otherwise. */
export async function register(sandbox: Sandbox, metadata: object = {}): Promise<Registered> {
  const response = await postJson(`${sandbox.url}/oauth2/register`, {
    redirect_uris: [callback],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
    ...metadata,
  });
  if (response.status !== 201) throw new Error(await response.text());
  return (await response.json()) as Registered;
}

/** A PKCE verifier with its challenge. */
export function createPkce() {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

export function authorizeUrl(sandbox: Sandbox, parameters: Record<string, string>): string {
  const defaults = {
    response_type: 'code',
    redirect_uri: callback,
    scope: 'openid',
    state: 'a state & more',
    code_challenge_method: 'S256',
  };
  const query = new URLSearchParams({ ...defaults, ...parameters });
  return `${sandbox.url}/oauth2/authorize?${query}`;
}

/** Fills in the login form of an authorization request. */
export function login(sandbox: Sandbox, url: string, userIndex = 0): Promise<Response> {
  const { email, password } = sandbox.users[userIndex]!;
  return postForm(url, { email, password });
}

/** Where an answer redirects to, as a URL. */
export function redirectOf(response: Response): URL {
  return new URL(response.headers.get('Location') ?? 'about:blank');
}

/** Registers, signs in and returns the code with all that is needed to exchange it. */
export async function obtainCode(sandbox: Sandbox, userIndex = 0, metadata: object = {}) {
  const client = await register(sandbox, metadata);
  const { verifier, challenge } = createPkce();
  const url = authorizeUrl(sandbox, { client_id: client.client_id, code_challenge: challenge });
  const code = redirectOf(await login(sandbox, url, userIndex)).searchParams.get('code') ?? '';
  const exchange = {
    grant_type: 'authorization_code',
    client_id: client.client_id,
    code,
    redirect_uri: callback,
    code_verifier: verifier,
  };
  return { client, exchange, code };
}

export type Tokens = {
  access_token: string;
  token_type: string;
  expires_in?: number;
  refresh_token: string;
  scope: string;
};

/** A user, signed in. */
export async function signIn(sandbox: Sandbox, userIndex = 0) {
  const { client, exchange } = await obtainCode(sandbox, userIndex);
  const tokens = await jsonOf<Tokens>(await token(sandbox, exchange));
  return { client, tokens };
}

export function token(
  sandbox: Sandbox,
  form: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Response> {
  return postForm(`${sandbox.url}/oauth2/token`, form, headers);
}

export function refresh(sandbox: Sandbox, clientId: string, refreshToken: string) {
  return token(sandbox, {
    grant_type: 'refresh_token',
    client_id: clientId,
    refresh_token: refreshToken,
  });
}

export function postForm(
  url: string,
  form: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    body: new URLSearchParams(form),
    headers,
    redirect: 'manual',
  });
}

export function postJson(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'Content-Type': 'application/json', ...headers },
  });
}

export async function jsonOf<T = any>(response: Response): Promise<T> {
  return (await response.json()) as T;
}

/** The API as one user sees it. */
export async function apiOf(sandbox: Sandbox, userIndex = 0) {
  const { tokens } = await signIn(sandbox, userIndex);
  const authorization = { Authorization: `Bearer ${tokens.access_token}` };
  const url = (path: string) => `${sandbox.url}/api/v1${path}`;
  return {
    fetch: (path: string, init: RequestInit = {}) =>
      fetch(url(path), { ...init, headers: { ...authorization, ...init.headers } }),
    async get(path: string): Promise<any> {
      const response = await fetch(url(path), { headers: authorization });
      if (response.status !== 200) throw new Error(`${path}: ${response.status}`);
      return await response.json();
    },
    /** Every entry of a paginated list. */
    async all(path: string, key = 'data'): Promise<any[]> {
      const entries: any[] = [];
      for (let page = 1, last = 1; page <= last; page++) {
        const query = `${path.includes('?') ? '&' : '?'}page=${page}&per_page=60`;
        const answer = await this.get(path + query);
        entries.push(...answer[key]);
        last = answer.last_page;
      }
      return entries;
    },
    post: (path: string, body: unknown) => postJson(url(path), body, authorization),
  };
}

export type Api = Awaited<ReturnType<typeof apiOf>>;

/** The uuid of one of the companies. */
export function uuidOf(sandbox: Sandbox, companyId: number): string {
  return sandbox.data.books.find(({ company }) => company.id === companyId)!.company.uuid;
}
