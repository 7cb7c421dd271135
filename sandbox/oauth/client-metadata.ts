import type { JWK } from 'jose';
import { oauthRefusal } from '../errors.ts';

export type ClientMetadata = {
  redirect_uris: string[];
  client_name?: string;
  grant_types: string[];
  response_types: string[];
  token_endpoint_auth_method: string;
  jwks_uri?: string;
  jwks?: { keys: JWK[] };
  contacts?: string[];
  client_uri?: string;
  logo_uri?: string;
};

export const grantTypes = ['authorization_code', 'refresh_token', 'client_credentials'];
export const authMethods = ['none', 'private_key_jwt', 'client_secret_post', 'client_secret_basic'];
const changeable = ['client_name', 'redirect_uris', 'contacts', 'jwks_uri', 'jwks'];

const textMax = 2_000;
const listMax = 20;

/** A registration request (RFC 7591 §2) as metadata; unknown members are dropped. */
export function readMetadata(body: Record<string, unknown>): ClientMetadata {
  const method = body.token_endpoint_auth_method ?? 'client_secret_basic';
  if (typeof method !== 'string' || !authMethods.includes(method)) {
    throw invalidMetadata(`token_endpoint_auth_method must be one of ${authMethods.join(', ')}.`);
  }
  const metadata: ClientMetadata = {
    redirect_uris: readRedirectUris(body.redirect_uris),
    grant_types: readSubset(body, 'grant_types', grantTypes) ?? ['authorization_code'],
    response_types: readSubset(body, 'response_types', ['code']) ?? ['code'],
    token_endpoint_auth_method: method,
    ...readOptional(body),
  };
  if (method === 'private_key_jwt' && !metadata.jwks) {
    throw invalidMetadata('private_key_jwt needs jwks.');
  }
  return metadata;
}

/** The changed metadata of a PATCH; only some members may change. */
export function changeMetadata(
  metadata: ClientMetadata,
  body: Record<string, unknown>,
): ClientMetadata {
  const fixed = Object.keys(body).filter((name) => !changeable.includes(name));
  if (fixed.length > 0) throw invalidMetadata(`${fixed.join(', ')} cannot be changed.`);
  return {
    ...metadata,
    ...('redirect_uris' in body && { redirect_uris: readRedirectUris(body.redirect_uris) }),
    ...readOptional(body),
  };
}

function readRedirectUris(value: unknown): string[] {
  const uris = Array.isArray(value) ? value : [];
  if (uris.length === 0 || uris.length > listMax || !uris.every(isRedirectUri)) {
    throw oauthRefusal(
      'invalid_redirect_uri',
      'redirect_uris must be a list of absolute https (or loopback http) URIs without a fragment.',
    );
  }
  return uris;
}

function isRedirectUri(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > textMax || value.includes('#')) return false;
  const url = URL.parse(value);
  if (!url || url.username || url.password) return false;
  if (url.protocol === 'https:') return true;
  return url.protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
}

function readSubset(body: Record<string, unknown>, name: string, allowed: string[]) {
  const value = body[name];
  if (value === undefined) return undefined;
  if (!isTextList(value) || !value.every((entry) => allowed.includes(entry))) {
    throw invalidMetadata(`${name} must be a list out of ${allowed.join(', ')}.`);
  }
  return value;
}

function readOptional(body: Record<string, unknown>): Partial<ClientMetadata> {
  const { contacts, jwks } = body;
  const texts: Partial<ClientMetadata> = {};
  for (const name of ['client_name', 'jwks_uri', 'client_uri', 'logo_uri'] as const) {
    const value = body[name];
    if (value === undefined) continue;
    const isUri = name.endsWith('_uri');
    if (!isText(value) || (isUri && !URL.canParse(value))) {
      throw invalidMetadata(`${name} must be a ${isUri ? 'URI' : 'string'}.`);
    }
    texts[name] = value;
  }
  if (contacts !== undefined && !isTextList(contacts)) {
    throw invalidMetadata('contacts must be a list of strings.');
  }
  if (jwks !== undefined && !isKeySet(jwks)) throw invalidMetadata('jwks must be a JWK set.');
  return { ...texts, ...(contacts && { contacts }), ...(jwks && { jwks }) };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= textMax;
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= listMax && value.every(isText);
}

function isKeySet(value: unknown): value is { keys: JWK[] } {
  if (typeof value !== 'object' || value === null || !('keys' in value)) return false;
  const { keys } = value;
  return (
    Array.isArray(keys) && keys.length <= listMax && keys.every((key) => key?.kty !== undefined)
  );
}

function invalidMetadata(description: string) {
  return oauthRefusal('invalid_client_metadata', description);
}
