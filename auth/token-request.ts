import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import { audienceOf, canonicalResource, normaliseScope } from '../resource.ts';

/**
 * Checks of a token request that come before anything is consumed: a wrong `resource` or `scope` must leave the code
 * or refresh token as usable as it was.
 */

/** RFC 8707 §2.2: every indicator must be one of the spellings of our resource. @throws errors.InvalidTarget */
export function checkResource(ctx: KoaContextWithOIDC): void {
  const { resource } = ctx.oidc.params!;
  const indicators = resource === undefined ? [] : [resource].flat();
  const { issuer } = ctx.oidc.provider;
  const foreign = indicators.some(
    (indicator) =>
      typeof indicator !== 'string' || canonicalResource(issuer, indicator) !== audienceOf(issuer),
  );
  if (foreign) throw new errors.InvalidTarget();
}

/**
 * RFC 6749 §6: a refresh may ask for less than was granted, never for more.
 * @returns the scope of the new access token
 * @throws errors.InvalidScope
 */
export function narrowScope(granted: string, requested: unknown): string[] {
  const all = granted.split(' ');
  if (typeof requested !== 'string' || requested.trim() === '') return all;
  const asked = normaliseScope(requested);
  // Only what was asked for by its own name and would give more: `offline_access` gives nothing.
  const named = requested.split(' ').filter((scope) => scope !== 'offline_access');
  const excess = asked.filter((scope) => !all.includes(scope) && named.includes(scope));
  if (excess.length > 0) {
    throw new errors.InvalidScope('requested scope was not granted', excess.join(' '));
  }
  return asked.filter((scope) => all.includes(scope));
}

/** RFC 6749 §4.1.3 and §6. @throws errors.InvalidRequest if the parameter is missing */
export function requiredParameter(ctx: KoaContextWithOIDC, name: string): string {
  const value = ctx.oidc.params![name];
  if (typeof value === 'string' && value !== '') return value;
  throw new errors.InvalidRequest(`missing required parameter '${name}'`);
}
