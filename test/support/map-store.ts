import { checkKey, checkWrites } from '../../adapters/store-checks.ts';
import type { Entry, Expectation, Key, Lifetime, Store } from '../../adapters/store.ts';
import { StoreUnavailable } from '../../errors.ts';

/**
 * The store in its simplest form, for tests that need millions of calls: a map and a clock. It passes the conformance
 * suite (test/store/map.test.ts), so what holds on it holds on the others. Never part of the product.
 */
export interface MapStore extends Store {
  /** Everything that is alive, by `tag kind`. */
  contents(): ReadonlyMap<string, Entry>;
}

interface Kept extends Entry {
  readonly key: Key;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

export function createMapStore({ now = Date.now }: { now?: () => number } = {}): MapStore {
  const records = new Map<string, Kept>();
  let closed = false;
  let commits = 0;
  const assertOpen = () => {
    if (closed) throw new StoreUnavailable('map: the store is closed');
  };
  const nameOf = ({ tag, kind }: Key) => `${tag} ${kind}`;

  function live(key: Key): Kept | undefined {
    const name = nameOf(key);
    const kept = records.get(name);
    if (!kept || kept.expiresAt > now()) return kept;
    records.delete(name);
    return undefined;
  }
  const holds = (expect: Expectation, kept: Kept | undefined): boolean => {
    if (expect === 'any') return true;
    return expect === 'absent' ? kept === undefined : kept?.version === expect.version;
  };
  const endOf = (lifetime: Lifetime, kept: Kept | undefined): number | undefined => {
    if (lifetime === 'forever') return Infinity;
    return lifetime === 'keep' ? kept?.expiresAt : now() + lifetime * 1000;
  };

  return {
    async read(...keys) {
      assertOpen();
      keys.forEach(checkKey);
      return keys.map((key) => {
        const kept = live(key);
        return kept && { value: kept.value, version: kept.version };
      });
    },

    async commit(writes) {
      assertOpen();
      checkWrites(writes);
      const version = String(++commits);
      const found = writes.map((write) => live(write.key));
      for (const [i, write] of writes.entries()) {
        if (!holds(write.expect, found[i])) return undefined;
        if ('put' in write && endOf(write.lifetime, found[i]) === undefined) return undefined;
      }
      for (const [i, write] of writes.entries()) {
        const name = nameOf(write.key);
        const kept = found[i];
        if ('remove' in write) records.delete(name);
        else if ('put' in write) {
          const expiresAt = endOf(write.lifetime, kept)!;
          records.set(name, { key: write.key, value: write.put, version, expiresAt });
        } else if (kept) records.set(name, { ...kept, expiresAt: endOf(write.touch, kept)! });
      }
      return version;
    },

    async *keys(kind) {
      assertOpen();
      checkKey({ tag: 'any', kind });
      for (const { key } of [...records.values()]) if (key.kind === kind && live(key)) yield key;
    },

    async ping() {
      assertOpen();
    },
    async close() {
      closed = true;
    },
    contents: () => new Map([...records].filter(([, { key }]) => live(key))),
  };
}
