import type { Books, Ledger, Warehouse } from '../data/model.ts';
import { forbidden, notFound } from '../errors.ts';
import type { Call } from './operation.ts';

/** The books of the company in the path: 404 if there is none, 403 if it is somebody else's. */
export function findBooks(call: Call): Books {
  const uuid = call.params.companyUuid;
  const books = call.data.books.find(({ company }) => company.uuid === uuid);
  if (!books) throw notFound('Company not found.');
  if (!call.books.includes(books)) throw forbidden();
  return books;
}

/** The item in the path, which must be one of this company. */
export function findLedger(books: Books, { params }: Call): Ledger {
  const ledger = books.ledgers.find(({ item }) => String(item.id) === params.inventoryId);
  if (!ledger) throw notFound('Inventory item not found.');
  return ledger;
}

/** A warehouse of this company. */
export function findWarehouse(books: Books, uuid: string | undefined): Warehouse {
  const warehouse = books.warehouses.find((candidate) => candidate.uuid === uuid);
  if (!warehouse) throw notFound('Warehouse not found.');
  return warehouse;
}
