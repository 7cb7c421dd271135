import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../..');

export interface Pattern {
  readonly file: string;
  readonly source: string;
  readonly flags: string;
}

/** Every regular expression literal in the sources of the given folders, each spelling once. */
export function patternsIn(folders: readonly string[]): Pattern[] {
  const files = folders.flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: ROOT })).sort();
  const found = files.flatMap((file) =>
    literalsOf(readFileSync(join(ROOT, file), 'utf8')).map((literal) => ({ file, ...literal })),
  );
  return [...new Map(found.map((each) => [`${each.source}/${each.flags}`, each])).values()];
}

const COMMENT = /\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
const TEXT = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/y;
const LITERAL = /\/((?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/([dgimsuvy]*)/y;
const WORD = /[\w$]+/y;
/** After these a slash divides nothing. */
const BEFORE_A_VALUE = /^(?:[([{},;:=!&|?+\-*%<>~^]|return|typeof|case|in|of|)$/;

/** Enough of a scanner to tell a pattern from a division, a comment and a text. */
export function literalsOf(code: string): { source: string; flags: string }[] {
  const found: { source: string; flags: string }[] = [];
  /** Open braces, and whether each is the `${` of a template. */
  const open: boolean[] = [];
  let before = '';
  let at = 0;
  const take = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const match = pattern.exec(code);
    if (match) at = pattern.lastIndex;
    return match;
  };
  while (at < code.length) {
    const char = code[at]!;
    if (/\s/.test(char)) at++;
    else if (take(COMMENT)) continue;
    else if (take(TEXT)) before = 'text';
    else if (char === '`' || (char === '}' && open.at(-1) === true)) {
      if (char === '}') open.pop();
      at = endOfTemplatePart(code, at + 1);
      const isOpen = code[at - 1] === '{';
      if (isOpen) open.push(true);
      before = isOpen ? '{' : 'text';
    } else if (char === '/' && BEFORE_A_VALUE.test(before)) {
      const literal = take(LITERAL);
      if (!literal) throw new Error(`no end of a pattern at ${code.slice(at, at + 40)}`);
      found.push({ source: literal[1]!, flags: literal[2]! });
      before = 'pattern';
    } else {
      const word = take(WORD);
      if (!word) at++;
      if (char === '{') open.push(false);
      if (char === '}') open.pop();
      before = word?.[0] ?? char;
    }
  }
  return found;
}

/** @returns the index behind the closing backquote or the next `${` */
function endOfTemplatePart(code: string, start: number): number {
  for (let at = start; at < code.length; at++) {
    if (code[at] === '\\') at++;
    else if (code[at] === '`') return at + 1;
    else if (code.startsWith('${', at)) return at + 2;
  }
  throw new Error('a template without an end');
}

/** Texts of a length that are made for one pattern: its own characters over and over, with beginnings and endings that just miss. */
export function worstCases(pattern: Pick<Pattern, 'source'>, length: number): string[] {
  const plain = pattern.source.replace(/\\[a-zA-Z]|[\^$()[\]{}|?*+\\]/g, '');
  const own = [...new Set(plain)].slice(0, 12);
  const common = ['a', '0', ' ', '.', '-', '/', '\n', 'é', '\u0301', '\u0000'];
  const units = [
    ...new Set([...own, ...common, `a${own[0] ?? ''}`, 'a-', 'a.', 'a:', '. ', '%0', '::']),
  ];
  const start = /^\^?((?:[A-Za-z:]|\\\/)+)/.exec(pattern.source)?.[1]?.replaceAll('\\/', '/') ?? '';
  return units.flatMap((unit) => {
    const repeated = unit.repeat(length / unit.length);
    return [`${start}${repeated}\u0001`, `!${repeated}!`];
  });
}
