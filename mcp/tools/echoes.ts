/** Shorter texts are words of everybody; taking them out would leave nothing readable. */
const MIN_LENGTH = 4;
const MAX_TEXTS = 1_000;

/**
 * What NeonPanel said about a call, for the log, without what it repeats of the call's own texts: an error about a bill
 * likes to quote the bill.
 *
 * @param args of the call
 */
export function withoutEchoes(detail: string, args: unknown): string {
  const texts = [...new Set(textsIn(args))].slice(0, MAX_TEXTS);
  // The longest first: a part of it must not be taken out before the whole.
  return texts
    .sort((a, b) => b.length - a.length)
    .flatMap((text) => [text, JSON.stringify(text).slice(1, -1)])
    .reduce((rest, text) => rest.replaceAll(text, '[…]'), detail);
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return value.length >= MIN_LENGTH ? [value] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}
