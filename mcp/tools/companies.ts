import * as z from 'zod';
import { READ } from '../../resource.ts';
import { structured } from './answer.ts';
import * as argument from './arguments.ts';
import { resolveCompanies } from './company.ts';
import { pathOf } from './path.ts';
import * as shape from './shapes.ts';
import { defineTool, READS } from './tool.ts';

export const listCompanies = defineTool({
  name: 'listCompanies',
  title: 'List companies',
  status: { invoking: 'Looking up your companies…', invoked: 'Companies listed' },
  description: [
    'Lists the companies the signed-in NeonPanel user may see: name, short name, uuid, numeric id,',
    'currency and time zone.',
    'Call it first, or when it is unclear which company is meant; the other tools take any of uuid, id,',
    'name or short name.',
    'It also shows whether the NeonPanel account is connected.',
    'Paginated: read on until current_page is last_page.',
  ].join(' '),
  scope: READ,
  annotations: READS,
  input: z.strictObject({ page: argument.page, perPage: argument.perPage }),
  output: z.looseObject({
    ...shape.pagination,
    data: shape.list(z.looseObject(shape.company)),
  }),
  async run({ page, perPage }, { neonpanel }) {
    return structured(await neonpanel.get(pathOf('companies'), { page, per_page: perPage }));
  },
});

export const listCompaniesWithPermission = defineTool({
  name: 'listCompaniesWithPermission',
  title: 'List companies with a permission',
  status: { invoking: 'Checking permissions in your companies…', invoked: 'Permissions checked' },
  description: [
    'Lists the companies in which the signed-in user holds one NeonPanel permission, for questions such',
    'as "in which companies may I see finance reports?".',
    'Permissions are names such as view:quicksight_group.finance-new, view:quicksight_group.bookkeeping,',
    'view:quicksight_group.inventory_management_new or view:pages.processes.inventory-orders.',
    'For an ordinary list of companies use listCompanies.',
  ].join(' '),
  scope: READ,
  annotations: READS,
  input: z.strictObject({
    permission: z
      .string()
      .max(128)
      .regex(/^[A-Za-z0-9]+(?:[:._-][A-Za-z0-9]+)*$/, 'must be a permission name')
      .describe('Exact permission name'),
    companyUuids: argument.companyUuids.optional().describe('Only these; all if left out'),
  }),
  output: z.looseObject({
    companies: shape.list(z.looseObject(shape.company)),
  }),
  async run({ permission, companyUuids }, context) {
    const company_uuids = companyUuids && (await resolveCompanies(companyUuids, context));
    const path = pathOf('permissions', permission, 'companies');
    return structured(await context.neonpanel.get(path, { company_uuids }));
  },
});
