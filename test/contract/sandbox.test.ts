import test, { type ExecutionContext } from 'ava';
import { createImportJobs } from '../../sandbox/api/import-jobs.ts';
import { operations as sandboxOperations } from '../../sandbox/api/operations.ts';
import type { Query } from '../../sandbox/api/query.ts';
import { createData } from '../../sandbox/data/index.ts';
import type { FaultName } from '../../sandbox/index.ts';
import { openState } from '../../sandbox/state.ts';
import { apiOf, createClock, start } from '../sandbox/_setup.ts';
import {
  answerProblems,
  deref,
  type Described,
  description,
  match,
  type Node,
  operationOf,
  operations,
  requestProblems,
} from './description.ts';

/** The sandbox and the document say the same about NeonPanel: operations, parameters, and every answer. */

const data = createData();
const clock = createClock();
const [HPH, , , foreign] = data.books;
const C = `/companies/${HPH!.company.uuid}`;
const items = HPH!.ledgers;
const ITEM = `${C}/inventory-items/${items[0]!.item.id}`;
const WAREHOUSE = items[0]!.batches[0]!.warehouse.uuid;
const NOBODY = '0'.repeat(40);
const YEAR = 'start_date=2025-01-01';

test('[N30] [N41] the sandbox has the operations of the document and no others', (t) => {
  const ofSandbox = sandboxOperations.map(({ id, method, path }) => ({
    id,
    method,
    path: path.replaceAll(/:(\w+)/g, '{$1}'),
  }));
  const ofDocument = operations.map(({ id, method, path }) => ({ id, method, path }));
  t.deepEqual(ofSandbox, ofDocument);
});

/** A query that remembers what it is asked for, and as what. */
function spyQuery() {
  const asked = new Map<string, string>();
  const note = (name: string, as: string) => void asked.set(name, as);
  const query: Query = {
    text(name) {
      if (!asked.has(name)) note(name, 'string');
      return name === 'warehouse_uuid' ? WAREHOUSE : name === 'filename' ? 'a.pdf' : null;
    },
    int(name, min, max, fallback) {
      note(name, `integer ${min}..${max} ${fallback}`);
      return fallback;
    },
    day(name) {
      note(name, 'date');
      return null;
    },
    requiredDay(name) {
      note(name, 'required date');
      return '2025-01-01';
    },
    list(name) {
      note(name, 'list');
      return [];
    },
    fail() {},
    done() {},
  };
  return { asked, query };
}

const MAX_PAGE = 1_000_000;

/** The same of a parameter in the document. */
function kindOf({ schema, required }: Node): string {
  if (schema.type === 'array') return 'list';
  if (schema.type === 'integer')
    return `integer ${schema.minimum}..${schema.maximum ?? MAX_PAGE} ${schema.default}`;
  if (schema.format === 'date') return required ? 'required date' : 'date';
  return 'string';
}

for (const { id, run } of sandboxOperations) {
  test(`[N30] of ${id} the sandbox reads the query parameters of the document`, async (t) => {
    const { asked, query } = spyQuery();
    const params: Record<string, string> = {
      companyUuid: HPH!.company.uuid,
      inventoryId: String(items[0]!.item.id),
      warehouseUuid: WAREHOUSE,
      reportId: '1',
      type: 'bill',
    };
    const jobs = createImportJobs(openState(undefined, clock.now), clock.now);
    const begin = () =>
      jobs.begin(
        { companyUuid: params['companyUuid']!, type: 'bill', kind: 'json', fails: false },
        'B',
      );
    if (id === 'checkImportStatus') params['requestId'] = begin().requestId;
    const isPdf = id === 'createDocumentsByPdf';
    await run({
      user: data.users[0],
      books: data.books.slice(0, 3),
      params,
      query,
      body: Buffer.from(isPdf ? '%PDF-' : '{"data":{"ref_number":"B-1"}}'),
      contentType: isPdf ? 'application/pdf' : 'application/json',
      prefersText: false,
      data,
      jobs,
      now: clock.now,
    });
    const declared = operationOf(id).parameters.filter((each) => each['in'] === 'query');
    const expected = declared.map((each) => [each['name'], kindOf(each)] as const);
    t.deepEqual([...asked].toSorted(), expected.toSorted());
  });
}

interface Call {
  readonly status: number;
  readonly path: string;
  readonly as?: 'nobody' | 'text';
  readonly body?: unknown;
  readonly contentType?: string;
  readonly fault?: FaultName;
}

const PDF = { name: 'bill.pdf', link: 'https://files.example.com/bill.pdf' };
const lists = ['/companies', `${C}/inventory-items`, `${C}/warehouses`];
const priced = items.find(({ losses }) => losses.length > 0)!.item.id;
const withDetails = `${C}/inventory-items/${priced}`;
const inCompany = (path: string) => [
  { status: 403, path: path.replace(HPH!.company.uuid, foreign!.company.uuid) },
  { status: 404, path: path.replace(HPH!.company.uuid, NOBODY) },
];
const paged = (path: string) => [
  { status: 422, path: `${path}${path.includes('?') ? '&' : '?'}per_page=61` },
];

/** What is asked, and with what it is answered. */
const CALLS: readonly Call[] = [
  ...lists.flatMap((path) => [
    { status: 200, path },
    { status: 200, path: `${path}?page=2&per_page=10` },
    { status: 200, path: `${path}?page=1&per_page=60` },
    { status: 200, path: `${path}?page=999` },
    ...paged(path),
    ...(path.startsWith(C) ? inCompany(path) : []),
  ]),
  { status: 200, path: '/reports' },
  { status: 200, path: '/reports/1' },
  { status: 200, path: '/reports/2' },
  { status: 404, path: '/reports/999' },
  { status: 200, path: `${C}/inventory-items?country_code=US&search=a&fnsku=x&asin=y&sku=z` },
  { status: 422, path: `${C}/inventory-items?country_code=USA` },
  ...items.slice(0, 70).map(({ item }) => ({
    status: 200,
    path: `${C}/inventory-items/${item.id}/balances`,
  })),
  { status: 200, path: `${ITEM}/balances?balances_date=2025-06-30` },
  { status: 422, path: `${ITEM}/balances?balances_date=yesterday` },
  ...inCompany(`${ITEM}/balances`),
  ...['landed-cost', 'cogs'].flatMap((name) => {
    const more = name === 'cogs' ? '' : `&warehouse_uuid=${WAREHOUSE}`;
    const path = `${withDetails}/${name}?${YEAR}${more}`;
    return [
      { status: 200, path },
      { status: 200, path: `${ITEM}/${name}?${YEAR}${more}` },
      { status: 200, path: `${path}&end_date=2025-06-30&page=2&per_page=10` },
      { status: 422, path: path.replace(YEAR, 'end_date=2025-01-01') },
      ...paged(path),
      ...inCompany(path),
    ];
  }),
  ...['', '&grouping[]=country', '&grouping[]=invoice&periodicity=monthly&end_date=2025-02-28'].map(
    (more) => ({ status: 200, path: `/revenue-and-cogs?${YEAR}${more}` }),
  ),
  {
    status: 200,
    path: `/revenue-and-cogs?${YEAR}&grouping=company&grouping=country&country_codes=US&company_uuids=${HPH!.company.uuid}&periodicity=quarterly`,
  },
  { status: 403, path: `/revenue-and-cogs?${YEAR}&company_uuids[]=${foreign!.company.uuid}` },
  { status: 422, path: '/revenue-and-cogs' },
  { status: 200, path: `${C}/warehouses?search=FBA` },
  ...HPH!.warehouses.map(({ uuid }) => ({ status: 200, path: `${C}/warehouses/${uuid}/balances` })),
  ...paged(`${C}/warehouses/${WAREHOUSE}/balances`),
  ...inCompany(`${C}/warehouses/${WAREHOUSE}/balances`),
  { status: 200, path: '/import/bill/instructions' },
  { status: 200, path: '/import/bill/instructions', as: 'text' },
  { status: 404, path: '/import/order/instructions' },
  { status: 200, path: `${C}/create/bill`, body: { data: { ref_number: 'B-1' } } },
  { status: 400, path: `${C}/create/order`, body: { data: {} } },
  {
    status: 400,
    path: `${C}/create/bill`,
    body: { data: { ref_number: 'B', date: '2001-01-01' } },
  },
  { status: 422, path: `${C}/create/bill`, body: { data: {} } },
  ...inCompany(`${C}/create/bill`).map((call) => ({ ...call, body: { data: {} } })),
  { status: 202, path: `${C}/import/bill/pdf`, body: { file: PDF } },
  {
    status: 202,
    path: `${C}/import/bill/pdf?filename=a.pdf`,
    body: '%PDF-',
    contentType: 'application/pdf',
  },
  { status: 400, path: `${C}/import/bill/pdf`, body: '%PDF-', contentType: 'application/pdf' },
  { status: 415, path: `${C}/import/bill/pdf`, body: 'x', contentType: 'text/csv' },
  ...inCompany(`${C}/import/bill/pdf`).map((call) => ({ ...call, body: { file: PDF } })),
  ...inCompany(`${C}/import/bill/status/${crypto.randomUUID()}`),
  { status: 404, path: `${C}/import/bill/status/${crypto.randomUUID()}` },
  { status: 200, path: '/permissions/view:quicksight_group.bookkeeping/companies' },
  {
    status: 200,
    path: `/permissions/view:quicksight_group.bookkeeping/companies?company_uuids[]=${HPH!.company.uuid}`,
  },
  // Whatever is asked.
  ...operations.flatMap(({ id, method }) => {
    const path = sampleOf(id);
    const body = method === 'POST' ? { body: {} } : {};
    return [
      { status: 401, path, as: 'nobody' as const, ...body },
      { status: 429, path, fault: 'rate-limit' as const, ...body },
    ];
  }),
];

function sampleOf(id: string): string {
  const values: Record<string, string> = {
    companyUuid: HPH!.company.uuid,
    inventoryId: '1',
    type: 'bill',
    reportId: '1',
    permission: 'view:x',
    requestId: crypto.randomUUID(),
    warehouseUuid: WAREHOUSE,
  };
  return operationOf(id).path.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name]!);
}

test('[N30] [N41] the sandbox answers nothing but what the document describes, and all of that', async (t) => {
  const sandbox = await start(t, { now: clock.now });
  const api = await apiOf(sandbox);
  const answered = new Set<string>();
  const seen = new Map<string, Set<string>>();

  const ask = async ({ status, path, as, body, contentType, fault }: Call) => {
    if (fault) sandbox.faults.set(fault, { times: 1 });
    const init: RequestInit = {
      ...(as === 'text' && { headers: { accept: 'text/plain' } }),
      ...(as === 'nobody' && { headers: { authorization: 'Bearer nobody' } }),
    };
    const type = contentType ?? 'application/json';
    if (body !== undefined) {
      init.method = 'POST';
      init.headers = { 'content-type': type, ...init.headers };
      init.body = typeof body === 'string' ? body : JSON.stringify(body);
    }
    const response = await api.fetch(path, init);
    const method = init.method ?? 'GET';
    const text = await response.text();
    const about = `${method} ${path}: ${response.status} ${text.slice(0, 200)}`;
    t.is(response.status, status, about);
    const { operation } = match(method, path.split('?')[0]!)!;
    answered.add(`${operation.id} ${status}`);
    const { headers } = response;
    t.deepEqual(answerProblems(operation, { status, headers, text }), [], about);
    // What goes well is also a request that the document allows.
    if (status < 300) {
      const request = { method, target: path, contentType: body === undefined ? '' : type, body };
      t.deepEqual(requestProblems(request), [], about);
      const media = operation.responses[status]!['content']['application/json'];
      if (/json/.test(headers.get('content-type')!)) note(seen, media.schema, JSON.parse(text));
    }
    return text === '' ? undefined : text.startsWith('{') ? JSON.parse(text) : text;
  };

  for (const call of CALLS) await ask(call);
  for (const name of ['bill.pdf', 'broken.pdf']) {
    const body = { file: { ...PDF, name } };
    const { request_id } = await ask({ status: 202, path: `${C}/import/bill/pdf`, body });
    const path = `${C}/import/bill/status/${request_id}`;
    await ask({ status: 202, path });
    clock.pass(16);
    await ask({ status: 202, path });
    clock.pass(6);
    await ask({ status: 200, path });
  }

  assertComplete(t, answered, seen);
});

/** Of every described field, that it was there; of every one that may be null, that it was, and that it was not. */
function assertComplete(
  t: ExecutionContext,
  answered: ReadonlySet<string>,
  seen: ReadonlyMap<string, ReadonlySet<string>>,
): void {
  const described = operations.flatMap(({ id, responses }: Described) =>
    Object.keys(responses).map((status) => `${id} ${status}`),
  );
  // Everybody may open every report of the sandbox.
  const never = described.filter((each) => / default$/.test(each)).concat('getReport 403');
  t.deepEqual(
    described.filter((each) => !answered.has(each)),
    never.toSorted((a, b) => described.indexOf(a) - described.indexOf(b)),
  );
  const fields = operations.flatMap(({ responses }) =>
    ['200', '202'].flatMap((status) => {
      const schema = responses[status]?.['content']['application/json'].schema;
      return schema ? [...fieldsOf(schema)] : [];
    }),
  );
  for (const [field, isNullable] of new Map(fields)) {
    const values = seen.get(field) ?? new Set();
    t.true(values.has('value'), `${field} was never there`);
    t.is(values.has('null'), isNullable, `${field} and null`);
  }
}

/** Every field below a schema, by the nearest schema with a name, and whether it may be null. */
function* fieldsOf(schema: Node, at = ''): Generator<[string, boolean]> {
  const { inner, here } = named(schema, at);
  if (inner['items']) yield* fieldsOf(inner['items'], here);
  for (const [name, child] of Object.entries<Node>(inner['properties'] ?? {})) {
    yield [`${here}.${name}`, isNullable(child)];
    yield* fieldsOf(child, `${here}.${name}`);
  }
}

/** Notes which fields of an answer were there, and which were null. */
function note(seen: Map<string, Set<string>>, schema: Node, value: unknown, at = ''): void {
  const { inner, here } = named(schema, at);
  if (inner['items']) for (const each of value as unknown[]) note(seen, inner['items'], each, here);
  for (const [name, child] of Object.entries<Node>(inner['properties'] ?? {})) {
    const field = `${here}.${name}`;
    const given = (value as Node)[name];
    if (given === undefined) continue;
    if (!seen.has(field)) seen.set(field, new Set());
    seen.get(field)!.add(given === null ? 'null' : 'value');
    if (given !== null) note(seen, child, given, field);
  }
}

function named(schema: Node, at: string): { inner: Node; here: string } {
  const [first] = schema['anyOf'] ?? [schema];
  const ref = first['$ref'] as string | undefined;
  return { inner: deref(first), here: ref?.split('/').at(-1) ?? at };
}

const isNullable = ({ type, anyOf = [] }: Node): boolean =>
  [type].flat().includes('null') || anyOf.some((each: Node) => each['type'] === 'null');

test('[N30] an answer that says more, less or other than the document is found', (t) => {
  const operation = operationOf('listCompanies');
  const [company] = data.books.map((books) => books.company);
  const page = { current_page: 1, per_page: 30, last_page: 1, data: [company] };
  const problems = (body: unknown, status = 200, type = 'application/json') =>
    answerProblems(operation, {
      status,
      headers: new Headers({ 'content-type': type }),
      text: JSON.stringify(body),
    });
  t.deepEqual(problems(page), []);
  t.is(problems({ ...page, total: 1 }).length, 1);
  t.is(problems({ ...page, data: [{ ...company, vat: 1 }] }).length, 1);
  t.is(problems({ ...page, data: [{ ...company, name: null }] }).length, 1);
  t.is(problems({ ...page, current_page: '1' }).length, 1);
  t.deepEqual(problems(page, 200, 'text/html'), ['type text/html']);
  t.deepEqual(problems(page, 418), ['418: not described']);
  t.true(Object.keys(description['components'].schemas).length > 25);
});
