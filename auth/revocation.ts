import type { Context } from 'koa';
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { GrantEnding } from '../adapters/grant-ending.ts';
import { believes, type Grants, isService } from '../adapters/grants.ts';
import { type RateLimits, takeTurn } from '../adapters/rate-limits.ts';
import type { Secrets } from '../adapters/secrets.ts';
import { addressOf } from '../http/address.ts';
import { OAUTH_BODY_LIMIT_BYTES, readText, refuseOversize, replayBody } from '../http/body.ts';
import { auditRequest } from '../http/context.ts';
import type { AccessTokenVerifier } from '../keys/access-token.ts';
import { audited, note } from './events.ts';
import type { FailureLimit } from './failure-limit.ts';
import { readRefreshToken } from './refresh-token.ts';

/**
 * Revocation (RFC 7009) and introspection (RFC 7662) of our tokens. The engine authenticates the client and speaks the
 * protocol, but knows neither our signed access tokens nor our computed refresh tokens: it is given a token that it
 * can't find, and what the real one stands for is looked up here.
 */

export interface TokenLookup {
  readonly limits: RateLimits;
  readonly mayFail: FailureLimit;
  readonly grants: Grants;
  readonly ending: GrantEnding;
  readonly secrets: Secrets;
  readonly accessTokens: AccessTokenVerifier;
  /** Looks whether the keys are still the same, if that was not done for 800 ms. */
  readonly freshenKeys: () => Promise<boolean>;
  readonly publicUrl: string;
  readonly refreshTokenTtlSeconds: number;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

type Engine = (ctx: Context) => Promise<void>;

/** What the engine is given instead of the real token: nobody's, and not shaped like a JWT, which it would refuse. */
const NOBODYS_TOKEN = 'looked-up-elsewhere';

/** POST /oauth2/revoke: any token of a grant ends the whole grant; of a service client all the tokens it has. */
export async function revoke(ctx: Context, engine: Engine, options: TokenLookup): Promise<void> {
  let outcome: 'ignored' | 'success' = 'ignored';
  const serve = async () => {
    const asked = await throughEngine(ctx, engine, options);
    const found = asked && (await lookUp(options, asked.token));
    // Another client's token, or none of ours: the answer is the same 200 (RFC 7009 §2.2).
    if (!found || found.clientId !== asked.client.clientId) return;
    const { clientId: client_id, grantId: grant, subject } = found;
    note(ctx, { grant });
    if (isService({ accountId: subject })) {
      // It was made by an operator, and only an operator ends it: this ends the tokens it has.
      await options.grants.endTokens(grant, options.now());
      outcome = 'success';
      return;
    }
    await options.ending.end(grant, 'app');
    outcome = 'success';
    auditRequest(ctx, 'grant.ended', { outcome: 'revoked', client_id, grant, subject });
  };
  await audited(ctx, 'revocation', serve, () => outcome);
}

/** POST /oauth2/introspect: confidential clients, about their own tokens. */
export async function introspect(
  ctx: Context,
  engine: Engine,
  options: TokenLookup,
): Promise<void> {
  let outcome: 'active' | 'inactive' = 'inactive';
  const serve = async () => {
    const asked = await throughEngine(ctx, engine, options);
    if (!asked) return;
    const { client, token } = asked;
    await options.freshenKeys();
    const found = await lookUp(options, token);
    const isEntitled = client.clientAuthMethod !== 'none' && found?.clientId === client.clientId;
    if (isEntitled) note(ctx, { grant: found.grantId });
    const isActive = isEntitled && found.isCurrent && (await isAlive(options, found));
    ctx.body = isActive ? { active: true, ...found.introspection } : { active: false };
    if (isActive) outcome = 'active';
  };
  await audited(ctx, 'introspection', serve, () => outcome);
}

async function isAlive({ grants }: TokenLookup, token: KnownToken): Promise<boolean> {
  const stored = await grants.find(token.grantId);
  return stored !== undefined && believes(stored.grant, token.issuedAt);
}

interface KnownToken {
  readonly clientId: string;
  readonly grantId: string;
  readonly subject: string;
  /** Epoch seconds; of a refresh token, which lives and dies with its grant, for ever. */
  readonly issuedAt: number;
  /** False for an older generation of a refresh token: it may still end the family, but it is not active. */
  readonly isCurrent: boolean;
  /** RFC 7662 §2.2, without `active`. */
  readonly introspection: Record<string, unknown>;
}

async function lookUp(options: TokenLookup, token: string): Promise<KnownToken | undefined> {
  const claims = options.accessTokens.verify(token);
  if (claims) {
    const { grant_id: grantId, client_id: clientId, ...rest } = claims;
    const introspection = { ...rest, client_id: clientId, token_type: 'Bearer' };
    const { sub: subject, iat: issuedAt } = claims;
    return { clientId, grantId, subject, issuedAt, isCurrent: true, introspection };
  }
  const refresh = readRefreshToken(options.secrets, token);
  const stored = refresh && (await options.grants.find(refresh.grantId));
  if (!refresh || !stored) return undefined;
  const { clientId, accountId, scope, generation, rotatedAt } = stored.grant;
  const introspection = {
    iss: options.publicUrl,
    sub: accountId,
    client_id: clientId,
    scope,
    exp: Math.floor(rotatedAt / 1000) + options.refreshTokenTtlSeconds,
  };
  const isCurrent = generation === refresh.generation;
  const { grantId } = refresh;
  const issuedAt = Infinity;
  return { clientId, grantId, subject: accountId, issuedAt, isCurrent, introspection };
}

/**
 * Lets the engine handle the request with a token that is nobody's.
 * @returns the authenticated client and the real token, or undefined if the engine refused the request
 * @throws Refusal 413, 429
 */
async function throughEngine(ctx: Context, engine: Engine, options: TokenLookup) {
  const { mayFail, limits } = options;
  refuseOversize(ctx, OAUTH_BODY_LIMIT_BYTES);
  if (!ctx.is('application/x-www-form-urlencoded')) {
    await mayFail(
      ctx,
      () => engine(ctx),
      () => false,
    );
    return undefined;
  }
  const form = new URLSearchParams(await readText(ctx, OAUTH_BODY_LIMIT_BYTES));
  const tokens = form.getAll('token');
  // Missing or repeated: the engine says so.
  if (tokens.length === 1 && tokens[0] !== '') form.set('token', NOBODYS_TOKEN);
  replayBody(ctx, form.toString());
  await mayFail(
    ctx,
    () => engine(ctx),
    () => tokens.some((token) => isOurs(options, token)),
  );
  const { oidc } = ctx as unknown as Partial<KoaContextWithOIDC>;
  const client = oidc?.client;
  if (ctx.status !== 200 || !client) return undefined;
  takeTurn(limits.lookups, `${client.clientId} ${addressOf(ctx)}`);
  return { client, token: tokens[0]! };
}

/** Whether we signed it, whatever has become of its grant. */
const isOurs = ({ accessTokens, secrets }: TokenLookup, token: string): boolean =>
  accessTokens.verify(token) !== undefined || readRefreshToken(secrets, token) !== undefined;
