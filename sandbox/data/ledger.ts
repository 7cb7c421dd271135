/**
 * The life of one item. Orders arrive, some straight at the marketplace's FBA warehouse, some at a
 * storage that refills it once a month; every few days some units are sold from FBA; now and then a few
 * go missing: first they are moved to Lost & Found, three weeks later most of them are written off.
 *
 *   order ──> storage ──monthly──> FBA ──> sold (invoice)
 *        └──────────────────────> FBA ──> Lost & Found ──> written off (adjustment)
 *
 * Whatever leaves is written off from the oldest batch that still has units (FIFO), wherever they lie.
 * So for every item: cost of what arrived = COGS of what was sold + lost + value of what remains.
 */
import { createBatch } from './batches.ts';
import { days } from './calendar.ts';
import type { DocumentDesk } from './documents.ts';
import type { Batch, Invoice, Item, Ledger, Slice, Warehouse } from './model.ts';
import { slicesCents, sum } from './money.ts';
import type { Random } from './random.ts';

/** What is special about an item; all else is drawn. */
export type LedgerPlan = {
  storage: Warehouse;
  fba: Warehouse;
  lostAndFound: Warehouse;
  arrivals: { day: number; quantity: number; at: Warehouse }[];
  sells: boolean;
  /** Index of the day some units go missing. */
  lossDay?: number;
  /** Index of the day the last unit is sold. */
  clearanceDay?: number;
};

const monthDays = 30;

/** Plays the days of an item. `invoiceFor` gives the invoice of the item's marketplace on a day. */
export function playLedger(
  item: Item,
  plan: LedgerPlan,
  desk: DocumentDesk,
  invoiceFor: (country: string, date: string) => Invoice,
  random: Random,
): Ledger {
  const { storage, fba, lostAndFound } = plan;
  const unitCents = random.int(350, 4_200);
  const priceCents = Math.round((unitCents * random.int(26, 38)) / 10);
  const ledger: Ledger = {
    item,
    priceCents,
    batches: [],
    sales: [],
    losses: [],
    movements: [],
  };
  const stock = new Map<Warehouse, number>();
  const inStock = (warehouse: Warehouse) => stock.get(warehouse) ?? 0;

  const move = (date: string, warehouse: Warehouse, quantity: number) => {
    stock.set(warehouse, inStock(warehouse) + quantity);
    ledger.movements.push({ date, warehouse, quantity });
  };
  const transfer = (date: string, from: Warehouse, to: Warehouse, quantity: number) => {
    if (from === to || quantity < 1) return;
    move(date, from, -quantity);
    move(date, to, quantity);
  };
  const sell = (date: string, quantity: number) => {
    const slices = takeOldest(ledger.batches, quantity);
    const cogsCents = slicesCents(slices);
    const revenueCents = quantity * seasonalCents(priceCents, date);
    const invoice = invoiceFor(item.country_code, date);
    invoice.revenueCents += revenueCents;
    invoice.cogsCents += cogsCents;
    move(date, fba, -quantity);
    ledger.sales.push({ date, quantity, revenueCents, cogsCents, slices, invoice });
  };
  const writeOff = (date: string, quantity: number) => {
    const slices = takeOldest(ledger.batches, quantity);
    const cents = slicesCents(slices);
    move(date, lostAndFound, -quantity);
    ledger.losses.push({ date, quantity, cents, slices, document: desk('Adjustment', date) });
  };

  let nextSaleDay = random.int(20, 30);
  for (const [day, date] of days.entries()) {
    for (const arrival of plan.arrivals.filter((candidate) => candidate.day === day)) {
      const { at, quantity } = arrival;
      ledger.batches.push(createBatch(date, at, quantity, unitCents, desk, random));
      move(date, at, quantity);
    }
    if (plan.sells && day % monthDays === 15) {
      transfer(date, storage, fba, Math.ceil(inStock(storage) * 0.4));
    }
    if (day === plan.lossDay) transfer(date, fba, lostAndFound, Math.min(6, inStock(fba)));
    if (plan.lossDay !== undefined && day === plan.lossDay + 21 && inStock(lostAndFound) > 2) {
      writeOff(date, inStock(lostAndFound) - 2);
    }
    if (day === plan.clearanceDay) {
      transfer(date, storage, fba, inStock(storage));
      if (inStock(fba) > 0) sell(date, inStock(fba));
    } else if (plan.sells && day >= nextSaleDay) {
      nextSaleDay = day + random.int(3, 9);
      const quantity = Math.min(random.int(1, 11), inStock(fba));
      if (quantity > 0) sell(date, quantity);
    }
  }
  return ledger;
}

/** Units on hand per warehouse at the end of a day, for every warehouse that ever held the item by then. */
export function balancesOn(ledger: Ledger, date: string): Map<Warehouse, number> {
  const balances = new Map<Warehouse, number>();
  for (const { date: moved, warehouse, quantity } of ledger.movements) {
    if (moved > date) break;
    balances.set(warehouse, (balances.get(warehouse) ?? 0) + quantity);
  }
  return balances;
}

/** Takes units from the oldest batches that still have some. */
function takeOldest(batches: Batch[], quantity: number): Slice[] {
  const slices: Slice[] = [];
  for (const batch of batches) {
    const missing = quantity - sum(slices, (slice) => slice.to - slice.from);
    const units = Math.min(missing, batch.quantity - batch.used);
    if (units < 1) continue;
    slices.push({ batch, from: batch.used, to: batch.used + units });
    batch.used += units;
  }
  return slices;
}

/** A little dearer before the holidays. */
function seasonalCents(priceCents: number, date: string): number {
  return /-1[12]-/.test(date) ? Math.round(priceCents * 1.07) : priceCents;
}
