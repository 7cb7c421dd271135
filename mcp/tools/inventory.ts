import * as z from 'zod';
import { NeonpanelError } from '../../adapters/neonpanel/neonpanel.ts';
import { READ } from '../../resource.ts';
import { structured } from './answer.ts';
import * as argument from './arguments.ts';
import { resolveCompany } from './company.ts';
import { pathOf } from './path.ts';
import * as shape from './shapes.ts';
import { defineTool, READS, type Query, type Upstream } from './tool.ts';

export const listInventoryItems = defineTool({
  name: 'listInventoryItems',
  title: 'List inventory items',
  status: { invoking: 'Looking up inventory items…', invoked: 'Inventory items listed' },
  description: [
    'Finds the inventory items (products) of a company: id, name, SKU, ASIN, FNSKU, country, size and',
    'weight.',
    'Use search for free text, or fnsku, asin, sku for exact codes.',
    'A parent ASIN has several SKUs and one SKU exists once per marketplace, so always look at',
    'country_code.',
    'The id is what getInventoryDetails, getInventoryLandedCost and getInventoryCogs need.',
    'Paginated: read on until current_page is last_page.',
  ].join(' '),
  scope: READ,
  annotations: READS,
  input: z.strictObject({
    companyUuid: argument.companyUuid,
    search: argument.searchText.optional().describe('SKU, ASIN, FNSKU, id or part of the name'),
    fnsku: argument.code.optional(),
    asin: argument.code.optional(),
    sku: argument.code.optional(),
    countryCode: argument.countryCode.optional().describe('Marketplace, e.g. US'),
    page: argument.page,
    perPage: argument.perPage,
  }),
  output: z.looseObject({
    ...shape.pagination,
    data: shape.list(z.looseObject(shape.inventoryItem)),
  }),
  async run({ companyUuid, countryCode, perPage, ...rest }, context) {
    const company = await resolveCompany(companyUuid, context);
    const query = { ...rest, country_code: countryCode, per_page: perPage };
    const path = pathOf('companies', company, 'inventory-items');
    return structured(await context.neonpanel.get(path, query));
  },
});

export const getInventoryDetails = defineTool({
  name: 'getInventoryDetails',
  title: 'Get stock and restock data of an item',
  status: { invoking: 'Reading stock in every warehouse…', invoked: 'Stock read' },
  description: [
    'Shows one inventory item: its balance in every warehouse (today or at the end of balancesDate) and',
    'its restock data (daily sales, lead times, safety stock, landed cost, target price).',
    'Use it for "stock of SKU X everywhere", "days of cover" (balances divided by estimated_daily_sales)',
    'and "what must I restock?".',
    'Call listInventoryItems first for the id.',
    'Not paginated.',
  ].join(' '),
  scope: READ,
  annotations: READS,
  input: z.strictObject({
    companyUuid: argument.companyUuid,
    inventoryId: argument.inventoryId,
    balancesDate: argument.balancesDate,
  }),
  output: z.looseObject({
    inventory: shape.item,
    restock_data: shape.bag({
      daily_sales_target: shape.number,
      unit_vendor_price: shape.number,
      unit_landed_cost: shape.number,
      estimated_daily_sales: shape.number,
      estimated_price: shape.number,
      lead_time_days: shape.number,
      safety_stock_days: shape.number,
      fba_lead_time_days: shape.number,
      fba_safety_stock_days: shape.number,
      target_fba_fee: shape.number,
      target_price: shape.number,
      target_referral_percentage: shape.number,
      daily_unit_sales_target: shape.number,
    }),
    balances_data: shape.object({
      balances_date: shape.text,
      balances_list: shape.list(
        z.looseObject({
          warehouse: shape.object(shape.warehouse),
          balance: shape.number.describe('Units'),
        }),
      ),
    }),
  }),
  async run({ companyUuid, inventoryId, balancesDate }, context) {
    const company = await resolveCompany(companyUuid, context);
    const item = pathOf('companies', company, 'inventory-items', inventoryId);
    return structured(await balancesOf(context.neonpanel, item, { balances_date: balancesDate }));
  },
});

/** The path was `/details` until NeonPanel renamed it; an installation that still has the old one answers 404. */
export async function balancesOf(neonpanel: Upstream, item: string, query: Query) {
  try {
    return await neonpanel.get(item + pathOf('balances'), query);
  } catch (error) {
    if (!(error instanceof NeonpanelError) || error.status !== 404) throw error;
    return await neonpanel.get(item + pathOf('details'), query);
  }
}

export const getInventoryLandedCost = defineTool({
  name: 'getInventoryLandedCost',
  title: 'Get landed cost of an item by batch',
  status: { invoking: 'Reading landed cost, batch by batch…', invoked: 'Landed cost read' },
  description: [
    'Shows what an item really cost in one warehouse and period: per batch the amount and quantity, and',
    'which costs made it up (purchase price, freight, customs duty, inspection …) with their documents.',
    'FIFO landed cost: unit cost = amount / quantity, and each batch usually has a slightly different',
    'one.',
    'Call listInventoryItems and listWarehouses first.',
    'Periods are usually months or quarters.',
    'The batches are in data; the totals are beside it.',
    'Paginated: read on until current_page is last_page.',
  ].join(' '),
  scope: READ,
  annotations: READS,
  input: z
    .strictObject({
      companyUuid: argument.companyUuid,
      inventoryId: argument.inventoryId,
      warehouseUuid: argument.warehouseUuid,
      startDate: argument.startDate,
      endDate: argument.endDate,
      page: argument.page,
      perPage: argument.perPage,
    })
    .refine(argument.endsAfterStart, argument.PERIOD_ERROR),
  output: z.looseObject({
    ...shape.pagination,
    company: shape.companyReference,
    inventory: shape.itemReference,
    warehouse: shape.warehouseReference,
    currency: shape.text,
    amount: shape.number.describe('Landed cost of the period'),
    quantity: shape.number,
    data: shape.list(
      z.looseObject({
        batch: shape.object(shape.document),
        currency: shape.text,
        amount: shape.number,
        quantity: shape.number,
        details: shape.list(
          z.looseObject({
            type: shape.text.describe('Kind of cost'),
            document: shape.reference.describe('What caused the cost'),
            amount: shape.number,
            quantity: shape.number,
          }),
        ),
      }),
    ),
  }),
  async run({ companyUuid, inventoryId, warehouseUuid, startDate, endDate, ...rest }, context) {
    const company = await resolveCompany(companyUuid, context);
    const path = pathOf('companies', company, 'inventory-items', inventoryId, 'landed-cost');
    return structured(
      await context.neonpanel.get(path, {
        warehouse_uuid: warehouseUuid,
        start_date: startDate,
        end_date: endDate,
        page: rest.page,
        per_page: rest.perPage,
      }),
    );
  },
});

export const getInventoryCogs = defineTool({
  name: 'getInventoryCogs',
  title: 'Get cost of goods sold of an item',
  status: { invoking: 'Reading the cost of goods sold…', invoked: 'Cost of goods sold read' },
  description: [
    'Shows the cost of goods sold of one item in a period, sale by sale, with the batches each sale was',
    'written off from (FIFO landed cost). amount is the cost of what was sold, lost_amount the cost of',
    'what was lost or written off without a sale, total_amount both together.',
    'Use it for "why did COGS jump in March, which invoices?" and "lost COGS".',
    'Call listInventoryItems first for the id.',
    'Periods are usually months or quarters.',
    'The sales are in details; paginated: read on until current_page is last_page.',
  ].join(' '),
  scope: READ,
  annotations: READS,
  input: z
    .strictObject({
      companyUuid: argument.companyUuid,
      inventoryId: argument.inventoryId,
      startDate: argument.startDate,
      endDate: argument.endDate,
      page: argument.page,
      perPage: argument.perPage,
    })
    .refine(argument.endsAfterStart, argument.PERIOD_ERROR),
  output: z.looseObject({
    ...shape.pagination,
    company: shape.companyReference,
    inventory: shape.itemReference,
    currency: shape.text,
    amount: shape.number.describe('Cost of what was sold'),
    lost_amount: shape.number.describe('Cost of what was lost'),
    total_amount: shape.number.describe('amount + lost_amount'),
    quantity: shape.number,
    details: shape.list(
      z.looseObject({
        document: shape.object(shape.document),
        currency: shape.text,
        amount: shape.number,
        quantity: shape.number,
        details: shape.list(
          z.looseObject({
            type: shape.text,
            batch: shape.reference.describe('Written off from'),
            document: shape.reference,
            amount: shape.number,
            quantity: shape.number,
          }),
        ),
      }),
    ),
  }),
  async run({ companyUuid, inventoryId, startDate, endDate, page, perPage }, context) {
    const company = await resolveCompany(companyUuid, context);
    const path = pathOf('companies', company, 'inventory-items', inventoryId, 'cogs');
    const query = { start_date: startDate, end_date: endDate, page, per_page: perPage };
    return structured(await context.neonpanel.get(path, query));
  },
});
