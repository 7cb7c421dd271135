import { listCompanies, listCompaniesWithPermission } from './companies.ts';
import {
  checkImportStatus,
  createDocuments,
  createDocumentsByPdf,
  getImportInstructions,
} from './imports.ts';
import {
  getInventoryCogs,
  getInventoryDetails,
  getInventoryLandedCost,
  listInventoryItems,
} from './inventory.ts';
import { fetch } from './fetch.ts';
import { listReports } from './reports.ts';
import { getRevenueAndCogs } from './revenue.ts';
import { search } from './search.ts';
import type { Tool } from './tool.ts';
import { getWarehouseBalances, listWarehouses } from './warehouses.ts';

/** The tools, in the order in which a client lists them. */
export const tools: readonly Tool[] = [
  listCompanies,
  listReports,
  listInventoryItems,
  getInventoryDetails,
  getInventoryLandedCost,
  getInventoryCogs,
  getRevenueAndCogs,
  listWarehouses,
  getWarehouseBalances,
  getImportInstructions,
  createDocuments,
  createDocumentsByPdf,
  checkImportStatus,
  listCompaniesWithPermission,
  search,
  fetch,
];
