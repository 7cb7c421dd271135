import { listCompanies, listCompaniesWithPermission } from './companies.ts';
import { getInventoryCogs, getInventoryLandedCost } from './costs.ts';
import {
  checkImportStatus,
  createDocuments,
  createDocumentsByPdf,
  getImportInstructions,
} from './imports.ts';
import { getInventoryDetails, listInventoryItems } from './inventory.ts';
import type { Operation } from './operation.ts';
import { getReport, listReports } from './reports.ts';
import { getRevenueAndCogs } from './revenue.ts';
import { getWarehouseBalances, listWarehouses } from './warehouses.ts';

const C = '/companies/:companyUuid';
const item = `${C}/inventory-items/:inventoryId`;

/** The API: fourteen operations, and the one report that goes with the second. */
// prettier-ignore
export const operations: Operation[] = [
  { id: 'listCompanies', method: 'GET', path: '/companies', run: listCompanies },
  { id: 'listReports', method: 'GET', path: '/reports', run: listReports },
  { id: 'getReport', method: 'GET', path: '/reports/:reportId', run: getReport },
  { id: 'listInventoryItems', method: 'GET', path: `${C}/inventory-items`, run: listInventoryItems },
  { id: 'getInventoryDetails', method: 'GET', path: `${item}/balances`, run: getInventoryDetails },
  { id: 'getInventoryLandedCost', method: 'GET', path: `${item}/landed-cost`, run: getInventoryLandedCost },
  { id: 'getInventoryCogs', method: 'GET', path: `${item}/cogs`, run: getInventoryCogs },
  { id: 'getRevenueAndCogs', method: 'GET', path: '/revenue-and-cogs', run: getRevenueAndCogs },
  { id: 'listWarehouses', method: 'GET', path: `${C}/warehouses`, run: listWarehouses },
  { id: 'getWarehouseBalances', method: 'GET', path: `${C}/warehouses/:warehouseUuid/balances`, run: getWarehouseBalances },
  { id: 'getImportInstructions', method: 'GET', path: '/import/:type/instructions', run: getImportInstructions },
  { id: 'createDocuments', method: 'POST', path: `${C}/create/:type`, run: createDocuments },
  { id: 'createDocumentsByPdf', method: 'POST', path: `${C}/import/:type/pdf`, run: createDocumentsByPdf },
  { id: 'checkImportStatus', method: 'GET', path: `${C}/import/:type/status/:requestId`, run: checkImportStatus },
  { id: 'listCompaniesWithPermission', method: 'GET', path: '/permissions/:permission/companies', run: listCompaniesWithPermission },
];
