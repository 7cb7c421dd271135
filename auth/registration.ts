import { errors } from 'oidc-provider';
import { acceptClientKeys, type KeySet } from './client-keys.ts';
import { redirectTarget, redirectUriProblem } from './redirect-uri.ts';
import { AUTH_METHODS, GRANT_TYPES, SERVICE_GRANT_TYPE } from './supported.ts';

/**
 * Dynamic client registration (RFC 7591): turns what real clients send into the metadata we keep. Clients send nulls,
 * unknown fields, foreign scopes, grants we don't have and the wrong application_type; none of that is a reason to
 * refuse them. What would be dangerous is refused, everything we did not ask for is dropped.
 */
export interface RegistrationPolicy {
  readonly redirectSchemes: readonly string[];
}

const MAX_REDIRECT_URIS = 10;
const MAX_CLIENT_NAME = 100;
const MAX_CLIENT_URI = 2_048;

/**
 * @param body the parsed JSON body of POST /oauth2/register
 * @returns client metadata for the engine: our choice of fields and nothing else
 * @throws errors.InvalidClientMetadata, errors.InvalidRedirectUri (RFC 7591 §3.2.2)
 */
export function acceptRegistration(
  body: unknown,
  policy: RegistrationPolicy,
): Record<string, unknown> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new errors.InvalidClientMetadata('client metadata must be a JSON object');
  }
  // A copy without prototype: a member named __proto__ stays an ordinary, ignored member.
  const sent = Object.assign(Object.create(null), body) as Record<string, unknown>;
  const redirectUris = acceptRedirectUris(sent.redirect_uris, policy);
  const method = acceptAuthMethod(sent.token_endpoint_auth_method);

  return {
    redirect_uris: redirectUris,
    application_type: applicationType(redirectUris),
    response_types: ['code'],
    grant_types: acceptGrantTypes(sent.grant_types),
    token_endpoint_auth_method: method,
    // No `scope`: a registered scope would narrow what the client may request later; the user decides at consent.
    ...(method === 'private_key_jwt' && { jwks: acceptJwks(sent.jwks) }),
    ...optionalText('client_name', sent.client_name, MAX_CLIENT_NAME),
    ...optionalText('software_id', sent.software_id, 100),
    ...optionalText('software_version', sent.software_version, 100),
    ...optionalUrl('client_uri', sent.client_uri),
  };
}

/**
 * The same for a service client (RFC 6749 §4.4), which an operator makes and nobody can register: no redirect URIs, no user,
 * and never public.
 *
 * @throws errors.InvalidClientMetadata
 */
export function acceptServiceClient(sent: Record<string, unknown>): Record<string, unknown> {
  const method = acceptAuthMethod(sent.token_endpoint_auth_method);
  if (method === 'none') {
    throw new errors.InvalidClientMetadata('a service client must authenticate');
  }
  return {
    redirect_uris: [],
    response_types: [],
    grant_types: [SERVICE_GRANT_TYPE],
    token_endpoint_auth_method: method,
    ...(method === 'private_key_jwt' && { jwks: acceptJwks(sent.jwks) }),
    ...optionalText('client_name', sent.client_name, MAX_CLIENT_NAME),
  };
}

/**
 * Refuses what the policy refuses, in the same words, where nobody sees them as a registration's.
 *
 * @param accept asks the policy
 * @param refusal the error that its words become
 */
export function inPolicyWords<T>(accept: () => T, refusal: (words: string) => Error): T {
  try {
    return accept();
  } catch (error) {
    const { error_description } = error as { error_description?: string };
    throw error_description === undefined ? error : refusal(error_description);
  }
}

function acceptRedirectUris(value: unknown, policy: RegistrationPolicy): string[] {
  if (!Array.isArray(value) || value.length < 1 || value.length > MAX_REDIRECT_URIS) {
    throw invalidRedirectUri(`must be an array of 1 to ${MAX_REDIRECT_URIS} URIs`);
  }
  for (const uri of value) {
    const problem = redirectUriProblem(uri, policy.redirectSchemes);
    if (problem) throw invalidRedirectUri(problem);
  }
  return [...new Set(value as string[])];
}

/**
 * `native` is the type that allows another loopback port at authorization (RFC 8252 §7.3) and private-use schemes.
 * Clients leave the type out or send the wrong one, so the URIs decide.
 *
 * The engine lets no native app have https on loopback. Who has it runs a web application at home, so http beside it is
 * taken as that application's too, port and all; a private-use scheme beside it is of two applications at once.
 */
function applicationType(redirectUris: readonly string[]): 'web' | 'native' {
  const isHttps = (uri: string) => uri.startsWith('https:');
  const isHttpsOnLoopback = (uri: string) =>
    isHttps(uri) && redirectTarget(uri).kind === 'loopback';
  if (redirectUris.every(isHttps)) return 'web';
  if (!redirectUris.some(isHttpsOnLoopback)) return 'native';
  if (redirectUris.every((uri) => redirectTarget(uri).kind !== 'app')) return 'web';
  throw invalidRedirectUri('https on loopback and private-use schemes must be registered apart');
}

/** The engine renders a description that begins with `redirect_uris` as invalid_redirect_uri. */
const invalidRedirectUri = (problem: string) =>
  new errors.InvalidClientMetadata(`redirect_uris: ${problem}`);

function acceptAuthMethod(value: unknown): string {
  // RFC 7591 §2: the default is client_secret_basic. It is always made explicit, so the answer is consistent.
  if (value === undefined || value === null || value === '') return 'client_secret_basic';
  const known = AUTH_METHODS.find((method) => method === value);
  if (known) return known;
  throw new errors.InvalidClientMetadata(
    `token_endpoint_auth_method must be one of ${AUTH_METHODS.join(', ')}`,
  );
}

/** Keeps what we have; a client that asks for none of it gets both, which is what it needs to work. */
function acceptGrantTypes(value: unknown): string[] {
  const known = Array.isArray(value) ? GRANT_TYPES.filter((type) => value.includes(type)) : [];
  return known.includes('authorization_code') ? known : [...GRANT_TYPES];
}

function acceptJwks(value: unknown): KeySet {
  if (value !== undefined && value !== null) return acceptClientKeys(value);
  // Nothing that a registration names is fetched.
  throw new errors.InvalidClientMetadata('private_key_jwt needs jwks; a jwks_uri is not used');
}

function optionalText(name: string, value: unknown, maxLength: number) {
  if (typeof value !== 'string') return {};
  // Once more after the cut, which may leave half a character.
  const text = plainText(plainText(value).slice(0, maxLength)).trim();
  return text === '' ? {} : { [name]: text };
}

function optionalUrl(name: string, value: unknown) {
  if (typeof value !== 'string' || value.length > MAX_CLIENT_URI) return {};
  const url = URL.parse(value);
  return url?.protocol === 'https:' && !url.username && !url.password ? { [name]: url.href } : {};
}

/**
 * Without what could make a name look like something else: control, bidirectional, invisible and blank characters, quotation
 * marks (our pages set a name in such), and heaps of marks on a letter. Of accents two are kept, of other scripts' own marks
 * four, which is what Burmese has.
 */
const plainText = (text: string) =>
  text
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu, '')
    .replace(/[\u115f\u1160\u2800\u3164\uffa0]/g, '')
    .replace(
      /["\u201c-\u201f\u00ab\u00bb\u2039\u203a\u300c-\u300f\u301d-\u301f\uff02\u275d\u275e]/g,
      '',
    )
    .replace(/\s+/gu, ' ')
    .replace(/(\p{Script=Inherited}{2})\p{Script=Inherited}+/gu, '$1')
    .replace(/(\p{M}{4})\p{M}+/gu, '$1')
    .replace(/^[\p{M}\s]+/u, '');
