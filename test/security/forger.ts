import { createPrivateKey, createPublicKey, createSign, type KeyObject } from 'node:crypto';
import { decodeJwt } from 'jose';
import { loadMasterKeys } from '../../adapters/master-keys.ts';
import { createSecrets } from '../../adapters/secrets.ts';
import { openSqliteStore } from '../../adapters/sqlite/sqlite.ts';
import { openKeyRing } from '../../keys/keystore.ts';
import { createLog } from '../../log.ts';
import type { Harness } from '../support/harness.ts';

/**
 * Makes access tokens that are wrong in one way each. The strongest forger: it has the server's own private key, read as
 * the server reads it, so that every claim and header is refused for itself and not for its signature.
 */
export interface Forger {
  readonly header: Record<string, unknown>;
  /** The claims of a token that is good. */
  readonly genuine: Record<string, unknown>;
  readonly publicKey: KeyObject;
  /** Signs anything, however malformed; text is taken as it is. @param key default: the server's own */
  sign(header: unknown, claims: unknown, key?: KeyObject): string;
}

export async function createForger(harness: Harness, accessToken: string): Promise<Forger> {
  const store = await openSqliteStore({ path: `${harness.dataDir}/neonpanel-mcp.db` });
  const secrets = createSecrets(loadMasterKeys(undefined, harness.dataDir));
  const ring = await openKeyRing({ store, secrets, log: createLog('silent'), now: Date.now });
  const [current] = ring.current().signing as unknown as [Record<string, string>];
  ring.close();
  await store.close();
  const ours = createPrivateKey({ key: current as never, format: 'jwk' });
  return {
    header: { alg: 'RS256', typ: 'at+jwt', kid: current.kid },
    genuine: decodeJwt(accessToken),
    publicKey: createPublicKey(ours),
    sign(header, claims, key = ours) {
      const input = `${encode(header)}.${encode(claims)}`;
      return `${input}.${createSign('RSA-SHA256').update(input).sign(key, 'base64url')}`;
    },
  };
}

export const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
