import { authMethods, grantTypes } from './client-metadata.ts';

/**
 * The discovery document (RFC 8414). As seen at NeonPanel it names the scope `dcr.create` only, though
 * logins need `openid`, and it says nothing of the `iss` response parameter. NeonPanel documents no revocation; what
 * happens when it comes can be tried with the switch `offer-revocation`.
 */
export function createMetadata(issuer: string, offersRevocation: boolean) {
  return {
    issuer,
    authorization_endpoint: `${issuer}/oauth2/authorize`,
    token_endpoint: `${issuer}/oauth2/token`,
    registration_endpoint: `${issuer}/oauth2/register`,
    ...(offersRevocation && { revocation_endpoint: `${issuer}/oauth2/revoke` }),
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    scopes_supported: ['dcr.create'],
    response_types_supported: ['code'],
    grant_types_supported: grantTypes,
    token_endpoint_auth_methods_supported: authMethods,
    code_challenge_methods_supported: ['S256'],
  };
}
