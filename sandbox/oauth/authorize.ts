/**
 * The authorization endpoint.
 *
 *   GET  /oauth2/authorize?…  checks ──> login page ──> POST (same query) ──> checks again ──> code
 *                                └── signed in already: code at once
 *
 * What cannot be trusted to a redirect (client, redirect URI, a repeated parameter) is refused with 400
 * JSON; every other error goes back to the client, with its state and without `iss`.
 */
import type { SandboxContext } from '../context.ts';
import type { User } from '../data/model.ts';
import { oauthRefusal } from '../errors.ts';
import type { Ctx } from '../http/types.ts';
import type { Client } from './clients.ts';
import { readForm, type Form } from './form.ts';
import { loginPage } from './pages.ts';
import { digest, matches, randomHex } from './secrets.ts';
import type { Sessions } from './sessions.ts';

export type Code = {
  clientId: string;
  subject: string;
  scope: string;
  redirectUri: string;
  /** The redirect URI was in the request, so the token request must repeat it. */
  redirectUriSent: boolean;
  challenge?: string;
  expiresAt: number;
  /** Set when the code was used: the grant to revoke if it comes back. */
  usedFor?: string;
};

type Target = { client: Client; redirectUri: string; state: string | undefined };

const codeMs = 60_000;
/** A code is remembered after its end, so that a replay is noticed. */
export const codeMemoryMs = 600_000;
const formBytesMax = 65_536;

export function createAuthorize(context: SandboxContext, sessions: Sessions) {
  const { state, clients, data, now } = context;
  const codes = state.table<Code>('codes');

  function start(ctx: Ctx): void {
    const request = readForm(ctx.querystring);
    const target = findTarget(request);
    const problem = findProblem(request, target.client);
    if (problem) return sendBack(ctx, target, problem);
    const user = sessions.current(ctx);
    if (user) return sendBack(ctx, target, { code: issueCode(request, target, user) });
    showLogin(ctx, 200);
  }

  function login(ctx: Ctx): void {
    const request = readForm(ctx.querystring);
    const target = findTarget(request);
    const problem = findProblem(request, target.client);
    if (problem) return sendBack(ctx, target, problem);
    if (ctx.state.body.length > formBytesMax) {
      throw oauthRefusal('invalid_request', 'The form is too large.', 413);
    }
    const { cancel, email = '', password = '' } = readForm(ctx.state.body.toString('utf8'));
    if (cancel) {
      const error_description = 'The user cancelled the login.';
      return sendBack(ctx, target, { error: 'access_denied', error_description });
    }
    const user = data.users.find((candidate) => candidate.email === email.trim().toLowerCase());
    if (!user || !matches(password, digest(user.password))) {
      return showLogin(ctx, 401, email, 'These credentials do not match our records.');
    }
    sessions.start(ctx, user);
    sendBack(ctx, target, { code: issueCode(request, target, user) });
  }

  /** Whom to answer; thrown errors are for the person at the browser. */
  function findTarget({ client_id, redirect_uri, state }: Form): Target {
    if (!client_id) throw oauthRefusal('invalid_request', 'client_id is missing.');
    const client = clients.find(client_id);
    if (!client) throw oauthRefusal('invalid_client', 'The client is unknown.');
    const { redirect_uris } = client.metadata;
    const redirectUri = redirect_uri ?? (redirect_uris.length === 1 ? redirect_uris[0] : undefined);
    if (!redirectUri) throw oauthRefusal('invalid_request', 'redirect_uri is missing.');
    if (!redirect_uris.includes(redirectUri)) {
      throw oauthRefusal('invalid_request', 'redirect_uri is not registered for this client.');
    }
    return { client, redirectUri, state };
  }

  function issueCode(request: Form, { client, redirectUri }: Target, user: User): string {
    const code = randomHex();
    const expiresAt = now() + codeMs;
    const record: Code = {
      clientId: client.id,
      subject: user.id,
      scope: 'openid',
      redirectUri,
      redirectUriSent: request.redirect_uri !== undefined,
      ...(request.code_challenge && { challenge: request.code_challenge }),
      expiresAt,
    };
    codes.put(digest(code), record, expiresAt + codeMemoryMs);
    return code;
  }

  return { start, login };
}

function findProblem(request: Form, client: Client): Record<string, string> | undefined {
  const problem = (error: string, error_description: string) => ({ error, error_description });
  const { response_type, scope, code_challenge, code_challenge_method } = request;
  if (!response_type) return problem('invalid_request', 'response_type is missing.');
  if (response_type !== 'code') {
    return problem('unsupported_response_type', 'response_type must be code.');
  }
  if (!client.metadata.grant_types.includes('authorization_code')) {
    return problem('unauthorized_client', 'The client may not use the code grant.');
  }
  if (scope && scope.split(' ').some((name) => name !== 'openid')) {
    return problem('invalid_scope', 'The only scope is openid.');
  }
  if (code_challenge_method && !code_challenge) {
    return problem('invalid_request', 'code_challenge is missing.');
  }
  if (code_challenge && code_challenge_method !== 'S256') {
    return problem('invalid_request', 'code_challenge_method must be S256.');
  }
  if (code_challenge && !/^[A-Za-z0-9_-]{43}$/.test(code_challenge)) {
    return problem('invalid_request', 'code_challenge is not an S256 challenge.');
  }
  if (!code_challenge && client.metadata.token_endpoint_auth_method === 'none') {
    return problem('invalid_request', 'code_challenge is required for public clients.');
  }
  return undefined;
}

function sendBack(ctx: Ctx, { redirectUri, state }: Target, answer: Record<string, string>): void {
  const url = new URL(redirectUri);
  for (const [name, value] of Object.entries(answer)) url.searchParams.append(name, value);
  if (state !== undefined) url.searchParams.append('state', state);
  ctx.set('Cache-Control', 'no-store');
  ctx.redirect(url.href);
}

function showLogin(ctx: Ctx, status: number, email = '', error?: string): void {
  ctx.status = status;
  ctx.type = 'text/html; charset=UTF-8';
  ctx.set({
    'Cache-Control': 'no-store',
    'Content-Security-Policy':
      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    'Referrer-Policy': 'no-referrer',
  });
  ctx.body = loginPage(`/oauth2/authorize?${ctx.querystring}`, email, error);
}
