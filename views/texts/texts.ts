import type { Language } from '../languages.ts';
import { de } from './de.ts';
import { en } from './en.ts';
import { es } from './es.ts';
import { fr } from './fr.ts';
import { ja } from './ja.ts';

type Shape<T> = { readonly [K in keyof T]: T[K] extends string ? string : Shape<T[K]> };

/** What every language must say. */
export type Texts = Shape<typeof en>;

export const TEXTS: Readonly<Record<Language, Texts>> = { en, de, fr, es, ja };

/** What can be told to people instead of what they wanted. */
export type MessageKey = keyof Texts['messages'];

type PlaceholdersOf<S extends string> = S extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PlaceholdersOf<Rest>
  : never;
type English = (typeof en)['messages'];

/** The values that a message has places for. */
export type ValuesOf<K extends MessageKey> = {
  readonly [P in PlaceholdersOf<English[K]['title' | 'text' | 'todo']>]: string;
};

/** Puts values into the places of a text. What has no value stays as it is. */
export const fill = (text: string, values: Readonly<Record<string, string>> = {}): string =>
  text.replaceAll(PLACEHOLDER, (place, name: string) =>
    Object.hasOwn(values, name) ? values[name]! : place,
  );

export const PLACEHOLDER = /\{(\w+)\}/g;
