import test from 'ava';
import { type ArrayStyle, requestTarget } from '../../adapters/neonpanel/request.ts';
import { definitionsOf } from '../../mcp/tools/definitions.ts';
import { tools } from '../../mcp/tools/index.ts';
import { callTool, connect } from '../support/oauth.ts';
import { startHarness } from '../support/harness.ts';
import { calls, fixtures } from '../tools/support/fixtures.ts';
import { recordingUpstream, runTool, type Sent } from '../tools/support/upstream.ts';
import {
  deref,
  description,
  match,
  type Node,
  operationOf,
  operations,
  requestProblems,
} from './description.ts';

/** What our tools ask for, and what they say they do, is what the document says about NeonPanel. */

const definitions = definitionsOf(tools);
const proxied = definitions.filter(({ name }) => fixtures.some(({ tool }) => tool === name));

test.serial(
  '[N30] there is a tool for each operation but the one that fetch needs, and no other proxies',
  (t) => {
    const names = operations.map(({ id }) => id).filter((id) => id !== 'getReport');
    t.deepEqual(
      proxied.map(({ name }) => name),
      names,
    );
  },
);

// ------------------------------------------------------------------- arguments

const snake = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const PATH_NAMES = [
  'companyUuid',
  'inventoryId',
  'warehouseUuid',
  'type',
  'requestId',
  'permission',
];

/** Of the arguments those that are NeonPanel's: the other one is between the client and us. */
const OURS = ['idempotencyKey'];

interface Wanted {
  readonly schema: Node;
  readonly required: boolean;
}

/** What an operation takes, by the name that a tool gives it. */
function wantedBy(id: string): Map<string, Wanted> {
  const { parameters, body } = operationOf(id);
  const wanted = new Map<string, Wanted>();
  for (const { name, schema, required } of parameters) wanted.set(name, { schema, required });
  const json = body?.['content']['application/json'].schema;
  for (const [name, schema] of Object.entries<Node>(json?.properties ?? {}))
    wanted.set(name, { schema, required: json.required.includes(name) });
  // A PDF goes as a link, whose name is in the body.
  wanted.delete('filename');
  return wanted;
}

const LIMITS = [
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'pattern',
  'format',
  'minItems',
  'maxItems',
  'enum',
  'default',
];

/** The limits of a schema and of what is inside it, in one flat record. */
function limitsOf(schema: Node, at = ''): Record<string, unknown> {
  const own = LIMITS.filter((name) => name in schema).map((name) => [at + name, schema[name]]);
  const inner = Object.entries<Node>(schema['properties'] ?? {});
  return Object.assign(
    Object.fromEntries(own),
    schema['items'] && limitsOf(schema['items'], `${at}items.`),
    ...inner.map(([name, child]) => limitsOf(child, `${at}${name}.`)),
  );
}

const DATE = { format: undefined, pattern: '^\\d{4}-\\d{2}-\\d{2}$' };
const COUNTRY = { minLength: undefined, maxLength: undefined, pattern: '^[A-Za-z]{2}$' };
const ID = { maxLength: 64, pattern: '^[A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)*$' };
const under = (at: string, limits: object) =>
  Object.fromEntries(Object.entries(limits).map(([name, value]) => [`${at}.${name}`, value]));

/**
 * Where a tool says it otherwise. Never wider than the document: the same in words that models and clients understand
 * better, or a bound of ours where NeonPanel states none.
 */
const OTHERWISE: Record<string, Record<string, unknown>> = {
  // Names and ids of companies are looked up, and sent as uuids.
  companyUuid: { minLength: 1, maxLength: 200, minimum: 1 },
  companyUuids: {
    minItems: 1,
    maxItems: 50,
    ...under('items', { minLength: 1, maxLength: 200, minimum: 1 }),
  },
  inventoryId: { minimum: 1, pattern: '^[1-9]\\d{0,15}$' },
  warehouseUuid: ID,
  // Whatever NeonPanel called it, it is taken back.
  requestId: { ...ID, format: undefined },
  permission: { maxLength: 128, pattern: '^[A-Za-z0-9]+(?:[:._-][A-Za-z0-9]+)*$' },
  page: { maximum: 100_000 },
  startDate: DATE,
  endDate: DATE,
  balancesDate: DATE,
  countryCode: COUNTRY,
  countryCodes: { minItems: 1, maxItems: 60, ...under('items', COUNTRY) },
  search: { minLength: 1, maxLength: 200 },
  fnsku: { minLength: 1, maxLength: 100 },
  asin: { minLength: 1, maxLength: 100 },
  sku: { minLength: 1, maxLength: 100 },
  // Left out, they are not sent.
  periodicity: { default: undefined },
  grouping: { minItems: 1, maxItems: 3, default: undefined },
  file: {
    ...under('name', { minLength: 1, maxLength: 500 }),
    ...under('link', { maxLength: 2048, format: undefined }),
  },
};

for (const { name, inputSchema } of proxied) {
  test.serial(`[N30] [N35] ${name} takes what its operation takes, with the same limits`, (t) => {
    const properties = inputSchema['properties'] as Record<string, Node> | undefined;
    const wanted = wantedBy(name);
    const given = Object.keys(properties ?? {}).filter((each) => !OURS.includes(each));
    const nameOf = (argument: string) =>
      PATH_NAMES.includes(argument) && wanted.has(argument) ? argument : snake(argument);
    t.deepEqual(given.map(nameOf).toSorted(), [...wanted.keys()].toSorted());
    const required = (inputSchema['required'] ?? []) as string[];
    for (const argument of given) {
      const { schema, required: isRequired } = wanted.get(nameOf(argument))!;
      t.is(required.includes(argument), isRequired, `${argument} required`);
      const expected = { ...limitsOf(schema), ...OTHERWISE[argument] };
      const told = Object.entries(expected).filter(([, limit]) => limit !== undefined);
      t.deepEqual(limitsOf(properties![argument]!), Object.fromEntries(told), argument);
      t.true([properties![argument]!['type']].flat().includes(schema['type']), argument);
    }
  });
}

// --------------------------------------------------------------------- answers

/** All that an operation may answer when it goes well, as one schema. */
function answerOf(id: string): Node {
  const { responses } = operationOf(id);
  const all = ['200', '202'].flatMap((status) => responses[status] ?? []);
  const properties: Node = Object.assign(
    {},
    ...all.map(({ content }) => deref(content['application/json'].schema).properties),
  );
  // Of an import NeonPanel says in a header how long to wait.
  const wait = 'request_id' in properties && { retry_after_seconds: RETRY_AFTER.schema };
  return { type: 'object', properties: { ...properties, ...wait } };
}

const RETRY_AFTER: Node = description['components'].headers.RetryAfter;

/** Every field that a tool promises and NeonPanel does not have, or has with another type. */
function strangers(promised: Node, described: Node, at: string): string[] {
  const [first, ...others] = described['anyOf'] ?? [described];
  const real = deref(first);
  const types = [real['type'], ...others.map((each: Node) => each['type'])].flat();
  const allowed = [promised['type'] ?? types].flat();
  const fits = (type: string) =>
    allowed.includes(type) || (type === 'integer' && allowed.includes('number'));
  const wrong = types.filter((type) => !fits(type)).map((type) => `${at}: ${type}`);
  const inner = Object.entries<Node>(promised['properties'] ?? {}).flatMap(([name, child]) => {
    const there = real['properties']?.[name];
    return there ? strangers(child, there, `${at}.${name}`) : [`${at}.${name}: not described`];
  });
  const { items } = promised;
  const each = items && real['items'] ? strangers(items, real['items'], `${at}[]`) : [];
  return [...wrong, ...inner, ...each];
}

for (const { name, outputSchema } of proxied) {
  test.serial(
    `[N30] [N36] ${name} promises only what NeonPanel answers, and takes every type of it`,
    (t) => {
      t.deepEqual(strangers(outputSchema, answerOf(name), name), []);
      t.true(Object.keys(outputSchema['properties']!).length > 0);
    },
  );
}

// -------------------------------------------------------------------- requests

const STYLES: readonly ArrayStyle[] = ['brackets', 'repeat'];

const problemsOf = ({ method, path, query, body }: Sent): string[] =>
  STYLES.flatMap((style) => {
    const target = requestTarget('', { path, query: query as Record<string, string> }, style);
    const contentType = body === undefined ? '' : 'application/json';
    return requestProblems({ method, target, contentType, body });
  });

/** The values at which an argument ends, from what tools/list says about it. */
function edgesOf(name: string, schema: Node): unknown[] {
  const { type, minimum, maximum, items } = schema;
  if (schema['enum']) return schema['enum'];
  if (type === 'array') {
    const inside = edgesOf(name, items);
    return [inside.slice(0, 1), inside.slice(0, schema['maxItems'])];
  }
  if (type === 'integer') return [minimum, maximum];
  const known: Record<string, unknown[]> = {
    companyUuid: ['a'.repeat(40), 'hph', 201, 'Harbor & Pine Home'],
    companyUuids: ['b'.repeat(40), 'HPH', 201],
    inventoryId: [1, '7', '9007199254740991'],
    warehouseUuid: ['c'.repeat(40)],
    requestId: ['0e0c7a52-8c1b-4c1e-9d7a-1f6a0b9d2e11'],
    permission: ['view:pages.processes.inventory-orders'],
    countryCode: ['us', 'DE'],
    countryCodes: ['gb', 'US'],
    data: [{}, { lines: [{ rate: 1.5 }], note: null }],
    file: [{ name: 'Rechnung März.pdf', link: 'https://files.example.com/a?x=%2F' }],
    idempotencyKey: ['a-key'],
  };
  if (known[name]) return known[name];
  if (/Date$/.test(name)) return ['2025-06-30', '2028-02-29'];
  return ['ä', '&page=0#/?', 'x'.repeat(schema['maxLength'])];
}

for (const [index, { name, inputSchema }] of definitions.entries()) {
  if (name === 'search' || name === 'fetch') continue;
  test.serial(
    `[N30] [N35] [N40] whatever ${name} is given, what it asks for is in the document`,
    async (t) => {
      const properties = Object.entries((inputSchema['properties'] ?? {}) as Record<string, Node>);
      const edges = properties.map(([key, schema]) => [key, edgesOf(key, schema)] as const);
      const all = Object.fromEntries(edges.map(([key, values]) => [key, values.at(-1)]));
      const { args } = calls[index]!;
      const variants = [
        args,
        all,
        ...edges.flatMap(([key, values]) => values.map((value) => ({ ...args, [key]: value }))),
      ];
      const used = new Set<string>();
      for (const each of variants) {
        // A period must not end before it begins.
        const given = 'endDate' in each ? { ...(each as Node), startDate: '2025-01-01' } : each;
        const { sent, context } = recordingUpstream();
        await runTool(tools[index]!, given, context);
        const last = sent.at(-1)!;
        t.is(match(last.method, last.path)!.operation.id, name);
        for (const one of sent) t.deepEqual(problemsOf(one), [], JSON.stringify(one));
        for (const key of Object.keys(last.query)) used.add(key);
      }
      // And everything that can be asked for is asked for.
      const query = operationOf(name).parameters.filter((each) => each['in'] === 'query');
      const names = query
        .map((each) => each['name'] as string)
        .filter((each) => each !== 'filename');
      t.deepEqual([...used].toSorted(), names.toSorted());
    },
  );
}

test.serial('[N30] a request that the document does not allow is found', (t) => {
  const C = `/companies/${'a'.repeat(40)}`;
  const get = (target: string) => requestProblems({ method: 'GET', target });
  t.deepEqual(get('/companies?page=1&per_page=60'), []);
  t.deepEqual(get('/company'), ['no such operation']);
  t.deepEqual(get(`${C}/inventory-items/7/details`), ['no such operation']);
  t.deepEqual(get('/companies?perPage=60'), ['perPage: unknown']);
  t.is(get('/companies?per_page=61').length, 1);
  t.is(get('/companies?page=one').length, 1);
  t.is(get('/companies?page=1&page=2').length, 1);
  t.is(get(`${C}/inventory-items?country_code=USA`).length, 1);
  t.is(get(`${C}/inventory-items/mug/balances`).length, 1);
  t.deepEqual(get(`${C}/inventory-items/7/cogs`), ['start_date: missing']);
  t.is(get('/revenue-and-cogs?start_date=June').length, 1);
  t.is(get('/revenue-and-cogs?start_date=2025-01-01&grouping[]=sku').length, 1);
  const post = (body: unknown, contentType = 'application/json') =>
    requestProblems({ method: 'POST', target: `${C}/create/bill`, contentType, body });
  t.deepEqual(post({ data: {} }), []);
  t.is(post({}).length, 1);
  t.is(post({ data: {}, idempotencyKey: 'x' }).length, 1);
  t.deepEqual(post({ data: {} }, 'text/plain'), ['body: text/plain']);
});

for (const style of STYLES) {
  test.serial(
    `[N30] [N35] on the wire, lists as ${style}, every operation is asked for as described`,
    async (t) => {
      const harness = await startHarness({
        env: { NEONPANEL_ARRAY_STYLE: style },
        logLevel: 'warn',
      });
      t.teardown(() => harness.close());
      const { tokens } = await connect(harness);
      const call = async (name: string, args: object): Promise<Node> => {
        const { body } = await callTool(harness.url, tokens.access_token, name, args);
        t.falsy(body.result.isError, `${name}: ${JSON.stringify(body)}`);
        return body.result.structuredContent;
      };
      const [{ company, warehouses, ledgers }] = harness.sandbox.data.books as [any];
      const companyUuid = company.short_name;
      const inventoryId = ledgers[0].item.id;
      const warehouseUuid = warehouses[0].uuid;
      const page = { page: 1, perPage: 60 };
      const period = { startDate: '2025-01-01', endDate: '2025-03-31' };
      const bill = { companyUuid, type: 'bill' };
      await call('listCompanies', page);
      await call('listReports', {});
      await call('listInventoryItems', {
        ...{ companyUuid, ...page, countryCode: 'us', search: 'a&b' },
        ...{ fnsku: 'x', asin: 'y', sku: 'z' },
      });
      await call('getInventoryDetails', { companyUuid, inventoryId, balancesDate: '2025-03-31' });
      await call('getInventoryLandedCost', {
        ...{ companyUuid, inventoryId, warehouseUuid },
        ...{ ...period, ...page },
      });
      await call('getInventoryCogs', { companyUuid, inventoryId, ...period, ...page });
      await call('getRevenueAndCogs', {
        ...{ ...period, periodicity: 'monthly', grouping: ['company', 'country'] },
        ...{ companyUuids: [companyUuid, 202], countryCodes: ['US', 'ca'] },
      });
      await call('listWarehouses', { companyUuid, search: 'FBA', ...page });
      await call('getWarehouseBalances', {
        ...{ companyUuid, warehouseUuid, balancesDate: '2025-03-31' },
        ...page,
      });
      await call('getImportInstructions', { type: 'bill' });
      await call('createDocuments', { ...bill, data: { ref_number: 'B-1' }, idempotencyKey: 'k' });
      const file = { name: 'b.pdf', link: 'https://files.example.com/b.pdf' };
      const { request_id: requestId } = await call('createDocumentsByPdf', { ...bill, file });
      await call('checkImportStatus', { ...bill, requestId });
      const permission = 'view:quicksight_group.bookkeeping';
      await call('listCompaniesWithPermission', { permission, companyUuids: [companyUuid, 202] });
      await call('search', { query: `${company.name} FBA` });
      for (const id of [
        'report:1',
        `company:${company.uuid}`,
        `item:${company.uuid}:${inventoryId}`,
        `warehouse:${company.uuid}:${warehouseUuid}`,
      ]) {
        await call('fetch', { id });
      }

      const seen = new Set<string>();
      for (const { method, path, headers, body } of harness.sandbox.recorder.requests()) {
        if (!path.startsWith('/api/')) continue;
        const target = path.replace('/api/v1', '');
        seen.add(match(method, target.split('?')[0]!)?.operation.id ?? target);
        const sent = { method, target, contentType: headers['content-type'] };
        const problems = requestProblems({ ...sent, ...(body && { body: JSON.parse(body) }) });
        t.deepEqual(problems, [], `${method} ${path}`);
        if (target.startsWith('/revenue')) t.is(target.includes('%5B%5D='), style === 'brackets');
      }
      t.deepEqual([...seen].toSorted(), operations.map(({ id }) => id).toSorted());
    },
  );
}
