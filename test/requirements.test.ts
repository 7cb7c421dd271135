import test from 'ava';
import {
  anchorsOf,
  claimsIn,
  isFresh,
  missingPlaces,
  renderRequirements,
} from '../scripts/requirements.ts';

// Assembled, so that the script does not take these samples for titles of this file.
const id = (name: string): string => `[${name}]`;

test('docs/requirements.md is up to date', (t) => {
  t.true(isFresh(), 'run node scripts/requirements.ts');
});

test('titles are found however they are written', (t) => {
  const source = [
    `test('${id('T4')} plain', run);`,
    `test.serial("${id('X2')} ${id('X8')} it's double", run);`,
    `for (const x of xs) test(\`${id('F1')}\${x} table-driven: \${x.name}\`, run);`,
    `const TABLE = [['${id('N35')} in a table', 1]];`,
    `test(\n  '${id('A3')} on a line of \\'its\\' own',\n  run);`,
  ].join('\n');
  t.deepEqual(
    claimsIn('f', source).map((c) => [...c.ids, c.title]),
    [
      ['T4', 'plain'],
      ['X2', 'X8', "it's double"],
      ['F1', '… table-driven: …'],
      ['N35', 'in a table'],
      ['A3', "on a line of 'its' own"],
    ],
  );
});

test('what only the long tests prove is marked', (t) => {
  const source = [
    'if (process.env.LONG_TESTS) {',
    `  test('${id('T1')} takes its time', run);`,
    '}',
    `test('${id('T2')} does not', run);`,
  ].join('\n');
  t.deepEqual(
    claimsIn('f', source).map(({ title }) => title),
    ['takes its time (test:long)', 'does not'],
  );
});

test('what does not run proves nothing', (t) => {
  const source = [
    `test.skip('${id('T1')} skipped', run);`,
    `test.todo('${id('T2')} to do');`,
    `test.failing('${id('T3')} known to fail', run);`,
    `// test('${id('T4')} commented out', run);`,
    ` * '${id('T5')} in a description'`,
    `t.is(x, 'about ${id('T6')}');`,
  ].join('\n');
  t.deepEqual(claimsIn('f', source), []);
});

test('a requirement without a test is open, an unknown one is an error', (t) => {
  const catalogue = { T1: 'first', T2: 'second | with a bar' };
  const page = renderRequirements(catalogue, [{ ids: ['T1'], file: 'a.test.ts', title: 'x <b>' }]);
  t.true(page.includes('1 of 2 are tested.'));
  t.true(page.includes('| T1 | first | a.test.ts › x &lt;b> | tested |'));
  t.true(page.includes('| T2 | second \\| with a bar |  | open |'));
  const wrong = [{ ids: ['T99'], file: 'b.test.ts', title: 'y' }];
  t.throws(() => renderRequirements(catalogue, wrong), { message: /T99 in b\.test\.ts/ });
});

test('what only a deployment can hold points to the section that tells operators', (t) => {
  const catalogue = { T1: 'first', T2: 'second' };
  const claim = { ids: ['T1'], file: 'a.test.ts', title: 'x' };
  const place = 'operations.md#the-balancer';
  const page = renderRequirements(catalogue, [claim], { T1: place, T2: place });
  const link = `deployment: [${place}](${place})`;
  t.true(page.includes(`| T1 | first | a.test.ts › x<br>${link} | tested |`));
  t.true(page.includes(`| T2 | second | ${link} | deployment |`));
  t.true(page.includes('1 of 2 are tested.'));
  t.throws(() => renderRequirements(catalogue, [], { T9: place }), { message: /T9 in/ });

  const text = '# Operating it\n\n## The balancer\n\n### TLS, and `keys`\n';
  t.deepEqual(anchorsOf(text), ['operating-it', 'the-balancer', 'tls-and-keys']);
  t.deepEqual(
    missingPlaces({ T1: place }, () => text),
    [],
  );
  t.deepEqual(
    missingPlaces({ T1: 'operations.md#gone', T2: 'operations.md' }, () => text),
    ['T1: operations.md#gone', 'T2: operations.md'],
  );
});
