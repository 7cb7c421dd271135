import type { Answer, Sent } from './upstream.ts';
import { HPH } from './upstream.ts';

const WAREHOUSE = 'b'.repeat(40);
const REQUEST = '0e0c7a52-8c1b-4c1e-9d7a-1f6a0b9d2e11';
const C = `/companies/${HPH.uuid}`;
const document = {
  type: 'Bill',
  link: 'https://my.neonpanel.com/app/processes/bills-and-expenses/tasks/1',
  status: 'Completed',
  completed: null,
  ref_number: 'B-7',
  date: '2025-03-31',
};
const item = { id: 7, name: 'Mug', sku: 'MUG-1', image: null, country_code: 'US', weight: 0.8 };
const pages = { current_page: 1, per_page: 30, last_page: 1 };

export interface Fixture {
  tool: string;
  /** All required arguments and none of the optional ones. */
  args: Record<string, unknown>;
  sends: Sent;
  answer: Record<string, unknown>;
}

const get = (path: string, query: Record<string, unknown> = {}): Sent => ({
  method: 'GET',
  path,
  query,
});

/**
 * One ordinary call of every tool whose answer is NeonPanel's own: what goes in, what NeonPanel is asked, what it answers.
 * All invented.
 */
export const fixtures: readonly Fixture[] = [
  {
    tool: 'listCompanies',
    args: {},
    sends: get('/companies', { page: 1, per_page: 30 }),
    answer: { ...pages, data: [{ ...HPH, currency: 'USD', timezone: 'America/Los_Angeles' }] },
  },
  {
    tool: 'listReports',
    args: {},
    sends: get('/reports'),
    answer: { count: 1, data: [{ id: 1, title: 'P&L', group: 'Basic Suite', description: null }] },
  },
  {
    tool: 'listInventoryItems',
    args: { companyUuid: HPH.uuid },
    sends: get(`${C}/inventory-items`, { page: 1, per_page: 30 }),
    answer: { ...pages, filters: [], data: [item, { ...item, id: 8, asin: null }] },
  },
  {
    tool: 'getInventoryDetails',
    args: { companyUuid: HPH.uuid, inventoryId: 7 },
    sends: get(`${C}/inventory-items/7/balances`),
    answer: {
      inventory: item,
      restock_data: { unit_landed_cost: 4.25, lead_time_days: null },
      balances_data: {
        balances_date: '2025-06-30',
        balances_list: [{ warehouse: { uuid: WAREHOUSE, name: 'FBA', type: null }, balance: 0 }],
      },
    },
  },
  {
    tool: 'getInventoryLandedCost',
    args: {
      companyUuid: HPH.uuid,
      inventoryId: 7,
      warehouseUuid: WAREHOUSE,
      startDate: '2025-01-01',
    },
    sends: get(`${C}/inventory-items/7/landed-cost`, {
      warehouse_uuid: WAREHOUSE,
      start_date: '2025-01-01',
      page: 1,
      per_page: 30,
    }),
    answer: {
      ...pages,
      currency: 'USD',
      amount: '425.00',
      quantity: 100,
      data: [{ batch: document, amount: 425, quantity: 100, details: [{ type: 'Inspection' }] }],
    },
  },
  {
    tool: 'getInventoryCogs',
    args: { companyUuid: HPH.uuid, inventoryId: 7, startDate: '2025-01-01' },
    sends: get(`${C}/inventory-items/7/cogs`, { start_date: '2025-01-01', page: 1, per_page: 30 }),
    answer: {
      ...pages,
      amount: 10,
      lost_amount: 0.5,
      total_amount: 10.5,
      details: [{ document, amount: 10, details: [{ batch: document, document: null }] }],
    },
  },
  {
    tool: 'getRevenueAndCogs',
    args: { startDate: '2025-01-01' },
    sends: get('/revenue-and-cogs', { start_date: '2025-01-01' }),
    answer: {
      filters: { company_uuids: [] },
      data: [{ revenue_amount: 99.5, cogs_amount: null, company: null, invoice: null }],
    },
  },
  {
    tool: 'listWarehouses',
    args: { companyUuid: HPH.uuid },
    sends: get(`${C}/warehouses`, { page: 1, per_page: 30 }),
    answer: { ...pages, data: [{ uuid: WAREHOUSE, name: 'Lost & Found', type: null }] },
  },
  {
    tool: 'getWarehouseBalances',
    args: { companyUuid: HPH.uuid, warehouseUuid: WAREHOUSE },
    sends: get(`${C}/warehouses/${WAREHOUSE}/balances`, { page: 1, per_page: 30 }),
    answer: { ...pages, balances_date: '2025-06-30', data: [{ inventory: item, balance: 12 }] },
  },
  {
    tool: 'getImportInstructions',
    args: { type: 'bill' },
    sends: get('/import/bill/instructions'),
    answer: { attributes: { ref_number: 'Number of the bill' }, general: 'Dates as YYYY-MM-DD.' },
  },
  {
    tool: 'createDocuments',
    args: { companyUuid: HPH.uuid, type: 'bill', data: { ref_number: 'B-7', vendor_id: null } },
    sends: {
      method: 'POST',
      path: `${C}/create/bill`,
      query: {},
      body: { data: { ref_number: 'B-7', vendor_id: null } },
    },
    answer: { request_id: REQUEST, status: 'done', documents: [document] },
  },
  {
    tool: 'createDocumentsByPdf',
    args: {
      companyUuid: HPH.uuid,
      type: 'bill',
      file: { name: 'bill.pdf', link: 'https://files.example.com/b.pdf?sig=a%2Fb' },
    },
    sends: {
      method: 'POST',
      path: `${C}/import/bill/pdf`,
      query: {},
      body: { file: { name: 'bill.pdf', link: 'https://files.example.com/b.pdf?sig=a%2Fb' } },
    },
    answer: { request_id: REQUEST, status: 'queued' },
  },
  {
    tool: 'checkImportStatus',
    args: { companyUuid: HPH.uuid, type: 'bill', requestId: REQUEST },
    sends: get(`${C}/import/bill/status/${REQUEST}`),
    answer: { request_id: REQUEST, status: 'processing' },
  },
  {
    tool: 'listCompaniesWithPermission',
    args: { permission: 'view:quicksight_group.finance-new' },
    sends: get('/permissions/view:quicksight_group.finance-new/companies'),
    answer: { filters: { company_uuids: [] }, companies: [HPH] },
  },
];

/** Answers each request with the answer of the fixture that sends it. */
export function answerFromFixtures(sent: Sent): Answer {
  const found = fixtures.find(({ sends }) => sends.path === sent.path);
  return found ? { body: found.answer } : new Error(`no fixture for ${sent.path}`);
}

/** The same of the tools that answer in a form of their own. */
const ownForm: readonly Pick<Fixture, 'tool' | 'args' | 'answer'>[] = [
  {
    tool: 'search',
    args: { query: 'mug' },
    answer: { results: [{ id: 'report:1', title: 'P&L', url: 'https://my.neonpanel.test/app' }] },
  },
  {
    tool: 'fetch',
    args: { id: `item:${HPH.uuid}:7` },
    answer: {
      id: `item:${HPH.uuid}:7`,
      title: 'Mug',
      text: 'name: Mug',
      url: 'https://my.neonpanel.test/app',
      metadata: { kind: 'item' },
    },
  },
];

/** Of every tool, in the order of the list. */
export const calls = [...fixtures, ...ownForm];

export const argsOf = (name: string) => calls.find(({ tool }) => tool === name)!.args;
