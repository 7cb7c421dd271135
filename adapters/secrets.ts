import {
  createHash,
  createHmac,
  createSecretKey,
  hash,
  hkdfSync,
  timingSafeEqual,
} from 'node:crypto';
import { decodeProtectedHeader, FlattenedEncrypt, flattenedDecrypt, type FlattenedJWE } from 'jose';
import type { Context } from './sealed-kinds.ts';

/**
 * Everything that is made from MASTER_KEYS. Each purpose has its own key, derived by HKDF (RFC 5869), so that no key
 * does two jobs. The first master key seals and signs; all of them open and verify, which is how one is replaced.
 */
export interface Secrets {
  /**
   * Seals a value for the store: flattened JWE, A256GCM, key id in the header (RFC 7516).
   * @param context what the record belongs to, from the list of sealed kinds (sealed-kinds.ts)
   */
  seal(value: unknown, context: Context): Promise<string>;
  /** @throws SealBroken if the record was sealed under an unknown key, for another context, or was changed */
  open(sealed: string, context: string): Promise<unknown>;
  /**
   * Message authentication code, base64url.
   * @param masterKeyId by which master key; default, also for one that is not listed: the first
   */
  mac(purpose: MacPurpose, message: string, masterKeyId?: string): string;
  /** True if any master key made this code. Takes the same time for every wrong code. */
  verifyMac(purpose: MacPurpose, message: string, code: string): boolean;
  /** Public names of the master keys, in their order: the first one seals and makes codes. */
  readonly masterKeyIds: readonly string[];
  /** Keys for signed cookies; the first signs. */
  readonly cookieKeys: readonly string[];
}

/** What codes are made for. A code of one purpose is worth nothing in another, whatever it is made over. */
const MAC_PURPOSES = ['refresh-token', 'consent', 'browser', 'account'] as const;
export type MacPurpose = (typeof MAC_PURPOSES)[number];

/**
 * Every purpose there is, each with a key of its own. A label is part of what the key is made from: changing one makes
 * everything worthless that was sealed or signed for it.
 */
export const PURPOSES = [
  'seal',
  'cookies',
  'mac refresh-token',
  'mac consent',
  'mac browser',
  'mac account',
] as const;
export type Purpose = (typeof PURPOSES)[number];

/** @param master 32 bytes @returns the key of 32 bytes for this purpose (HKDF-SHA-256, RFC 5869) */
export const deriveKey = (master: Uint8Array, purpose: Purpose): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', master, '', `neonpanel-mcp ${purpose}`, 32));

/** A sealed record that can't be opened. It is treated as absent, never as someone else's. */
export class SealBroken extends Error {
  override name = 'SealBroken';
}

/**
 * Opens a record that may be beyond opening, because its master key is gone or it is damaged: it counts as absent then,
 * and whoever needs it starts afresh.
 */
export async function openIfPossible(
  secrets: Secrets,
  sealed: string,
  context: string,
): Promise<unknown> {
  try {
    return await secrets.open(sealed, context);
  } catch (error) {
    if (error instanceof SealBroken) return undefined;
    throw error;
  }
}

/** @param masterKeys one or more 32-byte keys, the newest first */
export function createSecrets(masterKeys: readonly Uint8Array[]): Secrets {
  const sealing = masterKeys.map((master) => {
    const key = deriveKey(master, 'seal');
    return { kid: keyId(key), key: createSecretKey(key) };
  });
  const macKeys = new Map(
    MAC_PURPOSES.map((purpose) => [
      purpose,
      // As key objects: of bytes every code would make one anew, which takes longer than the code.
      masterKeys.map((master) => createSecretKey(deriveKey(master, `mac ${purpose}`))),
    ]),
  );
  const first = sealing[0];
  if (!first) throw new TypeError('at least one master key is needed');
  const codes = (purpose: MacPurpose, message: string) =>
    macKeys.get(purpose)!.map((key) => createHmac('sha256', key).update(message).digest());

  return {
    async seal(value, context) {
      const jwe = await new FlattenedEncrypt(Buffer.from(JSON.stringify(value)))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: first.kid })
        .setAdditionalAuthenticatedData(Buffer.from(context))
        .encrypt(first.key);
      // The context is known to whoever may open the record, so it is not stored with it.
      delete jwe.aad;
      return JSON.stringify(jwe);
    },

    async open(sealed, context) {
      try {
        const jwe = JSON.parse(sealed) as FlattenedJWE;
        const { plaintext } = await flattenedDecrypt(
          { ...jwe, aad: Buffer.from(context).toString('base64url') },
          (header) => {
            const found = sealing.find(({ kid }) => kid === header?.kid);
            if (!found) throw new SealBroken(`sealed under an unknown master key ${header?.kid}`);
            return found.key;
          },
          { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] },
        );
        return JSON.parse(Buffer.from(plaintext).toString());
      } catch (error) {
        if (error instanceof SealBroken) throw error;
        throw new SealBroken('a sealed record could not be opened', { cause: error });
      }
    },

    mac(purpose, message, masterKeyId) {
      const index = sealing.findIndex(({ kid }) => kid === masterKeyId);
      return codes(purpose, message).at(Math.max(index, 0))!.toString('base64url');
    },

    verifyMac(purpose, message, code) {
      const given = Buffer.from(code, 'base64url');
      // All of them, not only up to the first that fits.
      return codes(purpose, message)
        .map((expected) => given.length === expected.length && timingSafeEqual(given, expected))
        .includes(true);
    },

    masterKeyIds: sealing.map(({ kid }) => kid),

    cookieKeys: masterKeys.map((m) => Buffer.from(deriveKey(m, 'cookies')).toString('base64url')),
  };
}

/** Whether a text is something that was sealed. */
export const isSealed = (text: string): boolean => masterKeyOf(text) !== undefined;

/** @returns the public name of the master key that a text is sealed under; undefined if it is not sealed */
export function masterKeyOf(sealed: string): string | undefined {
  try {
    return decodeProtectedHeader(JSON.parse(sealed) as FlattenedJWE).kid;
  } catch {
    return undefined;
  }
}

/** Public name of a key: tells keys apart, tells nothing about them. */
const keyId = (key: Uint8Array) => createHash('sha256').update(key).digest('base64url').slice(0, 8);

/** The form in which bearer secrets are stored: found again by value, useless to a thief (SHA-256, base64url). */
export const digest = (secret: string): string => hash('sha256', secret, 'base64url');

/** Whether two hashes or codes are the same. Takes the same time wherever they first differ. */
export function isSame(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && timingSafeEqual(one, other);
}
