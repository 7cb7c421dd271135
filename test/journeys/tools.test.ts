import { createData } from '../../sandbox/data/index.ts';
import { startHarness } from '../support/harness.ts';
import { createStoreTest } from '../support/stores.ts';
import { apiOf } from '../sandbox/_setup.ts';
import { type App, connectApp, KINDS, type ToolResult } from './clients.ts';
import { stopTime } from './time.ts';

/**
 * All fourteen tools through real clients, each compared with what NeonPanel itself answers to the same user: the
 * sandbox is asked directly, with a token that this test got from it.
 */
const clock = stopTime();
const storeTest = await createStoreTest(async (store) => {
  const harness = await startHarness({ store });
  const { sandbox, url } = harness;
  const app = await connectApp(harness, `${url}/mcp`);
  return { harness, sandbox, url, app, api: await apiOf(sandbox), close: harness.close };
});

/** The invented books are the same wherever they are made. */
const booksOf = (companyId: number) =>
  createData().books.find(({ company }) => company.id === companyId)!;
const uuidOf = (companyId: number): string => booksOf(companyId).company.uuid;
const HPH = uuidOf(201);
const QNC = uuidOf(301);
const books = booksOf(201);
const warehouseNamed = (name: string) => books.warehouses.find((w) => w.name === name)!.uuid;
const AWD = warehouseNamed('Amazon AWD US');
const FBA = warehouseNamed('Amazon FBA US');

const textOf = (result: ToolResult): string => {
  if (result.content.length !== 1 || result.content[0]!.type !== 'text') {
    throw new Error(`not one text: ${JSON.stringify(result.content)}`);
  }
  return result.content[0]!.text!;
};

const period = 'start_date=2025-10-01&end_date=2026-03-31';
const dates = { startDate: '2025-10-01', endDate: '2026-03-31' };
const FINANCE = 'view:quicksight_group.finance-new';

/** A tool, its arguments, and the request to NeonPanel that means the same. */
const READS: readonly [tool: string, args: Record<string, unknown>, path: string][] = [
  ['listCompanies', {}, '/companies?page=1&per_page=30'],
  ['listReports', {}, '/reports'],
  [
    'listInventoryItems',
    { companyUuid: HPH, search: 'lamp', countryCode: 'ca', page: 1, perPage: 10 },
    `/companies/${HPH}/inventory-items?search=lamp&country_code=CA&page=1&per_page=10`,
  ],
  [
    'listInventoryItems',
    { companyUuid: HPH, sku: 'HPH-LAMP-001' },
    `/companies/${HPH}/inventory-items?sku=HPH-LAMP-001`,
  ],
  [
    'getInventoryDetails',
    { companyUuid: HPH, inventoryId: 201005, balancesDate: '2026-02-28' },
    `/companies/${HPH}/inventory-items/201005/balances?balances_date=2026-02-28`,
  ],
  [
    'getInventoryDetails',
    { companyUuid: HPH, inventoryId: '201003' },
    `/companies/${HPH}/inventory-items/201003/balances`,
  ],
  [
    'getInventoryLandedCost',
    { companyUuid: HPH, inventoryId: 201001, warehouseUuid: AWD, ...dates },
    `/companies/${HPH}/inventory-items/201001/landed-cost?warehouse_uuid=${AWD}&${period}`,
  ],
  [
    'getInventoryCogs',
    { companyUuid: HPH, inventoryId: 201005, ...dates, perPage: 60 },
    `/companies/${HPH}/inventory-items/201005/cogs?${period}&per_page=60`,
  ],
  [
    'getInventoryCogs',
    { companyUuid: HPH, inventoryId: 201001, startDate: '2026-01-01' },
    `/companies/${HPH}/inventory-items/201001/cogs?start_date=2026-01-01`,
  ],
  ['getRevenueAndCogs', dates, `/revenue-and-cogs?${period}`],
  [
    'getRevenueAndCogs',
    {
      ...dates,
      periodicity: 'monthly',
      grouping: ['company', 'country'],
      companyUuids: [HPH, 'Tidewell Pets'],
      countryCodes: ['us', 'GB'],
    },
    `/revenue-and-cogs?${period}&periodicity=monthly&grouping[]=company&grouping[]=country` +
      `&company_uuids[]=${HPH}&company_uuids[]=${uuidOf(203)}` +
      '&country_codes[]=US&country_codes[]=GB',
  ],
  [
    'getRevenueAndCogs',
    { ...dates, startDate: '2026-03-01', grouping: ['invoice'], companyUuids: ['NLO'] },
    `/revenue-and-cogs?start_date=2026-03-01&end_date=2026-03-31&grouping[]=invoice` +
      `&company_uuids[]=${uuidOf(202)}`,
  ],
  ['listWarehouses', { companyUuid: HPH }, `/companies/${HPH}/warehouses`],
  [
    'listWarehouses',
    { companyUuid: HPH, search: 'depot' },
    `/companies/${HPH}/warehouses?search=depot`,
  ],
  [
    'getWarehouseBalances',
    { companyUuid: HPH, warehouseUuid: FBA, balancesDate: '2026-01-31', perPage: 60 },
    `/companies/${HPH}/warehouses/${FBA}/balances?balances_date=2026-01-31&per_page=60`,
  ],
  ['getImportInstructions', { type: 'bill' }, '/import/bill/instructions'],
  ['listCompaniesWithPermission', { permission: FINANCE }, `/permissions/${FINANCE}/companies`],
  [
    'listCompaniesWithPermission',
    { permission: 'view:quicksight_group.marketing', companyUuids: [203, 'HPH'] },
    '/permissions/view:quicksight_group.marketing/companies' +
      `?company_uuids[]=${uuidOf(203)}&company_uuids[]=${HPH}`,
  ],
];

for (const kind of KINDS) {
  storeTest(
    `[N36] [N41] ${kind}: every reading tool answers NeonPanel's own JSON, as structure and as text`,
    async (t, { harness, url, api }) => {
      const client = await connectApp(harness, `${url}/mcp`, { kind });
      t.teardown(() => client.close());
      const listed = new Set((await client.tools()).map(({ name }) => name));
      for (const [tool, args, path] of READS) {
        const expected = await api.get(path);
        const result = await client.call(tool, args);
        t.falsy(result.isError, `${tool}: ${textOf(result)}`);
        t.deepEqual(result.structuredContent, expected, `${tool} ${JSON.stringify(args)}`);
        t.deepEqual(JSON.parse(textOf(result)), expected, tool);
        listed.delete(tool);
      }
      const others = ['createDocuments', 'createDocumentsByPdf', 'checkImportStatus'];
      t.deepEqual([...listed], [...others, 'search', 'fetch']);
    },
  );

  storeTest(
    `[F25] ${kind}: what search finds can be fetched, in the form that deep research asks for`,
    async (t, { harness, url }) => {
      const client = await connectApp(harness, `${url}/mcp`, { kind });
      t.teardown(() => client.close());
      const { results } = (await client.call('search', { query: 'HPH depot' })).structuredContent;
      t.true(results.length > 0);
      for (const { id, title, url: link } of results) {
        const fetched = await client.call('fetch', { id });
        t.falsy(fetched.isError, textOf(fetched));
        const record = fetched.structuredContent;
        t.is(record.id, id);
        t.is(record.url, link);
        t.is(typeof record.text, 'string');
        t.true(title.length > 0 && record.title.length > 0);
        t.deepEqual(JSON.parse(textOf(fetched)), record);
      }
    },
  );

  storeTest(
    `[N49] ${kind}: a PDF goes from queued to processing to done, saying each time how long to wait`,
    async (t, { harness, sandbox, url, api }) => {
      const client = await connectApp(harness, `${url}/mcp`, { kind });
      t.teardown(() => client.close());
      const file = { name: 'invoice 1042.pdf', link: 'https://files.example/i/1042.pdf?sig=a%2Fb' };
      const sent = await client.call('createDocumentsByPdf', {
        companyUuid: 'HPH',
        type: 'bill',
        file,
      });
      const { request_id } = sent.structuredContent;
      t.deepEqual(sent.structuredContent, {
        request_id,
        status: 'queued',
        retry_after_seconds: 15,
      });
      t.deepEqual(JSON.parse(textOf(sent)), sent.structuredContent);
      const request = sandbox.recorder
        .requests()
        .findLast(({ path }) => path.endsWith('/bill/pdf'))!;
      t.deepEqual(JSON.parse(request.body), { file }, 'the link went on unchanged');

      const check = () =>
        client.call('checkImportStatus', {
          companyUuid: 'HPH',
          type: 'bill',
          requestId: request_id,
        });
      t.deepEqual((await check()).structuredContent, sent.structuredContent);
      clock.advance(15_000);
      const processing = (await check()).structuredContent;
      t.deepEqual(processing, { request_id, status: 'processing', retry_after_seconds: 5 });
      clock.advance(5_000);
      const done = await check();
      const path = `/companies/${HPH}/import/bill/status/${request_id}`;
      t.deepEqual(done.structuredContent, await api.get(path));
      t.deepEqual(JSON.parse(textOf(done)), done.structuredContent);
      t.is(done.structuredContent.status, 'done');
      t.is(done.structuredContent.documents.length, 1);
    },
  );
}

storeTest(
  '[N22] broken.pdf ends in status error, which is an answer and no failure',
  async (t, { app }) => {
    const file = { name: 'broken.pdf', link: 'https://files.example/broken.pdf' };
    const job = { companyUuid: 201, type: 'bill' };
    const sent = await app.call('createDocumentsByPdf', { ...job, file });
    const requestId = sent.structuredContent.request_id;
    clock.advance(20_000);
    const ended = await app.call('checkImportStatus', { ...job, requestId });
    t.falsy(ended.isError);
    t.deepEqual(ended.structuredContent, { request_id: requestId, status: 'error', documents: [] });
  },
);

storeTest(
  'a bill is created once, as it was given, and NeonPanel knows it afterwards',
  async (t, { sandbox, api, app }) => {
    const data = {
      ref_number: 'FR-2026-17',
      date: '2026-02-03',
      currency: 'USD',
      vendor_id: null,
      details: [{ service_id: 4, quantity: 2, rate: 99.5 }],
    };
    const created = await app.call('createDocuments', { companyUuid: 'hph', type: 'bill', data });
    const { request_id, status, documents } = created.structuredContent;
    t.is(status, 'done');
    t.is(documents[0].ref_number, 'FR-2026-17');
    const known = await api.get(`/companies/${HPH}/import/bill/status/${request_id}`);
    t.deepEqual(created.structuredContent, known);
    t.deepEqual(JSON.parse(textOf(created)), known);
    const posts = sandbox.recorder
      .requests()
      .filter(({ path, body }) => path.endsWith('/create/bill') && body.includes('FR-2026-17'));
    t.deepEqual(
      posts.map(({ body }) => JSON.parse(body)),
      [{ data }],
    );
  },
);

const NAMES: readonly [how: string, name: string | number][] = [
  ['uuid', HPH],
  ['numeric id', 201],
  ['numeric id in quotes', '201'],
  ['name', 'Harbor & Pine Home'],
  ['name in other letters', ' harbor & pine HOME '],
  ['short name', 'HPH'],
  ['short name in other letters', 'hph'],
];

/** One call of every tool that takes a company. */
function callsFor(
  companyUuid: string | number,
  requestId: string,
): [string, Record<string, unknown>][] {
  const item = { companyUuid, inventoryId: 201001 };
  const startDate = '2026-01-01';
  return [
    ['listInventoryItems', { companyUuid }],
    ['getInventoryDetails', item],
    ['getInventoryLandedCost', { ...item, startDate, warehouseUuid: AWD }],
    ['getInventoryCogs', { ...item, startDate }],
    ['listWarehouses', { companyUuid }],
    ['getWarehouseBalances', { companyUuid, warehouseUuid: AWD }],
    ['getRevenueAndCogs', { startDate, companyUuids: [companyUuid] }],
    ['listCompaniesWithPermission', { permission: FINANCE, companyUuids: [companyUuid] }],
    ['checkImportStatus', { companyUuid, type: 'bill', requestId }],
  ];
}

for (const [how, companyUuid] of NAMES) {
  storeTest(`[N35] every tool takes a company by ${how}`, async (t, { app }) => {
    const data = { ref_number: how };
    const created = await app.call('createDocuments', { companyUuid, type: 'bill', data });
    const requestId = created.structuredContent.request_id;
    const byUuid = callsFor(HPH, requestId);
    for (const [index, [tool, args]] of callsFor(companyUuid, requestId).entries()) {
      const named = await app.call(tool, args);
      t.falsy(named.isError, `${tool}: ${textOf(named)}`);
      const { structuredContent } = await app.call(tool, byUuid[index]![1]);
      t.deepEqual(named.structuredContent, structuredContent, tool);
    }
  });
}

/** Every entry of a list, read as the tools' descriptions say: until current_page is last_page. */
async function readOn(
  app: App,
  tool: string,
  args: Record<string, unknown>,
  key = 'data',
): Promise<any[]> {
  const entries: any[] = [];
  for (let page = 1; ; page++) {
    const { structuredContent: answer } = await app.call(tool, { ...args, page });
    entries.push(...answer[key]);
    if (answer.current_page !== page) throw new Error(`asked for page ${page}`);
    if (answer.current_page === answer.last_page) return entries;
  }
}

storeTest(
  '[N40] every list can be read to its end, page by page, in any size of page',
  async (t, { app }) => {
    const ledger = books.ledgers.find(({ item }) => item.id === 201001)!;
    const ever = { startDate: '2025-01-01', endDate: '2026-12-31' };
    for (const perPage of [10, 30, 60]) {
      const items = await readOn(app, 'listInventoryItems', { companyUuid: HPH, perPage });
      t.deepEqual(
        items,
        books.ledgers.map(({ item }) => item),
      );
      const warehouses = await readOn(app, 'listWarehouses', { companyUuid: HPH, perPage });
      t.deepEqual(warehouses, books.warehouses);
      const landed = {
        companyUuid: HPH,
        inventoryId: 201001,
        warehouseUuid: AWD,
        ...ever,
        perPage,
      };
      const batches = await readOn(app, 'getInventoryLandedCost', landed);
      t.deepEqual(
        batches.map(({ batch }) => batch),
        ledger.batches.map(({ document }) => document),
      );
      const sold = { companyUuid: HPH, inventoryId: 201001, ...ever, perPage };
      const sales = await readOn(app, 'getInventoryCogs', sold, 'details');
      t.deepEqual(
        sales.map(({ quantity }) => quantity),
        ledger.sales.map(({ quantity }) => quantity),
      );
      const stock = { companyUuid: HPH, warehouseUuid: FBA, balancesDate: '2026-12-31', perPage };
      const balances = await readOn(app, 'getWarehouseBalances', stock);
      t.true(balances.length > 40);
      t.is(new Set(balances.map(({ inventory }) => inventory.id)).size, balances.length);
    }
    t.deepEqual(
      (await readOn(app, 'listCompanies', { perPage: 10 })).map(({ id }) => id),
      [201, 202, 203],
    );
  },
);

storeTest(
  '[N36] what NeonPanel does not know stays unknown: nulls and missing fields arrive as such',
  async (t, { app }) => {
    const { data } = (await app.call('listInventoryItems', { companyUuid: HPH, perPage: 60 }))
      .structuredContent;
    const withoutPicture = data.find(({ id }: { id: number }) => id === 201003);
    t.is(withoutPicture.image, null);
    const withoutListing = data.find(({ id }: { id: number }) => id === 201048);
    t.false('asin' in withoutListing);
    t.false('fnsku' in withoutListing);
    const warehouses = (await app.call('listWarehouses', { companyUuid: HPH })).structuredContent;
    const lost = warehouses.data.find(({ name }: { name: string }) => name === 'Lost & Found');
    t.is(lost.type, null);
    t.is(lost.country_code, null);
  },
);

/** Calls that must fail, and what a model has to learn from the answer. */
const FAILURES: readonly [
  what: string,
  tool: string,
  args: Record<string, unknown>,
  says: RegExp[],
][] = [
  [
    "somebody else's company",
    'listWarehouses',
    { companyUuid: QNC },
    [/No company is called/, /Harbor & Pine Home/],
  ],
  [
    "somebody else's company among one's own",
    'getRevenueAndCogs',
    { startDate: '2026-01-01', companyUuids: [HPH, QNC] },
    [/Not permitted/],
  ],
  [
    'a company nobody knows',
    'listInventoryItems',
    { companyUuid: 'Harbour and Pine' },
    [
      /No company is called "Harbour and Pine"/,
      /Harbor & Pine Home \(short name HPH, id 201, uuid [0-9a-f]{40}\)/,
      /Nordlicht Outdoor/,
      /Tidewell Pets/,
    ],
  ],
  [
    'an item of another company',
    'getInventoryCogs',
    { companyUuid: HPH, inventoryId: 202001, startDate: '2026-01-01' },
    [/no such record/, /listInventoryItems/],
  ],
  [
    'a warehouse of another company',
    'getWarehouseBalances',
    { companyUuid: 'NLO', warehouseUuid: AWD },
    [/no such record/, /listWarehouses/],
  ],
  [
    'an import nobody knows',
    'checkImportStatus',
    { companyUuid: HPH, type: 'bill', requestId: '3f2c8f0e-7a51-4c53-9f0a-0d8f1c9b2a77' },
    [/no such record/],
  ],
  [
    'a bill before the lock date',
    'createDocuments',
    { companyUuid: HPH, type: 'bill', data: { ref_number: 'OLD-1', date: '2024-12-31' } },
    [/refused the request \(400\)/, /entry locked date/],
  ],
  [
    'a bill with wrong fields',
    'createDocuments',
    {
      companyUuid: HPH,
      type: 'bill',
      data: { details: [{ service_id: 1, quantity: 0, rate: 1 }] },
    },
    [/ref_number: The ref number field is required\./, /details\.0\.quantity: .*at least 1/],
  ],
  [
    'a period that ends before it starts',
    'getInventoryCogs',
    { companyUuid: HPH, inventoryId: 201001, startDate: '2026-02-01', endDate: '2026-01-01' },
    [/endDate: must not be before startDate/],
  ],
  [
    'an argument in snake_case',
    'listWarehouses',
    { company_uuid: HPH },
    [/companyUuid: is required/, /unknown argument "company_uuid"/],
  ],
  [
    'a document type that does not exist',
    'getImportInstructions',
    { type: 'invoice' },
    [/type: must be one of bill/],
  ],
];
for (const [what, tool, args, says] of FAILURES) {
  storeTest(`[N22] [N39] ${what} is an error result that helps: ${tool}`, async (t, { app }) => {
    const result = await app.call(tool, args);
    t.true(result.isError);
    t.is(result.structuredContent, undefined);
    for (const pattern of says) t.regex(textOf(result), pattern);
    // Nothing of NeonPanel's own error comes through, neither its words nor its form.
    t.notRegex(textOf(result), /This action is unauthorized|Import request not found|"message"/);
  });
}

storeTest('a permission that nobody has is an empty list', async (t, { app }) => {
  const result = await app.call('listCompaniesWithPermission', { permission: 'view:nothing' });
  t.deepEqual(result.structuredContent.companies, []);
});

storeTest('lists in a query mean the same in either spelling', async (t, { app }, store) => {
  const other = await startHarness({ store, env: { NEONPANEL_ARRAY_STYLE: 'repeat' } });
  t.teardown(() => other.close());
  const client = await connectApp(other, `${other.url}/mcp`);
  t.teardown(() => client.close());
  const args = {
    ...dates,
    grouping: ['company', 'country'],
    companyUuids: ['NLO', 'TWP'],
    countryCodes: ['DE', 'GB'],
  };
  const { structuredContent } = await client.call('getRevenueAndCogs', args);
  t.true(structuredContent.data.length > 2);
  t.deepEqual(structuredContent, (await app.call('getRevenueAndCogs', args)).structuredContent);
  const paths = other.sandbox.recorder.requests().map(({ path }) => path);
  t.true(paths.some((path) => /grouping=company&grouping=country/.test(path)));
});
