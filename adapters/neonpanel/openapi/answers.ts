import {
  about,
  amount,
  currency,
  date,
  integer,
  listOf,
  object,
  orNull,
  type Schema,
  schemaRef,
  string,
} from './schemas.ts';

/** At top level beside the list; there is no total and there are no links. */
const pagination = { current_page: integer, per_page: integer, last_page: integer };

const filters = (properties: Record<string, Schema>): Schema =>
  object(properties, { description: 'The filters of the request, as they were understood' });

const requestId: Schema = { type: 'string', format: 'uuid' };

/** What NeonPanel answers when all went well, by the name of the schema. */
export const answers = {
  CompanyPage: object({ ...pagination, data: listOf(schemaRef('Company')) }),
  ReportList: object({ count: integer, data: listOf(schemaRef('Report')) }),
  InventoryItemPage: object({
    ...pagination,
    filters: filters({
      country_code: orNull(string),
      search: orNull(string),
      fnsku: orNull(string),
      asin: orNull(string),
      sku: orNull(string),
    }),
    data: listOf(schemaRef('InventoryItem')),
  }),
  InventoryBalances: object({
    inventory: schemaRef('InventoryItem'),
    restock_data: schemaRef('RestockData'),
    balances_data: object({
      balances_date: date,
      balances_list: listOf(
        object({ warehouse: schemaRef('Warehouse'), balance: about(amount, 'Units') }),
      ),
    }),
  }),
  LandedCostPage: object({
    ...pagination,
    filters: filters({
      country_code: string,
      warehouse_uuid: string,
      start_date: date,
      end_date: date,
    }),
    company: schemaRef('Company'),
    inventory: schemaRef('InventoryItem'),
    warehouse: schemaRef('Warehouse'),
    currency,
    amount: about(amount, 'Of the whole period, whichever page this is'),
    quantity: integer,
    data: listOf(schemaRef('CostItem')),
  }),
  CogsPage: object({
    ...pagination,
    filters: filters({ country_code: string, start_date: date, end_date: date }),
    company: schemaRef('Company'),
    inventory: schemaRef('InventoryItem'),
    currency,
    amount: about(amount, 'Cost of what was sold'),
    lost_amount: about(amount, 'Cost of what was lost or written off without a sale'),
    total_amount: about(amount, 'Both together'),
    quantity: integer,
    details: about(listOf(schemaRef('CogsItem')), 'The list of this page; it is not called data'),
  }),
  RevenueAndCogs: object({
    filters: filters({
      company_uuids: listOf(string),
      country_codes: listOf(string),
      periodicity: string,
      grouping: listOf(string),
      start_date: date,
      end_date: date,
    }),
    data: listOf(schemaRef('RevenueRow')),
  }),
  WarehousePage: object({ ...pagination, data: listOf(schemaRef('Warehouse')) }),
  WarehouseBalancesPage: object({
    ...pagination,
    balances_date: date,
    data: listOf(
      object({ inventory: schemaRef('InventoryItem'), balance: about(amount, 'Units') }),
    ),
  }),
  ImportInstructions: object({
    attributes: {
      type: 'object',
      additionalProperties: string,
      description: 'Field of the document to what it means',
    },
    general: string,
  }),
  ImportPending: object({ request_id: requestId, status: schemaRef('ImportStatus') }),
  ImportFinished: object({
    request_id: requestId,
    status: schemaRef('ImportStatus'),
    documents: about(listOf(schemaRef('Document')), 'What was created'),
  }),
  CompaniesWithPermission: object({
    filters: filters({ company_uuids: listOf(string) }),
    companies: listOf(schemaRef('Company')),
  }),
} satisfies Record<string, Schema>;
