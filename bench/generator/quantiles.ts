/** The median and the value that one in a hundred exceeds. */
export function quantiles(values: readonly number[]): { p50Ms: number; p99Ms: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return { p50Ms: at(0.5) ?? 0, p99Ms: at(0.99) ?? 0 };
}
