import test from 'ava';
import { apiOf, createClock, start, uuidOf } from './_setup.ts';

test('companies: the user sees their own, and a page past the end is empty', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const answer = await api.get('/companies');
  t.deepEqual(Object.keys(answer), ['current_page', 'per_page', 'last_page', 'data']);
  t.deepEqual([answer.current_page, answer.per_page, answer.last_page], [1, 30, 1]);
  t.deepEqual(
    answer.data.map((company: any) => [company.id, company.short_name, company.currency]),
    [
      [201, 'HPH', 'USD'],
      [202, 'NLO', 'EUR'],
      [203, 'TWP', 'GBP'],
    ],
  );
  for (const company of answer.data) t.regex(company.uuid, /^[0-9a-f]{40}$/);
  const past = await api.get('/companies?page=2&per_page=10');
  t.deepEqual(past, { current_page: 2, per_page: 10, last_page: 1, data: [] });
});

test('inventory items: more than two pages at 30, more than one at 60', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const path = `/companies/${uuidOf(sandbox, 201)}/inventory-items`;
  const sizes = async (perPage: number) => {
    const first = await api.get(`${path}?per_page=${perPage}`);
    const lengths = [];
    for (let page = 1; page <= first.last_page; page++) {
      lengths.push((await api.get(`${path}?per_page=${perPage}&page=${page}`)).data.length);
    }
    return lengths;
  };
  t.deepEqual(await sizes(30), [30, 30, 10]);
  t.deepEqual(await sizes(60), [60, 10]);
  t.deepEqual(await sizes(10), [10, 10, 10, 10, 10, 10, 10]);
  const ids = (await api.all(path)).map((item) => item.id);
  t.is(new Set(ids).size, 70);
});

test('inventory items: every filter narrows, and is repeated in the answer', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const path = `/companies/${uuidOf(sandbox, 201)}/inventory-items`;
  const find = async (query: string) => (await api.get(`${path}?per_page=60&${query}`)).data;
  const ids = async (query: string) => (await find(query)).map((item: any) => item.id);

  t.is((await find('country_code=CA')).length, 22);
  t.deepEqual(await ids('sku=HPH-LAMP-001'), [201001, 201049]);
  t.deepEqual(await ids('sku=HPH-LAMP-001&country_code=CA'), [201049]);
  const [us, ca] = await find('sku=HPH-LAMP-001');
  t.deepEqual([us.country_code, ca.country_code, us.asin === ca.asin], ['US', 'CA', true]);
  t.deepEqual(await ids(`fnsku=${us.fnsku}`), [201001]);
  t.deepEqual(await ids(`asin=${us.asin}`), [201001, 201049]);
  for (const needle of ['201001', us.fnsku, us.sku.toLowerCase(), us.asin, 'Lamp']) {
    t.true((await ids(`search=${needle}`)).includes(201001), needle);
  }
  t.deepEqual(await ids('search=no-such-thing'), []);
  const { filters } = await api.get(`${path}?sku=HPH-LAMP-001&search=lamp`);
  t.deepEqual(filters, {
    country_code: null,
    search: 'lamp',
    fnsku: null,
    asin: null,
    sku: 'HPH-LAMP-001',
  });
});

test('there is an item without a picture, one without a listing and one without stock', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const path = `/companies/${uuidOf(sandbox, 201)}/inventory-items`;
  const items = await api.all(path);
  t.deepEqual(
    items.filter((item) => item.image === null).map((item) => item.id),
    [201003, 201051],
  );
  const unlisted = items.filter((item) => !('asin' in item));
  t.deepEqual(
    unlisted.map((item) => [item.id, 'fnsku' in item]),
    [[201048, false]],
  );
  const { balances_data } = await api.get(`${path}/201002/balances?balances_date=2026-12-31`);
  t.true(balances_data.balances_list.length > 0);
  t.true(balances_data.balances_list.every((entry: any) => entry.balance === 0));
});

test('warehouses: pages and search; names may repeat, type and country may be null', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const path = `/companies/${uuidOf(sandbox, 201)}/warehouses`;
  const pages = [await api.get(`${path}?per_page=10`), await api.get(`${path}?per_page=10&page=2`)];
  t.deepEqual(
    pages.map((page) => [page.data.length, page.last_page]),
    [
      [10, 2],
      [2, 2],
    ],
  );
  const depots = (await api.get(`${path}?search=inland`)).data;
  t.deepEqual(
    depots.map((entry: any) => entry.name),
    ['Inland Depot', 'Inland Depot'],
  );
  t.not(depots[0].uuid, depots[1].uuid);
  const [lost] = (await api.get(`${path}?search=${encodeURIComponent('lost & f')}`)).data;
  t.deepEqual([lost.type, lost.country_code], [null, null]);
});

test('warehouse balances: pages, a date in the past, and an empty warehouse', async (t) => {
  const clock = createClock();
  const sandbox = await start(t, { now: clock.now });
  const api = await apiOf(sandbox);
  const company = uuidOf(sandbox, 201);
  const [fba] = (await api.get(`/companies/${company}/warehouses?search=FBA US`)).data;
  const path = `/companies/${company}/warehouses/${fba.uuid}/balances`;
  const today = await api.get(`${path}?per_page=10&page=2`);
  t.is(today.balances_date, '2026-03-15');
  t.is(today.data.length, 10);
  t.is(today.last_page, 5);
  t.deepEqual(Object.keys(today.data[0]), ['inventory', 'balance']);
  t.deepEqual((await api.get(`${path}?balances_date=2024-12-31`)).data, []);
  const [prep] = (await api.get(`/companies/${company}/warehouses?search=prep`)).data;
  const empty = await api.get(`/companies/${company}/warehouses/${prep.uuid}/balances`);
  t.deepEqual([empty.data, empty.last_page], [[], 1]);
});

test('COGS: pages of details, end_date is today unless given', async (t) => {
  const clock = createClock();
  const sandbox = await start(t, { now: clock.now });
  const api = await apiOf(sandbox);
  const path = `/companies/${uuidOf(sandbox, 201)}/inventory-items/201001/cogs`;
  const first = await api.get(`${path}?start_date=2025-01-01&per_page=60`);
  const second = await api.get(`${path}?start_date=2025-01-01&per_page=60&page=2`);
  t.is(first.filters.end_date, '2026-03-15');
  t.is(first.details.length, 60);
  t.is(first.amount, second.amount);
  const last = second.details.at(-1).document;
  t.is(last.type, 'Invoice');
  t.regex(last.ref_number, /^INV-202[56]-\d{4}$/);
  t.true(last.date <= '2026-03-15');
  t.false('data' in first);
});

test('restock data and nullable document fields have the documented shape', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const company = uuidOf(sandbox, 201);
  const { restock_data } = await api.get(
    `/companies/${company}/inventory-items/201001/balances?balances_date=2025-09-01`,
  );
  t.is(Object.keys(restock_data).length, 13);
  for (const value of Object.values(restock_data)) t.true(Number.isFinite(value));
  const [awd] = (await api.get(`/companies/${company}/warehouses?search=AWD`)).data;
  const { data } = await api.get(
    `/companies/${company}/inventory-items/201001/landed-cost?warehouse_uuid=${awd.uuid}&start_date=2025-01-01`,
  );
  const types = data[0].details.map((detail: any) => detail.type);
  t.deepEqual(types, [
    'Purchase Price',
    'Freight Forwarding',
    'Customs Duty',
    'Inspection',
    'Insurance',
    'Amazon inbound transportation',
  ]);
  const documents = data[0].details.map((detail: any) => detail.document);
  for (const field of ['completed', 'ref_number', 'date']) {
    t.true(
      documents.some((document: any) => document[field] === null),
      field,
    );
    t.true(
      documents.some((document: any) => document[field] !== null),
      field,
    );
  }
  t.is(data[0].batch.type, 'InventoryOrder');
  t.regex(
    data[0].batch.link,
    /^https:\/\/my\.neonpanel\.com\/app\/processes\/inventory-orders\/tasks\/[0-9a-f]{40}$/,
  );
});

test('reports: counted, unpaginated, and each can be opened', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const { count, data } = await api.get('/reports');
  t.is(count, data.length);
  t.true(count >= 8 && count <= 10);
  t.deepEqual(
    new Set(data.map((report: any) => report.group)),
    new Set(['Basic Suite', 'Forecasting', 'Bookkeeping']),
  );
  for (const { id, link } of data) {
    t.regex(link, /^https:\/\/my\.neonpanel\.com\/app\/reports\/[a-z-]+\/[a-z-]+$/);
    const full = await api.get(`/reports/${id}`);
    t.true(full.sheets[0].parameters.length > 0);
  }
  const absent = await api.fetch('/reports/999');
  t.deepEqual([absent.status, await absent.text()], [404, '']);
});

test('revenue: both spellings of a list mean the same', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const [a, b] = [uuidOf(sandbox, 202), uuidOf(sandbox, 203)];
  const get = (query: string) =>
    api.get(`/revenue-and-cogs?start_date=2025-03-01&end_date=2025-03-31&${query}`);
  const brackets = await get(
    `company_uuids[]=${a}&company_uuids[]=${b}&country_codes[]=DE&country_codes[]=GB&grouping[]=company&grouping[]=country`,
  );
  const repeated = await get(
    `company_uuids=${a}&company_uuids=${b}&country_codes=DE&country_codes=GB&grouping=company&grouping=country`,
  );
  const indexed = await get(
    `company_uuids[0]=${a}&company_uuids[1]=${b}&country_codes[0]=DE&country_codes[1]=GB&grouping[0]=company&grouping[1]=country`,
  );
  t.deepEqual(brackets, repeated);
  t.deepEqual(brackets, indexed);
  t.deepEqual(brackets.filters.company_uuids, [a, b]);
  t.deepEqual(
    brackets.data.map((row: any) => [row.company.id, row.country_code, row.currency]),
    [
      [202, 'DE', 'EUR'],
      [203, 'DE', 'GBP'],
      [203, 'GB', 'GBP'],
    ],
  );
  const single = await get(`company_uuids=${a}`);
  t.deepEqual(
    single.data.map((row: any) => [row.company.id, row.country_code, row.invoice]),
    [[202, null, null]],
  );
});

test('revenue: the calendar periods are cut to what was asked for', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const periods = async (periodicity: string) => {
    const query = `start_date=2025-11-15&end_date=2026-02-10&periodicity=${periodicity}&company_uuids[]=${uuidOf(sandbox, 203)}`;
    const { data } = await api.get(`/revenue-and-cogs?${query}`);
    return data.map((row: any) => `${row.start_date} ${row.end_date}`);
  };
  t.deepEqual(await periods('total'), ['2025-11-15 2026-02-10']);
  t.deepEqual(await periods('yearly'), ['2025-11-15 2025-12-31', '2026-01-01 2026-02-10']);
  t.deepEqual(await periods('quarterly'), ['2025-11-15 2025-12-31', '2026-01-01 2026-02-10']);
  t.deepEqual(await periods('monthly'), [
    '2025-11-15 2025-11-30',
    '2025-12-01 2025-12-31',
    '2026-01-01 2026-01-31',
    '2026-02-01 2026-02-10',
  ]);
});

test('revenue by invoice names every invoice once, beginning with INV-2025-0001', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const query = `start_date=2025-01-01&end_date=2025-06-30&grouping=invoice&company_uuids=${uuidOf(sandbox, 201)}`;
  const { data } = await api.get(`/revenue-and-cogs?${query}`);
  const numbers = data.map((row: any) => row.invoice.ref_number);
  t.is(numbers[0], 'INV-2025-0001');
  t.is(new Set(numbers).size, numbers.length);
  t.true(numbers.length > 100);
});

test('permissions: only companies in which the user holds it, narrowed by company_uuids', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const ids = async (permission: string, query = '') => {
    const answer = await api.get(`/permissions/${permission}/companies${query}`);
    t.deepEqual(Object.keys(answer), ['filters', 'companies']);
    return answer.companies.map((company: any) => company.id);
  };
  t.deepEqual(await ids('view:quicksight_group.finance-new'), [201]);
  t.deepEqual(await ids('view:quicksight_group.marketing'), [201, 202, 203]);
  const [a, b] = [uuidOf(sandbox, 201), uuidOf(sandbox, 203)];
  const marketing = 'view:quicksight_group.marketing';
  t.deepEqual(await ids(marketing, `?company_uuids[]=${a}&company_uuids[]=${b}`), [201, 203]);
  t.deepEqual(await ids(marketing, `?company_uuids=${a}&company_uuids=${b}`), [201, 203]);
  t.deepEqual(await ids('view:nothing'), []);
});
