import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { Grant } from '../../adapters/grants.ts';
import { takeTurn } from '../../adapters/rate-limits.ts';
import { StoreUnavailable } from '../../errors.ts';
import { tell } from '../../facts.ts';
import { auditRequest, requestLog } from '../../http/context.ts';
import { note } from '../events.ts';
import { issueTokens } from '../issue.ts';
import { judge, mintRefreshToken, readRefreshToken } from '../refresh-token.ts';
import { checkResource, narrowScope, requiredParameter } from '../token-request.ts';
import { clientIsGone, type GrantHandlerOptions } from './options.ts';

/**
 * grant_type=refresh_token (RFC 6749 §6). Like the code: check, sign, commit, answer. What a presented generation
 * means is decided in ../refresh-token.ts.
 */
export function refreshToken(options: GrantHandlerOptions) {
  const { grants, ending, connections, clients, secrets, limits, config, now } = options;

  return async function refresh(ctx: KoaContextWithOIDC): Promise<void> {
    const presented = readRefreshToken(secrets, requiredParameter(ctx, 'refresh_token'));
    checkResource(ctx);
    if (!presented) throw refuse('not a refresh token of ours');
    const { grantId, generation } = presented;
    const client = ctx.oidc.client!;
    note(ctx, { grant: grantId });
    takeTurn(limits.refresh, grantId);

    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const stored = await grants.find(grantId);
      if (!stored) throw refuse('grant was revoked or has expired');
      const { grant, version } = stored;
      note(ctx, { subject: grant.accountId });
      if (grant.clientId !== client.clientId) throw refuse('refresh token of another client');
      const scope = narrowScope(grant.scope, ctx.oidc.params!.scope);

      const verdict = judge(grant, generation, now(), config.refreshGraceSeconds);
      if (verdict === 'replayed') {
        await ending.end(grantId, 'replayed');
        auditRequest(ctx, 'grant.ended', {
          outcome: 'refresh_token_replayed',
          client_id: client.clientId,
          grant: grantId,
          subject: grant.accountId,
        });
        throw refuse(`generation ${generation} was replayed; its grant is revoked`);
      }
      const { accessTokenTtlSeconds, refreshTokenTtlSeconds } = config;
      const tokens = await issueTokens(ctx, { grantId, grant, scope, accessTokenTtlSeconds });
      // Instances that were given the master keys in different orders answer a repeat with the same token, too.
      const masterKey = verdict === 'rotate' ? secrets.masterKeyIds[0] : grant.masterKey;
      if (verdict === 'rotate') {
        const rotatedAt = now();
        const rotated: Grant = { ...grant, generation: generation + 1, rotatedAt, masterKey };
        const endsAt = now() + refreshTokenTtlSeconds * 1000;
        if (!(await clients.keepFor(client.clientId, endsAt))) throw clientIsGone();
        // Lost to a parallel request with the same token: look again, it is a repeat now.
        if (!(await grants.replace(grantId, rotated, version, refreshTokenTtlSeconds))) continue;
        connections.renewed(grantId, rotated, refreshTokenTtlSeconds);
      }
      const newest = { grantId, generation: generation + 1 };
      const successor = mintRefreshToken(secrets, newest, masterKey);
      ctx.body = { ...tokens, refresh_token: successor };
      const isAhead = generation > (grant.generation ?? 0);
      const as = verdict === 'repeat' ? 'repeated' : isAhead ? 'recovered' : 'rotated';
      tell(requestLog(ctx), 'refresh', { as });
      return;
    }
    throw new StoreUnavailable(`gave up on a refresh after ${MAX_ATTEMPTS} lost races`);
  };
}

const MAX_ATTEMPTS = 5;

const refuse = (detail: string) => new errors.InvalidGrant({ detail });
