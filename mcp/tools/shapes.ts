import * as z from 'zod';

/**
 * Shapes of NeonPanel's answers, for `outputSchema`. They promise little, because clients throw a whole result away
 * when one field breaks the promise: every field may be missing or null, unknown fields stay, a number may arrive as
 * a string (decimals), and an object without entries as `[]` (how PHP writes it).
 */

export const text = z.string().nullable().optional();

export const number = z.union([z.number(), z.string(), z.null()]).optional();

export const object = <S extends z.ZodRawShape>(shape: S) =>
  z.looseObject(shape).nullable().optional();

/** An object that may be empty. */
export const bag = <S extends z.ZodRawShape>(shape: S) =>
  z.union([z.looseObject(shape), z.array(z.unknown()), z.null()]).optional();

export const list = <T extends z.ZodType>(element: T) => z.array(element).nullable().optional();

/** A nested object whose fields are those of another tool; not repeated, to keep the definitions small. */
export const reference = object({});

export const pagination = { current_page: number, per_page: number, last_page: number };

export const company = {
  id: number,
  uuid: text,
  name: text,
  short_name: text,
  currency: text,
  timezone: text,
};

export const warehouse = { uuid: text, name: text, type: text, country_code: text };

/** What identifies an item among its siblings. */
const itemCodes = {
  id: number,
  name: text,
  fnsku: text,
  asin: text,
  sku: text,
  country_code: text,
};

export const inventoryItem = {
  ...itemCodes,
  image: text,
  weight: number.describe('lb'),
  length: number.describe('inches'),
  height: number.describe('inches'),
  depth: number.describe('inches'),
};

/** An item beside its figures; listInventoryItems describes the rest of its fields. */
export const item = object(itemCodes);

/** Enough to recognise an item, a company or a warehouse that another tool lists in full. */
export const itemReference = object({ id: number, sku: text, name: text });
export const companyReference = object({ uuid: text, name: text, short_name: text });
export const warehouseReference = object({ uuid: text, name: text, type: text });

export const document = {
  type: text,
  link: text,
  status: text,
  completed: text,
  ref_number: number,
  date: text,
};

export const retryAfter = {
  retry_after_seconds: number.describe('Wait this long before asking again'),
};
