import type { StandardSchemaWithJSON } from '@modelcontextprotocol/server';
import type * as z from 'zod';
import { isObject, parseInner, UNREADABLE } from '../json-text.ts';
import type { JsonSchema } from './json-schema.ts';
import { plain } from './plain.ts';

/** Names under which clients have been seen to wrap the arguments. */
const WRAPPERS = ['params', 'arguments', 'input'];
const MAX_PROBLEMS = 10;

/**
 * The arguments of a tool as the SDK wants them: validated by zod, described by JSON Schema computed beforehand, and
 * with mistakes told in words a model can correct itself by.
 *
 * @param json what tools/list says about the arguments
 */
export function argumentsOf(input: z.ZodObject, json: JsonSchema): StandardSchemaWithJSON {
  const names = Object.keys(input.shape);
  const optional = names.filter((name) => input.shape[name]!.safeParse(undefined).success);
  const types = typesIn(json);
  return {
    '~standard': {
      version: 1,
      vendor: 'neonpanel',
      jsonSchema: { input: () => json, output: () => json },
      validate(value) {
        if (isObject(value) && Object.keys(UNREADABLE).every((key) => Object.hasOwn(value, key))) {
          return { issues: [{ message: `arguments must be a JSON object ${knownOf(names)}` }] };
        }
        const given = typed(withoutBlanks(unwrapped(value, names), optional), types);
        if (hidesPrototype(given)) return { issues: [{ message: 'must not contain "__proto__"' }] };
        const result = input.safeParse(given, {
          error: (issue) => explain(issue, names),
        });
        if (result.success) return { value: result.data };
        const issues = result.error.issues.slice(0, MAX_PROBLEMS);
        return { issues: issues.map(({ path, message }) => ({ path, message })) };
      },
    },
  };
}

/**
 * Some clients send `{"params": {…}}`, or the arguments as a string of JSON inside it. One level of that is undone
 * when nothing else is there and the tool has no argument of that name.
 */
function unwrapped(value: unknown, names: readonly string[]): unknown {
  if (!isObject(value)) return value;
  const [wrapper, ...others] = Object.keys(value);
  if (wrapper === undefined || others.length > 0) return value;
  if (!WRAPPERS.includes(wrapper) || names.includes(wrapper)) return value;
  const inner = value[wrapper];
  const parsed = typeof inner === 'string' ? parseInner(inner) : inner;
  return isObject(parsed) ? parsed : value;
}

/** Models that have to name every argument give null or an empty text for those they leave out. */
function withoutBlanks(value: unknown, optional: readonly string[]): unknown {
  if (!isObject(value)) return value;
  const isBlank = (name: string) => value[name] === null || value[name] === '';
  const blanks = optional.filter((name) => Object.hasOwn(value, name) && isBlank(name));
  if (blanks.length === 0) return value;
  return Object.fromEntries(Object.entries(value).filter(([name]) => !blanks.includes(name)));
}

/** The type of each argument that has one only. Where text is taken too, it is text that was meant. */
function typesIn({ properties = {} }: JsonSchema): ReadonlyMap<string, string> {
  const types = Object.entries(properties as Record<string, JsonSchema>).map(
    ([name, { type }]) => [name, type] as const,
  );
  return new Map(types.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

/** Models that write every argument as text: `"2"` where a number is wanted, `"[\"HPH\"]"` where a list is. */
function typed(value: unknown, types: ReadonlyMap<string, string>): unknown {
  if (!isObject(value)) return value;
  const texts = Object.entries(value).filter(([, each]) => typeof each === 'string');
  const read = texts.map(([name, text]) => [name, readAs(types.get(name), text as string)]);
  return read.length === 0 ? value : { ...value, ...Object.fromEntries(read) };
}

/** @returns the text itself if it does not say exactly what is wanted */
function readAs(type: string | undefined, text: string): unknown {
  const wanted = TEXTS[type ?? ''];
  if (!wanted?.test(text)) return text;
  return parseInner(text) ?? text;
}

const TEXTS: Readonly<Record<string, RegExp>> = {
  integer: /^(0|-?[1-9]\d{0,14})$/,
  number: /^-?(0|[1-9]\d{0,14})(\.\d{1,15})?$/,
  boolean: /^(true|false)$/,
  array: /^\s*\[/,
  object: /^\s*\{/,
};

/** zod leaves this key out of an open object without a word, before any check of ours sees it. */
const hidesPrototype = (value: unknown): boolean =>
  isObject(value) &&
  Object.values(value).some((child) => isObject(child) && Object.hasOwn(child, '__proto__'));

/** What was expected, as a phrase that follows the argument's name; undefined keeps the schema's own. */
function explain(issue: z.core.$ZodRawIssue, names: readonly string[]): string | undefined {
  switch (issue.code) {
    case 'unrecognized_keys':
      return unknownArguments(issue, names);
    case 'invalid_type':
      return issue.input === undefined ? 'is required' : `must be ${typeName(issue.expected)}`;
    case 'invalid_union':
      return issue.input === undefined ? 'is required' : `must be ${unionName(issue)}`;
    case 'invalid_value':
      return issue.input === undefined
        ? 'is required'
        : `must be one of ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return `must ${amount(issue.origin, `at least ${issue.minimum}`)}`;
    case 'too_big':
      return `must ${amount(issue.origin, `at most ${issue.maximum}`)}`;
    default:
      return undefined;
  }
}

function unknownArguments(
  issue: z.core.$ZodRawIssue<z.core.$ZodIssueUnrecognizedKeys>,
  names: readonly string[],
): string {
  const unknown = issue.keys.slice(0, 5).map((key) => `"${plain(key, 40)}"`);
  const atRoot = (issue.path ?? []).length === 0;
  return `unknown argument ${unknown.join(', ')}${atRoot ? ` ${knownOf(names)}` : ''}`;
}

const knownOf = (names: readonly string[]): string =>
  names.length === 0 ? '(this tool takes no arguments)' : `(known: ${names.join(', ')})`;

function typeName(expected: string): string {
  const known: Record<string, string> = {
    string: 'text',
    int: 'a whole number',
    number: 'a number',
    array: 'a list',
    object: 'an object',
  };
  return known[expected] ?? expected;
}

function unionName(issue: z.core.$ZodRawIssue<z.core.$ZodIssueInvalidUnion>): string {
  const expected = issue.errors.flatMap(([first]) =>
    first?.code === 'invalid_type' ? [typeName(first.expected)] : [],
  );
  return [...new Set(expected)].join(' or ') || 'of another type';
}

function amount(origin: string, bound: string): string {
  if (origin === 'string') return `have ${bound} characters`;
  return origin === 'array' ? `have ${bound} entries` : `be ${bound}`;
}
