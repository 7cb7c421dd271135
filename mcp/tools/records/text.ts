import { isObject } from '../../json-text.ts';

const MAX_DEPTH = 6;

/**
 * A record as lines of text, for readers that take documents and not data: `name: value`, what is inside it indented.
 * Nothing is left out and nothing rounded; null stays "unknown".
 */
export const textOf = (value: unknown): string => linesOf(value, 0).join('\n');

function linesOf(value: unknown, depth: number): string[] {
  const entries = Array.isArray(value)
    ? value.map((element) => ['-', element] as const)
    : Object.entries(isObject(value) ? value : {}).map(([key, v]) => [`${key}:`, v] as const);
  return entries.flatMap(([label, child]) => lineOf(label, child, depth));
}

function lineOf(label: string, value: unknown, depth: number): string[] {
  const indent = '  '.repeat(depth);
  if (typeof value !== 'object' || value === null) return [`${indent}${label} ${scalar(value)}`];
  if (depth >= MAX_DEPTH) return [`${indent}${label} ${JSON.stringify(value)}`];
  const inner = linesOf(value, depth + 1);
  return inner.length === 0 ? [`${indent}${label} none`] : [`${indent}${label}`, ...inner];
}

/** On one line: a text with line breaks could pass for other fields. */
const scalar = (value: unknown): string =>
  value === null || value === undefined ? 'unknown' : String(value).replace(/\s+/g, ' ');
