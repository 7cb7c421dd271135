import type { SandboxContext } from '../context.ts';
import { notFound, oauthRefusal } from '../errors.ts';
import type { Ctx } from '../http/types.ts';
import { authenticateClient } from './client-auth.ts';
import { readTokenRequest } from './token.ts';

/**
 * The revocation endpoint (RFC 7009), as long as `offer-revocation` is on: any token of a grant ends the grant, and
 * whether there was one is nobody's business.
 */
export function createRevocationEndpoint(context: SandboxContext) {
  const { grants, faults } = context;

  return async function revoke(ctx: Ctx): Promise<void> {
    if (!faults.isOn('offer-revocation')) throw notFound();
    const form = readTokenRequest(ctx);
    const client = await authenticateClient(context, form, ctx.get('Authorization') || undefined);
    const { token } = form;
    if (!token) throw oauthRefusal('invalid_request', 'token is missing.');
    const found = grants.findRefreshToken(token) ?? (await grants.verifyAccessToken(token));
    if (found?.clientId === client.id) grants.revoke(found.grantId);
    ctx.set('Cache-Control', 'no-store');
    ctx.status = 200;
    ctx.body = '';
  };
}
