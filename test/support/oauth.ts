import { createHash, randomBytes } from 'node:crypto';
import { type Browser, createBrowser, type Page } from './browser.ts';
import type { Harness } from './harness.ts';

/**
 * An OAuth client for tests, step by step and without opinions: each step can be left out, repeated or done wrong.
 * journeys/ use real clients instead.
 */
export interface TestClient {
  readonly client_id: string;
  readonly client_secret?: string;
  readonly redirect_uris: readonly string[];
  readonly token_endpoint_auth_method: string;
  readonly [member: string]: unknown;
}

export interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly expires_in: number;
  readonly scope: string;
  readonly token_type: string;
  readonly id_token?: string;
}

export interface Answer<T = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

export const REDIRECT_URI = 'https://client.example/callback';

export async function register(
  base: string,
  metadata: Record<string, unknown> = {},
): Promise<Answer<TestClient>> {
  return postJson(`${base}/oauth2/register`, {
    client_name: 'Test client',
    redirect_uris: [REDIRECT_URI],
    token_endpoint_auth_method: 'none',
    ...metadata,
  });
}

export interface Attempt {
  readonly client: TestClient;
  readonly verifier: string;
  readonly state: string;
  readonly redirectUri: string;
  readonly url: URL;
}

/** An authorization request. @param parameters override or, if undefined, leave out */
export function authorizationRequest(
  base: string,
  client: TestClient,
  parameters: Record<string, string | undefined> = {},
): Attempt {
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(12).toString('base64url');
  const redirectUri = parameters.redirect_uri ?? client.redirect_uris[0]!;
  const all: Record<string, string | undefined> = {
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri: redirectUri,
    state,
    scope: 'neonpanel.read neonpanel.write',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...parameters,
  };
  const url = new URL(`${base}/oauth2/authorize`);
  for (const [name, value] of Object.entries(all)) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return { client, verifier, state: all.state ?? '', redirectUri, url };
}

/** A browser that stops where the client takes over. */
export function userBrowser(attempt: Pick<Attempt, 'redirectUri'>): Browser {
  const browser = createBrowser();
  browser.stopAt((url) => url.href.startsWith(attempt.redirectUri));
  return browser;
}

export interface Answers {
  readonly write?: boolean;
  readonly decision?: 'approve' | 'deny';
  readonly user?: { readonly email: string; readonly password: string };
}

/** Consent and login up to the client's redirect URI. @returns what the client is sent */
export async function signIn(
  harness: Pick<Harness, 'sandbox'>,
  attempt: Attempt,
  answers: Answers = {},
  browser: Browser = userBrowser(attempt),
): Promise<URL> {
  const consent = await browser.goto(attempt.url);
  const login = await answerConsent(consent, answers);
  const end = login.stoppedAt
    ? login
    : await answerLogin(login, answers.user ?? harness.sandbox.users[0]!);
  if (!end.stoppedAt) throw new Error(`sign-in ended at ${end.url}: ${end.status} ${end.text}`);
  return end.stoppedAt;
}

export function answerConsent(page: Page, answers: Answers = {}): Promise<Page> {
  const form = page.form();
  if (answers.write ?? true) {
    if (page.dom.querySelector('input[type=checkbox]')) form.check('scope', 'neonpanel.write');
  }
  return form.submit({ decision: answers.decision ?? 'approve' });
}

export const answerLogin = (page: Page, user: { email: string; password: string }): Promise<Page> =>
  page.form().fill('email', user.email).fill('password', user.password).submit();

export function redeem(
  base: string,
  attempt: Attempt,
  code: string,
  parameters: Record<string, string | undefined> = {},
): Promise<Answer<Tokens>> {
  return token(base, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: attempt.redirectUri,
    code_verifier: attempt.verifier,
    ...clientParameters(attempt.client),
    ...parameters,
  });
}

export function refresh(
  base: string,
  client: TestClient,
  refreshToken: string,
  parameters: Record<string, string | undefined> = {},
): Promise<Answer<Tokens>> {
  return token(base, {
    grant_type: 'refresh_token',
    refresh_token: refreshToken,
    ...clientParameters(client),
    ...parameters,
  });
}

export const token = (base: string, parameters: Record<string, string | undefined>) =>
  postForm<Tokens>(`${base}/oauth2/token`, parameters);

/** Client authentication in the form: `none`, or client_secret_post for one that has a secret. */
export const clientParameters = (client: TestClient) => ({
  client_id: client.client_id,
  ...(client.client_secret && { client_secret: client.client_secret }),
});

export interface Connection {
  readonly client: TestClient;
  readonly attempt: Attempt;
  readonly code: string;
  readonly tokens: Tokens;
}

/** The whole way: register, consent, login, code, tokens. */
export async function connect(
  harness: Harness,
  options: Answers & {
    parameters?: Record<string, string | undefined>;
    metadata?: Record<string, unknown>;
    client?: TestClient;
  } = {},
): Promise<Connection> {
  const client = options.client ?? (await register(harness.url, options.metadata)).body;
  const attempt = authorizationRequest(harness.url, client, options.parameters);
  const code = (await signIn(harness, attempt, options)).searchParams.get('code')!;
  const { status, body } = await redeem(harness.url, attempt, code);
  if (status !== 200) throw new Error(`redemption: ${status} ${JSON.stringify(body)}`);
  return { client, attempt, code, tokens: body };
}

/** One JSON-RPC request to the MCP endpoint, 2025-11-25 style, whatever the answer. */
export async function callMcp(
  base: string,
  accessToken: string | undefined,
  method: string,
  params: unknown = {},
  options: { path?: string; headers?: Record<string, string> } = {},
): Promise<Answer<any>> {
  const response = await fetch(`${base}${options.path ?? '/mcp'}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
      ...(accessToken && { authorization: `Bearer ${accessToken}` }),
      ...options.headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  return { status: response.status, headers: response.headers, body: parse(await response.text()) };
}

export const callTool = (base: string, accessToken: string, name: string, args: object = {}) =>
  callMcp(base, accessToken, 'tools/call', { name, arguments: args });

export async function postForm<T = Record<string, unknown>>(
  url: string,
  parameters: Record<string, string | undefined>,
  headers: Record<string, string> = {},
): Promise<Answer<T>> {
  const defined = Object.entries(parameters).filter(([, value]) => value !== undefined);
  const body = new URLSearchParams(defined as [string, string][]);
  return read(await fetch(url, { method: 'POST', body, headers }));
}

export async function postJson<T = Record<string, unknown>>(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer<T>> {
  return read(
    await fetch(url, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...headers },
    }),
  );
}

async function read<T>(response: Response): Promise<Answer<T>> {
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: parse(text) as T };
}

/** JSON, the one event of a stream, or the text itself. */
function parse(text: string): unknown {
  const data = /^data: (.*)$/m.exec(text)?.[1] ?? text;
  try {
    return JSON.parse(data);
  } catch {
    return text;
  }
}
