/**
 * What the books are made of. Company, Warehouse, Item and Document have the shape the API sends; the
 * ledger types below them hold money as whole cents, which only leave through `money.ts`.
 */
export type User = {
  id: string;
  email: string;
  password: string;
  name: string;
  companyIds: number[];
};

export type Company = {
  id: number;
  uuid: string;
  name: string;
  short_name: string;
  currency: string;
  timezone: string;
};

export type Warehouse = {
  uuid: string;
  name: string;
  type: string | null;
  country_code: string | null;
};

/** An item without a listing has neither `fnsku` nor `asin`. */
export type Item = {
  id: number;
  name: string;
  fnsku?: string;
  asin?: string;
  sku: string;
  image: string | null;
  country_code: string;
  weight: number;
  length: number;
  height: number;
  depth: number;
};

export type Document = {
  type: 'Invoice' | 'InventoryOrder' | 'Bill' | 'Shipment' | 'Adjustment';
  link: string;
  status: string;
  completed: string | null;
  ref_number: string | null;
  date: string | null;
};

/** One cost of a batch, for all its units together. */
export type Cost = { type: string; document: Document; cents: number };

/** Units ordered together. `used` of them have been written off, the oldest batch first. */
export type Batch = {
  document: Document;
  date: string;
  warehouse: Warehouse;
  quantity: number;
  costs: Cost[];
  used: number;
};

/** Units `from`…`to` of a batch, counted in the order in which they leave. */
export type Slice = { batch: Batch; from: number; to: number };

export type Sale = {
  date: string;
  quantity: number;
  revenueCents: number;
  cogsCents: number;
  slices: Slice[];
  invoice: Invoice;
};

export type Loss = {
  date: string;
  quantity: number;
  cents: number;
  slices: Slice[];
  document: Document;
};

export type Movement = { date: string; warehouse: Warehouse; quantity: number };

/** Everything that ever happened to one item, in order of time. */
export type Ledger = {
  item: Item;
  priceCents: number;
  batches: Batch[];
  sales: Sale[];
  losses: Loss[];
  movements: Movement[];
};

/** What one marketplace of a company sold on one day. */
export type Invoice = {
  document: Document;
  date: string;
  country: string;
  revenueCents: number;
  cogsCents: number;
};

export type Books = {
  company: Company;
  /** Documents dated before this day are refused (Entry Locked Date). */
  lockedUntil: string;
  permissions: string[];
  warehouses: Warehouse[];
  ledgers: Ledger[];
  invoices: Invoice[];
};
