import { generateKeyPairSync } from 'node:crypto';
import { tools } from '../mcp/tools/index.ts';
import { type Received, send, type Sending } from './raw-http.ts';
import { REDIRECT_URI, type Connection } from './support/oauth.ts';

/** The largest and oddest that may be sent to each address, made to keep whoever reads it busy. */
export interface Input {
  readonly name: string;
  /** The statuses that are right. */
  readonly statuses: readonly number[];
  send(): Promise<Received>;
  /** What NeonPanel's API answers meanwhile. */
  readonly neonpanel?: string;
}

const KIB = 1024;
const MIB = KIB * KIB;
/** Just below the limits (docs/architecture.md). */
const BODY = 56 * KIB - 64;
const MESSAGE = MIB - 64;
const TARGET = 12 * KIB;
const HEADER = 14 * KIB;
/** Of an answer of NeonPanel's. */
const ANSWER = MIB - KIB;

const filled = (text: string, length: number): string =>
  text.repeat(Math.ceil(length / text.length)).slice(0, length);
const nested = (levels: number, open = '[', close = ']'): string =>
  open.repeat(levels) + close.repeat(levels);
/** As many elements as there is room for, each whole. */
const list = (element: string, length: number): string =>
  `[${Array.from({ length: Math.floor(length / (element.length + 1)) }, () => element).join(',')}]`;
/** As many members of different names as there is room for. */
function members(length: number, value = '0'): string {
  const parts: string[] = [];
  for (let used = 2, i = 0; ; i++) {
    const part = `"k${i}":${value}`;
    used += part.length + 1;
    if (used > length) return `{${parts.join(',')}}`;
    parts.push(part);
  }
}

const REFUSED = [400, 401, 403, 404, 405, 406, 413, 414, 415, 431];
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const JSON_TYPE = { 'content-type': 'application/json' };

export function worstInputs(url: string, { client, tokens }: Connection): readonly Input[] {
  const bearer = { authorization: `Bearer ${tokens.access_token}` };
  const input = (
    name: string,
    path: string,
    sending: Sending,
    statuses: readonly number[] = REFUSED,
  ): Input => ({ name, statuses, send: () => send(url, path, sending) });
  return [
    ...heads(input),
    ...forms(input, client.client_id),
    ...registrations(input),
    ...messages(),
  ];

  function message(
    name: string,
    body: string,
    more: { statuses?: readonly number[]; neonpanel?: string } = {},
  ): Input {
    const headers = { ...JSON_TYPE, ...bearer, 'mcp-protocol-version': '2025-03-26' };
    const sending = { method: 'POST', headers, body };
    const { statuses = [200, 202, ...REFUSED], neonpanel } = more;
    return { ...input(`mcp: ${name}`, '/mcp', sending, statuses), ...(neonpanel && { neonpanel }) };
  }

  function messages(): Input[] {
    const call = (args: string, name = 'listReports', id = 1) =>
      `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"${name}","arguments":${args}}}`;
    const create = (data: string) =>
      call(`{"companyUuid":"201","type":"bill","data":${data}}`, 'createDocuments');
    const fit = (make: (inner: string) => string, inner: (length: number) => string) =>
      make(inner(MESSAGE - make('').length));
    const string = (text: string) => (length: number) => `"${filled(text, length - 2)}"`;
    const numbers = (length: number) => list('1', length);
    const bodies: Record<string, string> = {
      'deepest that is read': call(nested(60)),
      'too deep': fit(call, (length) => nested(length / 2)),
      'too deep, objects': `${'{"a":'.repeat(MESSAGE / 6)}1${'}'.repeat(MESSAGE / 6)}`,
      'many numbers': fit(call, numbers),
      'many empty lists': fit(call, (length) => list('[]', length)),
      'many members': fit(call, (length) => members(length)),
      'many unknown arguments': fit(call, (length) => members(length, '""')),
      'one long text': fit(call, string('x')),
      'a text of quotes': fit(call, string('\\"')),
      'a text of escapes': fit(call, string('\\u2028')),
      'arguments as a text of JSON': call(JSON.stringify(members(250_000))),
      'a long text of JSON': fit(call, (length) => JSON.stringify(numbers(length - 2))),
      'a document of many members': fit(create, (length) => members(length)),
      'a document of many lists': fit(create, (length) => list('[[]]', length)),
      'a document as large as may be': create(members(153_000)),
      'a document of as many lists as may be': create(list('[0]', 4 * 7_400)),
      'as many unknown arguments as may be': call(members(153_000)),
      'as large a _meta as may be': `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":${members(153_000)}}}`,
      'a long search': fit((q) => call(`{"query":${q || '""'}}`, 'search'), string('mug ')),
      'a long company': fit(
        (q) => call(`{"companyUuid":${q || '""'}}`, 'listWarehouses'),
        string('a'),
      ),
      'a long link': fit(
        (link) =>
          call(
            `{"companyUuid":"201","type":"bill","file":{"name":"a.pdf","link":${link || '""'}}}`,
            'createDocumentsByPdf',
          ),
        (length) => `"https://a.example/${filled('%2e/', length - 21)}"`,
      ),
      'a long tool name': fit(
        (name) => call('{}', name),
        (length) => filled('x', length),
      ),
      'a long method': `{"jsonrpc":"2.0","id":1,"method":"${filled('x', MESSAGE - 60)}"}`,
      'a long id': `{"jsonrpc":"2.0","id":"${filled('x', MESSAGE - 60)}","method":"ping"}`,
      'large _meta': `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":${members(MESSAGE - 80)}}}`,
      'a batch of nothings': list('{}', MESSAGE),
      'not JSON at its very end': `${call(numbers(MESSAGE - 200))}}`,
      'twenty lists of tools': `[${Array.from({ length: 20 }, (_, id) => `{"jsonrpc":"2.0","id":${id},"method":"tools/list"}`)}]`,
      'twenty calls': `[${Array.from({ length: 20 }, (_, id) => call('{}', 'listReports', id))}]`,
      'twenty large calls': `[${Array.from({ length: 20 }, (_, id) =>
        call(
          `{"companyUuid":"201","type":"bill","data":${members(MESSAGE / 20 - 200)}}`,
          'createDocuments',
          id,
        ),
      )}]`,
    };
    const answers: Record<string, string> = {
      'as many records as may be': `{"current_page":1,"per_page":60,"last_page":1,"data":${list('{"id":1,"name":"Mug","uuid":"a"}', 32 * 3_700)}}`,
      'as many members as may be': `{"current_page":1,"per_page":60,"last_page":1,"data":[${members(153_000)}]}`,
      'many records': `{"current_page":1,"per_page":60,"last_page":1,"data":${list('{"id":1,"name":"Mug","uuid":"a"}', ANSWER - 70)}}`,
      'one record of many members': `{"current_page":1,"per_page":60,"last_page":1,"data":[${members(ANSWER - 70)}]}`,
      'many numbers': `{"current_page":1,"per_page":60,"last_page":1,"data":${list('1', ANSWER - 70)}}`,
      'a long text': `{"current_page":1,"per_page":60,"last_page":1,"data":[{"id":1,"name":"${filled('x', ANSWER - 120)}"}]}`,
      'a text of escapes': `{"current_page":1,"per_page":60,"last_page":1,"data":[{"id":1,"name":"${filled('\\u2028', ANSWER - 120)}"}]}`,
      nested: `{"current_page":1,"data":${nested(ANSWER / 2 - 50)}}`,
      'not JSON': filled('<p>', ANSWER),
    };
    const asked = ['listCompanies', 'listReports', 'getRevenueAndCogs', 'search'];
    const argsOf: Record<string, string> = {
      getRevenueAndCogs: '{"startDate":"2025-01-01"}',
      search: '{"query":"mug"}',
    };
    return [
      ...Object.entries(bodies).map(([name, body]) => message(name, body)),
      ...Object.entries(answers).flatMap(([name, neonpanel]) =>
        asked.map((tool) =>
          message(`${tool}, and NeonPanel answers ${name}`, call(argsOf[tool] ?? '{}', tool), {
            statuses: [200],
            neonpanel,
          }),
        ),
      ),
      ...tools.map(({ name }) =>
        message(`${name} without arguments`, call('{}', name), { statuses: [200] }),
      ),
    ];
  }
}

type Make = (name: string, path: string, sending: Sending, statuses?: readonly number[]) => Input;

function heads(input: Make): Input[] {
  const query = (text: string) => `/oauth2/authorize?${filled(text, TARGET)}`;
  const header = (name: string, text: string, path = '/mcp') =>
    input(
      `a long ${name}: ${text.slice(0, 12)}`,
      path,
      { headers: { [name]: filled(text, HEADER) } },
      [200, ...REFUSED],
    );
  return [
    input('a query of many parameters', query('a&'), {}, [400]),
    input('a query of one parameter, again and again', query('scope=a&'), {}, [400]),
    input('a query of escapes', query('%2e'), {}, [400]),
    input('a long scope', query('scope=neonpanel.read+'), {}, [400]),
    input(
      'a long resource',
      `/oauth2/authorize?resource=${filled('https://a/', TARGET)}`,
      {},
      [400],
    ),
    input('a long path', `/${filled('../', TARGET)}`, {}, [404]),
    input('a long id', `/interaction/${filled('a', TARGET)}`, {}, [404]),
    input('a long address below /.well-known/', `/.well-known/${filled('a/', TARGET)}`, {}, [404]),
    input(
      'a callback of many states',
      `/oauth2/authorize/callback?${filled('state=a&', TARGET)}`,
      {},
      [400],
    ),
    header('authorization', 'Bearer a.'),
    header('authorization', 'Bearer ey'),
    header('authorization', 'Basic YTpi'),
    header('accept', 'text/html;q=0.1,', '/'),
    header('accept', 'a/b;', '/'),
    header('accept-language', 'de;q=0.1,', '/'),
    header('cookie', 'a=b; ', '/interaction/aaaaaaaaaaaaaaaaaaaaaaaa'),
    header('cookie', 'a', '/oauth2/authorize/callback'),
    header('origin', 'https://a.', '/mcp'),
    header('x-forwarded-for', '1.1.1.1,', '/healthz'),
    header('mcp-session-id', 'a', '/messages'),
  ];
}

function forms(input: Make, clientId: string): Input[] {
  const known = `client_id=${clientId}&grant_type=refresh_token&`;
  const bodies: Record<string, string> = {
    'of many parameters': `${known}${filled('a&', BODY - known.length)}`,
    'of one parameter, again and again': `${known}${filled('scope=a&', BODY - known.length)}`,
    'of escapes': `${known}token=${filled('%2e', BODY - known.length - 6)}`,
    'of dots': `${known}token=a&refresh_token=${filled('a.', BODY - known.length - 22)}`,
    'of a long scope': `${known}refresh_token=a&scope=${filled('neonpanel.read+', BODY - 200)}`,
    'of a long assertion': `${known}client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion=${filled('eyJhbGciOiJSUzI1NiJ9.', BODY - 250)}`,
  };
  return Object.entries(bodies).flatMap(([what, body]) =>
    ['token', 'revoke', 'introspect'].map((endpoint) =>
      input(
        `${endpoint}: a form ${what}`,
        `/oauth2/${endpoint}`,
        { method: 'POST', headers: FORM, body },
        [200, 400, 401],
      ),
    ),
  );
}

let jwk: object | undefined;

function registrations(input: Make): Input[] {
  const registered = (metadata: string) =>
    `{"redirect_uris":["${REDIRECT_URI}"],"token_endpoint_auth_method":"none",${metadata}}`;
  const room = BODY - registered('').length - 40;
  // The largest that is taken: 16,384 bits would take minutes to make, and are as many characters.
  jwk ??= generateKeyPairSync('rsa', { modulusLength: 2_048 }).publicKey.export({ format: 'jwk' });
  const key = JSON.stringify({ ...jwk, n: filled('zZ9_', 2_728) });
  const bodies: Record<string, string> = {
    'of many redirect URIs': `{"redirect_uris":${list(`"${REDIRECT_URI}"`, BODY - 20)}}`,
    'of odd redirect URIs': `{"redirect_uris":${list('"http://[::1]:1/%2e%2e/"', BODY - 20)}}`,
    'of a long redirect URI': `{"redirect_uris":["https://a.example/${filled('%2e/', BODY - 60)}"]}`,
    'of a host of many labels': `{"redirect_uris":["https://${filled('xn--a.', BODY - 60)}"]}`,
    'of a long name': registered(`"client_name":"${filled('\\ud83d\\ude00', room - (room % 12))}"`),
    'of a name of spaces': registered(`"client_name":"${filled(' \\t', room - (room % 3))}x"`),
    'of a long scope': registered(`"scope":"${filled('neonpanel.read ', room)}"`),
    'of many members': registered(members(room).slice(1, -1)),
    'of a deep member': registered(`"contacts":${nested((room - 12) / 2)}`),
    'of many grant types': registered(`"grant_types":${list('"refresh_token"', room - 20)}`),
    'of many keys': `{"redirect_uris":["${REDIRECT_URI}"],"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":${list(key, BODY - 200)}}}`,
  };
  return Object.entries(bodies).map(([what, body]) =>
    input(
      `register: one ${what}`,
      '/oauth2/register',
      { method: 'POST', headers: JSON_TYPE, body },
      [201, 400],
    ),
  );
}
