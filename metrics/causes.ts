/**
 * Why a token request was refused, in few words. The log has the full cause; here everything must be one of a known
 * number of words, so what is not in the table goes by its error code, and the rest is `other`.
 */
const BY_CAUSE: readonly (readonly [RegExp, string])[] = [
  [/^not a refresh token of ours/, 'refresh_token_unknown'],
  [/^refresh token of another client/, 'refresh_token_of_another_client'],
  [/^generation \S+ was replayed/, 'refresh_token_replayed'],
  [/^grant was revoked or has expired/, 'grant_ended'],
  [/^the grant of the service client has ended/, 'grant_ended'],
  [/^the grant is not that of a service client/, 'grant_ended'],
  [/^unknown code/, 'code_unknown'],
  [/^unknown, expired or redeemed code/, 'code_unknown'],
  [/^code was redeemed already/, 'code_race'],
  [/^code was redeemed a moment ago/, 'code_race'],
  [/^lost the race for the code/, 'code_race'],
  [/^code was replayed/, 'code_replayed'],
  [/^code belongs to another client/, 'code_of_another_client'],
  [/^redirect_uri differs/, 'redirect_uri'],
  [/^PKCE verification failed/, 'pkce'],
  [/^client is gone/, 'client_unknown'],
  [/^client not found/, 'client_unknown'],
  [/^missing required parameter/, 'parameter_missing'],
  [/^requested scope was not granted/, 'scope'],
  [/^gave up on /, 'store'],
  [/^(redis|sqlite): /, 'store'],
];

const BY_ERROR: Readonly<Record<string, string>> = {
  invalid_client: 'client_authentication',
  invalid_target: 'resource',
  invalid_scope: 'scope',
  invalid_request: 'request',
  unsupported_grant_type: 'grant_type',
  unauthorized_client: 'grant_type',
  too_many_requests: 'limit',
  slow_down: 'limit',
  temporarily_unavailable: 'unavailable',
  server_error: 'fault',
};

/** @returns `none` if it was not refused */
export function causeOf(error: unknown, cause: unknown): string {
  if (error === undefined) return 'none';
  const known = BY_CAUSE.find(([form]) => typeof cause === 'string' && form.test(cause));
  if (known) return known[1];
  return Object.hasOwn(BY_ERROR, String(error)) ? BY_ERROR[String(error)]! : 'other';
}

/** All there are, for the documentation. */
export const CAUSES: readonly string[] = [
  ...new Set(['none', ...BY_CAUSE.map(([, word]) => word), ...Object.values(BY_ERROR), 'other']),
];
