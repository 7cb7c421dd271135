import type { Batch, Slice } from './model.ts';

/**
 * Cents of one cost that belong to a slice. The running total of the batch is rounded, not the slice, so
 * that the slices of a batch always add up to the batch, to the cent.
 */
export function sliceCents(slice: Slice, costCents: number): number {
  const upTo = (units: number) => Math.round((costCents * units) / slice.batch.quantity);
  return upTo(slice.to) - upTo(slice.from);
}

/** Cents of all costs that belong to these slices. */
export function slicesCents(slices: Slice[]): number {
  return sum(slices, (slice) => sum(slice.batch.costs, (cost) => sliceCents(slice, cost.cents)));
}

/** What a batch cost, all costs and units together. */
export function batchCents(batch: Batch): number {
  return sum(batch.costs, (cost) => cost.cents);
}

/** What the units still in stock cost: the rest of every batch. */
export function remainingCents(batches: Batch[]): number {
  return slicesCents(batches.map((batch) => ({ batch, from: batch.used, to: batch.quantity })));
}

/** Cents as the number the API sends, with at most two decimals. */
export function amount(cents: number): number {
  return cents / 100;
}

export function sum<T>(list: readonly T[], value: (entry: T) => number): number {
  let total = 0;
  for (const entry of list) total += value(entry);
  return total;
}
