import test from 'ava';
import { tools } from '../../mcp/tools/index.ts';
import type { Tool } from '../../mcp/tools/tool.ts';
import { argsOf, calls, fixtures } from './support/fixtures.ts';
import { HPH, notFound, recordingUpstream, runTool } from './support/upstream.ts';

const byName = (name: string): Tool => tools.find((tool) => tool.name === name)!;

for (const { tool, args, sends, answer } of fixtures) {
  test(`[N35] [N40] ${tool} with its required arguments asks for exactly ${sends.path}`, async (t) => {
    const { sent, context } = recordingUpstream(() => ({ body: answer }));
    const result = await runTool(byName(tool), args, context);
    t.deepEqual(sent, [sends]);
    t.deepEqual(result, answer);
  });
}

const optional: [string, Record<string, unknown>, Record<string, unknown>][] = [
  ['listCompanies', { page: 3, perPage: 60 }, { page: 3, per_page: 60 }],
  [
    'listInventoryItems',
    { countryCode: 'us', search: ' mug ', fnsku: 'X1', asin: 'B0', sku: 'S', page: 2, perPage: 10 },
    { country_code: 'US', search: 'mug', fnsku: 'X1', asin: 'B0', sku: 'S', page: 2, per_page: 10 },
  ],
  ['getInventoryDetails', { balancesDate: '2024-02-29' }, { balances_date: '2024-02-29' }],
  [
    'getInventoryLandedCost',
    { endDate: '2025-03-31', page: 2, perPage: 60 },
    {
      warehouse_uuid: 'b'.repeat(40),
      start_date: '2025-01-01',
      end_date: '2025-03-31',
      page: 2,
      per_page: 60,
    },
  ],
  [
    'getInventoryCogs',
    { endDate: '2025-01-01' },
    {
      start_date: '2025-01-01',
      end_date: '2025-01-01',
      page: 1,
      per_page: 30,
    },
  ],
  [
    'getRevenueAndCogs',
    {
      endDate: '2025-12-31',
      periodicity: 'monthly',
      grouping: ['company', 'country'],
      companyUuids: ['hph', HPH.uuid],
      countryCodes: ['us', 'DE'],
    },
    {
      start_date: '2025-01-01',
      end_date: '2025-12-31',
      periodicity: 'monthly',
      grouping: ['company', 'country'],
      company_uuids: [HPH.uuid],
      country_codes: ['US', 'DE'],
    },
  ],
  ['listWarehouses', { search: 'FBA', perPage: 20 }, { search: 'FBA', page: 1, per_page: 20 }],
  [
    'getWarehouseBalances',
    { balancesDate: '2025-06-30', page: 4 },
    {
      balances_date: '2025-06-30',
      page: 4,
      per_page: 30,
    },
  ],
  ['listCompaniesWithPermission', { companyUuids: [201] }, { company_uuids: [HPH.uuid] }],
];
for (const [name, extra, query] of optional) {
  test(`${name} sends its optional arguments in snake_case: ${Object.keys(extra).join(', ')}`, async (t) => {
    const { sent, context } = recordingUpstream();
    await runTool(byName(name), { ...argsOf(name), ...extra }, context);
    t.deepEqual(sent.at(-1)!.query, query);
  });
}

test('the tables above cover every tool', (t) => {
  t.deepEqual(
    calls.map(({ tool }) => tool),
    tools.map((tool) => tool.name),
  );
});

test('inventoryId is accepted as a numeric string', async (t) => {
  const { sent, context } = recordingUpstream();
  const args = { ...argsOf('getInventoryDetails'), inventoryId: '7' };
  await runTool(byName('getInventoryDetails'), args, context);
  t.is(sent[0]!.path, `/companies/${HPH.uuid}/inventory-items/7/balances`);
});

test('[N41] getInventoryDetails falls back once to the old path when the new one is a 404', async (t) => {
  const { sent, context } = recordingUpstream(({ path }) =>
    path.endsWith('/balances') ? notFound() : { body: { inventory: { id: 7 } } },
  );
  const args = { ...argsOf('getInventoryDetails'), balancesDate: '2025-06-30' };
  t.deepEqual(await runTool(byName('getInventoryDetails'), args, context), {
    inventory: { id: 7 },
  });
  t.deepEqual(
    sent.map(({ path, query }) => [path.split('/').at(-1), query]),
    [
      ['balances', { balances_date: '2025-06-30' }],
      ['details', { balances_date: '2025-06-30' }],
    ],
  );
});

test('[N41] when both paths are 404 the item does not exist', async (t) => {
  const { sent, context } = recordingUpstream(() => notFound());
  const run = runTool(byName('getInventoryDetails'), argsOf('getInventoryDetails'), context);
  await t.throwsAsync(run, { message: 'NeonPanel answered 404' });
  t.is(sent.length, 2);
});

for (const name of ['createDocuments', 'createDocumentsByPdf']) {
  test(`${name} accepts an idempotency key and sends it nowhere`, async (t) => {
    const { sent, context } = recordingUpstream();
    const args = { ...argsOf(name), idempotencyKey: 'order-1' };
    await runTool(byName(name), args, context);
    t.notRegex(JSON.stringify(sent), /order-1/);
    t.is(sent.length, 1);
  });
}

for (const name of ['createDocumentsByPdf', 'checkImportStatus']) {
  test(`[N49] ${name} tells how long to wait`, async (t) => {
    const { context } = recordingUpstream(() => ({
      status: 202,
      body: { status: 'queued' },
      retryAfterSeconds: 15,
    }));
    t.deepEqual(await runTool(byName(name), argsOf(name), context), {
      status: 'queued',
      retry_after_seconds: 15,
    });
  });
}

test('instructions that arrive as text become `general`', async (t) => {
  const { context } = recordingUpstream(() => ({ body: 'Send ref_number.' }));
  t.deepEqual(await runTool(byName('getImportInstructions'), { type: 'bill' }, context), {
    general: 'Send ref_number.',
  });
});

test('[N36] nulls, unknown fields and missing fields stay as they are; no number appears from nowhere', async (t) => {
  const body = { amount: null, quantity: null, details: null, brand_new: { a: [null] } };
  const { context } = recordingUpstream(() => ({ body }));
  const result = await runTool(byName('getInventoryCogs'), argsOf('getInventoryCogs'), context);
  t.deepEqual(result, body);
});

for (const body of [[], null, 'text', 3]) {
  test(`an answer that is no object (${JSON.stringify(body)}) is no result`, async (t) => {
    const { context } = recordingUpstream(() => ({ body }));
    await t.throwsAsync(runTool(byName('listReports'), {}, context), { name: 'NeonpanelError' });
  });
}
