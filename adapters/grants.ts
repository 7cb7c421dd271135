import { recordsOf } from './records.ts';
import { digest, isSame } from './secrets.ts';
import {
  type Entry,
  type Key,
  type Lifetime,
  NotReplicated,
  type Store,
  update,
  type Write,
} from './store.ts';

/**
 * The grant: what one user allowed one client, from the redemption of the code until it is revoked or runs out. It is
 * the one record behind a whole family of refresh tokens, and every MCP call asks whether it is still there.
 *
 * All records of one connection carry the grant id as their tag: the interaction it began with, the login transaction,
 * the code, the grant and the sealed NeonPanel credential. They are therefore written together where they must agree.
 */
export interface Grant {
  readonly clientId: string;
  /** NeonPanel's subject; of a service client `service:<client_id>`. */
  readonly accountId: string;
  /** Space separated, as granted; includes `openid` and `offline_access` when they were asked for. */
  readonly scope: string;
  /** Generation of the newest refresh token; there is none for a client without the refresh_token grant. */
  readonly generation?: number | undefined;
  /** Epoch milliseconds of the last rotation; of a service client, to ten minutes, of its last token. */
  readonly rotatedAt: number;
  /** Epoch milliseconds of the code's redemption, or of the command that made it. */
  readonly createdAt: number;
  /** SHA-256 of the code it came from, if any: a later replay of that code is recognised and ends the grant. */
  readonly codeHash?: string;
  /** Epoch seconds: access tokens that were issued before are no longer believed. Service clients only. */
  readonly tokensFrom?: number;
  /** Public name of the master key that the newest refresh token was made with; absent of older records. */
  readonly masterKey?: string | undefined;
  /** What the person saw of the client when allowing it; absent of older records and of service clients. */
  readonly app?: ConnectedApp | undefined;
  /** For the id_token of `openid` requests. */
  readonly nonce?: string | undefined;
  readonly authTime?: number | undefined;
}

export interface ConnectedApp {
  /** What it calls itself, cut. */
  readonly name?: string | undefined;
  /** Origin of the redirect URI that the code went to; of a private-use scheme the scheme with its colon. */
  readonly redirect: string;
}

/** @param redirectUri one that was accepted */
export function connectedApp(name: string | undefined, redirectUri: string): ConnectedApp {
  const { protocol, origin } = new URL(redirectUri);
  return {
    ...(name && { name: name.slice(0, MAX_NAME_LENGTH) }),
    redirect: /^https?:$/.test(protocol) ? origin : protocol,
  };
}

const MAX_NAME_LENGTH = 100;

export interface StoredGrant {
  readonly grant: Grant;
  readonly version: string;
}

/** Subjects of service clients; no user of NeonPanel's may have one (T73). */
export const SERVICE_SUBJECT = 'service:';
export const isService = ({ accountId }: Pick<Grant, 'accountId'>): boolean =>
  accountId.startsWith(SERVICE_SUBJECT);

/**
 * The grant of a service client (RFC 6749 §4.4). It has the client's own id, so that the two are found, written and removed
 * together.
 *
 * @param now epoch milliseconds
 */
export const serviceGrant = (clientId: string, scope: string, now: number): Grant => ({
  clientId,
  accountId: `${SERVICE_SUBJECT}${clientId}`,
  scope,
  rotatedAt: now,
  createdAt: now,
});

/** Whether a token of the grant is still believed. @param issuedAt epoch seconds */
export const believes = ({ tokensFrom = 0 }: Pick<Grant, 'tokensFrom'>, issuedAt: number) =>
  issuedAt >= tokensFrom;

/** Of a grant whose tokens so far are no longer to be believed. @param now epoch milliseconds */
export const noTokensBefore = (now: number): Pick<Grant, 'tokensFrom'> => ({
  tokensFrom: Math.floor(now / 1000) + 1,
});

export const grantKey = (grantId: string): Key => ({ tag: grantId, kind: 'grant' });
export const codeKey = (grantId: string): Key => ({ tag: grantId, kind: 'code' });
export const credentialKey = (grantId: string): Key => ({ tag: grantId, kind: 'credential' });

export function createGrants(store: Store) {
  return {
    /** @throws StoreUnavailable */
    async find(grantId: string): Promise<StoredGrant | undefined> {
      if (!isGrantId(grantId)) return undefined;
      const [entry] = await store.read(grantKey(grantId));
      return entry && parse(entry);
    },

    /** Those of them that there are. @throws StoreUnavailable */
    async findAll(grantIds: readonly string[]): Promise<(StoredGrant & { grantId: string })[]> {
      const ids = grantIds.filter(isGrantId);
      const entries = await store.read(...ids.map(grantKey));
      return ids.flatMap((grantId, i) => (entries[i] ? [{ grantId, ...parse(entries[i]) }] : []));
    },

    /** The grant and its sealed credential in one round trip. @throws StoreUnavailable */
    async findWithCredential(
      grantId: string,
    ): Promise<(StoredGrant & { credential: Entry | undefined }) | undefined> {
      if (!isGrantId(grantId)) return undefined;
      const [entry, credential] = await store.read(grantKey(grantId), credentialKey(grantId));
      return entry && { ...parse(entry), credential };
    },

    /**
     * Opens the grant together with marking its code as redeemed; the credential, stored at sign-in for a few minutes,
     * now lives as long as the grant.
     * @param code the record that was checked
     * @returns false if somebody else redeemed the code in between
     * @throws NotReplicated if a failover at this moment would make the code new again; it was then not redeemed
     */
    async open(
      grantId: string,
      grant: Grant,
      code: Entry,
      lifetimeSeconds: number,
    ): Promise<boolean> {
      const key = codeKey(grantId);
      const writes: Write[] = [
        { key, expect: { version: code.version }, put: 'redeemed', lifetime: 'keep' },
        {
          key: grantKey(grantId),
          expect: 'absent',
          put: JSON.stringify(grant),
          lifetime: lifetimeSeconds,
        },
        { key: credentialKey(grantId), expect: 'any', touch: lifetimeSeconds },
      ];
      try {
        return (await store.commit(writes, { durable: true })) !== undefined;
      } catch (error) {
        if (error instanceof NotReplicated) {
          // Nobody was given anything yet, and the client may come again with its code.
          const { version } = error;
          const takeBack: Write[] = [
            { key, expect: { version }, put: code.value, lifetime: 'keep' },
            { key: grantKey(grantId), expect: { version }, remove: true },
            { key: credentialKey(grantId), expect: 'any', touch: UNREDEEMED_SECONDS },
          ];
          await store.commit(takeBack).catch(() => {});
        }
        throw error;
      }
    },

    /** Replaces the grant if nobody wrote it since `version`; grant and credential slide together. */
    async replace(
      grantId: string,
      grant: Grant,
      version: string,
      lifetime: Lifetime,
    ): Promise<boolean> {
      const writes: Write[] = [
        { key: grantKey(grantId), expect: { version }, put: JSON.stringify(grant), lifetime },
        { key: credentialKey(grantId), expect: 'any', touch: lifetime },
      ];
      return (await store.commit(writes)) !== undefined;
    },

    /**
     * Ends the access tokens that a service client has so far; the grant stays, for new ones.
     * @param now epoch milliseconds
     */
    async endTokens(grantId: string, now: number): Promise<void> {
      await update(store, grantKey(grantId), (old) => {
        if (old === undefined) return undefined;
        const put = JSON.stringify({ ...JSON.parse(old), ...noTokensBefore(now) });
        return { put, lifetime: 'keep' };
      });
    },

    /** Every grant there is, in no order; never on a request's path. @throws StoreUnavailable */
    async *all(): AsyncGenerator<StoredGrant & { grantId: string }> {
      const stored = recordsOf(store, 'grant', { size: BATCH, only: isGrantId });
      for await (const { key, entry } of stored) yield { grantId: key.tag, ...parse(entry) };
    },

    /**
     * Ends the grant: every token of it stops working, and the NeonPanel credential is gone.
     *
     * @param version ends it only if nobody wrote it since
     * @returns false if somebody did
     */
    async revoke(grantId: string, version?: string): Promise<boolean> {
      if (!isGrantId(grantId)) return false;
      const expect = version === undefined ? 'any' : { version };
      const done = await store.commit([
        { key: grantKey(grantId), expect, remove: true },
        { key: credentialKey(grantId), expect: 'any', remove: true },
      ]);
      return done !== undefined;
    },
  };
}

/** How long a credential waits for its code to be redeemed, as when it was first written. */
const UNREDEEMED_SECONDS = 900;

/** Records read in one round trip. */
const BATCH = 200;

export type Grants = ReturnType<typeof createGrants>;

/** Grant ids come out of tokens and codes that strangers send; only our own form reaches the store. */
export const isGrantId = (text: string): boolean => /^[\w-]{16,64}$/.test(text);

/** True if this code opened the grant. */
export const openedBy = (grant: Grant, code: string): boolean =>
  grant.codeHash !== undefined && isSame(grant.codeHash, digest(code));

const parse = ({ value, version }: Entry): StoredGrant => ({
  grant: JSON.parse(value) as Grant,
  version,
});
