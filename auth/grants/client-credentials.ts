import { setTimeout as wait } from 'node:timers/promises';
import { errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider';
import { isService } from '../../adapters/grants.ts';
import { takeTurn } from '../../adapters/rate-limits.ts';
import { note } from '../events.ts';
import { issueTokens } from '../issue.ts';
import { SERVICE_GRANT_TYPE } from '../supported.ts';
import { checkResource, narrowScope } from '../token-request.ts';
import { clientIsGone, type GrantHandlerOptions } from './options.ts';

/**
 * grant_type=client_credentials (RFC 6749 §4.4), for service clients only: confidential ones that an operator made together
 * with a NeonPanel credential of their own (D15). The command also made the grant, which has the client's id; without it there
 * are no tokens. No refresh token: the client has its credentials (§4.4.3).
 */
export function clientCredentials(options: GrantHandlerOptions) {
  const { grants, clients, limits, config, now } = options;

  return async function serve(ctx: KoaContextWithOIDC): Promise<void> {
    checkResource(ctx);
    const client = ctx.oidc.client!;
    const grantId = client.clientId;
    takeTurn(limits.service, grantId);
    const stored = await grants.find(grantId);
    if (!stored) throw new errors.InvalidGrant({ detail: ENDED });
    const { grant, version } = stored;
    note(ctx, { grant: grantId, subject: grant.accountId });
    if (grant.clientId !== client.clientId || !isService(grant)) {
      throw new errors.InvalidGrant({ detail: 'the grant is not that of a service client' });
    }
    const scope = narrowScope(grant.scope, ctx.oidc.params!.scope);
    // Its tokens so far have just been revoked: this one must not look as old.
    const tooEarlyMs = (grant.tokensFrom ?? 0) * 1000 - now();
    if (tooEarlyMs > 0) await wait(Math.min(tooEarlyMs, 1_000) + TIMER_MS);

    const { accessTokenTtlSeconds } = config;
    const tokens = await issueTokens(ctx, { grantId, grant, scope, accessTokenTtlSeconds });
    if (now() - grant.rotatedAt > NOTED_AFTER_MS) {
      if (!(await clients.keepFor(client.clientId, now()))) throw clientIsGone();
      // For the operator's list; somebody else writing it at this moment has written the same.
      await grants.replace(grantId, { ...grant, rotatedAt: now() }, version, 'keep');
    }
    ctx.body = tokens;
  };
}

/** Timers may be early by a millisecond. */
const TIMER_MS = 5;
/** When it was last used is written down so often: some clients get a token for every call. */
const NOTED_AFTER_MS = 600_000;

const ENDED =
  'the grant of the service client has ended: NeonPanel no longer takes its credential, or an operator ended it';

/**
 * The engine calls a grant type that is not the client's `invalid_request`. For a service client it is
 * `unauthorized_client` (RFC 6749 §5.2); all others are told what holds for them: there is no client_credentials here.
 */
export function nameForeignGrantTypes(provider: Provider): void {
  provider.on('grant.error', (ctx, error) => {
    const { client, params } = ctx.oidc ?? {};
    const asked = params?.grant_type;
    if (!(error instanceof errors.InvalidRequest) || !client || typeof asked !== 'string') return;
    if (client.grantTypeAllowed(asked)) return;
    const isServiceClient = client.grantTypeAllowed(SERVICE_GRANT_TYPE);
    if (!isServiceClient && asked !== SERVICE_GRANT_TYPE) return;
    const named = isServiceClient
      ? new errors.UnauthorizedClient('requested grant type is not allowed for this client')
      : new errors.UnsupportedGrantType();
    ctx.body = { error: named.error, error_description: named.error_description };
    ctx.state.engineError = named;
  });
}
