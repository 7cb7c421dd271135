import type { GrantEnding } from '../adapters/grant-ending.ts';
import { believes, type Grants } from '../adapters/grants.ts';
import {
  type NeonpanelCredential,
  NeonpanelError,
  type NeonpanelLogin,
} from '../adapters/neonpanel/neonpanel.ts';
import type { Leases } from '../adapters/leases.ts';
import { createBoundedMap } from '../bounded-map.ts';
import { isFresh } from '../clock.ts';
import { digest } from '../adapters/secrets.ts';
import type { Entry } from '../adapters/store.ts';
import type { Vault } from '../adapters/vault.ts';
import { audit, type AuditFacts } from '../audit.ts';
import { currentLog, type Log } from '../log.ts';
import type { Caller } from './caller.ts';
import type { UnsavedCredentials } from './unsaved-credentials.ts';

/**
 * The exchange at the heart of the resource server: from a caller (our token) to the NeonPanel credential of that same
 * user. It answers three questions: is the grant alive, is there a credential, is it fresh enough to use.
 *
 * What was read is believed for at most 800 ms by the clock, so a revocation anywhere ends everything within a second. An opened
 * credential is remembered for longer, and is worth nothing but under the very seal that the store holds.
 */
export interface Credentials {
  /** @throws GrantEnded, StoreUnavailable */
  assertAlive(caller: Caller): Promise<void>;
  /**
   * A NeonPanel access token to use now, refreshed first if it is about to expire.
   * @param deadline epoch milliseconds after which nothing is waited for
   * @throws GrantEnded, StoreUnavailable, NeonpanelError kind `unavailable` when a refresh is needed and not possible
   */
  accessToken(caller: Caller, deadline: number): Promise<string>;
  /** The same after NeonPanel refused `refused`: refreshes unless somebody already has. */
  replaceAccessToken(caller: Caller, refused: string, deadline: number): Promise<string>;
}

/** The grant was revoked or has expired, or NeonPanel ended it: the user has to sign in again (401). */
export class GrantEnded extends Error {
  override name = 'GrantEnded';
}

/** How long liveness and credential are believed without asking the store. */
const BELIEVED_MS = 800;
/** How long an opened credential is remembered: opening one takes longer than a whole call. */
const REMEMBERED_MS = 60_000;
const REMEMBERED_GRANTS = 10_000;
/** A token this close to its end is refreshed before it is used. */
const REFRESH_AHEAD_MS = 30_000;
/** Longer than one refresh can take, shorter than a caller waits. */
const LEASE_SECONDS = 8;

interface Held {
  /** Whose it is: a token that names this grant but another user or client is not believed. */
  readonly owner: string;
  readonly credential: NeonpanelCredential;
  /** Digest of the sealed credential. */
  readonly seal: string;
  /** Tokens that were issued before are not believed (grants.ts). */
  readonly tokensFrom?: number;
  /** Epoch milliseconds at which it was read. */
  readonly asOf: number;
  /** Refreshed just now: as fresh as it gets, however short NeonPanel made its life. */
  readonly renewed?: true;
}

/** What was found of a grant, and since when it is remembered, in epoch milliseconds. */
interface Remembered {
  held: Held;
  readonly since: number;
}

export function createCredentials(options: {
  grants: Grants;
  ending: GrantEnding;
  vault: Vault;
  leases: Leases;
  unsaved: UnsavedCredentials;
  login: NeonpanelLogin;
  log: Log;
  now: () => number;
}): Credentials {
  const { grants, ending, vault, leases, unsaved, login, log, now } = options;
  const isBelieved = ({ asOf }: Held) => isFresh(asOf, now(), BELIEVED_MS);
  const isOver = ({ since }: Remembered) => !isFresh(since, now(), REMEMBERED_MS);
  const remembered = createBoundedMap<Remembered>(REMEMBERED_GRANTS, isOver);
  const refreshing = new Map<string, Promise<Held>>();

  return {
    async assertAlive(caller) {
      await held(caller);
    },

    async accessToken(caller, deadline) {
      const { credential, renewed } = await held(caller);
      const ahead = renewed ? 0 : REFRESH_AHEAD_MS;
      if (credential.expiresAt - now() > ahead) return credential.accessToken;
      try {
        return (await refreshOnce(caller, credential, deadline)).credential.accessToken;
      } catch (error) {
        // NeonPanel can't refresh now, but what we have is still good for a moment.
        const usable = error instanceof NeonpanelError && credential.expiresAt > now();
        if (usable) return credential.accessToken;
        throw error;
      }
    },

    async replaceAccessToken(caller, refused, deadline) {
      const current = await read(caller);
      if (current.credential.accessToken !== refused) return current.credential.accessToken;
      return (await refreshOnce(caller, current.credential, deadline)).credential.accessToken;
    },
  };

  async function held(caller: Caller): Promise<Held> {
    const known = rememberedOf(caller);
    const held = known && isBelieved(known) ? known : await read(caller);
    if (!believes(held, caller.issuedAt)) throw new GrantEnded('the token was revoked');
    return held;
  }

  async function read(caller: Caller): Promise<Held> {
    return (await look(caller)).held;
  }

  /** @returns what the store holds now, and the version of its credential */
  async function look(caller: Caller): Promise<{ held: Held; version: string }> {
    const { grantId } = caller;
    await unsaved.save(grantId);
    const asOf = now();
    const found = await grants.findWithCredential(grantId);
    const owner = ownerOf(caller);
    const isOwn = found && ownerOf(found.grant) === owner;
    const entry = isOwn ? found.credential : undefined;
    if (isOwn && !entry) await endUseless(grantId);
    const opened = entry && (await open(caller, entry));
    if (!opened) {
      remembered.delete(grantId);
      throw new GrantEnded('the grant or its credential is gone');
    }
    const held = { owner, ...opened, tokensFrom: found?.grant.tokensFrom ?? 0, asOf };
    remember(grantId, held);
    return { held, version: entry.version };
  }

  /** The same seal of the same owner holds what it held before. */
  async function open(
    caller: Caller,
    entry: Entry,
  ): Promise<Pick<Held, 'credential' | 'seal'> | undefined> {
    const seal = digest(entry.value);
    const known = rememberedOf(caller);
    const isSame = known?.seal === seal;
    const credential = isSame
      ? known.credential
      : await vault.open(caller.grantId, caller.accountId, entry);
    return credential && { credential, seal };
  }

  function rememberedOf(caller: Caller): Held | undefined {
    const known = remembered.get(caller.grantId);
    return known && !isOver(known) && known.held.owner === ownerOf(caller) ? known.held : undefined;
  }

  /** In its place, if it has one: V8 would keep all that comes and goes in a Map (docs/performance.md, What grows old). */
  function remember(grantId: string, held: Held): void {
    const known = remembered.get(grantId);
    if (known && !isOver(known)) known.held = held;
    else remembered.set(grantId, { held, since: now() });
  }

  /** A store that evicts records: without this the client would refresh its tokens again and again, and never ask. */
  async function endUseless(grantId: string): Promise<void> {
    log.error({ event: 'credential.missing', grant: grantId });
    await ending.end(grantId, 'lost');
  }

  /** One refresh at a time for a grant: parallel calls in this process wait for the same one. */
  function refreshOnce(
    caller: Caller,
    stale: NeonpanelCredential,
    deadline: number,
  ): Promise<Held> {
    const { grantId } = caller;
    const running = refreshing.get(grantId);
    if (running) return running;
    const refresh = refreshUnderLease(caller, stale, deadline).finally(() =>
      refreshing.delete(grantId),
    );
    refreshing.set(grantId, refresh);
    return refresh;
  }

  /** And one at a time over all processes; whoever waited finds the work done. */
  async function refreshUnderLease(
    caller: Caller,
    stale: NeonpanelCredential,
    deadline: number,
  ): Promise<Held> {
    const findResult = async () => {
      const current = await read(caller);
      return current.credential.accessToken === stale.accessToken ? undefined : current;
    };
    const found = await findResult();
    if (found) return found;
    // Before the lease, which is long enough for the refresh itself and no more.
    await login.prepare();
    const key = { tag: caller.grantId, kind: 'refresh-lease' };
    return leases.hold(key, {
      seconds: LEASE_SECONDS,
      deadline,
      findResult,
      work: () => refresh(caller),
      isUnsaved: () => unsaved.has(caller.grantId),
    });
  }

  async function refresh(caller: Caller): Promise<Held> {
    const { grantId, accountId, clientId } = caller;
    const { held, version } = await look(caller);
    const { credential } = held;
    const whose = { client_id: clientId, grant: grantId, subject: accountId };
    // The request that happens to do it; others may be waiting for it.
    const logNow = currentLog(log);
    const started = performance.now();
    const report = (facts: Omit<AuditFacts<'neonpanel.refresh'>, keyof typeof whose | 'ms'>) =>
      audit(logNow, 'neonpanel.refresh', { ...facts, ...whose, ms: performance.now() - started });
    let renewed: NeonpanelCredential;
    try {
      renewed = await login.refresh(credential, accountId);
    } catch (error) {
      if (!(error instanceof NeonpanelError)) throw error;
      const { message: cause, status, detail } = error;
      const isFinal = error.kind === 'refused';
      report({ outcome: isFinal ? 'refused' : 'unavailable', cause, status });
      logNow.warn({ event: 'neonpanel.problem', grant: grantId, status, detail });
      if (!isFinal) throw error;
      // NeonPanel has ended it for good: so do we, and the client gets a real 401 from now on.
      await ending.end(grantId, 'neonpanel');
      audit(logNow, 'grant.ended', { outcome: 'refused_by_neonpanel', ...whose });
      remembered.delete(grantId);
      throw new GrantEnded('NeonPanel refused to refresh the credential', { cause: error });
    }
    report({ outcome: 'success' });
    unsaved.add(grantId, () => vault.replace(grantId, accountId, renewed, version));
    const fresh: Held = { ...(await read(caller)), renewed: true };
    remember(grantId, fresh);
    return fresh;
  }
}

const ownerOf = ({ accountId, clientId }: { accountId: string; clientId: string }) =>
  `${accountId} ${clientId}`;
