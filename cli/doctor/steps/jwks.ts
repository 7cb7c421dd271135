import { importJWK, type JWK } from 'jose';
import { describe, jsonOf } from '../http.ts';
import type { Document, Step } from '../step.ts';

const MIN_RSA_BITS = 2_048;
/** RFC 7518 §6: what makes a key private, or is a shared secret. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

export const jwksSteps: readonly Step[] = [
  {
    id: 'jwks',
    title: 'The signing keys are published and usable',
    needs: ['server'],
    async run({ http, facts }, says) {
      const { jwks_uri: uri } = facts.server!;
      if (typeof uri !== 'string' || !URL.canParse(uri)) {
        const say = facts.ours ? says.fail : says.warn;
        return say('jwks_uri is missing', 'Publish the public keys, and name their address.');
      }
      const answer = await http.ask(uri);
      const keys = jsonOf(answer)?.keys;
      if (answer.status !== 200 || !Array.isArray(keys)) {
        return says.fail(
          `jwks_uri is answered ${describe(answer)}, not with a set of keys`,
          'Serve {"keys": […]} as JSON, without a login.',
        );
      }
      if (keys.length === 0) {
        return says.fail(
          'the set of keys is empty',
          'Publish the key that signs, before it signs.',
        );
      }
      facts.keys = keys as Document[];
      const problems = await Promise.all(facts.keys.map(problemOf));
      for (const [i, problem] of problems.entries()) {
        if (problem) says.fail(`key ${nameOf(facts.keys[i]!, i)}: ${problem[0]}`, problem[1]);
      }
      says.note(facts.keys.map((key, i) => `${nameOf(key, i)} ${key.alg ?? key.kty}`).join(', '));
    },
  },
  {
    id: 'jwks-private',
    title: 'They are public keys only',
    needs: ['keys'],
    run({ facts }, says) {
      for (const [i, key] of facts.keys!.entries()) {
        const members = PRIVATE_MEMBERS.filter((member) => member in key);
        if (members.length === 0 && key.kty !== 'oct') continue;
        says.fail(
          `key ${nameOf(key, i)} has private members (${members.join(', ') || 'oct'}): anybody can make tokens`,
          'Retire this key at once and rotate; publish public members only.',
        );
      }
    },
  },
];

async function problemOf(
  key: Document,
): Promise<readonly [cause: string, fix: string] | undefined> {
  // That is the other step's business.
  if (key.kty === 'oct') return undefined;
  if (typeof key.kid !== 'string' || key.kid === '') {
    return ['it has no kid', 'Give every key a kid: verifiers choose by it when keys rotate.'];
  }
  if (key.use !== undefined && key.use !== 'sig') {
    return [`use is ${String(key.use)}, not sig`, 'Publish only keys that sign.'];
  }
  const algorithm = typeof key.alg === 'string' ? key.alg : defaultAlgorithm(key);
  const { d, p, q, dp, dq, qi, oth, ...publicKey } = key as JWK;
  try {
    const imported = await importJWK(publicKey, algorithm);
    if (imported instanceof Uint8Array) return undefined;
    const bits = (imported.algorithm as Partial<RsaHashedKeyAlgorithm>).modulusLength;
    if (bits !== undefined && bits < MIN_RSA_BITS) {
      return [`${bits} bits are too few`, `Use RSA keys of at least ${MIN_RSA_BITS} bits.`];
    }
    return undefined;
  } catch (error) {
    return [
      `it can not be used (${(error as Error).message})`,
      'Publish kty, alg, kid and the public members, base64url without padding.',
    ];
  }
}

const defaultAlgorithm = ({ kty, crv }: Document): string =>
  kty === 'RSA'
    ? 'RS256'
    : kty === 'OKP'
      ? 'EdDSA'
      : `ES${String(crv).slice(2).replace('521', '512')}`;

const nameOf = (key: Document, index: number): string =>
  typeof key.kid === 'string' && key.kid ? key.kid.slice(0, 40) : `no. ${index + 1}`;
