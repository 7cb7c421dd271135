import type { ExecutionContext } from 'ava';
import { basic } from './client-auth.ts';
import { type Received, send } from './raw-http.ts';
import { authorizationRequest, clientParameters, type TestClient } from './support/oauth.ts';

/**
 * What a client that is not known, or not any more, gets at every endpoint: an answer from which programs see that they have
 * to register anew, and people that they have to add the app again.
 */
export async function isDeadEverywhere(
  t: ExecutionContext,
  base: string,
  client: TestClient,
): Promise<void> {
  for (const path of ['token', 'revoke', 'introspect']) {
    const form = {
      grant_type: 'refresh_token',
      refresh_token: 'none of ours',
      token: 'none of ours',
    };
    const ask = (more: Record<string, string>, headers: Record<string, string> = {}) =>
      send(base, `/oauth2/${path}`, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          accept: 'text/html',
          ...headers,
        },
        body: new URLSearchParams({ ...form, ...more }).toString(),
      });
    const byForm = await ask(clientParameters(client));
    isInvalidClient(t, byForm, path);
    t.is(byForm.headers['www-authenticate'], undefined, path);
    // RFC 6749 §2.3.1: form-encoded.
    const client_id = new URLSearchParams({ '': client.client_id }).toString().slice(1);
    const authorization = basic({ ...client, client_id, client_secret: 'a-secret' });
    const byBasic = await ask({}, { authorization });
    isInvalidClient(t, byBasic, path);
    t.regex(byBasic.headers['www-authenticate'] ?? '', /^Basic .*error="invalid_client"/, path);
  }

  const { pathname, search } = authorizationRequest(base, client).url;
  for (const [accept, type] of [
    ['text/html,application/xhtml+xml,*/*;q=0.8', /^text\/html/],
    ['application/json', /^application\/json/],
  ] as const) {
    const answer = await send(base, pathname + search, { headers: { accept } });
    t.is(answer.status, 400);
    t.is(answer.headers.location, undefined);
    t.is(answer.headers['set-cookie'], undefined);
    t.regex(answer.headers['content-type']!, type);
    if (answer.json) t.is(answer.json.error, 'invalid_client');
    else t.regex(answer.text, /Remove the NeonPanel connector in your app and add it again/);
  }
}

/** RFC 6749 §5.2. */
function isInvalidClient(t: ExecutionContext, answer: Received, path: string): void {
  t.is(answer.status, 401, path);
  t.is(answer.json?.error, 'invalid_client', path);
  t.regex(answer.headers['content-type']!, /^application\/json/, path);
  t.is(answer.headers['cache-control'], 'no-store', path);
  t.is(answer.headers['access-control-allow-origin'], '*', path);
}
