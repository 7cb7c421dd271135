/**
 * A map that forgets its oldest entry when it is full: for what may be forgotten, and must not grow.
 *
 * @param isOver whether an entry is of no use any more; with each entry that comes, old ones go whose time is over
 */
export function createBoundedMap<V>(maxSize: number, isOver: (value: V) => boolean = () => false) {
  const entries = new Map<string, V>();

  function sweep(): void {
    let looked = 0;
    for (const [key, value] of entries) {
      if (looked++ >= SWEPT_AT_ONCE || !isOver(value)) return;
      entries.delete(key);
    }
  }

  return {
    get: (key: string): V | undefined => entries.get(key),
    set(key: string, value: V): void {
      entries.delete(key);
      sweep();
      if (entries.size >= maxSize) entries.delete(entries.keys().next().value!);
      entries.set(key, value);
    },
    delete: (key: string): boolean => entries.delete(key),
    get size(): number {
      return entries.size;
    },
  };
}

/** More than one, so that there are ever fewer. */
const SWEPT_AT_ONCE = 4;
