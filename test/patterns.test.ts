import { runInNewContext } from 'node:vm';
import test from 'ava';
import { literalsOf, patternsIn, worstCases } from './tools/support/patterns.ts';

/**
 * Every pattern of ours against a megabyte made for it. The promise is 50 ms; a machine shared with other tests gets
 * two seconds, which nothing that is quadratic keeps at this length.
 */
const LENGTH = 1_000_000;
const LIMIT_MS = process.env.LONG_TESTS ? 50 : 2_000;

/** Patterns that are never given more than this many characters: who calls them has cut the text before. */
const BOUNDED: Record<string, { most: number; because: string }> = {
  '\\/+$': { most: 4_000, because: 'an address in the environment, written by the operator' },
};

const patterns = patternsIn(['mcp', 'auth', 'http', 'adapters', 'config', 'keys', 'views']);

test('[T57] the patterns are found where they are, and nothing else is taken for one', (t) => {
  t.deepEqual(
    literalsOf("a / b / c; '/x/'; /* /y/ */ // /z/\n`/q/${/in[/]side/g}/w/`; f(/k\\//i)"),
    [
      { source: 'in[/]side', flags: 'g' },
      { source: 'k\\/', flags: 'i' },
    ],
  );
  t.true(patterns.length >= 40, String(patterns.length));
  for (const { source, flags } of patterns) t.notThrows(() => new RegExp(source, flags));
});

for (const pattern of patterns) {
  const { file, source, flags } = pattern;
  test(`[T57] ${file}: /${source}/${flags} is quick on hostile text`, (t) => {
    const { most = LENGTH } = BOUNDED[source] ?? {};
    for (const text of worstCases(pattern, most)) {
      t.true(isQuick(pattern, text), `${JSON.stringify(text.slice(0, 30))}… × ${text.length}`);
    }
  });
}

test('[T57] no pattern is excused that is not there', (t) => {
  const sources = patterns.map(({ source }) => source);
  for (const source of Object.keys(BOUNDED)) t.true(sources.includes(source), source);
});

/** Node breaks off what runs longer. Replacing is what finds every match, with `g` or without. */
function isQuick({ source, flags }: { source: string; flags: string }, text: string): boolean {
  const pattern = new RegExp(source, flags);
  try {
    runInNewContext("text.replace(pattern, '')", { text, pattern }, { timeout: LIMIT_MS });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return false;
    throw error;
  }
}
