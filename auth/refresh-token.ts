import type { Grant } from '../adapters/grants.ts';
import { isGrantId } from '../adapters/grants.ts';
import type { Secrets } from '../adapters/secrets.ts';

/**
 * Refresh tokens: `family.generation.MAC`. The family is the grant's id. Nothing of the token is stored: the grant
 * remembers the newest generation, and a successor is computed, so any instance answers a repeated request with the
 * very same token, and the record never grows.
 */
export interface RefreshToken {
  readonly grantId: string;
  readonly generation: number;
}

/**
 * The token text of one generation.
 * @param masterKey public name of the master key that the grant says it was made with; default: the first
 */
export function mintRefreshToken(
  secrets: Secrets,
  { grantId, generation }: RefreshToken,
  masterKey?: string,
): string {
  const text = `${grantId}.${generation}`;
  return `${text}.${secrets.mac('refresh-token', text, masterKey)}`;
}

/** @returns undefined unless it is one of ours: well-formed, and its MAC made with one of our master keys */
export function readRefreshToken(secrets: Secrets, token: string): RefreshToken | undefined {
  const [grantId, generation, mac, ...rest] = token.split('.');
  if (!grantId || !generation || !mac || rest.length > 0) return undefined;
  if (!isGrantId(grantId) || !/^(0|[1-9]\d{0,14})$/.test(generation)) return undefined;
  // One spelling only: decoding would overlook padding, line ends, the other alphabet and spare bits.
  if (Buffer.from(mac, 'base64url').toString('base64url') !== mac) return undefined;
  if (!secrets.verifyMac('refresh-token', `${grantId}.${generation}`, mac)) return undefined;
  return { grantId, generation: Number(generation) };
}

/**
 * What a presented generation means (RFC 9700 §4.14.2: rotation with reuse detection, softened by a grace for clients
 * that refresh in parallel or lost our answer):
 *
 * - `rotate`: the newest one. The next generation becomes the newest.
 * - `repeat`: the one before, within the grace. The answer is the same successor again; nothing changes.
 * - `replayed`: anything else with a valid MAC. Somebody holds an old copy, so the family ends.
 *
 * A generation one ahead of the store is genuine too (its MAC says so): the store lost its last write in a failover.
 * It rotates from there.
 *
 * @param now and `grant.rotatedAt` in epoch milliseconds
 */
export function judge(
  grant: Pick<Grant, 'generation' | 'rotatedAt'>,
  presented: number,
  now: number,
  graceSeconds: number,
): 'rotate' | 'repeat' | 'replayed' {
  const newest = grant.generation;
  if (newest === undefined) return 'replayed';
  if (presented === newest || presented === newest + 1) return 'rotate';
  const inGrace = now - grant.rotatedAt <= graceSeconds * 1000;
  return presented === newest - 1 && inGrace && graceSeconds > 0 ? 'repeat' : 'replayed';
}
