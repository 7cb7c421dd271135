import test from 'ava';
import { importsOf, packageOf } from './imports.ts';

test('every form of import is found, strings that look like one are not', (t) => {
  const source = [
    `import a from 'a';`,
    `import type { B } from "./b.ts";`,
    `import {\n  c,\n  d,\n} from '../c.ts';`,
    `import 'e';`,
    `export * from './f.ts';`,
    `export { g } from './g.ts';`,
    `const h = await import('h');`,
    `const text = "from 'nowhere'";`,
    `export const i = 'i';`,
  ].join('\n');
  t.deepEqual(importsOf(source), ['a', './b.ts', '../c.ts', './f.ts', './g.ts', 'e', 'h']);
});

test('the package of a specifier', (t) => {
  t.is(packageOf('koa'), 'koa');
  t.is(packageOf('jose/jwt/verify'), 'jose');
  t.is(packageOf('@scope/name/deep/file.js'), '@scope/name');
});
