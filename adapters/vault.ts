import type { NeonpanelCredential } from './neonpanel/neonpanel.ts';
import { sealContext } from './sealed-kinds.ts';
import { openIfPossible, type Secrets } from './secrets.ts';
import type { Entry, Lifetime, Store, Write } from './store.ts';
import { credentialKey } from './grants.ts';

/**
 * The vault: each grant's NeonPanel credential, sealed under a key that is not the signing key, bound to the grant and
 * its subject so that records can't be swapped. Nothing in here is ever logged, and nothing leaves it but a credential
 * on its way to NeonPanel.
 */
export function createVault(options: { store: Store; secrets: Secrets }) {
  const { store, secrets } = options;
  const context = sealContext.credential;

  return {
    /** The write that stores a new grant's credential, for a commit together with other records of the grant. */
    async firstWrite(
      grantId: string,
      accountId: string,
      credential: NeonpanelCredential,
      lifetime: Lifetime,
    ): Promise<Write> {
      const put = await secrets.seal(credential, context(grantId, accountId));
      return { key: credentialKey(grantId), expect: 'any', put, lifetime };
    },

    /** @returns undefined if the record can't be opened: it is then as good as gone, and the user signs in again */
    async open(
      grantId: string,
      accountId: string,
      entry: Entry,
    ): Promise<NeonpanelCredential | undefined> {
      const sealedFor = context(grantId, accountId);
      return (await openIfPossible(secrets, entry.value, sealedFor)) as
        NeonpanelCredential | undefined;
    },

    /**
     * Puts a refreshed credential in the place of the one it was made from.
     * @returns false if that one is no longer there: a newer credential is never overwritten by an older
     */
    async replace(
      grantId: string,
      accountId: string,
      credential: NeonpanelCredential,
      version: string,
    ): Promise<boolean> {
      const put = await secrets.seal(credential, context(grantId, accountId));
      const key = credentialKey(grantId);
      return (
        (await store.commit([{ key, expect: { version }, put, lifetime: 'keep' }])) !== undefined
      );
    },
  };
}

export type Vault = ReturnType<typeof createVault>;
