import { isoDay } from '../data/calendar.ts';
import type { Batch, Sale } from '../data/model.ts';
import { amount, batchCents, sliceCents, sum } from '../data/money.ts';
import { findBooks, findLedger, findWarehouse } from './lookup.ts';
import type { Call } from './operation.ts';
import { pageFields, pageOf } from './paging.ts';
import { readPaging, readPeriod } from './query.ts';

/**
 * GET /companies/:companyUuid/inventory-items/:inventoryId/landed-cost: the batches that arrived at a
 * warehouse from outside in the period. A later transfer to another warehouse is no new landing, so the
 * warehouses of an item can be added up.
 */
export function getInventoryLandedCost(call: Call) {
  const { query } = call;
  const books = findBooks(call);
  const { item, batches } = findLedger(books, call);
  const paging = readPaging(query);
  const { start, end } = readPeriod(query, isoDay(call.now()));
  const uuid = query.text('warehouse_uuid');
  if (uuid === null) query.fail('warehouse_uuid', 'The warehouse uuid field is required.');
  query.done();
  const warehouse = findWarehouse(books, uuid ?? undefined);

  const { company } = books;
  const landed = batches
    .filter((batch) => batch.warehouse === warehouse)
    .filter(({ date }) => date >= start && date <= end);
  return {
    ...pageFields(landed.length, paging),
    filters: {
      country_code: item.country_code,
      warehouse_uuid: warehouse.uuid,
      start_date: start,
      end_date: end,
    },
    company,
    inventory: item,
    warehouse,
    currency: company.currency,
    amount: amount(sum(landed, batchCents)),
    quantity: sum(landed, (batch) => batch.quantity),
    data: pageOf(landed, paging).map((batch) => costItem(batch, company.currency)),
  };
}

function costItem(batch: Batch, currency: string) {
  const { document, quantity, costs } = batch;
  const details = costs.map((cost) => {
    const { type, document } = cost;
    return { type, document, currency, amount: amount(cost.cents), quantity };
  });
  return { batch: document, currency, amount: amount(batchCents(batch)), quantity, details };
}

/**
 * GET /companies/:companyUuid/inventory-items/:inventoryId/cogs: what the units sold in the period cost,
 * sale by sale. `amount` and `quantity` are those of the sales, `lost_amount` what was written off.
 */
export function getInventoryCogs(call: Call) {
  const { query } = call;
  const books = findBooks(call);
  const { item, ...ledger } = findLedger(books, call);
  const paging = readPaging(query);
  const { start, end } = readPeriod(query, isoDay(call.now()));
  query.done();

  const { company } = books;
  const inPeriod = ({ date }: { date: string }) => date >= start && date <= end;
  const sales = ledger.sales.filter(inPeriod);
  const soldCents = sum(sales, (sale) => sale.cogsCents);
  const lostCents = sum(ledger.losses.filter(inPeriod), (loss) => loss.cents);
  return {
    ...pageFields(sales.length, paging),
    filters: { country_code: item.country_code, start_date: start, end_date: end },
    company,
    inventory: item,
    currency: company.currency,
    amount: amount(soldCents),
    lost_amount: amount(lostCents),
    total_amount: amount(soldCents + lostCents),
    quantity: sum(sales, (sale) => sale.quantity),
    details: pageOf(sales, paging).map((sale) => cogsItem(sale, company.currency)),
  };
}

function cogsItem(sale: Sale, currency: string) {
  const details = sale.slices.flatMap((slice) =>
    slice.batch.costs.map(({ type, document, cents }) => ({
      type,
      batch: slice.batch.document,
      document,
      currency,
      amount: amount(sliceCents(slice, cents)),
      quantity: slice.to - slice.from,
    })),
  );
  const { document } = sale.invoice;
  return { document, currency, amount: amount(sale.cogsCents), quantity: sale.quantity, details };
}
