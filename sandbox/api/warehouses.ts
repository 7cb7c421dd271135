import { isoDay } from '../data/calendar.ts';
import { balancesOn } from '../data/ledger.ts';
import { findBooks, findWarehouse } from './lookup.ts';
import type { Call } from './operation.ts';
import { pageFields, pageOf } from './paging.ts';
import { readPaging } from './query.ts';

/** GET /companies/:companyUuid/warehouses */
export function listWarehouses(call: Call) {
  const { warehouses } = findBooks(call);
  const paging = readPaging(call.query);
  const search = call.query.text('search')?.toLowerCase() ?? '';
  call.query.done();
  const found = warehouses.filter(({ name }) => name.toLowerCase().includes(search));
  return { ...pageFields(found.length, paging), data: pageOf(found, paging) };
}

/** GET /companies/:companyUuid/warehouses/:warehouseUuid/balances */
export function getWarehouseBalances(call: Call) {
  const books = findBooks(call);
  const warehouse = findWarehouse(books, call.params.warehouseUuid);
  const paging = readPaging(call.query);
  const date = call.query.day('balances_date') ?? isoDay(call.now());
  call.query.done();
  const balances = books.ledgers.flatMap((ledger) => {
    const balance = balancesOn(ledger, date).get(warehouse);
    return balance === undefined ? [] : [{ inventory: ledger.item, balance }];
  });
  return {
    ...pageFields(balances.length, paging),
    balances_date: date,
    data: pageOf(balances, paging),
  };
}
