import * as z from 'zod';
import { READ } from '../../resource.ts';
import { structured } from './answer.ts';
import * as argument from './arguments.ts';
import { resolveCompany } from './company.ts';
import { pathOf } from './path.ts';
import * as shape from './shapes.ts';
import { defineTool, READS } from './tool.ts';

export const listWarehouses = defineTool({
  name: 'listWarehouses',
  title: 'List warehouses',
  status: { invoking: 'Looking up warehouses…', invoked: 'Warehouses listed' },
  description: [
    'Lists the warehouses of a company: uuid, name, type (FBA, AWD, 3PL, own … or null) and country.',
    'Use it before getWarehouseBalances and getInventoryLandedCost, which need a warehouse uuid.',
    'Two warehouses may share a name: tell them apart by country and type, and ask the user when in',
    'doubt.',
    'Paginated: read on until current_page is last_page.',
  ].join(' '),
  scope: READ,
  annotations: READS,
  input: z.strictObject({
    companyUuid: argument.companyUuid,
    search: argument.searchText.optional().describe('Part of the name'),
    page: argument.page,
    perPage: argument.perPage,
  }),
  output: z.looseObject({
    ...shape.pagination,
    data: shape.list(z.looseObject(shape.warehouse)),
  }),
  async run({ companyUuid, search, page, perPage }, context) {
    const company = await resolveCompany(companyUuid, context);
    const query = { search, page, per_page: perPage };
    return structured(
      await context.neonpanel.get(pathOf('companies', company, 'warehouses'), query),
    );
  },
});

export const getWarehouseBalances = defineTool({
  name: 'getWarehouseBalances',
  title: 'Get stock of a warehouse',
  status: { invoking: 'Reading warehouse balances…', invoked: 'Warehouse balances read' },
  description: [
    'Lists what one warehouse holds: each inventory item with its balance in units, today or at the end',
    'of balancesDate.',
    'Use it for "what is in my 3PL?", or call it once per warehouse to compare them.',
    'Call listWarehouses first for the uuid.',
    'For one item over all warehouses use getInventoryDetails.',
    'Paginated: read on until current_page is last_page before adding up.',
  ].join(' '),
  scope: READ,
  annotations: READS,
  input: z.strictObject({
    companyUuid: argument.companyUuid,
    warehouseUuid: argument.warehouseUuid,
    balancesDate: argument.balancesDate,
    page: argument.page,
    perPage: argument.perPage,
  }),
  output: z.looseObject({
    ...shape.pagination,
    balances_date: shape.text,
    data: shape.list(
      z.looseObject({
        inventory: shape.item,
        balance: shape.number.describe('Units'),
      }),
    ),
  }),
  async run({ companyUuid, warehouseUuid, balancesDate, page, perPage }, context) {
    const company = await resolveCompany(companyUuid, context);
    const path = pathOf('companies', company, 'warehouses', warehouseUuid, 'balances');
    const query = { balances_date: balancesDate, page, per_page: perPage };
    return structured(await context.neonpanel.get(path, query));
  },
});
