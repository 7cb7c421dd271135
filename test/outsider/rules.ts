import type { Recorded } from './stand-in.ts';

/**
 * What NeonPanel's documentation demands of a request. Written from that alone, so it is a second opinion on what our
 * server sends.
 */

interface Operation {
  readonly line: RegExp;
  readonly required?: readonly string[];
  readonly optional?: readonly string[];
  readonly paged?: true;
}

const C = '/api/v1/companies/[0-9a-f]{40}';
const operation = (line: string, more: Omit<Operation, 'line'> = {}): Operation => ({
  line: new RegExp(`^${line}$`),
  ...more,
});

const OPERATIONS: readonly Operation[] = [
  operation('GET /api/v1/companies', { paged: true }),
  operation('GET /api/v1/reports'),
  operation(`GET ${C}/inventory-items`, {
    paged: true,
    optional: ['country_code', 'search', 'fnsku', 'asin', 'sku'],
  }),
  operation(`GET ${C}/inventory-items/\\d+/(balances|details)`, { optional: ['balances_date'] }),
  operation(`GET ${C}/inventory-items/\\d+/landed-cost`, {
    paged: true,
    required: ['warehouse_uuid', 'start_date'],
    optional: ['end_date'],
  }),
  operation(`GET ${C}/inventory-items/\\d+/cogs`, {
    paged: true,
    required: ['start_date'],
    optional: ['end_date'],
  }),
  operation('GET /api/v1/revenue-and-cogs', {
    required: ['start_date'],
    optional: ['end_date', 'periodicity', 'grouping', 'company_uuids', 'country_codes'],
  }),
  operation(`GET ${C}/warehouses`, { paged: true, optional: ['search'] }),
  operation(`GET ${C}/warehouses/[0-9a-f]{40}/balances`, {
    paged: true,
    optional: ['balances_date'],
  }),
  operation('GET /api/v1/import/bill/instructions'),
  operation(`POST ${C}/create/bill`),
  operation(`POST ${C}/import/bill/pdf`),
  operation(`GET ${C}/import/bill/status/[0-9a-f-]{36}`),
  operation('GET /api/v1/permissions/[a-z:_.-]+/companies', { optional: ['company_uuids'] }),
];

/** What a program may send beside the headers of HTTP itself. */
const HEADERS = [
  'accept',
  'accept-encoding',
  'authorization',
  'connection',
  'content-length',
  'content-type',
  'host',
  'transfer-encoding',
  'user-agent',
];

/** Everything that is wrong with what our server sent; nothing for what the browser sends. */
export function complaints(request: Recorded, redirectUri: string): string[] {
  const { path, headers } = request;
  if (path === '/login' || path === '/oauth2/authorize') {
    return path === '/login' ? [] : aboutAuthorize(request, redirectUri);
  }
  const strange = Object.keys(headers).filter((name) => !HEADERS.includes(name));
  const found = path.startsWith('/api/') ? aboutApi(request) : aboutOauth(request, redirectUri);
  return [
    ...found,
    ...strange.map((name) => `header ${name}`),
    ...must(/application\/json/.test(headers.accept ?? ''), 'Accept'),
  ].map((text) => `${request.method} ${request.url.pathname}${request.url.search}: ${text}`);
}

function aboutApi({ method, path, url, headers, body }: Recorded): string[] {
  const known = OPERATIONS.find(({ line }) => line.test(`${method} ${decodeURIComponent(path)}`));
  if (!known) return ['no such operation'];
  const { required = [], optional = [], paged } = known;
  const query = [...url.searchParams].map(([name, value]) => [name.replace('[]', ''), value]);
  const names = query.map(([name]) => name!);
  const needed = [...required, ...(paged ? ['page', 'per_page'] : [])];
  const dates = query.filter(([name]) => name!.endsWith('_date'));
  const perPage = Number(url.searchParams.get('per_page') ?? 30);
  return [
    ...needed.filter((name) => !names.includes(name)).map((name) => `without ${name}`),
    ...names
      .filter((name) => !needed.includes(name) && !optional.includes(name))
      .map((name) => `unknown ${name}`),
    ...must(
      dates.every(([, value]) => /^\d{4}-\d{2}-\d{2}$/.test(value!)),
      'date form',
    ),
    ...must(perPage >= 10 && perPage <= 60, 'per_page'),
    ...must(/^Bearer \S+$/.test(headers.authorization ?? ''), 'not a bearer request'),
    ...must(headers.accept === 'application/json', `Accept ${headers.accept}`),
    ...must((method === 'POST') === (body !== ''), 'body'),
    ...must(method === 'GET' || headers['content-type'] === 'application/json', 'content type'),
  ];
}

function aboutAuthorize({ url }: Recorded, redirectUri: string): string[] {
  const { state, code_challenge, client_id, ...rest } = Object.fromEntries(url.searchParams);
  const expected = {
    response_type: 'code',
    redirect_uri: redirectUri,
    scope: 'openid',
    code_challenge_method: 'S256',
  };
  return [
    ...must(/^[0-9a-f]{40}$/.test(client_id ?? ''), 'client_id'),
    ...must((state ?? '').length >= 22, 'state'),
    ...must(/^[\w-]{43}$/.test(code_challenge ?? ''), 'code_challenge'),
    ...must(same(rest, expected), `parameters ${JSON.stringify(rest)}`),
  ].map((text) => `authorize: ${text}`);
}

function aboutOauth(request: Recorded, redirectUri: string): string[] {
  const { method, path, headers, body } = request;
  const line = `${method} ${path}`;
  if (/^GET \/oauth2\/register\/[0-9a-f]{40}$/.test(line)) {
    return must(/^Bearer \S+$/.test(headers.authorization ?? ''), 'registration token');
  }
  const open = must(headers.authorization === undefined, 'authorization where there is none');
  if (/^GET \/\.well-known\/(oauth-authorization-server|jwks\.json)$/.test(line)) return open;
  if (line === 'POST /oauth2/register') return [...open, ...aboutRegistration(body, redirectUri)];
  if (line !== 'POST /oauth2/token') return ['no such endpoint'];
  const { client_id, grant_type, ...rest } = Object.fromEntries(new URLSearchParams(body));
  const code = grant_type === 'authorization_code';
  const wanted = code ? ['code', 'code_verifier', 'redirect_uri'] : ['refresh_token'];
  return [
    ...open,
    ...must(/^application\/x-www-form-urlencoded/.test(headers['content-type'] ?? ''), 'form'),
    ...must(/^[0-9a-f]{40}$/.test(client_id ?? ''), 'client_id'),
    ...must(code || grant_type === 'refresh_token', `grant ${grant_type}`),
    ...must(same(Object.keys(rest).sort(), wanted), `parameters ${Object.keys(rest)}`),
    ...must(!code || rest.redirect_uri === redirectUri, 'redirect_uri'),
    ...must(!code || /^[\w.~-]{43,128}$/.test(rest.code_verifier ?? ''), 'code_verifier'),
  ];
}

function aboutRegistration(body: string, redirectUri: string): string[] {
  const { client_name, ...rest } = JSON.parse(body) as Record<string, unknown>;
  const expected = {
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  };
  return [
    ...must(typeof client_name === 'string' && client_name !== '', 'client_name'),
    ...must(same(rest, expected), `registration ${JSON.stringify(rest)}`),
  ];
}

const must = (good: boolean, text: string) => (good ? [] : [text]);

const sorted = (value: object): unknown =>
  Array.isArray(value) ? value : Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
const same = (a: object, b: object) => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
