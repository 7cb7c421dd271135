import { generateKeyPairSync } from 'node:crypto';
import type { JWK } from 'jose';

/** Keys that a client may publish, whichever way it becomes known: which can be used, which can't, which must not be. */

type Jwk = Readonly<Record<string, unknown>>;

const rsa = (modulusLength: number, publicExponent = 65_537) =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent }).publicKey.export({ format: 'jwk' });
const ec = (namedCurve: string) =>
  generateKeyPairSync('ec', { namedCurve }).publicKey.export({ format: 'jwk' });

export const RSA = rsa(2_048);
export const P256 = ec('P-256');
export const ED25519 = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
const X25519 = generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' });
const P256_PRIVATE = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
  format: 'jwk',
});
const standardBase64 = (text: string) => Buffer.from(text, 'base64url').toString('base64');

/** As sent and as kept. */
export const USABLE_KEYS: readonly [what: string, sent: Jwk, kept: JWK][] = [
  ['RSA', RSA, RSA],
  ['P-256', P256, P256],
  ['Ed25519', ED25519, ED25519],
  [
    'a key of 16,384 bits',
    { ...RSA, n: 'z'.repeat(2_730) + 'w' },
    { ...RSA, n: 'z'.repeat(2_730) + 'w' },
  ],
  [
    'all labels',
    { ...P256, kid: 'a', alg: 'ES256', use: 'sig' },
    { ...P256, kid: 'a', alg: 'ES256', use: 'sig' },
  ],
  ['RSA for one algorithm', { ...RSA, alg: 'PS256' }, { ...RSA, alg: 'PS256' }],
  ['labels that say nothing', { ...P256, kid: null, alg: '', use: null, d: null, k: '' }, P256],
  ['operations', { ...P256, key_ops: ['verify'] }, P256],
  ['operations that say nothing', { ...P256, key_ops: [] }, P256],
  [
    'certificates and more',
    { ...P256, x5c: 7, x5u: 'https://a.example', n: 'x', z: { a: 1 } },
    P256,
  ],
  ['padded numbers', { ...P256, x: standardBase64(P256.x!), y: standardBase64(P256.y!) }, P256],
  [
    'a modulus with a zero in front',
    {
      ...RSA,
      n: Buffer.concat([Buffer.alloc(1), Buffer.from(RSA.n!, 'base64url')]).toString('base64url'),
    },
    RSA,
  ],
];

/** Nothing we have can be verified with them; beside others they do no harm. */
export const USELESS_KEYS: readonly [what: string, sent: unknown][] = [
  ['null', null],
  ['a number', 3],
  ['a text', 'key'],
  ['a list', [P256]],
  ['nothing', {}],
  ['no kind', { ...P256, kty: undefined }],
  ['a kind nobody knows', { ...P256, kty: '__proto__' }],
  ['a kind that is no text', { ...P256, kty: ['EC'] }],
  ['a key without its modulus', { kty: 'RSA', e: 'AQAB' }],
  ['an empty modulus', { ...RSA, n: '!!!!' }],
  ['1,024 bits', rsa(1_024)],
  ['more than 16,384 bits', { ...RSA, n: 'z'.repeat(2_732) }],
  ['the exponent 1', { ...RSA, e: 'AQ' }],
  ['no point', { kty: 'EC', crv: 'P-256', x: P256.x }],
  ['a point off its curve', { ...P256, x: P256.y }],
  ['a coordinate that is no text', { ...P256, x: { toString: 'x' } }],
  ['P-384', ec('P-384')],
  ['secp256k1', ec('secp256k1')],
  ['X25519', X25519],
  ['an Ed25519 key that is too short', { ...ED25519, x: 'AAAA' }],
  ['for encryption', { ...RSA, use: 'enc' }],
  ['for encryption, by its algorithm', { ...RSA, alg: 'RSA-OAEP' }],
  ['for encryption, by its operations', { ...RSA, key_ops: ['encrypt', 'wrapKey'] }],
  ['an algorithm we don’t have', { ...P256, alg: 'ES384' }],
  ['an algorithm of another kind', { ...P256, alg: 'RS256' }],
  ['a name that is no text', { ...P256, kid: 5 }],
  ['a name too long', { ...P256, kid: 'x'.repeat(2_732) }],
  ['a use that is no text', { ...P256, use: {} }],
];

/** Refused with everything beside them. */
export const PRIVATE_KEYS: readonly [what: string, sent: unknown][] = [
  ['a private key', P256_PRIVATE],
  ['a private member', { ...RSA, d: 'AAAA' }],
  ['a private member of an odd kind', { ...RSA, d: [[1]] }],
  ['a prime', { ...RSA, p: 'AAAA' }],
  ['other primes', { ...RSA, oth: [{ r: 'AAAA' }] }],
  ['a symmetric key', { kty: 'oct', k: 'AAAA' }],
  ['a private key of a kind we don’t have', { kty: 'AKP', alg: 'ML-DSA-44', priv: 'AAAA' }],
];
