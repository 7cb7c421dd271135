import { OIDC_SCOPES, RESOURCE_SCOPES } from '../resource.ts';
import { LANGUAGE_CODES } from '../views/languages.ts';
import { PATHS } from './paths.ts';
import {
  ASSERTION_ALGORITHMS,
  AUTH_METHODS,
  GRANT_TYPES,
  SERVICE_GRANT_TYPE,
} from './supported.ts';

/**
 * The authorization server's metadata (RFC 8414; the same document serves OpenID Connect Discovery). Written out here
 * rather than taken from the engine, so that it says what is built and nothing else; a test redeems every line of it.
 *
 * @param publicUrl the issuer; every URL is made from it, none from a request
 */
export function authorizationServerMetadata(
  publicUrl: string,
  options: { registrationOpen: boolean; documentsAccepted: boolean; servicesKnown: boolean },
) {
  return {
    issuer: publicUrl,
    authorization_endpoint: publicUrl + PATHS.authorize,
    token_endpoint: publicUrl + PATHS.token,
    ...(options.registrationOpen && { registration_endpoint: publicUrl + PATHS.register }),
    ...(options.documentsAccepted && { client_id_metadata_document_supported: true }),
    revocation_endpoint: publicUrl + PATHS.revoke,
    introspection_endpoint: publicUrl + PATHS.introspect,
    jwks_uri: publicUrl + PATHS.jwks,
    scopes_supported: [...OIDC_SCOPES, ...RESOURCE_SCOPES],
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    // Nobody can ask to be a service client: where there is none, nobody can use that grant.
    grant_types_supported: options.servicesKnown
      ? [...GRANT_TYPES, SERVICE_GRANT_TYPE]
      : GRANT_TYPES,
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: AUTH_METHODS,
    token_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    revocation_endpoint_auth_methods_supported: AUTH_METHODS,
    revocation_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    introspection_endpoint_auth_methods_supported: AUTH_METHODS.filter((m) => m !== 'none'),
    introspection_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    authorization_response_iss_parameter_supported: true,
    ui_locales_supported: LANGUAGE_CODES,
    // Required by OpenID Connect Discovery §3.
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    claims_supported: ['sub', 'iss', 'aud', 'exp', 'iat', 'auth_time'],
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    claims_parameter_supported: false,
  };
}
