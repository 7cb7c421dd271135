import type { JWK } from 'jose';

/**
 * The life of a signing key:
 *
 *   next ──rotate()──▶ current ──rotate()──▶ retired ──prune()──▶ gone
 *     └────────────────────┴──── retire() ───────┴──────────────────▲
 *
 * `next` is published so that everybody who caches our JWKS knows it before it signs; `current` signs; `retired` is
 * published until the last token it signed has expired. A key that leaked is gone at once. There is always a next key.
 *
 * Nothing here touches the store or a clock: sets go in and sets come out.
 */
export interface SigningKey {
  readonly kid: string;
  readonly state: 'next' | 'current' | 'retired';
  /** RSA, RS256; private until the key is retired, since a retired key never signs again. */
  readonly jwk: JWK;
  /** Epoch milliseconds, as are the others. It is published from then on. */
  readonly createdAt: number;
  /** Since when it signs. Absent of a first key that an older version made: it signs from the start. */
  readonly promotedAt?: number;
  /** When its successor took over: its last use. */
  readonly retiredAt?: number;
  /** When the last token that it can have signed is expired everywhere. */
  readonly neededUntil?: number;
}

/** How long instances may go on with the set before: they look twice a second. */
export const TAKEOVER_MS = 1_000;
/** By how much the clocks of instances, and of whoever verifies, may differ; docs/architecture.md. */
const CLOCKS_DIFFER_MS = 15_000;
/** Those retired are some 0.5 kB each, and every client that verifies fetches all of them. */
export const MAX_KEYS = 100;

/** What can't be done with a set as it is. Its message is for the admin. */
export class StageError extends Error {
  override name = 'StageError';
}

/** @throws StageError if there can be no more keys */
export function assertRoom({ length }: readonly SigningKey[]): void {
  if (length < MAX_KEYS) return;
  throw new StageError(`There are ${length} keys already; prune those that nobody needs.`);
}

/** @param spare a fresh key, which becomes the next one */
export function rotate(
  keys: readonly SigningKey[],
  spare: SigningKey,
  now: number,
  accessTokenTtlSeconds: number,
): SigningKey[] {
  assertRoom(keys);
  // A set without a next key is none of ours, but no reason to be stuck: it gets one, and rotates when that is known.
  if (!nextOf(keys)) return [...keys, asNext(spare, now)];
  return [...keys.map((key) => advanced(key, now, accessTokenTtlSeconds)), asNext(spare, now)];
}

function advanced(key: SigningKey, now: number, accessTokenTtlSeconds: number): SigningKey {
  if (key.state === 'retired') return key;
  if (key.state === 'next') return { ...key, state: 'current', promotedAt: now };
  return {
    ...key,
    state: 'retired',
    jwk: publicMembers(key.jwk),
    retiredAt: now,
    neededUntil: neededUntil(now, accessTokenTtlSeconds),
  };
}

/** It signs for a moment more, elsewhere; then its last token lives, and is believed a little longer than that. */
const neededUntil = (retiredAt: number, accessTokenTtlSeconds: number): number =>
  retiredAt + TAKEOVER_MS + accessTokenTtlSeconds * 1_000 + 2 * CLOCKS_DIFFER_MS;

/**
 * A key that may be known to others goes at once, whatever it still has to verify. If it is the current one, the next
 * one takes its place.
 *
 * @param spares two fresh keys, of which as many are used as are missing
 * @throws StageError if there is no such key
 */
export function retire(
  keys: readonly SigningKey[],
  kid: string,
  spares: readonly [SigningKey, SigningKey],
  now: number,
): SigningKey[] {
  if (!keys.some((key) => key.kid === kid)) throw new StageError(`There is no key ${kid}.`);
  let left = keys.filter((key) => key.kid !== kid);
  if (!currentOf(left)) {
    const heir = nextOf(left) ?? asNext(spares[1], now);
    left = [
      { ...heir, state: 'current', promotedAt: now },
      ...left.filter((key) => key.kid !== heir.kid),
    ];
  }
  return nextOf(left) ? left : [...left, asNext(spares[0], now)];
}

/** Drops the retired keys that no unexpired token can need. @param only of these, by their ids; default: all */
export const prune = (
  keys: readonly SigningKey[],
  now: number,
  only?: readonly string[],
): SigningKey[] => keys.filter((key) => !isPrunable(key, now) || (only && !only.includes(key.kid)));

/** One of which it is not known until when it is needed stays. */
export const isPrunable = ({ state, neededUntil = Infinity }: SigningKey, now: number): boolean =>
  state === 'retired' && neededUntil <= now;

export const currentOf = (keys: readonly SigningKey[]): SigningKey | undefined =>
  keys.find(({ state }) => state === 'current');

export const nextOf = (keys: readonly SigningKey[]): SigningKey | undefined =>
  keys.find(({ state }) => state === 'next');

const ORDER = { current: 0, next: 1, retired: 2 };

/** A copy in the order in which keys are shown and published: the current one, the next one, those retired. */
export const byStage = (keys: readonly SigningKey[]): SigningKey[] =>
  keys.toSorted((a, b) => ORDER[a.state] - ORDER[b.state]);

/** When everybody who caches our JWKS for no longer than that knows the key, in epoch milliseconds. */
export const maySignFrom = ({ createdAt }: SigningKey, jwksCacheSeconds: number): number =>
  createdAt + TAKEOVER_MS + jwksCacheSeconds * 1_000;

/** Since when the key signs, in epoch milliseconds. */
export const firstUseOf = ({ state, createdAt, promotedAt }: SigningKey): number | undefined =>
  state === 'next' ? undefined : (promotedAt ?? createdAt);

const asNext = (key: SigningKey, now: number): SigningKey => ({
  ...key,
  state: 'next',
  createdAt: now,
});

/** Named one by one: a private member can't slip through (RFC 7517). */
export const publicMembers = ({ kty, n, e, kid, alg, use }: JWK): JWK =>
  JSON.parse(JSON.stringify({ kty, n, e, kid, alg, use })) as JWK;
