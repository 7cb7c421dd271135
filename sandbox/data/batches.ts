import type { DocumentDesk } from './documents.ts';
import type { Batch, Document, Warehouse } from './model.ts';
import type { Random } from './random.ts';

/**
 * An order arriving: its units and what they cost by type. Costs are totals for the whole batch, with
 * some noise, so that every batch of an item has a slightly different unit cost.
 */
export function createBatch(
  date: string,
  warehouse: Warehouse,
  quantity: number,
  unitCents: number,
  desk: DocumentDesk,
  random: Random,
): Batch {
  const order = desk('InventoryOrder', date);
  const purchase = Math.round((quantity * unitCents * random.int(970, 1050)) / 1000);
  const share = (permilleMin: number, permilleMax: number) =>
    Math.round((purchase * random.int(permilleMin, permilleMax)) / 1000);
  const bill = () => desk('Bill', date);
  const unfinished = (document: Document): Document => {
    return { ...document, status: 'In Review', completed: null, ref_number: null };
  };
  const costs = [
    { type: 'Purchase Price', document: order, cents: purchase },
    { type: 'Freight Forwarding', document: bill(), cents: share(60, 140) },
    { type: 'Customs Duty', document: bill(), cents: share(30, 75) },
    { type: 'Inspection', document: unfinished(bill()), cents: random.int(9_000, 26_000) },
    { type: 'Insurance', document: { ...bill(), date: null }, cents: share(4, 12) },
    {
      type: 'Amazon inbound transportation',
      document: desk('Shipment', date),
      cents: share(15, 45),
    },
  ];
  return { document: order, date, warehouse, quantity, costs, used: 0 };
}
