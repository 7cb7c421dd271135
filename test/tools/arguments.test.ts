import test from 'ava';
import fc from 'fast-check';
import { isAcceptableData } from '../../mcp/tools/data.ts';
import { tools } from '../../mcp/tools/index.ts';
import { pathOf } from '../../mcp/tools/path.ts';
import { sentence } from '../../mcp/tools/plain.ts';
import type { Tool } from '../../mcp/tools/tool.ts';
import { argsOf } from './support/fixtures.ts';
import { recordingUpstream } from './support/upstream.ts';

const byName = (name: string): Tool => tools.find((tool) => tool.name === name)!;
const accepts = (name: string, extra: Record<string, unknown>) =>
  byName(name).input.safeParse({ ...argsOf(name), ...extra }).success;

const bad: [string, string, unknown[]][] = [
  ['listCompanies', 'page', [0, -1, 1.5, '1', null, 1e9]],
  ['listCompanies', 'perPage', [9, 61, '30', null]],
  [
    'getInventoryCogs',
    'startDate',
    [
      '2025-02-30',
      '2023-02-29',
      '2025-13-01',
      '2025-1-1',
      '01.02.2025',
      '2025-01-01T00:00',
      '',
      null,
    ],
  ],
  ['getInventoryCogs', 'endDate', ['2024-12-31', 'today']],
  ['getInventoryDetails', 'inventoryId', [0, -7, 1.5, '0', '07', 'MUG', '../7', '', null, 2 ** 60]],
  ['getInventoryDetails', 'balancesDate', ['2025-06-31', 20250630]],
  ['listInventoryItems', 'countryCode', ['USA', 'U', '', 'u!', 1]],
  ['listInventoryItems', 'search', ['', '  ', 'x'.repeat(201)]],
  ['listInventoryItems', 'companyUuid', ['', ' ', 'x'.repeat(201), 0, 1.5, null, {}, []]],
  [
    'getWarehouseBalances',
    'warehouseUuid',
    ['', '..', '../x', 'a/b', 'a?b', 'a#b', 'a%2e', 'a b', 'x'.repeat(65)],
  ],
  ['checkImportStatus', 'requestId', ['../../companies', 'a/../b', '', 'x'.repeat(65)]],
  ['checkImportStatus', 'type', ['invoice', 'BILL', '', '../bill']],
  ['getRevenueAndCogs', 'grouping', [[], ['warehouse'], 'company', Array(4).fill('company')]],
  ['getRevenueAndCogs', 'periodicity', ['weekly', '']],
  ['getRevenueAndCogs', 'countryCodes', [[], ['USA'], Array(61).fill('US')]],
  ['getRevenueAndCogs', 'companyUuids', [[], Array(51).fill('a'), 'a']],
  [
    'listCompaniesWithPermission',
    'permission',
    ['', 'a..b', '../x', 'a/b', 'a?', '.a', 'a.', 'x'.repeat(129)],
  ],
  ['createDocuments', 'data', [[], 'text', null, undefined]],
  ['createDocuments', 'idempotencyKey', ['', 'a b', 'ä', 'x'.repeat(129), 1]],
];
for (const [tool, argument, values] of bad) {
  test(`[T44] [N37] ${tool} refuses a bad ${argument}`, (t) => {
    t.true(accepts(tool, {}));
    for (const value of values)
      t.false(accepts(tool, { [argument]: value }), JSON.stringify(value));
  });
}

for (const tool of tools) {
  test(`[T45] ${tool.name} refuses arguments it does not know, prototype keys among them`, (t) => {
    const args = JSON.stringify(argsOf(tool.name)).slice(1, -1);
    const separator = args === '' ? '' : ',';
    for (const key of ['__proto__', 'constructor', 'prototype', 'companyId', 'company_uuid']) {
      const value = JSON.parse(`{${args}${separator}"${key}":{"polluted":true}}`);
      t.false(tool.input.safeParse(value).success, key);
    }
    t.is(({} as { polluted?: boolean }).polluted, undefined);
  });
}

test('[T45] free-form data is refused when a key at any depth reaches for a prototype', (t) => {
  for (const key of ['__proto__', 'constructor', 'prototype']) {
    t.false(isAcceptableData(JSON.parse(`{"details":[{"${key}":{"polluted":1}}]}`)), key);
  }
  t.true(isAcceptableData({ details: [{ service_id: 1, rate: null }] }));
});

test('free-form data is bounded in depth and size', (t) => {
  const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) });
  t.true(isAcceptableData(deep(9)));
  t.false(isAcceptableData(deep(5_000)));
  t.false(isAcceptableData({ text: 'x'.repeat(200_001) }));
});

test('[T44] no argument whatsoever makes NeonPanel see another path than the one of its tool', async (t) => {
  const nasty = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom(
      '..',
      '../../admin',
      '%2e%2e',
      '%2e%2e%2f',
      '?x=1',
      '#',
      '.',
      '\u0000',
      'a//b',
      'a..b',
    ),
    fc.string({
      unit: fc.constantFrom('a', '.', '/', '%', '2', 'e', '-', '_', ':'),
      maxLength: 12,
    }),
  );
  const shapes: [string, string, RegExp][] = [
    ['getWarehouseBalances', 'warehouseUuid', /^\/companies\/a{40}\/warehouses\/[\w-]+\/balances$/],
    ['getInventoryCogs', 'inventoryId', /^\/companies\/a{40}\/inventory-items\/\d+\/cogs$/],
    ['checkImportStatus', 'requestId', /^\/companies\/a{40}\/import\/bill\/status\/[\w-]+$/],
    ['listCompaniesWithPermission', 'permission', /^\/permissions\/(?!.*\.\.)[\w.:-]+\/companies$/],
  ];
  for (const [name, argument, shape] of shapes) {
    await fc.assert(
      fc.asyncProperty(nasty, async (value) => {
        const { sent, context } = recordingUpstream();
        const parsed = byName(name).input.safeParse({ ...argsOf(name), [argument]: value });
        if (parsed.success) await byName(name).run(parsed.data, context);
        return sent.every(({ path }) => shape.test(path));
      }),
    );
  }
  t.pass();
});

test('[T44] a path is never built from anything that is no identifier', (t) => {
  t.is(pathOf('companies', 7, 'a:b.c'), '/companies/7/a:b.c');
  for (const segment of ['', '.', '..', 'a..b', 'a/b', 'a b', '%2e', 'é', 'x'.repeat(129)]) {
    t.throws(() => pathOf('companies', segment), { name: 'Refusal' }, segment);
  }
});

const shown = ['The start date is not a valid date.', 'The ref_number field is required.'];
const hidden = [
  'SQLSTATE[42S02]: Base table or view not found',
  'App\\Exceptions\\Handler',
  '<b>Whoops</b>',
  'Call to undefined method Foo::bar()',
  'in /srv/app/vendor/laravel.php on line 3',
  'see https://internal.example/admin',
  `token ${'a'.repeat(48)} expired`,
  '',
];
test('[T58] [N39] of NeonPanel only what reads like a sentence to a user is shown', (t) => {
  for (const text of shown) t.is(sentence(text), text);
  for (const text of hidden) t.is(sentence(text), undefined, text);
});
