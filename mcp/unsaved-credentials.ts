import { keepTrying } from '../adapters/keep-trying.ts';
import { StoreUnavailable } from '../errors.ts';
import type { Log } from '../log.ts';

/**
 * Credentials that NeonPanel has renewed and the store has not taken yet. The token they were made from is spent, so
 * losing them would end the connection: if the store is away at that moment, they are kept here and written as soon as
 * it is back, by the next request that needs them or by ourselves.
 */
export interface UnsavedCredentials {
  /** @param write stores the credential; may be called again after it failed */
  add(grantId: string, write: () => Promise<unknown>): void;
  /** Writes what is waiting for this grant, if anything. @throws StoreUnavailable */
  save(grantId: string): Promise<void>;
  /** Whether something is waiting for this grant. */
  has(grantId: string): boolean;
}

/** Ten minutes: longer than any outage that is not a disaster. */
const RETRIES = { everyMs: 500, tries: 1_200 };

export function createUnsavedCredentials(log: Log): UnsavedCredentials {
  const waiting = new Map<string, () => Promise<unknown>>();

  async function save(grantId: string): Promise<void> {
    const write = waiting.get(grantId);
    if (!write) return;
    await write();
    if (waiting.get(grantId) === write) waiting.delete(grantId);
  }

  async function saveLater(grantId: string): Promise<void> {
    try {
      await keepTrying(() => save(grantId), RETRIES);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      if (waiting.delete(grantId)) log.error({ event: 'credential.lost', grant: grantId });
    }
  }

  return {
    add(grantId, write) {
      waiting.set(grantId, write);
      saveLater(grantId).catch((err) => log.error({ event: 'credential.unsaved', err }));
    },
    save,
    has: (grantId) => waiting.has(grantId),
  };
}
