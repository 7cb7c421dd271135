import type { AdapterPayload } from 'oidc-provider';
import { Unacceptable } from '../../adapters/document-cache.ts';
import { acceptClientKeys, type KeySet } from '../client-keys.ts';
import { acceptRegistration, inPolicyWords, type RegistrationPolicy } from '../registration.ts';
import { ASSERTION_ALGORITHMS } from '../supported.ts';
import { documentUrlProblem } from './document-url.ts';

/** What a client metadata document says about its client, as far as we take it. */
export interface ClientDocument {
  /** For the engine; of a client with private_key_jwt its keys are still to be added. */
  readonly metadata: AdapterPayload;
  /** Where the keys of private_key_jwt are. */
  readonly keys?: KeySet | { readonly uri: string };
}

export interface DocumentPolicy extends RegistrationPolicy {
  readonly cimdTestOrigin?: string;
}

/**
 * A client metadata document (draft-ietf-oauth-client-id-metadata-document §4) is a registration that was put on the
 * web: the same policy, the same clean-up. What a registration may have and a document may not is a secret.
 *
 * @param content the parsed JSON
 * @param url where it was found, which is the client's id
 * @throws Unacceptable
 */
export function acceptDocument(
  content: unknown,
  url: string,
  policy: DocumentPolicy,
): ClientDocument {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new Unacceptable('it is not a JSON object');
  }
  const sent = Object.assign(Object.create(null), content) as Record<string, unknown>;
  // Compared as text (RFC 3986 §6.2.1).
  if (sent.client_id !== url) throw new Unacceptable('its client_id is not its own address');
  if ((sent.client_secret ?? sent.client_secret_expires_at ?? null) !== null) {
    throw new Unacceptable('it contains a client_secret');
  }
  const method = authMethod(sent);
  // The method is not one to register with: the keys may be elsewhere.
  const registration = { ...sent, token_endpoint_auth_method: 'none', jwks: undefined };
  const accepted = orUnacceptable(() => acceptRegistration(registration, policy));
  const metadata: AdapterPayload = { ...accepted, client_id: url };
  if (metadata.client_name === undefined) throw new Unacceptable('it has no client_name');
  if (method === 'none') return { metadata };
  return {
    metadata: {
      ...metadata,
      token_endpoint_auth_method: method,
      ...signingAlgorithm(sent.token_endpoint_auth_signing_alg),
    },
    keys: keysOf(sent, policy),
  };
}

/** The key set that a `jwks_uri` leads to. @throws Unacceptable */
export const acceptKeySet = (content: unknown): KeySet =>
  orUnacceptable(() => acceptClientKeys(content));

/** What a registration would be refused for makes a document unacceptable, in the same words. */
const orUnacceptable = <T>(accept: () => T): T =>
  inPolicyWords(accept, (words) => new Unacceptable(words));

type Method = 'none' | 'private_key_jwt';

/**
 * One method, or several to choose from (OpenID Connect RP Metadata Choices). The one that is named wins, and then holds
 * for every request; of a choice the stronger. Without any there is nothing to authenticate with.
 */
function authMethod(sent: Record<string, unknown>): Method {
  const named = sent.token_endpoint_auth_method || undefined;
  const choices = Array.isArray(sent.token_endpoint_auth_methods_supported)
    ? (sent.token_endpoint_auth_methods_supported as unknown[])
    : [];
  if (named === 'none' || named === 'private_key_jwt') return named;
  if (typeof named === 'string' && named.startsWith('client_secret')) {
    throw new Unacceptable('its token_endpoint_auth_method needs a secret');
  }
  const hasKeys = Boolean(sent.jwks ?? sent.jwks_uri);
  if (choices.includes('private_key_jwt') && hasKeys) return 'private_key_jwt';
  if (choices.includes('none') || (named === undefined && choices.length === 0)) return 'none';
  throw new Unacceptable('its token_endpoint_auth_method must be none or private_key_jwt');
}

function keysOf(sent: Record<string, unknown>, policy: DocumentPolicy): KeySet | { uri: string } {
  const { jwks, jwks_uri: uri } = sent;
  // RFC 7591 §2: not both.
  if (jwks && uri) throw new Unacceptable('it has both jwks and jwks_uri');
  if (jwks) return acceptKeySet(jwks);
  if (!uri) throw new Unacceptable('private_key_jwt needs jwks or jwks_uri');
  const problem = documentUrlProblem(uri, policy.cimdTestOrigin);
  if (problem) throw new Unacceptable(`its jwks_uri ${problem}`);
  return { uri: uri as string };
}

function signingAlgorithm(value: unknown) {
  if (value === undefined || value === null || value === '') return {};
  const ours = ASSERTION_ALGORITHMS.find((algorithm) => algorithm === value);
  if (ours) return { token_endpoint_auth_signing_alg: ours };
  const known = ASSERTION_ALGORITHMS.join(', ');
  throw new Unacceptable(`its token_endpoint_auth_signing_alg must be one of ${known}`);
}
