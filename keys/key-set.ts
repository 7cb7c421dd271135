import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import type { JWK } from 'jose';
import { byStage, publicMembers, type SigningKey } from './stages.ts';

/** The signing keys in the form in which they are used. */
export interface KeySet {
  /** The private key that signs, as the engine wants it: a list of one. */
  readonly signing: readonly JWK[];
  /** The document at /.well-known/jwks.json: public members only (RFC 7517). */
  readonly jwks: { readonly keys: readonly JWK[] };
  /** Public keys by id, for verifying our own tokens. */
  readonly verification: ReadonlyMap<string, KeyObject>;
}

/** @param keys of every state, in any order; the current one comes first in all that is made of them */
export function keySet(keys: readonly SigningKey[]): KeySet {
  const ordered = byStage(keys).map(({ jwk, kid }) => ({ ...jwk, kid, alg: 'RS256', use: 'sig' }));
  return {
    signing: ordered.slice(0, 1),
    jwks: { keys: ordered.map(publicMembers) },
    verification: new Map(
      ordered.map((jwk) => [
        jwk.kid,
        createPublicKey({ key: publicMembers(jwk) as JsonWebKey, format: 'jwk' }),
      ]),
    ),
  };
}
