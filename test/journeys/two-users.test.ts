import { createData } from '../../sandbox/data/index.ts';
import type { Books } from '../../sandbox/data/model.ts';
import { startHarness } from '../support/harness.ts';
import { callTool, postForm } from '../support/oauth.ts';
import { createStoreTest } from '../support/stores.ts';
import { type App, connectApp, type Kind, KINDS, type ToolResult } from './clients.ts';
import { MemoryProvider } from './provider.ts';

/** Two people, who share no company, at one server at the same time: neither ever sees anything of the other. */
interface Person {
  readonly name: string;
  readonly user: { readonly email: string; readonly password: string };
  readonly books: readonly Books[];
}
const data = createData();
const [ada, bruno] = data.users.map((user): Person => {
  const books = data.books.filter(({ company }) => user.companyIds.includes(company.id));
  return { name: user.name, user, books };
}) as [Person, Person];

/** Texts that occur in one person's data and nowhere else. */
const findMarks = ({ user, books }: Person): string[] => [
  user.email,
  ...books.flatMap(({ company, warehouses, ledgers, invoices }) => [
    company.uuid,
    company.name,
    `"${company.short_name}"`,
    ...warehouses.map(({ uuid }) => uuid),
    ...ledgers.flatMap(({ item }) => [item.sku, item.name]),
    ...invoices.map(({ document }) => document.link),
  ]),
];

const marks = new Map([ada, bruno].map((person) => [person, findMarks(person)]));

const storeTest = await createStoreTest(async (store) => {
  const harness = await startHarness({ store });
  const { url } = harness;

  const signedIn = (person: Person, client?: MemoryProvider['client'], kind?: Kind) => {
    const provider = new MemoryProvider();
    provider.client = client;
    const { user } = person;
    return connectApp(harness, `${url}/mcp`, { user, provider, ...(kind && { kind }) });
  };

  // Each with a client of their own, and both with one: ChatGPT is one client for everybody.
  const adaAlone = await signedIn(ada);
  const brunoAlone = await signedIn(bruno);
  const shared = adaAlone.provider.client;
  const adaShared = await signedIn(ada, shared);
  const brunoShared = await signedIn(bruno, shared);
  const importIds = new Map([
    [ada, await importOf(adaAlone, ada.books[0]!.company.uuid)],
    [bruno, await importOf(brunoAlone, bruno.books[0]!.company.uuid)],
  ]);
  const apps = { adaAlone, brunoAlone, adaShared, brunoShared };
  return { url, signedIn, shared, apps, importIds, close: harness.close };
});

/** An import of somebody's, to be asked for by the other. */
async function importOf(app: App, companyUuid: string): Promise<string> {
  const data = { ref_number: 'MINE-1' };
  const created = await app.call('createDocuments', { companyUuid, type: 'bill', data });
  return created.structuredContent.request_id;
}

type Call = [tool: string, args: Record<string, unknown>];
const FINANCE = 'view:quicksight_group.finance-new';
const startDate = '2026-01-01';
const type = 'bill';

/**
 * Calls by which one person reaches for what belongs to the other. All of them must be refused.
 * @param requestId an import of the other's
 */
function reaches(self: Person, other: Person, requestId: string): Call[] {
  const [own, foreign] = [self.books[0]!, other.books[0]!];
  const item = foreign.ledgers[0]!.item.id;
  const warehouseUuid = foreign.warehouses[0]!.uuid;
  const { uuid, id, name, short_name } = foreign.company;
  const companyUuid = own.company.uuid;
  const ownItem = own.ledgers[0]!.item.id;
  return [
    ...[uuid, id, String(id), name, short_name].flatMap((foreignCompany): Call[] => [
      ['listInventoryItems', { companyUuid: foreignCompany }],
      ['getInventoryDetails', { companyUuid: foreignCompany, inventoryId: item }],
      [
        'getInventoryLandedCost',
        { companyUuid: foreignCompany, inventoryId: item, warehouseUuid, startDate },
      ],
      ['getInventoryCogs', { companyUuid: foreignCompany, inventoryId: item, startDate }],
      ['getRevenueAndCogs', { startDate, companyUuids: [foreignCompany] }],
      ['getRevenueAndCogs', { startDate, companyUuids: [companyUuid, foreignCompany] }],
      ['listWarehouses', { companyUuid: foreignCompany }],
      ['getWarehouseBalances', { companyUuid: foreignCompany, warehouseUuid }],
      ['createDocuments', { companyUuid: foreignCompany, type, data: { ref_number: 'THEFT' } }],
      [
        'createDocumentsByPdf',
        {
          companyUuid: foreignCompany,
          type,
          file: { name: 'theft.pdf', link: 'https://files.example/theft.pdf' },
        },
      ],
      ['checkImportStatus', { companyUuid: foreignCompany, type, requestId }],
    ]),
    // Within one's own company, by the other's ids.
    ['getInventoryDetails', { companyUuid, inventoryId: item }],
    ['getInventoryLandedCost', { companyUuid, inventoryId: item, warehouseUuid, startDate }],
    ['getInventoryLandedCost', { companyUuid, inventoryId: ownItem, warehouseUuid, startDate }],
    ['getInventoryCogs', { companyUuid, inventoryId: item, startDate }],
    ['getWarehouseBalances', { companyUuid, warehouseUuid }],
    ['checkImportStatus', { companyUuid, type, requestId }],
  ];
}

/** Calls that are anybody's to make, and answer with one's own. */
const opens = (other: Person): Call[] => [
  ['listCompanies', { perPage: 60 }],
  ['listReports', {}],
  ['getImportInstructions', { type }],
  ['getRevenueAndCogs', { startDate, endDate: '2026-01-15', grouping: ['company', 'invoice'] }],
  ['listCompaniesWithPermission', { permission: FINANCE }],
  [
    'listCompaniesWithPermission',
    { permission: FINANCE, companyUuids: [other.books[0]!.company.uuid] },
  ],
];

/** What a result says about somebody, beyond what the caller said. */
function leaks(result: ToolResult, about: Person, args: object): string[] {
  const seen = `${result.content[0]!.text} ${JSON.stringify(result.structuredContent ?? {})}`;
  const said = JSON.stringify(args);
  return marks.get(about)!.filter((mark) => seen.includes(mark) && !said.includes(mark));
}

const PAIRS = [
  ['Ada', ada, 'adaAlone', bruno],
  ['Bruno', bruno, 'brunoAlone', ada],
  ['Ada, by the client she shares with Bruno,', ada, 'adaShared', bruno],
  ['Bruno, by the client he shares with Ada,', bruno, 'brunoShared', ada],
] as const;
for (const [how, self, by, other] of PAIRS) {
  storeTest(
    `[T39] [N45] ${how} gets nothing of the other's by any tool`,
    async (t, { apps, importIds }) => {
      const app = apps[by];
      const tried = new Set<string>();
      for (const [tool, args] of reaches(self, other, importIds.get(other)!)) {
        const result = await app.call(tool, args);
        t.true(result.isError, `${tool} ${JSON.stringify(args)}`);
        t.deepEqual(leaks(result, other, args), [], tool);
        tried.add(tool);
      }
      for (const [tool, args] of opens(other)) {
        const result = await app.call(tool, args);
        t.falsy(result.isError, tool);
        t.deepEqual(leaks(result, other, args), [], tool);
        tried.add(tool);
      }
      t.is(tried.size, 14);
      const companies = (await app.call('listCompanies')).structuredContent.data;
      t.deepEqual(
        companies,
        self.books.map(({ company }) => company),
      );
      const finance = (await app.call(...opens(other).at(-1)!)).structuredContent;
      t.deepEqual(finance.companies, [], 'not even that the company exists');
    },
  );
}

storeTest(
  'the marks by which a leak is noticed do occur in what their owner sees',
  async (t, { apps }) => {
    for (const [app, owner, other] of [
      [apps.adaAlone, ada, bruno],
      [apps.brunoAlone, bruno, ada],
    ] as const) {
      for (const [tool, args] of opens(other)) {
        if (tool !== 'listCompanies' && tool !== 'getRevenueAndCogs') continue;
        t.true(leaks(await app.call(tool, args), owner, args).length > 0, tool);
      }
    }
  },
);

storeTest(
  '[T7] 204 calls of both, at once, by one shared client in every protocol, keep to their callers',
  async (t, { signedIn, shared }) => {
    const crowd: [App, Person][] = [];
    for (const kind of KINDS) {
      for (const person of [ada, bruno]) crowd.push([await signedIn(person, shared, kind), person]);
    }
    t.teardown(() => Promise.all(crowd.map(([app]) => app.close())));
    t.is(new Set(crowd.map(([app]) => app.provider.client!.client_id)).size, 1);

    const callsOf = ({ books: [first] }: Person): Call[] => [
      ['listCompanies', {}],
      ['listWarehouses', { companyUuid: first!.company.short_name }],
      ['getRevenueAndCogs', { startDate, endDate: '2026-03-31' }],
      ['listInventoryItems', { companyUuid: first!.company.uuid, perPage: 10 }],
    ];
    const expected = new Map<Person, unknown[]>();
    for (const [app, person] of crowd.slice(0, 2)) {
      const answers: unknown[] = [];
      for (const call of callsOf(person)) answers.push((await app.call(...call)).structuredContent);
      expected.set(person, answers);
    }
    t.notDeepEqual(expected.get(ada), expected.get(bruno));

    const rounds = 34;
    await Promise.all(
      Array.from({ length: rounds * crowd.length }, async (_, i) => {
        const [app, person] = crowd[i % crowd.length]!;
        const which = Math.floor(i / crowd.length) % 4;
        const { structuredContent, content } = await app.call(...callsOf(person)[which]!);
        t.deepEqual(structuredContent, expected.get(person)![which], person.name);
        t.deepEqual(JSON.parse(content[0]!.text!), structuredContent);
      }),
    );
  },
);

storeTest(
  '[D8] a sign-in or its end leaves every other sign-in of the same client alone',
  async (t, { signedIn, shared, url }) => {
    const before = await signedIn(ada, shared);
    const again = await signedIn(ada, shared);
    const other = await signedIn(bruno, shared);
    t.teardown(() => Promise.all([before, again, other].map((app) => app.close())));
    const { client_id } = shared!;
    const { refresh_token, access_token } = before.provider.tokens()!;
    t.is((await postForm(`${url}/oauth2/revoke`, { token: refresh_token, client_id })).status, 200);
    t.is((await again.call('listCompanies')).structuredContent.data.length, 3);
    t.is((await other.call('listCompanies')).structuredContent.data.length, 1);
    // The one that ended does end, as soon as it is no longer believed.
    for (let tries = 0; tries < 50; tries++) {
      if ((await callTool(url, access_token, 'listCompanies')).status === 401) return t.pass();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    t.fail('still alive');
  },
);
