/**
 * What became of a login: a grant. Its access tokens name it in their `jti`, its refresh tokens point to
 * it, and when it is gone all of them stop working.
 *
 *   code ──exchange──> grant ──> access JWT + refresh token 1 ──use──> refresh token 2 ──> …
 *                        └── a used code or refresh token comes back: the grant is gone
 */
import { SignJWT, decodeProtectedHeader, jwtVerify } from 'jose';
import { seconds, type Clock } from '../clock.ts';
import type { State } from '../state.ts';
import type { SigningKeys } from './keys.ts';
import { digest, randomHex } from './secrets.ts';

export type Grant = { clientId: string; subject: string; scope: string };
type RefreshToken = { grantId: string; used: boolean };

export type Grants = {
  create(grant: Grant): string;
  revoke(grantId: string): void;
  revokeAll(unwanted: (grant: Grant) => boolean): number;
  issueRefreshToken(grantId: string): string;
  findRefreshToken(token: string): ({ grantId: string; used: boolean } & Grant) | undefined;
  /** The old token is used up and the new one exists, both or neither. */
  rotateRefreshToken(token: string, grantId: string): string;
  issueAccessToken(grantId: string, grant: Grant, lifetimeSeconds: number): Promise<string>;
  /** The grant behind an access token that is still good. */
  verifyAccessToken(
    token: string,
  ): Promise<(Grant & { grantId: string; tokenScope: string }) | undefined>;
};

const refreshTokenMs = 180 * 86_400_000;
const usedTokenMs = 86_400_000;

/** The grants and the tokens that hang on them. */
export function createGrants(state: State, keys: SigningKeys, issuer: string, now: Clock): Grants {
  const grants = state.table<Grant>('grants');
  const refreshTokens = state.table<RefreshToken>('refreshTokens');

  const issueRefreshToken = (grantId: string) => {
    const token = randomHex();
    const expiresAt = now() + refreshTokenMs;
    refreshTokens.put(digest(token), { grantId, used: false }, expiresAt);
    const grant = grants.get(grantId);
    if (grant) grants.put(grantId, grant, expiresAt);
    return token;
  };

  return {
    create(grant) {
      const grantId = randomHex();
      grants.put(grantId, grant, now() + refreshTokenMs);
      return grantId;
    },
    revoke: (grantId) => grants.delete(grantId),
    revokeAll(unwanted) {
      const found = grants.entries().filter(([, grant]) => unwanted(grant));
      state.atomically(() => found.forEach(([grantId]) => grants.delete(grantId)));
      return found.length;
    },
    issueRefreshToken,
    findRefreshToken(token) {
      const found = refreshTokens.get(digest(token));
      const grant = found && grants.get(found.grantId);
      return found && grant && { ...found, ...grant };
    },
    rotateRefreshToken(token, grantId) {
      return state.atomically(() => {
        refreshTokens.put(digest(token), { grantId, used: true }, now() + usedTokenMs);
        return issueRefreshToken(grantId);
      });
    },
    async issueAccessToken(grantId, grant, lifetimeSeconds) {
      const { kid, key } = await keys.signer();
      const issuedAt = seconds(now());
      return new SignJWT({ scope: grant.scope })
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid })
        .setIssuer(issuer)
        .setSubject(grant.subject)
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + lifetimeSeconds)
        .setJti(`${grantId}.${randomHex().slice(0, 12)}`)
        .sign(key);
    },
    async verifyAccessToken(token) {
      try {
        const key = await keys.verifier(decodeProtectedHeader(token).kid);
        if (!key) return undefined;
        const { payload } = await jwtVerify(token, key, {
          issuer,
          algorithms: ['RS256'],
          currentDate: new Date(now()),
        });
        const grantId = String(payload.jti).split('.')[0]!;
        const grant = grants.get(grantId);
        return grant && { ...grant, grantId, tokenScope: String(payload.scope) };
      } catch {
        return undefined; // malformed, expired or signed by somebody else: all the same to the API
      }
    },
  };
}
