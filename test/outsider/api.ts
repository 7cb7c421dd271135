import { randomUUID } from 'node:crypto';
import * as records from './records.ts';
import { json, whoops, type Recorded, type Reply, type StandInOptions } from './stand-in.ts';

/** The REST operations of the stand-in. The caller is known to be signed in. */
export function api(request: Recorded, options: StandInOptions): Reply {
  const { method, body } = request;
  const query = request.url.searchParams;
  const [first, second, ...rest] = request.path.slice('/api/v1/'.length).split('/');
  const line = `${method} ${first}`;
  if (line === 'GET companies' && second === undefined) return paged(query, records.COMPANIES);
  if (line === 'GET reports' && second === undefined) {
    return json(200, { count: records.REPORTS.length, data: records.REPORTS });
  }
  if (line === 'GET revenue-and-cogs') return revenue(query, options);
  if (line === 'GET permissions' && rest[0] === 'companies') {
    const company_uuids = list(query, 'company_uuids', options);
    if (!company_uuids) return invalid('company_uuids');
    const companies = records.COMPANIES.filter(
      ({ uuid }) => company_uuids.length === 0 || company_uuids.includes(uuid),
    );
    return json(200, { filters: { company_uuids }, companies });
  }
  if (line === 'GET import' && rest[0] === 'instructions') {
    if (second !== 'bill') return missing();
    if (!options.plainInstructions) return json(200, records.INSTRUCTIONS);
    return {
      status: 200,
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      body: 'Fill in ref_number and details.\nOne bill per call.',
    };
  }
  if (first !== 'companies') return missing();
  const company = records.COMPANIES.find(({ uuid }) => uuid === second);
  if (!company) return json(403, { message: 'This action is unauthorized.' });
  const path = rest.join('/');
  return method === 'POST' ? write(path, body) : read(path, query, company, options);
}

function read(
  path: string,
  query: URLSearchParams,
  company: (typeof records.COMPANIES)[number],
  options: StandInOptions,
): Reply {
  if (path === 'inventory-items') {
    const filters = pick(query, ['country_code', 'search', 'fnsku', 'asin', 'sku']);
    const found = records.ITEMS.filter(({ sku }) => !filters.sku || sku === filters.sku);
    return paged(query, found, { filters });
  }
  if (path === 'warehouses') return paged(query, records.WAREHOUSES);
  const stock = /^warehouses\/([0-9a-f]{40})\/balances$/.exec(path);
  if (stock) {
    if (!warehouse(stock[1])) return missing();
    const data = records.ITEMS.map((inventory, n) => ({ inventory, balance: n * 40 }));
    return paged(query, data, { balances_date: query.get('balances_date') ?? '2026-01-01' });
  }
  const about = /^inventory-items\/(\d+)\/([a-z-]+)$/.exec(path);
  const inventory = records.ITEMS.find(({ id }) => String(id) === about?.[1]);
  if (about && inventory) {
    return item(about[2]!, inventory, query, company, options) ?? missing();
  }
  const status = /^import\/bill\/status\/(.+)$/.exec(path);
  return status ? importStatus(status[1]!) : missing();
}

function item(
  what: string,
  inventory: (typeof records.ITEMS)[number],
  query: URLSearchParams,
  company: (typeof records.COMPANIES)[number],
  options: StandInOptions,
): Reply | undefined {
  if (what === (options.oldDetailsPath ? 'details' : 'balances')) {
    return json(200, {
      inventory,
      restock_data: records.RESTOCK,
      balances_data: {
        balances_date: query.get('balances_date') ?? '2026-01-01',
        balances_list: records.WAREHOUSES.map((w, n) => ({ warehouse: w, balance: 120 * n })),
      },
    });
  }
  if (what !== 'landed-cost' && what !== 'cogs') return undefined;
  if (!query.has('start_date')) return invalid('start_date');
  const common = { company, inventory, currency: 'USD', quantity: 60 };
  if (what === 'cogs') {
    const sums = { amount: 27.08, lost_amount: 13.54, total_amount: 40.62, quantity: 3 };
    return paged(query, [records.SALE], { ...common, ...sums }, 'details');
  }
  const place = warehouse(query.get('warehouse_uuid'));
  if (!place) return invalid('warehouse_uuid');
  return paged(query, [records.COST], { ...common, warehouse: place, amount: 812.4 });
}

function revenue(query: URLSearchParams, options: StandInOptions): Reply {
  const [grouping, company_uuids, country_codes] = [
    'grouping',
    'company_uuids',
    'country_codes',
  ].map((name) => list(query, name, options));
  if (!grouping || !company_uuids || !country_codes) return invalid('grouping');
  const start_date = query.get('start_date');
  if (!start_date) return invalid('start_date');
  const end_date = query.get('end_date') ?? '2026-01-01';
  const periodicity = query.get('periodicity') ?? 'total';
  const row = { start_date, end_date, revenue_amount: 1000.5, cogs_amount: null, currency: 'USD' };
  return json(200, {
    filters: { company_uuids, country_codes, periodicity, grouping, start_date, end_date },
    data: [{ ...row, company: null, country_code: null, invoice: null }],
  });
}

const imports = new Map<string, { polls: number }>();

function write(path: string, body: string): Reply {
  const sent = JSON.parse(body) as { data?: unknown; file?: { name?: string; link?: string } };
  const request_id = randomUUID();
  if (path === 'create/bill') {
    if (typeof sent.data !== 'object') return json(400, { message: 'data is required' });
    imports.set(request_id, { polls: 1 });
    const documents = [{ ...records.DOCUMENT, type: 'Bill' }];
    return json(200, { request_id, status: 'done', documents }, { 'x-request-id': request_id });
  }
  if (path === 'import/bill/pdf') {
    if (!sent.file?.name || !sent.file.link) return json(400, { message: 'file is required' });
    imports.set(request_id, { polls: 0 });
    const headers = { 'x-request-id': request_id, 'retry-after': '15' };
    return json(202, { request_id, status: 'queued' }, headers);
  }
  return json(400, { message: 'Unsupported type' });
}

/** Processing when first asked, then done. */
function importStatus(request_id: string): Reply {
  const known = imports.get(request_id);
  if (!known) return missing();
  const headers = { 'x-request-id': request_id };
  if (known.polls++ === 0) {
    return json(202, { request_id, status: 'processing' }, { ...headers, 'retry-after': '5' });
  }
  return json(200, { request_id, status: 'done', documents: [records.DOCUMENT] }, headers);
}

/** Q6: without both parameters, or with one that is no number, an accident. */
function paged(
  query: URLSearchParams,
  all: readonly unknown[],
  more: object = {},
  key = 'data',
): Reply {
  const [page, per_page] = ['page', 'per_page'].map((name) => Number(query.get(name) ?? NaN));
  if (!Number.isInteger(page) || !Number.isInteger(per_page)) return whoops();
  if (per_page! < 10 || per_page! > 60) return invalid('per_page');
  const last_page = Math.max(1, Math.ceil(all.length / per_page!));
  const rows = all.slice((page! - 1) * per_page!, page! * per_page!);
  return json(200, { current_page: page, per_page, last_page, ...more, [key]: rows });
}

/** A list as this server spells it: PHP wants `k[]`, OpenAPI's default is `k` again and again. */
function list(
  query: URLSearchParams,
  name: string,
  { arrays = 'brackets' }: StandInOptions,
): string[] | undefined {
  const [read, other] = arrays === 'brackets' ? [`${name}[]`, name] : [name, `${name}[]`];
  return query.has(other!) ? undefined : query.getAll(read!);
}

const warehouse = (uuid: string | null | undefined) =>
  records.WAREHOUSES.find((known) => known.uuid === uuid);
const pick = (query: URLSearchParams, names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, query.get(name)]));
const missing = () => json(404, { message: 'Not found.' });
const invalid = (field: string) =>
  json(422, {
    message: 'The given data was invalid.',
    errors: { [field]: [`The ${field.replaceAll('_', ' ')} field is invalid.`] },
  });
