/** Invented, all of it. */

const company = {
  id: 9001,
  uuid: '3f9a0c5d7e1b2a4c6d8e0f1a2b3c4d5e6f708192',
  name: 'Example Kettles',
  short_name: 'EXK',
  currency: 'USD',
  timezone: 'America/Denver',
};
const warehouse = {
  uuid: '0a1b2c3d4e5f60718293a4b5c6d7e8f901234567',
  name: 'Example Storage',
  type: '3PL',
  country_code: 'US',
};
const inventory = {
  id: 77001,
  name: 'Enamel kettle, blue',
  fnsku: 'X000EXAMPL',
  asin: 'B000EXAMPL',
  sku: 'KETTLE-BLUE',
  image: null,
  country_code: 'US',
  weight: 2.4,
  length: 9.5,
  height: 8,
  depth: 7.25,
};
const documentOf = (type: string, process: string, ref_number: string | null) => ({
  type,
  link: `https://my.neonpanel.com/app/processes/${process}/tasks/00000000-0000-4000-8000-000000000000`,
  status: 'Completed',
  completed: '2025-02-03T09:30:00Z',
  ref_number,
  date: '2025-02-03',
});
const order = documentOf('InventoryOrder', 'inventory-orders', 'EX-ORDER-1');
const invoice = documentOf('Invoice', 'invoicing', 'EX-INVOICE-1');
const report = {
  id: 3,
  title: 'Example report',
  group: 'Example group',
  description: 'Stock and sales, side by side.',
  link: 'https://my.neonpanel.com/app/reports/example-group/example-report',
};

const pages = { current_page: 1, per_page: 30, last_page: 1 };
const period = { start_date: '2025-01-01', end_date: '2025-03-31' };
const request_id = '5d0c0f0e-3c1a-4b7e-9d65-2f6b8f1f0a11';
const cost = { currency: 'USD', amount: 840, quantity: 200 };
const sold = { currency: 'USD', amount: 16.8, quantity: 4 };

/** Answers, by the name of their schema. */
export const examples: Readonly<Record<string, object>> = {
  CompanyPage: { ...pages, data: [company] },
  ReportList: { count: 1, data: [report] },
  ReportWithSheets: {
    ...report,
    sheets: [
      {
        slug: 'overview',
        title: 'Overview',
        description: null,
        parameters: [{ slug: 'sku', title: 'SKU', type: 'TextField', multiselect: false }],
      },
    ],
  },
  InventoryItemPage: {
    ...pages,
    filters: { country_code: 'US', search: 'kettle', fnsku: null, asin: null, sku: null },
    data: [inventory],
  },
  InventoryBalances: {
    inventory,
    restock_data: { estimated_daily_sales: 1.3, lead_time_days: 40, unit_landed_cost: 4.2 },
    balances_data: { balances_date: '2025-03-31', balances_list: [{ warehouse, balance: 120 }] },
  },
  LandedCostPage: {
    ...pages,
    filters: { country_code: 'US', warehouse_uuid: warehouse.uuid, ...period },
    company,
    inventory,
    warehouse,
    ...cost,
    data: [
      {
        batch: order,
        ...cost,
        details: [{ type: 'Purchase Price', document: order, ...cost }],
      },
    ],
  },
  CogsPage: {
    ...pages,
    filters: { country_code: 'US', ...period },
    company,
    inventory,
    ...sold,
    lost_amount: 0,
    total_amount: 16.8,
    details: [
      {
        document: invoice,
        ...sold,
        details: [{ type: 'Purchase Price', batch: order, document: order, ...sold }],
      },
    ],
  },
  RevenueAndCogs: {
    filters: {
      company_uuids: [company.uuid],
      country_codes: [],
      periodicity: 'total',
      grouping: ['company'],
      ...period,
    },
    data: [
      {
        ...period,
        revenue_amount: 59.96,
        cogs_amount: 16.8,
        currency: 'USD',
        company,
        country_code: null,
        invoice: null,
      },
    ],
  },
  WarehousePage: { ...pages, data: [warehouse] },
  WarehouseBalancesPage: {
    ...pages,
    balances_date: '2025-03-31',
    data: [{ inventory, balance: 120 }],
  },
  ImportInstructions: {
    attributes: { ref_number: 'Number of the bill, as the vendor wrote it.' },
    general: 'One bill in each request.',
  },
  ImportPending: { request_id, status: 'queued' },
  ImportFinished: {
    request_id,
    status: 'done',
    documents: [documentOf('Bill', 'bills-and-expenses', 'EX-BILL-1')],
  },
  CompaniesWithPermission: { filters: { company_uuids: [] }, companies: [company] },
  Error: { message: 'This is not permitted.' },
  ValidationError: {
    message: 'The start date field is required.',
    errors: { start_date: ['The start date field is required.'] },
  },
};

/** What is sent. */
export const bill = { data: { ref_number: 'EX-BILL-1', date: '2025-02-03' } };
export const pdf = {
  file: { name: 'example-bill.pdf', link: 'https://files.example.com/example-bill.pdf' },
};
