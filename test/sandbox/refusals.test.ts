import test from 'ava';
import { apiOf, jsonOf, start, uuidOf } from './_setup.ts';

test('without a good token every operation answers 401 with a message', async (t) => {
  const sandbox = await start(t);
  const company = uuidOf(sandbox, 201);
  const paths = [
    '/companies',
    '/reports',
    '/revenue-and-cogs',
    '/import/bill/instructions',
    `/companies/${company}/warehouses`,
  ];
  for (const path of paths) {
    for (const authorization of [undefined, 'Bearer', 'Bearer x.y.z', 'Basic YTpi', 'Bearer é']) {
      const headers = new Headers(authorization ? { Authorization: authorization } : {});
      const response = await fetch(`${sandbox.url}/api/v1${path}`, { headers });
      t.is(response.status, 401);
      t.deepEqual(await jsonOf(response), { message: 'Unauthenticated.' });
    }
  }
});

test('somebody else’s company is 403, an absent one 404, for every operation of a company', async (t) => {
  const sandbox = await start(t);
  const [a, b] = [await apiOf(sandbox, 0), await apiOf(sandbox, 1)];
  const item = (companyId: number) => `${companyId}001`;
  const pathsOf = (uuid: string, companyId: number) => [
    `/companies/${uuid}/inventory-items`,
    `/companies/${uuid}/inventory-items/${item(companyId)}/balances`,
    `/companies/${uuid}/inventory-items/${item(companyId)}/landed-cost`,
    `/companies/${uuid}/inventory-items/${item(companyId)}/cogs`,
    `/companies/${uuid}/warehouses`,
    `/companies/${uuid}/import/bill/status/5f0c7c0e-0000-4000-8000-000000000000`,
  ];
  for (const [api, companyId] of [
    [a, 301],
    [b, 201],
  ] as const) {
    for (const path of pathsOf(uuidOf(sandbox, companyId), companyId)) {
      const response = await api.fetch(path);
      t.is(response.status, 403, path);
      t.deepEqual(await jsonOf(response), { message: 'This action is unauthorized.' });
    }
    const absent = await api.fetch(`/companies/${'0'.repeat(40)}/warehouses`);
    t.is(absent.status, 404);
    t.is(typeof (await jsonOf(absent)).message, 'string');
  }
  const foreign = uuidOf(sandbox, 301);
  for (const path of [
    `/companies/${foreign}/create/bill`,
    `/companies/${foreign}/import/bill/pdf`,
  ]) {
    t.is((await a.post(path, { data: { ref_number: '1' } })).status, 403);
  }
  const revenue = await a.fetch(
    `/revenue-and-cogs?start_date=2025-01-01&company_uuids[]=${foreign}`,
  );
  t.is(revenue.status, 403);
});

test('the two users see no company in common', async (t) => {
  const sandbox = await start(t);
  const ids = async (user: number) =>
    (await (await apiOf(sandbox, user)).all('/companies')).map((company) => company.id);
  t.deepEqual(await ids(0), [201, 202, 203]);
  t.deepEqual(await ids(1), [301]);
  const api = await apiOf(sandbox, 1);
  const { data } = await api.get('/revenue-and-cogs?start_date=2025-01-01&end_date=2026-12-31');
  t.deepEqual(
    data.map((row: any) => row.company.id),
    [301],
  );
});

test('an item or warehouse of another company is 404', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const company = uuidOf(sandbox, 202);
  const other = sandbox.data.books[0]!.warehouses[0]!.uuid;
  for (const path of [
    `/companies/${company}/inventory-items/201001/balances`,
    `/companies/${company}/inventory-items/abc/balances`,
    `/companies/${company}/inventory-items/201001/cogs?start_date=2025-01-01`,
    `/companies/${company}/inventory-items/202001/landed-cost?start_date=2025-01-01&warehouse_uuid=${other}`,
    `/companies/${company}/warehouses/${other}/balances`,
    '/no-such-thing',
  ]) {
    const response = await api.fetch(path);
    t.is(response.status, 404, path);
    t.is(typeof (await jsonOf(response)).message, 'string');
  }
});

const badQueries: [path: string, query: string, fields: string[]][] = [
  ['/companies', 'page=0', ['page']],
  ['/companies', 'page=-3&per_page=9', ['page', 'per_page']],
  ['/companies', 'per_page=61', ['per_page']],
  ['/companies', 'per_page=abc', ['per_page']],
  ['/companies', 'page=1.5', ['page']],
  ['/companies', 'page[]=1', ['page']],
  ['/companies', 'page=99999999999999999999', ['page']],
  ['C/inventory-items', 'country_code=USA', ['country_code']],
  ['C/inventory-items', `search=${'x'.repeat(300)}`, ['search']],
  ['C/inventory-items/201001/balances', 'balances_date=2025-02-30', ['balances_date']],
  ['C/inventory-items/201001/balances', 'balances_date=2025-1-1', ['balances_date']],
  ['C/inventory-items/201001/cogs', '', ['start_date']],
  ['C/inventory-items/201001/cogs', 'start_date=01.02.2025', ['start_date']],
  ['C/inventory-items/201001/cogs', 'start_date=2025-02-01&end_date=2025-01-01', ['end_date']],
  ['C/inventory-items/201001/cogs', 'start_date=2025-01-01T00:00:00Z', ['start_date']],
  ['C/inventory-items/201001/landed-cost', '', ['start_date', 'warehouse_uuid']],
  ['/revenue-and-cogs', 'end_date=2025-13-01', ['end_date', 'start_date']],
  ['/revenue-and-cogs', 'start_date=2025-01-01&periodicity=weekly', ['periodicity']],
  ['/revenue-and-cogs', 'start_date=2025-01-01&grouping[]=company&grouping[]=sku', ['grouping.1']],
  ['/revenue-and-cogs', 'start_date=2025-01-01&country_codes=USA', ['country_codes.0']],
  ['/revenue-and-cogs', 'start_date=2025-01-01&company_uuids[]=nobody', ['company_uuids.0']],
];

for (const [path, query, fields] of badQueries) {
  test(`${path}?${query.slice(0, 70)} is 422 and names ${fields}`, async (t) => {
    const sandbox = await start(t);
    const api = await apiOf(sandbox);
    const full = path.replace(/^C/, `/companies/${uuidOf(sandbox, 201)}`);
    const response = await api.fetch(`${full}?${query}`);
    t.is(response.status, 422);
    const { message, errors } = await jsonOf(response);
    t.deepEqual(Object.keys(errors).toSorted(), fields);
    t.true(message.startsWith(errors[Object.keys(errors)[0]!][0]));
  });
}

test('of a repeated single value the last one counts', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  t.is((await api.get('/companies?per_page=10&per_page=20')).per_page, 20);
});

test('odd requests get an answer of their own kind, never a 500', async (t) => {
  const lines: string[] = [];
  const sandbox = await start(t, { log: (line) => lines.push(line) });
  const api = await apiOf(sandbox);
  const company = uuidOf(sandbox, 201);
  const megabyte = 'x'.repeat(1024 * 1024);
  const pdf = `/companies/${company}/import/bill/pdf?filename=a.pdf`;
  const send = async (path: string, init: RequestInit) => (await api.fetch(path, init)).status;
  const json = { 'Content-Type': 'application/json' };
  const create = `/companies/${company}/create/bill`;

  t.is(await send(create, { method: 'POST', headers: json, body: megabyte }), 400);
  t.is(await send(create, { method: 'POST', headers: json, body: '{"data":' }), 400);
  t.is(await send(create, { method: 'POST', headers: json, body: '[]' }), 400);
  t.is(
    await send(create, { method: 'POST', headers: json, body: `{"data":${'['.repeat(200_000)}` }),
    400,
  );
  t.is(await send(create, { method: 'POST' }), 400);
  t.is(
    await send(pdf, { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: 'x' }),
    415,
  );
  t.is(
    await send(pdf, { method: 'POST', headers: { 'Content-Type': '__proto__' }, body: 'x' }),
    415,
  );
  const multipart = { 'Content-Type': 'multipart/form-data; boundary=x' };
  t.is(await send(pdf, { method: 'POST', headers: multipart, body: megabyte }), 400);
  const huge = 'x'.repeat(13 * 1024 * 1024);
  t.is(await send(create, { method: 'POST', headers: json, body: huge }), 413);
  t.is(await send('/companies/%E0%A4%A/warehouses', {}), 404);
  t.is(await send('/companies', { method: 'PUT' }), 405);
  t.is(await send('/companies?__proto__=1&constructor[]=2&page[constructor]=1', {}), 200);
  t.is(await send(`/companies?page=${'1'.repeat(10_000)}`, {}), 422);
  t.is(await send('/permissions/__proto__/companies', {}), 200);

  const authorize = `${sandbox.url}/oauth2/authorize`;
  const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const raw = async (url: string, init: RequestInit = {}) => {
    const response = await fetch(url, { redirect: 'manual', ...init });
    return response.status;
  };
  t.is(
    await raw(`${sandbox.url}/oauth2/token`, { method: 'POST', headers: form, body: megabyte }),
    413,
  );
  t.is(
    await raw(`${sandbox.url}/oauth2/token`, { method: 'POST', headers: form, body: '%E0%A4%A=%' }),
    401,
  );
  t.is(
    await raw(`${sandbox.url}/oauth2/token`, {
      method: 'POST',
      headers: form,
      body: 'client_id=a&client_id=b',
    }),
    400,
  );
  t.is(
    await raw(`${sandbox.url}/oauth2/token`, {
      method: 'POST',
      headers: form,
      body: 'grant_type=__proto__&__proto__=1',
    }),
    401,
  );
  t.is(await raw(`${authorize}?client_id=a&client_id=b`), 400);
  t.is(await raw(`${authorize}?client_id=%00%ff`), 400);
  t.is(await raw(authorize, { method: 'POST', body: megabyte }), 400);
  t.is(
    await raw(`${sandbox.url}/oauth2/register`, { method: 'POST', headers: json, body: megabyte }),
    413,
  );
  t.is(
    await raw(`${sandbox.url}/oauth2/register`, { method: 'POST', headers: json, body: '{"a":' }),
    400,
  );
  t.is(
    await raw(`${sandbox.url}/oauth2/register`, { method: 'POST', headers: json, body: 'null' }),
    400,
  );
  t.is(await raw(`${sandbox.url}/oauth/authorize`), 404);
  t.deepEqual(lines, []);
});
