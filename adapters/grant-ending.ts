import { audit } from '../audit.ts';
import { currentLog, type Log } from '../log.ts';
import type { Grant, Grants } from './grants.ts';
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
  /** @throws StoreUnavailable; the grant may then still be alive */
  end(grantId: string): Promise<Ended>;
  /** Waits for what NeonPanel is being told. */
  close(): Promise<void>;
}

export interface Ended {
  /** Undefined if there was none. */
  readonly grant: Grant | undefined;
  /** What came of telling NeonPanel. Never rejects. */
  readonly told: Promise<Told>;
}

/** `not offered`: NeonPanel has no revocation endpoint. `nothing`: there was no credential that could be opened. */
export type Told = 'success' | 'failed' | 'not offered' | 'nothing';

/** Of a flood of revocations so many are told at a time; the rest is not. */
const MAX_TELLING = 100;

export function createGrantEnding(options: {
  grants: Grants;
  vault: Vault;
  login: Pick<NeonpanelLogin, 'revoke'>;
  log: Log;
}): GrantEnding {
  const { grants, vault, login, log } = options;
  const telling = new Set<Promise<Told>>();

  return {
    async end(grantId) {
      const found = await grants.findWithCredential(grantId);
      await grants.revoke(grantId);
      if (!found?.credential) return { grant: found?.grant, told: Promise.resolve('nothing') };
      const { grant, credential } = found;
      const logNow = currentLog(log);
      const told = withoutPatience(async () => {
        const opened = await vault.open(grantId, grant.accountId, credential);
        return opened ? tell(logNow, grantId, grant, opened) : 'nothing';
      }).catch((err: unknown): Told => {
        logNow.error({ event: 'server_error', err });
        return 'failed';
      });
      telling.add(told);
      void told.finally(() => telling.delete(told));
      return { grant, told };
    },

    async close() {
      await Promise.all(telling);
    },
  };

  async function tell(
    logNow: Log,
    grantId: string,
    { clientId, accountId }: Grant,
    credential: NeonpanelCredential,
  ): Promise<Told> {
    const started = performance.now();
    const report = (outcome: 'success' | 'failed', error?: NeonpanelError) => {
      audit(logNow, 'neonpanel.revocation', {
        outcome,
        client_id: clientId,
        grant: grantId,
        subject: accountId,
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
