import { sizeOf } from '../json-size.ts';

/** Levels of nesting in JSON that strangers send: parsers, validators and writers may recurse. */
export const MAX_DEPTH = 64;
/** Elements and members of a message: as many as 200,000 characters of data hold. */
export const MAX_VALUES = 15_000;
/** Of JSON inside a text inside JSON. */
const MAX_INNER_CHARACTERS = 256_000;

/**
 * Put in the place of arguments that are no JSON object, nor a text of one. The transport would refuse them in words for
 * programmers; the tool does it in words that a model can use.
 */
export const UNREADABLE = { '(unreadable)': true } as const;

/** Whether a value is a JSON object (not a list, not null). */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * What a text of JSON holds that was sent in the place of a value.
 * @returns undefined if it is no JSON, too long, too much, or nested too deep
 */
export function parseInner(text: string): unknown {
  if (text.length > MAX_INNER_CHARACTERS) return undefined;
  const { depth, values } = sizeOf(text, MAX_VALUES);
  if (depth > MAX_DEPTH || values > MAX_VALUES) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
