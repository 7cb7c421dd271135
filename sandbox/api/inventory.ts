import { addDays, isoDay } from '../data/calendar.ts';
import { balancesOn } from '../data/ledger.ts';
import type { Item, Ledger } from '../data/model.ts';
import { batchCents, sum } from '../data/money.ts';
import { findBooks, findLedger } from './lookup.ts';
import type { Call } from './operation.ts';
import { pageFields, pageOf } from './paging.ts';
import { readPaging } from './query.ts';

/** GET /companies/:companyUuid/inventory-items */
export function listInventoryItems(call: Call) {
  const { query } = call;
  const { ledgers } = findBooks(call);
  const paging = readPaging(query);
  const filters = {
    country_code: query.text('country_code'),
    search: query.text('search'),
    fnsku: query.text('fnsku'),
    asin: query.text('asin'),
    sku: query.text('sku'),
  };
  if (filters.country_code !== null && filters.country_code.length !== 2) {
    query.fail('country_code', 'The country code field must be 2 characters.');
  }
  query.done();

  const same = (filter: string | null, value: string | undefined) =>
    filter === null || filter.toLowerCase() === value?.toLowerCase();
  const items = ledgers
    .map(({ item }) => item)
    .filter((item) => same(filters.country_code, item.country_code))
    .filter((item) => same(filters.fnsku, item.fnsku) && same(filters.asin, item.asin))
    .filter((item) => same(filters.sku, item.sku) && isFound(item, filters.search));
  return { ...pageFields(items.length, paging), filters, data: pageOf(items, paging) };
}

function isFound({ id, name, sku, asin = '', fnsku = '' }: Item, search: string | null): boolean {
  const needle = search?.toLowerCase() ?? '';
  return [String(id), name, sku, asin, fnsku].some((text) => text.toLowerCase().includes(needle));
}

/** GET /companies/:companyUuid/inventory-items/:inventoryId/balances */
export function getInventoryDetails(call: Call) {
  const ledger = findLedger(findBooks(call), call);
  const date = call.query.day('balances_date') ?? isoDay(call.now());
  call.query.done();
  const balances_list = [...balancesOn(ledger, date)].map(([warehouse, balance]) => {
    return { warehouse, balance };
  });
  return {
    inventory: ledger.item,
    restock_data: restockData(ledger, date),
    balances_data: { balances_date: date, balances_list },
  };
}

/** What the last thirty days suggest for the next ones. */
function restockData(ledger: Ledger, date: string) {
  const windowDays = 30;
  const since = addDays(date, -windowDays);
  const recent = ledger.sales.filter((sale) => sale.date > since && sale.date <= date);
  const daily = round(sum(recent, (sale) => sale.quantity) / windowDays);
  const batch =
    ledger.batches.findLast((candidate) => candidate.date <= date) ?? ledger.batches[0]!;
  const purchase = batch.costs.find((cost) => cost.type === 'Purchase Price')!;
  const price = ledger.priceCents / 100;
  return {
    daily_sales_target: round(daily * 1.1),
    unit_vendor_price: round(purchase.cents / batch.quantity / 100),
    unit_landed_cost: round(batchCents(batch) / batch.quantity / 100),
    estimated_daily_sales: daily,
    estimated_price: price,
    lead_time_days: 45,
    safety_stock_days: 14,
    fba_lead_time_days: 10,
    fba_safety_stock_days: 7,
    target_fba_fee: round(price * 0.17),
    target_price: price,
    target_referral_percentage: 15,
    daily_unit_sales_target: round(daily * 1.1),
  };
}

function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
