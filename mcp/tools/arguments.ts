import * as z from 'zod';

/** Building blocks of tool inputs. What they accept is what tools/list says, in words a model can correct itself by. */

/** An id of NeonPanel's. Ours to pass on, not to interpret: 40 hex digits in practice, whatever specifications say. */
const id = z
  .string()
  .max(64)
  .regex(/^[A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)*$/, 'must be an id of letters, digits, _ and -');

export const companyUuid = z
  .union([z.string().trim().min(1).max(200), z.int().min(1)])
  .describe('Uuid, numeric id, name or short name');

export const companyUuids = z.array(companyUuid).min(1).max(50);

export const warehouseUuid = id.describe('Warehouse uuid from listWarehouses');

export const requestId = id.describe('request_id returned when the document was sent');

export const inventoryId = z
  .union([
    z.int().min(1),
    z.string().regex(/^[1-9]\d{0,15}$/, 'must be a whole number of at least 1'),
  ])
  .describe('Numeric item id from listInventoryItems');

export const page = z.int().min(1).max(100_000).default(1);

export const perPage = z.int().min(10).max(60).default(30);

export const date = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}$/, 'must be a date as YYYY-MM-DD')
  .refine(isCalendarDate, 'must be a day that exists, as YYYY-MM-DD');

export const startDate = date.describe('First day, YYYY-MM-DD');

export const endDate = date.optional().describe('Last day, YYYY-MM-DD; today if left out');

export const balancesDate = date
  .optional()
  .describe('Stock at the end of this day; today if left out');

const country = /^[A-Za-z]{2}$/;

export const countryCode = z
  .string()
  .regex(country, 'must be a country code of two letters')
  .transform((code) => code.toUpperCase());

export const searchText = z.string().trim().min(1).max(200);

export const code = z.string().trim().min(1).max(100);

export const documentType = z.enum(['bill']);

export const idempotencyKey = z
  .string()
  .regex(/^[\x21-\x7e]{1,128}$/, 'must be 1 to 128 visible ASCII characters')
  .optional()
  .describe(
    'New for each document, e.g. a UUID; the same when a call is repeated. Kept for 24 hours',
  );

function isCalendarDate(text: string): boolean {
  const day = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text);
}

/** A period that ends before it starts is a mistake worth naming before anybody is asked. */
export const endsAfterStart = (period: { startDate: string; endDate?: string | undefined }) =>
  period.endDate === undefined || period.startDate <= period.endDate;

export const PERIOD_ERROR = { path: ['endDate'], error: 'must not be before startDate' };
