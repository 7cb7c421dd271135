/**
 * The first so many of any number of things in an order, without ever holding many more.
 *
 * @param most Infinity for all
 * @returns them in their order, and how many there were
 */
export async function firstOf<T>(
  all: AsyncIterable<T>,
  most: number,
  order: (a: T, b: T) => number,
): Promise<{ first: T[]; count: number }> {
  let kept: T[] = [];
  let count = 0;
  for await (const one of all) {
    count++;
    kept.push(one);
    if (kept.length >= 2 * most + 100) kept = kept.sort(order).slice(0, most);
  }
  return { first: kept.sort(order).slice(0, most), count };
}

export async function countOf(all: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of all) count++;
  return count;
}

/** Looks no further than the first. */
export async function isAny(all: AsyncIterable<unknown>): Promise<boolean> {
  for await (const _ of all) return true;
  return false;
}

/** `50 of 312 shown` under a table that is not complete. */
export const andMore = (shown: number, count: number): string =>
  shown < count ? `\n${shown} of ${count} shown; --limit 0 shows all.` : '';
