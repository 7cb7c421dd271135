import { folded } from '../company.ts';

/** What a query asks for. */
export interface Sought {
  /** As it is written, but for spaces and punctuation. */
  readonly phrase: string;
  /** The one word that least is likely to be called by. */
  readonly word: string;
  /** Words that a record must have all of, folded; the later lists are shorter, for when nobody has all of the first. */
  readonly lists: readonly (readonly string[])[];
}

/** Words that ask and join, and say nothing about what is asked for. */
const JOINING = new Set(
  (
    'a about all am an and any are at be by can could current currently did do does find for from get give had has ' +
    'have how i in is it its left list look many me much my now of on or our please search should show shows some tell ' +
    'that the their there these they this those to us was we were what when where which who why will with would you your'
  ).split(' '),
);
/** Words for what is to be known about a record. They may be part of a name, too. */
const ASKED = new Set(
  (
    'asin balance balances cogs companies company cost costs data details fnsku information inventory item items level ' +
    'levels price product products quantity report reports revenue sales sku stock units warehouse warehouses'
  ).split(' '),
);

/** The words of a text as they are written, without the punctuation between and around them. */
export const wordsOf = (text: string): string[] =>
  text
    .normalize('NFC')
    .split(/[\s,;?!]+/u)
    .map((word) => word.replace(EDGES, '').replace(/['’]s$/iu, ''))
    .filter((word) => word !== '');

/** The look behind keeps it from trying again inside a run that is not at the end. */
const EDGES = /^["'“”‘’„«»()[\]{}.:…¿¡]+|(?<!["'“”‘’„«»()[\]{}.:…])["'“”‘’„«»()[\]{}.:…]+$/gu;

/** @returns undefined if there is no word among them */
export function soughtBy(words: readonly string[]): Sought | undefined {
  const said = words.map(folded).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const names = said.filter((word) => !JOINING.has(word));
  const rest = names.filter((word) => !ASKED.has(word));
  const lists = [names, rest].filter(({ length }) => length > 0);
  if (lists.length === 0) lists.push(said);
  const [word] = lists.at(-1)!.toSorted((a, b) => specificity(b) - specificity(a));
  return word === undefined ? undefined : { phrase: words.join(' '), word, lists };
}

/** Of what was found, all that has every word. @param textOf everything that a record is called by */
export function matching<T>(
  records: readonly T[],
  { lists }: Sought,
  textOf: (record: T) => string,
): T[] {
  for (const words of lists) {
    const found = records.filter((record) => {
      const text = folded(textOf(record));
      return words.every((word) => text.includes(word));
    });
    if (found.length > 0) return found;
  }
  return [];
}

/** What has a digit is a code, or part of one. */
const specificity = (word: string): number => word.length + (/\d/.test(word) ? 1_000 : 0);

/** Between what is asked for and the company it is asked of: "lamps at HPH". */
const OF = new Set(['at', 'by', 'for', 'from', 'in', 'of', 'with']);

/**
 * What a query says besides a name that it begins with, or ends with behind "of", "at", "in" …
 * @returns undefined if it does neither; no words if it is that name
 */
export function besides(name: string, words: readonly string[]): string[] | undefined {
  const named = wordsOf(name).map(folded);
  const said = words.map(folded);
  const isAt = (start: number) => named.every((word, i) => said[start + i] === word);
  if (named.length === 0) return undefined;
  if (isAt(0)) return words.slice(named.length);
  const start = said.length - named.length;
  return start > 0 && isAt(start) && OF.has(said[start - 1]!)
    ? words.slice(0, start - 1)
    : undefined;
}
