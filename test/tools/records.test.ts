import test from 'ava';
import { NeonpanelError } from '../../adapters/neonpanel/neonpanel.ts';
import type { Refusal } from '../../errors.ts';
import { fetch } from '../../mcp/tools/fetch.ts';
import { search } from '../../mcp/tools/search.ts';
import { textOf } from '../../mcp/tools/records/text.ts';
import {
  type Answer,
  HPH,
  notFound,
  recordingUpstream,
  runTool,
  type Sent,
} from './support/upstream.ts';

/** `search` and `fetch`: what deep research and company knowledge know by name. */

const TIDE = { uuid: 'c'.repeat(40), id: 203, name: 'Tidewell Pets', short_name: 'TWP' };
const WAREHOUSE = { uuid: 'b'.repeat(40), name: 'Mug Depot', type: '3PL', country_code: 'US' };
const MUG = { id: 7, name: 'Mug', sku: 'MUG-1', country_code: 'US' };
const REPORT = {
  id: 4,
  title: 'Mugs planned',
  group: 'Forecasting',
  link: 'https://my.neonpanel.test/app/reports/forecasting/mugs',
};

const list = (data: unknown[]) => ({ body: { current_page: 1, last_page: 1, data } });

/** One company with a mug, one without, a report. */
function answer({ path, query }: Sent): Answer {
  if (path === '/reports') return { body: { count: 1, data: [REPORT] } };
  if (path === '/reports/4') return { body: { ...REPORT, sheets: [] } };
  if (path.startsWith(`/companies/${TIDE.uuid}`)) return list([]);
  const isAsked = /mug/i.test(String(query['search'] ?? 'mug'));
  if (path.endsWith('/inventory-items')) return list(isAsked ? [MUG] : []);
  if (path.endsWith('/warehouses')) return list(isAsked ? [WAREHOUSE] : []);
  if (path.endsWith('/7/balances'))
    return { body: { inventory: MUG, restock_data: { lead_time_days: null } } };
  return list([{ inventory: MUG, balance: 12 }]);
}

const find = async (query: string, upstream = recordingUpstream(answer, [HPH, TIDE])) => {
  const { results } = (await runTool(search, { query }, upstream.context)) as any;
  return { results, ids: results.map(({ id }: { id: string }) => id), sent: upstream.sent };
};

const NO_SUCH =
  'The signed-in NeonPanel user has no such record. Search again, and take the id from a result.';
const ITEM = `item:${HPH.uuid}:7`;
const SHED = `warehouse:${HPH.uuid}:${WAREHOUSE.uuid}`;

test('[F25] search finds items, warehouses and reports over all companies, each with an id, a title and a link', async (t) => {
  const { results, ids } = await find('mug');
  t.deepEqual(ids, ['report:4', ITEM, SHED]);
  t.deepEqual(results, [
    { id: 'report:4', title: 'Report Mugs planned (Forecasting)', url: REPORT.link },
    {
      id: ITEM,
      title: 'Mug (SKU MUG-1, US), Harbor & Pine Home',
      url: `https://my.neonpanel.test/app#${ITEM}`,
    },
    {
      id: SHED,
      title: 'Warehouse Mug Depot (3PL, US), Harbor & Pine Home',
      url: `https://my.neonpanel.test/app#${SHED}`,
    },
  ]);
});

test('search finds companies by part of their names, and what bears the name of one besides it', async (t) => {
  t.deepEqual((await find('PINE')).ids, [`company:${HPH.uuid}`]);
  const { ids, sent } = await find('hph');
  t.deepEqual(ids, [`company:${HPH.uuid}`]);
  t.is(sent.length, 6, 'the companies, the reports, and two lists in each company');
  const named = { ...TIDE, name: 'Mug' };
  const upstream = recordingUpstream(answer, [HPH, named]);
  t.deepEqual((await find('mug', upstream)).ids, [`company:${named.uuid}`, 'report:4', ITEM, SHED]);
});

test('a query that begins with a company is about that one alone', async (t) => {
  for (const query of ['Harbor & Pine Home mug', 'hph MUG']) {
    const { ids, sent } = await find(query);
    t.deepEqual(ids, [`company:${HPH.uuid}`, 'report:4', ITEM, SHED], query);
    t.false(sent.some(({ path }) => path.includes(TIDE.uuid)));
    t.true(sent.every(({ query: asked }) => /^mug$|^undefined$/i.test(String(asked['search']))));
  }
});

/** As NeonPanel looks: for the text as it stands. */
function shop({ path, query }: Sent): Answer {
  if (path === '/reports') {
    const reports = [
      REPORT,
      { id: 5, title: 'Restock', group: 'Forecasting', description: 'What to order of lamps' },
    ];
    return { body: { count: 2, data: reports } };
  }
  if (path.startsWith(`/companies/${TIDE.uuid}`)) return list([]);
  const records = path.endsWith('/warehouses')
    ? [WAREHOUSE]
    : ['Harbor Lamp', 'Harbor Mug', 'Floor Lamp, Tall'].map((name, i) => ({
        id: i + 1,
        name,
        sku: `HPH-0${i + 1}`,
      }));
  const wanted = String(query['search']).toLowerCase();
  const found = records.filter((record) => JSON.stringify(record).toLowerCase().includes(wanted));
  return list(found.slice(0, Number(query['per_page'])));
}

const item = (n: number) => `item:${HPH.uuid}:${n}`;
for (const [query, expected] of [
  ['Harbor Lamp', [item(1)]],
  ['  harbor   lamp ', [item(1)]],
  ['lamp harbor', [item(1)]],
  ['lamp, harbor', [item(1)]],
  ['lamp,harbor.', [item(1)]],
  ['What is the stock of the Harbor Lamp?', [item(1)]],
  ['How many units of “Harbor Lamp” do we have at HPH?', [`company:${HPH.uuid}`, item(1)]],
  ['HPH: floor lamp tall', [`company:${HPH.uuid}`, item(3)]],
  ['hph-02 cost', [item(2)]],
  ['Where is the mug depot', [SHED]],
  ['restock lamps', ['report:5']],
  ['Which forecasting report shows what to order of lamps?', ['report:5']],
  ['harbor chair', []],
  ['What is it?', []],
] as const) {
  test(`[F25] search understands "${query}"`, async (t) => {
    const { ids, sent } = await find(query, recordingUpstream(shop, [HPH, TIDE]));
    t.deepEqual(ids, [...expected]);
    for (const { uuid } of [HPH, TIDE]) {
      t.true(sent.filter(({ path }) => path.includes(uuid)).length <= 4);
    }
  });
}

test('a query of nothing but punctuation finds nothing, and asks about nothing', async (t) => {
  for (const query of ['???', '“ ”', '-', '&']) {
    const upstream = recordingUpstream(shop, [HPH, TIDE]);
    t.deepEqual(await runTool(search, { query }, upstream.context), { results: [] });
    t.true(upstream.sent.every(({ path }) => path === '/companies'));
  }
});

test('search looks into ten companies, four at a time and with four calls each at most, and no list of results is longer than 50', async (t) => {
  const companies = Array.from({ length: 14 }, (_, i) => ({
    ...TIDE,
    uuid: i.toString(16).repeat(40).slice(0, 40),
    name: `Company ${i}`,
    short_name: null,
  }));
  let underWay = 0;
  let most = 0;
  const { sent, context } = recordingUpstream(() => list([]));
  const get: typeof context.neonpanel.get = async (path, query) => {
    if (path === '/companies')
      return { status: 200, body: list(companies).body, retryAfterSeconds: undefined };
    most = Math.max(most, ++underWay);
    await new Promise((resolve) => setImmediate(resolve));
    underWay -= 1;
    sent.push({ method: 'GET', path, query: query as never });
    const data = Array.from({ length: 10 }, (_, i) => ({ ...MUG, uuid: 'x', id: i }));
    return {
      status: 200,
      body: list(path === '/reports' ? [] : data).body,
      retryAfterSeconds: undefined,
    };
  };
  const noted: string[][] = [];
  const { results } = (await runTool(
    search,
    { query: 'mug' },
    {
      ...context,
      neonpanel: { ...context.neonpanel, get },
      noteCompanies: (uuids) => void noted.push([...uuids]),
    },
  )) as any;
  t.is(results.length, 50);
  t.is(sent.filter(({ path }) => path.endsWith('/warehouses')).length, 10);
  t.is(most, 8);
  t.is(noted[0]!.length, 10);
});

test('where nothing is called so, a search takes four calls a company and no more', async (t) => {
  const companies = Array.from({ length: 14 }, (_, i) => ({
    ...TIDE,
    uuid: `c${i}`,
    name: `C${i}`,
  }));
  const { ids, sent } = await find(
    'tall harbor lamp',
    recordingUpstream(() => list([]), companies),
  );
  t.deepEqual(ids, []);
  t.is(sent.filter(({ path }) => path.startsWith('/companies/')).length, 40);
  t.is(new Set(sent.map(({ path }) => path.split('/')[2])).size - 1, 10);
});

test('a company whose items or reports the user may not see has none; one that does not answer is an error', async (t) => {
  const forbidden = new NeonpanelError('forbidden', 'no', { status: 403 });
  const hidden = recordingUpstream((sent) =>
    /inventory-items|reports/.test(sent.path) ? forbidden : answer(sent),
  );
  t.deepEqual((await find('mug', hidden)).ids, [SHED]);
  const away = new NeonpanelError('unavailable', 'no', { status: 503 });
  const gone = recordingUpstream((sent) => (/warehouses/.test(sent.path) ? away : answer(sent)));
  await t.throwsAsync(find('mug', gone), { is: away });
});

test('fetch returns every kind of record as text, under the id, title and link that search gave it', async (t) => {
  const { results } = await find('hph mug');
  for (const { id, url } of results) {
    const { context } = recordingUpstream(answer, [HPH, TIDE]);
    const found = (await runTool(fetch, { id }, context)) as any;
    t.is(found.id, id);
    t.is(found.url, url);
    t.true(fetch.output.safeParse(found).success);
    t.is(found.metadata.kind, id.split(':')[0]);
    t.regex(found.text, /Mug|Harbor/, id);
  }
  const { context } = recordingUpstream(answer, [HPH, TIDE]);
  const shed = (await runTool(fetch, { id: SHED }, context)) as any;
  t.regex(shed.text, /warehouse:\n {2}uuid: b+\n {2}name: Mug Depot/);
  t.regex(shed.text, /balance: 12/);
  const item = (await runTool(fetch, { id: ITEM }, context)) as any;
  t.regex(item.text, /lead_time_days: unknown/);
});

test('an id that search never gave is refused before anybody is asked; one that is gone says so', async (t) => {
  const { sent, context } = recordingUpstream(answer, [HPH, TIDE]);
  for (const id of [
    'x',
    'item:7',
    'report:x',
    'item:a:b',
    'company:a:b',
    'report:../x',
    `${ITEM}:1`,
    '__proto__:1',
  ])
    await t.throwsAsync(runTool(fetch, { id }, context), { name: 'Refusal' }, id);
  t.deepEqual(sent, []);
  await t.throwsAsync(runTool(fetch, { id: `company:${'d'.repeat(40)}` }, context), {
    name: 'Refusal',
  });
  const forbidden = () => new NeonpanelError('forbidden', 'no', { status: 403 });
  for (const refuse of [notFound, forbidden]) {
    for (const id of ['report:9', ITEM, SHED]) {
      const missing = recordingUpstream(() => refuse());
      const error = await t.throwsAsync(runTool(fetch, { id }, missing.context), undefined, id);
      t.is((error as Refusal).description, NO_SUCH);
    }
  }
  const away = new NeonpanelError('unavailable', 'no', { status: 503 });
  const broken = recordingUpstream(() => away);
  await t.throwsAsync(runTool(fetch, { id: 'report:9' }, broken.context), { is: away });
});

test('text of a record leaves nothing out, and no value can pass for another line', (t) => {
  t.is(
    textOf({ a: 1, b: null, c: ['x', { d: 'two\nlines: 3' }], e: [], f: {} }),
    ['a: 1', 'b: unknown', 'c:', '  - x', '  -', '    d: two lines: 3', 'e: none', 'f: none'].join(
      '\n',
    ),
  );
});
