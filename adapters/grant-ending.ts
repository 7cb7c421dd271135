import { audit } from '../audit.ts';
import { currentLog, type Log } from '../log.ts';
import type { EndReason } from './connection-list.ts';
import type { Connections } from './connections.ts';
import { type Grant, type Grants, isService } from './grants.ts';
import {
  type NeonpanelCredential,
  NeonpanelError,
  type NeonpanelLogin,
} from './neonpanel/neonpanel.ts';
import { withoutPatience } from './patience.ts';
import type { Vault } from './vault.ts';

/**
 * Ending a grant before its time. Here it is over at once, and everywhere within a second; then NeonPanel is told, if it
 * has a revocation endpoint. That is behind the answer, takes a bounded time, and nothing depends on it: the credential is
 * no longer in the store, whatever becomes of it there.
 */
export interface GrantEnding {
  /**
   * @param why what the user reads about it on the page of connected apps
   * @throws StoreUnavailable; the grant may then still be alive
   */
  end(grantId: string, why: EndReason): Promise<Ended>;
  /** Tells NeonPanel that a credential is not needed that was never put into a grant. Behind the answer, too. */
  discard(accountId: string, credential: NeonpanelCredential): void;
  /** Waits for what NeonPanel is being told, and for what is being written. */
  close(): Promise<void>;
}

export interface Ended {
  /** Undefined if there was none, or somebody else ended it at the same moment: they tell of it. */
  readonly grant: Grant | undefined;
  /** What came of telling NeonPanel. Never rejects. */
  readonly told: Promise<Told>;
  /** Settled when the user's list of connections says so. Never rejects. */
  readonly listed: Promise<void>;
}

/** `not offered`: NeonPanel has no revocation endpoint. `nothing`: there was no credential that could be opened. */
export type Told = 'success' | 'failed' | 'not offered' | 'nothing';

/** Of a flood of revocations so many are told at a time; the rest is not. */
const MAX_TELLING = 100;

export function createGrantEnding(options: {
  grants: Grants;
  vault: Vault;
  connections: Pick<Connections, 'ended'>;
  login: Pick<NeonpanelLogin, 'revoke'>;
  log: Log;
}): GrantEnding {
  const { grants, vault, connections, login, log } = options;
  const telling = new Set<Promise<Told>>();
  const listing = new Set<Promise<void>>();

  return {
    async end(grantId, why) {
      const found = await take(grantId);
      if (!found) return { grant: undefined, told: nothing, listed: Promise.resolve() };
      const { grant, credential } = found;
      const listed = isService(grant)
        ? Promise.resolve()
        : kept(listing, connections.ended(grantId, grant, why));
      // Of what NeonPanel itself has ended, it need not be told.
      if (!credential || why === 'neonpanel') return { grant, told: nothing, listed };
      const { clientId: client_id, accountId: subject } = grant;
      const told = behindAnswer(async (logNow) => {
        const opened = await vault.open(grantId, subject, credential);
        return opened ? tell(logNow, { client_id, grant: grantId, subject }, opened) : 'nothing';
      });
      return { grant, told, listed };
    },

    discard(subject, credential) {
      void behindAnswer((logNow) => tell(logNow, { subject }, credential));
    },

    async close() {
      await Promise.all([...telling, ...listing]);
    },
  };

  /** Removes it, and says what it was to the one who did. Whoever wrote in between, a rotation for one, changes nothing. */
  async function take(grantId: string) {
    for (;;) {
      const found = await grants.findWithCredential(grantId);
      if (found && !(await grants.revoke(grantId, found.version))) continue;
      // Nothing may be left of one that is not whole, either.
      if (!found) await grants.revoke(grantId);
      return found;
    }
  }

  function behindAnswer(work: (logNow: Log) => Promise<Told>): Promise<Told> {
    const logNow = currentLog(log);
    const told = withoutPatience(() => work(logNow)).catch((err: unknown): Told => {
      logNow.error({ event: 'server_error', err });
      return 'failed';
    });
    return kept(telling, told);
  }

  async function tell(
    logNow: Log,
    whose: { client_id?: string; grant?: string; subject: string },
    credential: NeonpanelCredential,
  ): Promise<Told> {
    const started = performance.now();
    const report = (outcome: 'success' | 'failed', error?: NeonpanelError) => {
      audit(logNow, 'neonpanel.revocation', {
        outcome,
        ...whose,
        status: error?.status,
        cause: error?.message,
        ms: performance.now() - started,
      });
      return outcome;
    };
    try {
      if (telling.size >= MAX_TELLING) {
        throw new NeonpanelError('unavailable', 'too many revocations at once');
      }
      return (await login.revoke(credential)) ? report('success') : 'not offered';
    } catch (error) {
      if (!(error instanceof NeonpanelError)) throw error;
      return report('failed', error);
    }
  }
}

const nothing: Promise<Told> = Promise.resolve('nothing');

/** Remembers what is under way until it is over. */
function kept<T>(all: Set<Promise<T>>, one: Promise<T>): Promise<T> {
  all.add(one);
  void one.finally(() => all.delete(one));
  return one;
}
