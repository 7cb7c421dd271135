/**
 * What this authorization server can do, stated once: the engine is configured from it, registrations are held against
 * it, and the metadata tells it to clients.
 */

/** How clients authenticate at the token, revocation and introspection endpoints (RFC 7591 §2, RFC 7523). */
export const AUTH_METHODS = [
  'none',
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
] as const;

/** Algorithms of `private_key_jwt` assertions. */
export const ASSERTION_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'] as const;
export type AssertionAlgorithm = (typeof ASSERTION_ALGORITHMS)[number];

/** What a client may register for. */
export const GRANT_TYPES = ['authorization_code', 'refresh_token'] as const;

/** Only for clients that an operator makes (D15): it can't be registered for, by whichever way. */
export const SERVICE_GRANT_TYPE = 'client_credentials';
