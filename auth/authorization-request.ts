import { canonicalResource, normaliseScope } from '../resource.ts';

/**
 * Authorization requests as clients send them, made into requests as the engine wants them. Everything here is a
 * kindness to a real client; what is wrong stays wrong and is refused by the engine.
 */

export const MAX_STATE_LENGTH = 4_096;

/** Only useful for OpenID features we don't have; the engine would refuse them without `openid`. */
const IGNORED = [
  'acr_values',
  'claims',
  'claims_locales',
  'display',
  'id_token_hint',
  'login_hint',
  'max_age',
];
const PROMPTS = ['none', 'login', 'consent', 'select_account'];

/**
 * @param query the raw query string of GET /oauth2/authorize
 * @returns the query string for the engine
 */
export function normaliseAuthorizationRequest(query: string, publicUrl: string): string {
  const request = new URLSearchParams(query);
  normaliseResource(request, publicUrl);
  const scopes = setScope(request);
  setPrompt(request, scopes);
  setResponseMode(request);
  for (const name of IGNORED) request.delete(name);
  if (!scopes.includes('openid')) request.delete('nonce');
  return request.toString();
}

/** Every spelling of our resource becomes the one the engine knows; anything else is left for it to refuse. */
function normaliseResource(request: URLSearchParams, publicUrl: string): void {
  const indicators = request.getAll('resource').filter((indicator) => indicator !== '');
  request.delete('resource');
  const canonical = indicators.map((one) => canonicalResource(publicUrl, one) ?? one);
  for (const indicator of new Set(canonical)) request.append('resource', indicator);
}

function setScope(request: URLSearchParams): string[] {
  const sent = request.getAll('scope');
  // Sent twice: the engine refuses repeated parameters.
  if (sent.length > 1) return sent;
  const scopes = normaliseScope(sent[0]);
  request.set('scope', scopes.join(' '));
  return scopes;
}

/** Unknown prompts are dropped; `offline_access` needs `consent` (OpenID Connect Core §11), which we show anyway. */
function setPrompt(request: URLSearchParams, scopes: readonly string[]): void {
  const sent = request.getAll('prompt');
  if (sent.length > 1) return;
  const prompts = new Set((sent[0] ?? '').split(' ').filter((prompt) => PROMPTS.includes(prompt)));
  if (scopes.includes('offline_access') && !prompts.has('none')) prompts.add('consent');
  if (prompts.size > 0) request.set('prompt', [...prompts].join(' '));
  else request.delete('prompt');
}

/** The engine would also answer by fragment and by form; it is given a mode it does not know, and says so. */
function setResponseMode(request: URLSearchParams): void {
  const [mode = '', ...more] = request.getAll('response_mode');
  if (more.length === 0 && mode !== '' && mode !== 'query') request.set('response_mode', 'other');
}
