/** A map that forgets its oldest entry when it is full: for what may be forgotten, and must not grow. */
export function createBoundedMap<V>(maxSize: number) {
  const entries = new Map<string, V>();
  return {
    get: (key: string): V | undefined => entries.get(key),
    set(key: string, value: V): void {
      entries.delete(key);
      if (entries.size >= maxSize) entries.delete(entries.keys().next().value!);
      entries.set(key, value);
    },
    delete: (key: string): boolean => entries.delete(key),
    get size(): number {
      return entries.size;
    },
  };
}
