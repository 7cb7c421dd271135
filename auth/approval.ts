import { OIDC_SCOPES, READ, RESOURCE_SCOPES, WRITE } from '../resource.ts';

/** What the user allowed; becomes the `consent` of the interaction's result. */
export interface Approval {
  /** `openid`, `offline_access` or nothing. */
  readonly oidcScope: string;
  /** `neonpanel.read`, perhaps with `neonpanel.write`. */
  readonly resourceScope: string;
}

/**
 * What is granted: reading always, writing only if it was asked for and ticked (an unknown value ticks nothing).
 *
 * @param requested the scope of the authorization request, normalised
 * @param ticked the values of the form's `scope` fields
 */
export function approvalOf(requested: string, ticked: readonly string[]): Approval {
  const asked = requested.split(' ');
  const write = asked.includes(WRITE) && ticked.includes(WRITE);
  return {
    oidcScope: OIDC_SCOPES.filter((scope) => asked.includes(scope)).join(' '),
    resourceScope: RESOURCE_SCOPES.filter((scope) => scope === READ || write).join(' '),
  };
}
