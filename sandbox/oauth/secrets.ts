import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** 40 random hex characters: the form of client ids, secrets, codes and tokens. */
export function randomHex(): string {
  return randomBytes(20).toString('hex');
}

/** What is stored instead of a secret. */
export function digest(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

/** Compares a presented secret with a stored digest. */
export function matches(secret: string, stored: string): boolean {
  const presented = Buffer.from(digest(secret));
  const expected = Buffer.from(stored);
  return presented.length === expected.length && timingSafeEqual(presented, expected);
}
