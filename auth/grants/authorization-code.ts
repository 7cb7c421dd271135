import { createHash, timingSafeEqual } from 'node:crypto';
import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import {
  codeKey,
  connectedApp,
  type Grant,
  grantKey,
  isGrantId,
  openedBy,
} from '../../adapters/grants.ts';
import type { CodeRecord } from '../../adapters/oidc-models.ts';
import { digest, isSame } from '../../adapters/secrets.ts';
import { auditRequest } from '../../http/context.ts';
import { note } from '../events.ts';
import { issueTokens } from '../issue.ts';
import { mintRefreshToken } from '../refresh-token.ts';
import { checkResource, requiredParameter } from '../token-request.ts';
import { clientIsGone, type GrantHandlerOptions } from './options.ts';

/**
 * grant_type=authorization_code (RFC 6749 §4.1.3, RFC 7636 §4.5).
 *
 * Everything is checked and signed first; then one commit marks the code as redeemed and writes the grant, and only
 * its success is answered with tokens. So exactly one of any number of parallel requests wins, a reply lost between us
 * and the store does not cost the client its code, and a crash before the commit leaves the code as it was.
 */
export function authorizationCode(options: GrantHandlerOptions) {
  const { store, grants, ending, connections, clients, secrets, config, now } = options;

  return async function redeemCode(ctx: KoaContextWithOIDC): Promise<void> {
    const code = requiredParameter(ctx, 'code');
    const redirectUri = requiredParameter(ctx, 'redirect_uri');
    checkResource(ctx);

    const client = ctx.oidc.client!;
    const [grantId = ''] = code.split('.');
    if (!isGrantId(grantId)) throw refuse('unknown code');
    const [stored, opened] = await store.read(codeKey(grantId), grantKey(grantId));
    const grantSoFar = opened && (JSON.parse(opened.value) as Grant);
    if (grantSoFar?.clientId === client.clientId)
      await endIfReplayed(ctx, grantId, grantSoFar, code);
    if (!stored) throw refuse('unknown, expired or redeemed code');
    if (stored.value === 'redeemed') throw refuse('code was redeemed already');
    const { hash, payload } = JSON.parse(stored.value) as CodeRecord;
    if (!isSame(hash, digest(code))) throw refuse('unknown code');
    note(ctx, { grant: grantId, subject: payload.accountId! });
    if (payload.clientId !== client.clientId) throw refuse('code belongs to another client');
    if (payload.redirectUri !== redirectUri) throw refuse('redirect_uri differs from the request');
    const verifier = ctx.oidc.params!.code_verifier;
    if (!verifies(verifier, payload.codeChallenge!)) throw refuse('PKCE verification failed');

    const refreshable = client.grantTypeAllowed('refresh_token');
    const grant: Grant = {
      clientId: client.clientId,
      accountId: payload.accountId!,
      scope: payload.scope!,
      generation: refreshable ? 0 : undefined,
      rotatedAt: now(),
      createdAt: now(),
      codeHash: hash,
      masterKey: refreshable ? secrets.masterKeyIds[0] : undefined,
      app: connectedApp(client.clientName, redirectUri),
      nonce: payload.nonce,
      authTime: payload.authTime,
    };
    const { accessTokenTtlSeconds, refreshTokenTtlSeconds } = config;
    const scope = grant.scope.split(' ');
    const tokens = await issueTokens(ctx, { grantId, grant, scope, accessTokenTtlSeconds });
    const lifetime = refreshable ? refreshTokenTtlSeconds : accessTokenTtlSeconds;
    // Before the code is spent: once it is, nothing may fail any more.
    if (!(await clients.keepFor(client.clientId, now() + lifetime * 1000))) throw clientIsGone();
    if (!(await grants.open(grantId, grant, stored, lifetime))) {
      throw refuse('lost the race for the code');
    }
    connections.opened(grantId, grant, lifetime);
    ctx.body = {
      ...tokens,
      ...(refreshable && { refresh_token: mintRefreshToken(secrets, { grantId, generation: 0 }) }),
    };
  };

  /**
   * A code that already opened this grant came again. At once it is a race of one client with itself (nothing is
   * revoked, or the loser would kill the winner); later it is a replay, and the whole family ends (RFC 6749 §4.1.2).
   */
  async function endIfReplayed(
    ctx: KoaContextWithOIDC,
    grantId: string,
    grant: Grant,
    code: string,
  ): Promise<void> {
    if (!openedBy(grant, code)) return;
    const { clientId: client_id, accountId: subject } = grant;
    note(ctx, { grant: grantId, subject });
    if (now() - grant.createdAt < RACE_MS) throw refuse('code was redeemed a moment ago');
    await ending.end(grantId, 'replayed');
    auditRequest(ctx, 'grant.ended', {
      outcome: 'code_replayed',
      client_id,
      grant: grantId,
      subject,
    });
    throw refuse('code was replayed; its grant is revoked');
  }
}

/** Requests with one code that arrive within this time of its redemption count as parallel. */
const RACE_MS = 2_000;

const refuse = (detail: string) => new errors.InvalidGrant({ detail });

/** RFC 7636 §4.6, S256 only. One that is missing is as good as a wrong one. */
function verifies(verifier: unknown, challenge: string): boolean {
  if (typeof verifier !== 'string' || !/^[\w.~-]{43,128}$/.test(verifier)) return false;
  const expected = createHash('sha256').update(verifier).digest();
  const given = Buffer.from(challenge, 'base64url');
  return given.length === expected.length && timingSafeEqual(given, expected);
}
