import type { answers } from './answers.ts';
import type { ParameterName } from './parameters.ts';
import type { records } from './schemas.ts';

export type SchemaName = keyof typeof answers | keyof typeof records;
export type Tag = keyof typeof TAGS;

export const TAGS = {
  Companies: 'Whose books the user may see.',
  Reports: 'Where a person opens a report. The figures in it are not part of the API.',
  Inventory: 'Items, what they cost and what is left of them.',
  Warehouses: 'Where stock is.',
  Revenue: 'What was sold and what it cost.',
  Imports:
    'Enter documents. NeonPanel marks these operations, and the one about permissions, as internal: present, not promised.',
} as const;

/** One operation, without what all of them have in common: who may call, 401, 429, and what nobody promises. */
export interface Operation {
  /** The name of the tool, where there is one. */
  readonly id: string;
  readonly method: 'get' | 'post';
  /** Below NEONPANEL_API_URL. */
  readonly path: string;
  readonly tag: Tag;
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly ParameterName[];
  /** Schema by status. */
  readonly answers: { readonly 200?: SchemaName; readonly 202?: SchemaName };
  readonly refusals?: readonly (400 | 403 | 404 | 415 | 422)[];
}

const C = '/companies/{companyUuid}';
const ITEM = `${C}/inventory-items/{inventoryId}`;
const PAGE = ['page', 'perPage'] as const;
/** Of a company in the path: somebody else's is a 403, none at all a 404. */
const COMPANY = [403, 404] as const;

export const operations: readonly Operation[] = [
  {
    id: 'listCompanies',
    method: 'get',
    path: '/companies',
    tag: 'Companies',
    summary: 'Companies of the user',
    parameters: PAGE,
    answers: { 200: 'CompanyPage' },
    refusals: [422],
  },
  {
    id: 'listReports',
    method: 'get',
    path: '/reports',
    tag: 'Reports',
    summary: 'Reports the user may open',
    answers: { 200: 'ReportList' },
  },
  {
    id: 'getReport',
    method: 'get',
    path: '/reports/{reportId}',
    tag: 'Reports',
    summary: 'A report with its sheets and their parameters',
    description:
      'A sheet is opened at the link of the report with ?sheet= and the slug; parameters follow by their slugs. The refusals 403 and 404 have no body.',
    parameters: ['reportId'],
    answers: { 200: 'ReportWithSheets' },
    refusals: [403, 404],
  },
  {
    id: 'listInventoryItems',
    method: 'get',
    path: `${C}/inventory-items`,
    tag: 'Inventory',
    summary: 'Inventory items of a company',
    parameters: ['companyUuid', ...PAGE, 'countryCode', 'itemSearch', 'fnsku', 'asin', 'sku'],
    answers: { 200: 'InventoryItemPage' },
    refusals: [...COMPANY, 422],
  },
  {
    id: 'getInventoryDetails',
    method: 'get',
    path: `${ITEM}/balances`,
    tag: 'Inventory',
    summary: 'Stock of an item in every warehouse, and its restock data',
    description:
      'Not paginated. Until early 2026 the path ended in /details; a server that answers 404 may still have that one.',
    parameters: ['companyUuid', 'inventoryId', 'balancesDate'],
    answers: { 200: 'InventoryBalances' },
    refusals: [...COMPANY, 422],
  },
  {
    id: 'getInventoryLandedCost',
    method: 'get',
    path: `${ITEM}/landed-cost`,
    tag: 'Inventory',
    summary: 'What the batches of an item cost that arrived at a warehouse',
    parameters: ['companyUuid', 'inventoryId', 'landedAt', 'startDate', 'endDate', ...PAGE],
    answers: { 200: 'LandedCostPage' },
    refusals: [...COMPANY, 422],
  },
  {
    id: 'getInventoryCogs',
    method: 'get',
    path: `${ITEM}/cogs`,
    tag: 'Inventory',
    summary: 'What the units of an item cost that were sold or lost',
    parameters: ['companyUuid', 'inventoryId', 'startDate', 'endDate', ...PAGE],
    answers: { 200: 'CogsPage' },
    refusals: [...COMPANY, 422],
  },
  {
    id: 'getRevenueAndCogs',
    method: 'get',
    path: '/revenue-and-cogs',
    tag: 'Revenue',
    summary: 'Revenue and cost of goods sold in a period',
    description:
      'Not paginated. Amounts of different currencies are never added up: such a group is several rows.',
    parameters: ['startDate', 'endDate', 'periodicity', 'grouping', 'companyUuids', 'countryCodes'],
    answers: { 200: 'RevenueAndCogs' },
    refusals: [403, 422],
  },
  {
    id: 'listWarehouses',
    method: 'get',
    path: `${C}/warehouses`,
    tag: 'Warehouses',
    summary: 'Warehouses of a company',
    parameters: ['companyUuid', ...PAGE, 'warehouseSearch'],
    answers: { 200: 'WarehousePage' },
    refusals: [...COMPANY, 422],
  },
  {
    id: 'getWarehouseBalances',
    method: 'get',
    path: `${C}/warehouses/{warehouseUuid}/balances`,
    tag: 'Warehouses',
    summary: 'What a warehouse holds',
    parameters: ['companyUuid', 'warehouseUuid', 'balancesDate', ...PAGE],
    answers: { 200: 'WarehouseBalancesPage' },
    refusals: [...COMPANY, 422],
  },
  {
    id: 'getImportInstructions',
    method: 'get',
    path: '/import/{type}/instructions',
    tag: 'Imports',
    summary: 'Which fields a document may have',
    description:
      'The only place where NeonPanel says so. Ask with Accept: application/json; without it the answer may be text.',
    parameters: ['importType'],
    answers: { 200: 'ImportInstructions' },
    refusals: [404],
  },
  {
    id: 'createDocuments',
    method: 'post',
    path: `${C}/create/{type}`,
    tag: 'Imports',
    summary: 'Create documents from data',
    description:
      'Not idempotent: what is sent twice exists twice. A date before the entry lock date of the company is refused with 400.',
    parameters: ['companyUuid', 'importType'],
    answers: { 200: 'ImportFinished' },
    refusals: [400, ...COMPANY, 422],
  },
  {
    id: 'createDocumentsByPdf',
    method: 'post',
    path: `${C}/import/{type}/pdf`,
    tag: 'Imports',
    summary: 'Let NeonPanel read a PDF and create documents from it',
    description:
      'Not idempotent. The PDF is the body, a part of a form, or a short-lived link from which NeonPanel downloads it. It is worked on later: ask for the status after Retry-After.',
    parameters: ['companyUuid', 'importType', 'filename'],
    answers: { 202: 'ImportPending' },
    refusals: [400, ...COMPANY, 415],
  },
  {
    id: 'checkImportStatus',
    method: 'get',
    path: `${C}/import/{type}/status/{requestId}`,
    tag: 'Imports',
    summary: 'How far an import is',
    description:
      '202 as long as it is worked on, then 200, whether it went well (done) or not (error).',
    parameters: ['companyUuid', 'importType', 'requestId'],
    answers: { 200: 'ImportFinished', 202: 'ImportPending' },
    refusals: COMPANY,
  },
  {
    id: 'listCompaniesWithPermission',
    method: 'get',
    path: '/permissions/{permission}/companies',
    tag: 'Companies',
    summary: 'Companies in which the user holds a permission',
    description: 'Not paginated. Internal at NeonPanel: present, not promised.',
    parameters: ['permission', 'companyUuids'],
    answers: { 200: 'CompaniesWithPermission' },
  },
];
