import { createHash, randomBytes } from 'node:crypto';
import { type Answer, describe, isHtml, isRedirect, jsonOf, type Question } from './http.ts';
import type { Client, Code, Examination, Says } from './step.ts';

/** What several steps say in the language of OAuth. */

export const form = (parameters: Readonly<Record<string, string | undefined>>): Question => ({
  method: 'POST',
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: new URLSearchParams(
    Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== undefined),
  ).toString(),
});

export const json = (body: unknown): Question => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

/** A form with client authentication (RFC 6749 §2.3). */
export function authenticated(
  client: Client,
  parameters: Readonly<Record<string, string | undefined>>,
): Question {
  const { client_id, client_secret, method } = client;
  if (method === 'none' || client_secret === undefined) return form({ ...parameters, client_id });
  if (method === 'client_secret_post') return form({ ...parameters, client_id, client_secret });
  const encode = (text: string) => encodeURIComponent(text).replace(/%20/g, '+');
  const pair = Buffer.from(`${encode(client_id)}:${encode(client_secret)}`).toString('base64');
  const question = form(parameters);
  return { ...question, headers: { ...question.headers, authorization: `Basic ${pair}` } };
}

/**
 * Says what is wrong with an answer that should be an OAuth error in JSON.
 *
 * @param what was sent, in words
 */
export function checkOAuthError(answer: Answer, what: string, says: Says): void {
  const body = jsonOf(answer);
  const seen = `${what} is answered ${describe(answer)}`;
  if (isHtml(answer)) {
    return says.fail(
      `${seen}: HTML where clients parse JSON`,
      'Answer {"error": "…"} as application/json, on errors of the framework and of the proxy as well.',
    );
  }
  if (isRedirect(answer)) {
    return says.fail(`${seen}: a redirect loses the form`, 'Serve the endpoint at this address.');
  }
  if ([404, 405].includes(answer.status)) {
    return says.fail(
      `${seen}: the endpoint that the metadata names is not there`,
      'Serve exactly the paths that the metadata names.',
    );
  }
  if (answer.status === 415) {
    return says.fail(
      `${seen}: the form is not understood`,
      'Parse application/x-www-form-urlencoded at the token endpoint.',
    );
  }
  if (answer.status >= 500) {
    return says.fail(`${seen}: a mistake of the client crashes the server`, 'Answer 400 or 401.');
  }
  if (answer.status < 400) {
    return says.fail(`${seen}, which is no error`, 'Refuse it with 400 and an OAuth error.');
  }
  if (typeof body?.error !== 'string') {
    return says.fail(
      `${seen} without a JSON member "error" that is a string`,
      'Answer {"error": "…", "error_description": "…"} (RFC 6749 §5.2).',
    );
  }
}

/** An authorization request as clients send it. @param change overrides, or leaves out what is undefined */
export function authorizationRequest(
  { facts, target }: Examination,
  change: Readonly<Record<string, string | undefined>> = {},
) {
  const { server, client, challenge, resource } = facts;
  const verifier = randomBytes(32).toString('base64url');
  const redirectUri = change.redirect_uri ?? client!.redirectUris[0]!;
  const state = change.state ?? randomBytes(16).toString('hex');
  const scopes = challenge?.scope ?? [resource?.scopes_supported ?? []].flat().join(' ');
  const all: Record<string, string | undefined> = {
    response_type: 'code',
    client_id: client!.client_id,
    redirect_uri: redirectUri,
    state,
    scope: scopes || undefined,
    resource: resourceOf(facts, target.mcpUrl),
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...change,
  };
  const url = new URL(String(server!.authorization_endpoint));
  for (const [name, value] of Object.entries(all)) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return { url, verifier, state, redirectUri };
}

/** What came of an authorization request, seen from its first answer. */
export type Fate =
  /** On to sign-in. */
  | { readonly kind: 'accepted' }
  /** An error page, not a redirect. */
  | { readonly kind: 'page'; readonly what: string }
  /** The client is told. */
  | { readonly kind: 'told'; readonly error: string; readonly parameters: URLSearchParams };

export function fateOf(answer: Answer, redirectUri: string): Fate {
  const location = URL.parse(answer.headers.get('location') ?? '', answer.url);
  if (isRedirect(answer) && location) {
    // Errors of flows that are not asked for come in the fragment.
    const parameters = new URLSearchParams([
      ...location.searchParams,
      ...new URLSearchParams(location.hash.slice(1)),
    ]);
    const error = parameters.get('error');
    const isAtClient = location.href.startsWith(redirectUri);
    if (isAtClient) return { kind: 'told', error: error ?? '', parameters };
    return error === null ? { kind: 'accepted' } : { kind: 'page', what: error };
  }
  const isErrorPage =
    /invalid_request|invalid_client|redirect[ _]ur[il][^<]{0,60}(invalid|mismatch|not)/i;
  if (answer.status >= 400 || isErrorPage.test(answer.text)) {
    return { kind: 'page', what: describe(answer) };
  }
  return { kind: 'accepted' };
}

/** Sends an authorization request, and looks no further than the first answer. */
export async function ask(
  x: Examination,
  change: Readonly<Record<string, string | undefined>> = {},
): Promise<Fate> {
  const { url, redirectUri } = authorizationRequest(x, change);
  const answer = await x.http.ask(url, { headers: { accept: 'text/html,application/xhtml+xml' } });
  return fateOf(answer, redirectUri);
}

export const inWords = (fate: Fate): string =>
  fate.kind === 'accepted'
    ? 'goes on to sign-in'
    : fate.kind === 'page'
      ? `is refused with a page (${fate.what})`
      : `is answered at the client ${fate.error ? `with error=${fate.error}` : 'without an error'}`;

/** RFC 6749 §4.1.3 */
export const redemption = (
  { facts, target }: Examination,
  { code, verifier, redirectUri }: Code,
): Question =>
  authenticated(facts.client!, {
    grant_type: 'authorization_code',
    code,
    code_verifier: verifier,
    redirect_uri: redirectUri,
    resource: resourceOf(facts, target.mcpUrl),
  });

/** As the metadata names it, even if oddly; where it names another host, that mistake is not repeated. */
export function resourceOf({ resource }: Examination['facts'], mcpUrl: string): string {
  const named = String(resource?.resource ?? '');
  return URL.parse(named)?.origin === new URL(mcpUrl).origin ? named : mcpUrl;
}
