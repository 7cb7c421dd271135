import { randomUUID } from 'node:crypto';
import type { AdapterPayload } from 'oidc-provider';
import { StoreUnavailable } from '../errors.ts';
import { keepTrying } from './keep-trying.ts';
import { withoutPatience } from './patience.ts';
import { digest } from './secrets.ts';
import type { Entry, Key, Store } from './store.ts';

/**
 * Which assertions of private_key_jwt were used (RFC 7523 §3, `jti`): each is good for one request. A request that fails
 * on our side gives its assertion back, because the client was told to send the same again.
 */
export interface Assertions {
  isUsed(id: string): Promise<boolean>;
  /**
   * @param lifetimeSeconds how long the assertion could be sent again
   * @returns gives it back, or undefined if somebody else has used it
   * @throws StoreUnavailable
   */
  use(
    id: string,
    payload: AdapterPayload,
    lifetimeSeconds: number,
  ): Promise<(() => void) | undefined>;
}

/** Half a minute: longer than clients repeat a request. */
const RETRIES = { everyMs: 250, tries: 120 };
/** While the store is away: what is given back beyond that stays used. */
const MAX_GIVEN_BACK = 10_000;

export function createAssertions(store: Store): Assertions {
  /** Given back, and perhaps still in the store: what is written there. */
  const givenBack = new Map<string, string>();

  /** What the store holds, if it is this very use. */
  async function recordOf(id: string, use: string | undefined): Promise<Entry | undefined> {
    if (use === undefined) return undefined;
    const [entry] = await store.read(assertionKey(id));
    return entry?.value === use ? entry : undefined;
  }

  async function giveBack(id: string, use: string): Promise<void> {
    // Its client makes another one.
    if (givenBack.size >= MAX_GIVEN_BACK) return;
    givenBack.set(id, use);
    const take = () => remove(id, use);
    try {
      await withoutPatience(take).catch(() => keepTrying(take, RETRIES));
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
    }
    if (givenBack.get(id) === use) givenBack.delete(id);
  }

  async function remove(id: string, use: string): Promise<void> {
    const entry = await recordOf(id, use);
    if (!entry) return;
    const expect = { version: entry.version };
    await store.commit([{ key: assertionKey(id), expect, remove: true }]);
  }

  return {
    async isUsed(id) {
      if (givenBack.has(id)) return false;
      const [entry] = await store.read(assertionKey(id));
      return entry !== undefined;
    },

    async use(id, payload, lifetimeSeconds) {
      const use = JSON.stringify({ ...payload, use: randomUUID() });
      const undo = () => void giveBack(id, use);
      try {
        const key = assertionKey(id);
        for (;;) {
          const old = await recordOf(id, givenBack.get(id));
          const expect = old ? { version: old.version } : 'absent';
          const write = { key, expect, put: use, lifetime: lifetimeSeconds } as const;
          if (await store.commit([write])) return undo;
          // Unless it was only taken out of our way just now.
          if (!old) return undefined;
        }
      } catch (error) {
        // It may have been written all the same.
        undo();
        throw error;
      }
    },
  };
}

const assertionKey = (id: string): Key => ({ tag: digest(id), kind: 'assertion' });
