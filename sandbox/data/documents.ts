import type { Company, Document } from './model.ts';
import { hexId } from './random.ts';

const processOf: Record<Document['type'], string> = {
  Invoice: 'invoicing',
  InventoryOrder: 'inventory-orders',
  Bill: 'bills-and-expenses',
  Shipment: 'inventory-shipments',
  Adjustment: 'adjustments',
};

const prefixOf: Record<Document['type'], string> = {
  Invoice: 'INV',
  InventoryOrder: 'PO',
  Bill: 'BILL',
  Shipment: 'SHP',
  Adjustment: 'ADJ',
};

/** Hands out a company's documents, numbered per type and year: INV-2025-0001, PO-2025-0001 … */
export type DocumentDesk = (type: Document['type'], date: string) => Document;

export function createDesk(company: Company): DocumentDesk {
  const numbers = new Map<string, number>();
  return (type, date) => {
    const series = `${prefixOf[type]}-${date.slice(0, 4)}`;
    const number = (numbers.get(series) ?? 0) + 1;
    numbers.set(series, number);
    const ref = `${series}-${String(number).padStart(4, '0')}`;
    return {
      type,
      link: documentLink(type, hexId(`document ${company.id} ${ref}`)),
      status: 'Completed',
      completed: `${date}T17:00:00Z`,
      ref_number: ref,
      date,
    };
  };
}

/** Where NeonPanel's own application would show the document. */
export function documentLink(type: Document['type'], id: string): string {
  return `https://my.neonpanel.com/app/processes/${processOf[type]}/tasks/${id}`;
}
