import * as z from 'zod';

export type JsonSchema = { [keyword: string]: unknown };

/**
 * A zod object as the plain, short JSON Schema that every client accepts: no `$schema`, no `$ref`, no bounds that
 * only say "an integer", unions of plain types as one `type` list, and no keyword that repeats a default.
 *
 * @param io `input` for what callers write, `output` for what they get
 */
export function jsonSchemaOf(schema: z.ZodObject, io: 'input' | 'output'): JsonSchema {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io, reused: 'inline' }) as JsonSchema;
  return compact(json);
}

function compact(schema: JsonSchema): JsonSchema {
  const { anyOf, ...rest } = schema;
  const merged = Array.isArray(anyOf) ? { ...mergeTypes(anyOf.map(compact)), ...rest } : schema;
  return Object.fromEntries(
    Object.entries(merged)
      .filter(([keyword, value]) => !isNoise(keyword, value))
      .map(([keyword, value]) => [keyword, compactValue(keyword, value)]),
  );
}

/**
 * `anyOf` of branches with different types says the same as one schema with all their types, because every keyword
 * applies to one type only. Branches are never of the same type here; that would not be a plain schema.
 */
function mergeTypes(branches: readonly JsonSchema[]): JsonSchema {
  const types = branches.flatMap((branch) => branch['type'] as string | string[]);
  if (types.includes(undefined as never) || new Set(types).size !== types.length) {
    throw new TypeError('A union in a tool schema must be of different plain types');
  }
  return { ...Object.assign({}, ...branches), type: types };
}

/** Keywords that say nothing: implied bounds, `additionalProperties: {}`, an empty `properties`, key types. */
function isNoise(keyword: string, value: unknown): boolean {
  if (keyword === 'minimum' || keyword === 'maximum') {
    return Math.abs(Number(value)) === Number.MAX_SAFE_INTEGER;
  }
  if (keyword === 'additionalProperties' || keyword === 'properties') return isEmptyObject(value);
  return keyword === 'propertyNames';
}

function compactValue(keyword: string, value: unknown): unknown {
  if (keyword === 'items') return compact(value as JsonSchema);
  if (keyword !== 'properties') return value;
  return Object.fromEntries(
    Object.entries(value as Record<string, JsonSchema>).map(([name, child]) => [
      name,
      compact(child),
    ]),
  );
}

const isEmptyObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0;
