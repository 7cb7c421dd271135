import { createHash } from 'node:crypto';

/** What the stand-in knows: a handful of invented records in the forms NeonPanel documents. */

/** NeonPanel's "uuid": 40 lowercase hex characters. */
const hex40 = (text: string) => createHash('sha1').update(text).digest('hex');

export const USER = { email: 'olive@example.org', password: 'correct horse', sub: '90417' };

export const COMPANIES = [
  {
    id: 71,
    uuid: hex40('company 71'),
    name: 'Brightwater Kettles',
    short_name: 'BWK',
    currency: 'USD',
    timezone: 'America/Denver',
  },
  {
    id: 72,
    uuid: hex40('company 72'),
    name: 'Œuf & Fils "Maison"',
    short_name: 'OEF',
    currency: 'EUR',
    timezone: 'Europe/Paris',
  },
] as const;

/** Exists, but not for our user. */
export const FOREIGN_COMPANY = hex40('company 99');

export const WAREHOUSES = [
  { uuid: hex40('warehouse 1'), name: 'Amazon FBA US', type: 'FBA', country_code: 'US' },
  { uuid: hex40('warehouse 2'), name: 'Garage', type: null, country_code: null },
] as const;

export const ITEMS = [1, 2, 3].map((n) => ({
  id: 500 + n,
  name: `Kettle No. ${n}`,
  fnsku: `X00${n}`,
  asin: `B0KETTLE0${n}`,
  sku: `KTL-${n}`,
  image: n === 2 ? null : 'https://images.example.org/kettle.jpg',
  country_code: 'US',
  weight: 2.25 + n,
  length: 9,
  height: 10.5,
  depth: 7,
  // Nobody documented this one: "ignore response fields you do not recognise".
  shelf_life: { unit: 'years', value: n },
}));

const APP = 'https://my.neonpanel.com/app';

export const DOCUMENT = {
  type: 'InventoryOrder',
  link: `${APP}/processes/inventory-orders/tasks/${hex40('order')}`,
  status: 'In Production',
  completed: null,
  ref_number: null,
  date: '2025-02-11',
};

export const COST = {
  batch: DOCUMENT,
  currency: 'USD',
  amount: 812.4,
  quantity: 60,
  details: [
    {
      type: 'Purchase Price',
      document: { ...DOCUMENT, date: null },
      currency: 'USD',
      amount: 700.1,
      quantity: 60,
    },
    { type: 'Customs Duty', document: DOCUMENT, currency: 'USD', amount: 112.3, quantity: 60 },
  ],
};

export const SALE = {
  document: { ...DOCUMENT, type: 'Invoice', status: 'Completed' },
  currency: 'USD',
  amount: 27.08,
  quantity: 2,
  details: [
    {
      type: 'Purchase Price',
      batch: DOCUMENT,
      document: DOCUMENT,
      currency: 'USD',
      amount: 27.08,
      quantity: 2,
    },
  ],
};

export const REPORTS = [
  {
    id: 3,
    title: 'P&L',
    group: 'Bookkeeping',
    description: 'Profit and loss',
    link: `${APP}/reports/bookkeeping/pl`,
  },
];

export const RESTOCK = {
  daily_sales_target: 4,
  unit_vendor_price: 11.5,
  unit_landed_cost: 13.54,
  estimated_daily_sales: 3.75,
  lead_time_days: 40,
  safety_stock_days: 14,
};

export const INSTRUCTIONS = {
  attributes: { ref_number: 'Number of the bill', details: 'Lines: service_id, quantity, rate' },
  general: 'One bill per call. Amounts in the currency of the bill.',
};
