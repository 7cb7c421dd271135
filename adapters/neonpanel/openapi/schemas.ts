/** A schema of OpenAPI 3.1: JSON Schema 2020-12. */
export type Schema = { readonly [keyword: string]: unknown };

/**
 * What NeonPanel's records look like. Closed in nothing: every field may be missing, others may come at any time. Null is
 * named where NeonPanel is known to send it.
 */

export const string: Schema = { type: 'string' };
export const integer: Schema = { type: 'integer' };
export const amount: Schema = { type: 'number' };
export const uri: Schema = { type: 'string', format: 'uri' };
export const date: Schema = { type: 'string', format: 'date' };
export const currency: Schema = { ...string, description: 'ISO 4217 code' };
export const orNull = (schema: Schema): Schema => ({ ...schema, type: [schema['type'], 'null'] });
export const listOf = (items: Schema): Schema => ({ type: 'array', items });
export const object = (properties: Record<string, Schema>, more: Schema = {}): Schema => ({
  type: 'object',
  properties,
  ...more,
});
export const about = (schema: Schema, description: string): Schema => ({ ...schema, description });

/** @param name of a record below, or of an answer in answers.ts */
export const schemaRef = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

const uuid = about(string, 'In practice 40 lower-case hexadecimal digits, not an RFC 9562 UUID');
const country = about(string, 'Two letters, ISO 3166-1');
const inches = about(amount, 'Inches');

const report = { id: integer, title: string, group: string, description: string, link: uri };

export const records = {
  Company: object({
    id: integer,
    uuid,
    name: string,
    short_name: string,
    currency,
    timezone: about(string, 'IANA name'),
  }),
  Warehouse: object({
    uuid,
    name: about(string, 'Two warehouses may share one'),
    type: about(orNull(string), 'Free text: FBA, FBM, 3PL, Asset and others'),
    country_code: orNull(country),
  }),
  InventoryItem: object({
    id: integer,
    name: string,
    fnsku: string,
    asin: string,
    sku: string,
    image: orNull(uri),
    country_code: about(country, 'The marketplace; the same SKU may exist once in each'),
    weight: about(amount, 'Pounds'),
    length: inches,
    height: inches,
    depth: inches,
  }),
  RestockData: object(
    Object.fromEntries(
      [
        'daily_sales_target',
        'unit_vendor_price',
        'unit_landed_cost',
        'estimated_daily_sales',
        'estimated_price',
        'lead_time_days',
        'safety_stock_days',
        'fba_lead_time_days',
        'fba_safety_stock_days',
        'target_fba_fee',
        'target_price',
        'target_referral_percentage',
        'daily_unit_sales_target',
      ].map((name) => [name, amount]),
    ),
    { description: 'Planning figures of an item' },
  ),
  Document: object(
    {
      type: about(string, 'Invoice, InventoryOrder, Bill, Shipment, AssemblyOrder or Adjustment'),
      link: about(uri, 'Where a person opens it'),
      status: about(string, 'The column of the board it is in'),
      completed: orNull({ type: 'string', format: 'date-time' }),
      ref_number: orNull(string),
      date: orNull(date),
    },
    { description: 'A document of the books, as other records point to it' },
  ),
  CostDetail: object({
    type: about(string, 'Kind of cost, such as Purchase Price'),
    document: about(schemaRef('Document'), 'What caused the cost'),
    currency,
    amount,
    quantity: integer,
  }),
  CostItem: object(
    {
      batch: schemaRef('Document'),
      currency,
      amount,
      quantity: integer,
      details: listOf(schemaRef('CostDetail')),
    },
    { description: 'One batch: unit cost is amount divided by quantity' },
  ),
  CogsDetail: object({
    type: about(string, 'Kind of cost'),
    batch: about(schemaRef('Document'), 'The batch it was written off from'),
    document: schemaRef('Document'),
    currency,
    amount,
    quantity: integer,
  }),
  CogsItem: object({
    document: about(schemaRef('Document'), 'The sale'),
    currency,
    amount,
    quantity: integer,
    details: listOf(schemaRef('CogsDetail')),
  }),
  RevenueRow: object({
    start_date: date,
    end_date: date,
    revenue_amount: amount,
    cogs_amount: amount,
    currency,
    company: nullable('Company', 'Null unless grouped by company'),
    country_code: about(orNull(string), 'Null unless grouped by country'),
    invoice: nullable('Document', 'Null unless grouped by invoice'),
  }),
  Report: object(report),
  ReportWithSheets: object({ ...report, sheets: listOf(schemaRef('ReportSheet')) }),
  ReportSheet: object({
    slug: string,
    title: string,
    description: orNull(string),
    parameters: listOf(
      object({
        slug: string,
        title: string,
        type: {
          type: 'string',
          enum: [
            'Dropdown',
            'TextField',
            'TextArea',
            'Slider',
            'DateTimePicker',
            'DateTimeRangePicker',
          ],
        },
        multiselect: { type: 'boolean' },
      }),
    ),
  }),
  ImportStatus: { type: 'string', enum: ['queued', 'processing', 'done', 'error'] },
  Error: object({ message: string }),
  ValidationError: object({
    message: about(string, 'The first complaint'),
    errors: {
      type: 'object',
      additionalProperties: listOf(string),
      description: 'Field, dotted where it is nested, to complaints',
    },
  }),
} satisfies Record<string, Schema>;

function nullable(name: string, description: string): Schema {
  return { anyOf: [schemaRef(name), { type: 'null' }], description };
}
