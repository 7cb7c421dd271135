import { type Schema, string } from './schemas.ts';

const path = (name: string, schema: Schema, description: string) => ({
  name,
  in: 'path',
  required: true,
  schema,
  description,
});

const query = (name: string, schema: Schema, description: string, required = false) => ({
  name,
  in: 'query',
  required,
  schema,
  description,
});

const day: Schema = { type: 'string', format: 'date' };
const country: Schema = { type: 'string', minLength: 2, maxLength: 2 };

const LISTS = 'Repeat the parameter for each; some servers want [] after its name.';
const list = (name: string, items: Schema, description: string, more: Schema = {}) => ({
  ...query(name, { type: 'array', items, ...more }, `${description} ${LISTS}`),
  style: 'form',
  explode: true,
});

/** Everything that can be said in an address. */
export const parameters = {
  companyUuid: path(
    'companyUuid',
    string,
    'The uuid of a company of the user; neither its id nor its name. Not in the form of RFC 9562.',
  ),
  inventoryId: path('inventoryId', { type: 'integer' }, 'The id of an inventory item.'),
  warehouseUuid: path('warehouseUuid', string, 'The uuid of a warehouse of the company.'),
  reportId: path('reportId', { type: 'integer' }, 'The id of a report.'),
  importType: path('type', { type: 'string', enum: ['bill'] }, 'The kind of document.'),
  requestId: path(
    'requestId',
    { type: 'string', format: 'uuid' },
    'The request_id that was answered when the document was sent.',
  ),
  permission: path(
    'permission',
    string,
    'The exact name of a permission, such as view:quicksight_group.bookkeeping.',
  ),
  page: query('page', { type: 'integer', minimum: 1, default: 1 }, 'Which page, from 1.'),
  perPage: query(
    'per_page',
    { type: 'integer', minimum: 10, maximum: 60, default: 30 },
    'Records on a page. Better sent always: some lists are known to fail without it.',
  ),
  startDate: query('start_date', day, 'First day of the period.', true),
  endDate: query('end_date', day, 'Last day of the period; today if left out.'),
  balancesDate: query('balances_date', day, 'Stock at the end of this day; today if left out.'),
  countryCode: query('country_code', country, 'Only this marketplace.'),
  itemSearch: query('search', string, 'Part of a name, SKU, ASIN, FNSKU or id.'),
  fnsku: query('fnsku', string, 'Exactly this FNSKU.'),
  asin: query('asin', string, 'Exactly this ASIN.'),
  sku: query('sku', string, 'Exactly this SKU.'),
  warehouseSearch: query('search', string, 'Part of the name.'),
  landedAt: query('warehouse_uuid', string, 'The warehouse at which the batches arrived.', true),
  periodicity: query(
    'periodicity',
    { type: 'string', enum: ['total', 'yearly', 'quarterly', 'monthly'], default: 'total' },
    'Into which stretches of time the period is cut.',
  ),
  grouping: list(
    'grouping',
    { type: 'string', enum: ['company', 'country', 'invoice'] },
    'By what each stretch is split, alone or together.',
    { default: ['company'] },
  ),
  companyUuids: list('company_uuids', string, 'Only these companies; all of the user if left out.'),
  countryCodes: list('country_codes', country, 'Only these marketplaces; all if left out.'),
  filename: query('filename', string, 'Name of the file; needed if the body is the PDF itself.'),
} satisfies Record<string, object>;

export type ParameterName = keyof typeof parameters;
