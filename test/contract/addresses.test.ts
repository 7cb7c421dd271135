import test from 'ava';
import { login } from '../sandbox/_setup.ts';
import { type Received, send } from '../raw-http.ts';
import { PROOF, ROUTES, UID } from '../security/routes.ts';
import { openEventStream } from '../support/event-stream.ts';
import { startHarness } from '../support/harness.ts';
import {
  authorizationRequest,
  clientParameters,
  REDIRECT_URI,
  type TestClient,
} from '../support/oauth.ts';

/** Every address × method that is served: what it answers to whom it is for, and to a request without anything. */

const harness = await startHarness({ logLevel: 'warn', env: PROOF });
test.after.always(() => harness.close());
const { url } = harness;

const JSON_TYPE = 'application/json; charset=utf-8';
const PAGE = 'text/html; charset=utf-8';

interface Said {
  readonly status: number;
  /** Undefined where there is no body. */
  readonly type?: string;
  /** Members of a JSON object, at least these; or what a page or text has in it; or where a redirect goes. */
  readonly with?: readonly string[];
}

interface Contract {
  /** To a request as the address wants it, in the course of one sign-in. */
  readonly good: Said;
  /** To the bare method, as a program sends it. */
  readonly bare: Said;
}

const json = (status: number, ...members: string[]): Said => ({
  status,
  type: JSON_TYPE,
  with: members,
});
const refusal = (status: number) => json(status, 'error', 'error_description', 'request_id');
const redirect = (to: string): Said => ({ status: 303, with: [to] });
const always = (said: Said): Contract => ({ good: said, bare: said });

const metadata = always(
  json(200, 'issuer', 'authorization_endpoint', 'token_endpoint', 'registration_endpoint'),
);
const resource = always(json(200, 'resource', 'authorization_servers', 'scopes_supported'));
const alive = always(json(200, 'status', 'service', 'version', 'timestamp', 'uptimeSeconds'));
const rpc: Contract = {
  good: { status: 200, type: 'application/json', with: ['jsonrpc', 'id', 'result'] },
  bare: refusal(401),
};
const stream: Contract = {
  good: { status: 200, type: 'text/event-stream', with: ['event: endpoint', 'data: /messages?'] },
  bare: refusal(401),
};

const CONTRACTS: Record<string, Contract> = {
  'GET /.well-known/oauth-authorization-server': metadata,
  'GET /.well-known/oauth-authorization-server/mcp': metadata,
  'GET /.well-known/oauth-authorization-server/sse': metadata,
  'GET /.well-known/openid-configuration': metadata,
  'GET /.well-known/openid-configuration/mcp': metadata,
  'GET /.well-known/openid-configuration/sse': metadata,
  'GET /.well-known/oauth-protected-resource': resource,
  'GET /.well-known/oauth-protected-resource/mcp': resource,
  'GET /.well-known/oauth-protected-resource/sse': resource,
  'GET /.well-known/jwks.json': always(json(200, 'keys')),
  'GET /.well-known/openai-apps-challenge': always({
    status: 200,
    type: 'text/plain; charset=utf-8',
    with: [PROOF.OPENAI_APPS_CHALLENGE],
  }),
  'GET /openapi.json': always(json(200, 'openapi', 'info', 'servers', 'paths', 'components')),
  'POST /oauth2/register': {
    good: json(201, 'client_id', 'client_secret', 'redirect_uris', 'token_endpoint_auth_method'),
    bare: refusal(400),
  },
  'GET /oauth2/authorize': { good: redirect('/interaction/'), bare: refusal(400) },
  'GET /interaction/:uid': {
    good: { status: 200, type: PAGE, with: ['name="decision"', 'neonpanel.write'] },
    bare: refusal(400),
  },
  'POST /interaction/:uid': { good: redirect('/oauth2/authorize?'), bare: refusal(415) },
  'GET /oauth2/authorize/callback': { good: redirect('/oauth2/authorize/'), bare: refusal(400) },
  'GET /oauth2/authorize/:uid': { good: redirect(`${REDIRECT_URI}?code=`), bare: refusal(400) },
  'POST /oauth2/token': {
    good: json(200, 'access_token', 'token_type', 'expires_in', 'refresh_token', 'scope'),
    bare: refusal(400),
  },
  'POST /oauth2/introspect': {
    good: json(200, 'active', 'client_id', 'scope', 'exp', 'sub', 'iss'),
    bare: refusal(400),
  },
  'GET /account': {
    good: { status: 200, type: PAGE, with: ['action="/account/sign-in"'] },
    bare: refusal(406),
  },
  'GET /account/': { good: redirect('/account'), bare: refusal(406) },
  'GET /account/sign-in': { good: redirect('/account'), bare: refusal(406) },
  'GET /account/sign-out': { good: redirect('/account'), bare: refusal(406) },
  'POST /account/sign-in': { good: redirect('/oauth2/authorize?'), bare: refusal(406) },
  'GET /account/disconnect': {
    good: { status: 200, type: PAGE, with: ['action="/account/disconnect"'] },
    bare: refusal(406),
  },
  'POST /account/disconnect': { good: redirect('/account'), bare: refusal(406) },
  'GET /account/disconnect/:uid': {
    good: { status: 200, type: PAGE, with: ['action="/account/disconnect/'] },
    bare: refusal(406),
  },
  'POST /account/disconnect/:uid': { good: redirect('/account'), bare: refusal(406) },
  'POST /account/sign-out': { good: redirect('/account'), bare: refusal(406) },
  'POST /mcp': rpc,
  'POST /mcp/': rpc,
  'POST /': rpc,
  'GET /sse': stream,
  'GET /sse/': stream,
  'POST /messages': { good: { status: 202 }, bare: refusal(401) },
  'POST /messages/': { good: { status: 202 }, bare: refusal(401) },
  'POST /oauth2/revoke': { good: { status: 200 }, bare: refusal(400) },
  'GET /': {
    good: { status: 200, type: PAGE, with: [`${url}/mcp`] },
    bare: json(200, 'name', 'version', 'mcp_endpoint', 'issuer'),
  },
  'GET /assets/style.css': always({ status: 200, type: 'text/css; charset=utf-8', with: ['{'] }),
  'GET /assets/icon.svg': always({ status: 200, type: 'image/svg+xml', with: ['<svg'] }),
  'GET /assets/copy.js': always({
    status: 200,
    type: 'text/javascript; charset=utf-8',
    with: ['clipboard'],
  }),
  'GET /robots.txt': always({
    status: 200,
    type: 'text/plain; charset=utf-8',
    with: ['User-agent: *', 'Disallow: /'],
  }),
  'GET /healthz': alive,
  'GET /health': alive,
  'GET /readyz': always(json(200, 'status', 'store', 'neonpanel', 'event_loop')),
};

const served = ROUTES.flatMap(({ path, methods }) =>
  methods.map((method) => `${method} ${path.replace(UID, ':uid')}`),
);

test('[N9] every public address has a contract, and HEAD is held to that of GET', (t) => {
  const wanted = served.filter((each) => !each.startsWith('HEAD '));
  t.deepEqual(Object.keys(CONTRACTS).toSorted(), wanted.toSorted());
});

/** What an answer said, cut down to what a contract is about. */
function heard({ status, headers, text, json: body }: Received, said: Said): Said {
  const type = headers['content-type'];
  const isJson = type?.startsWith('application/json');
  const isThere = (part: string) =>
    isJson ? Object.hasOwn(body, part) : `${headers.location ?? ''} ${text}`.includes(part);
  return {
    status,
    ...(status !== 303 && text !== '' && type && { type }),
    ...(said.with && { with: said.with.filter(isThere) }),
  };
}

for (const one of served) {
  test(`[N9] ${one} without anything is answered as agreed`, async (t) => {
    const [method, path] = one.split(' ') as [string, string];
    const { bare } = CONTRACTS[one.replace('HEAD ', 'GET ')]!;
    const answer = await send(url, path.replace(':uid', UID), { method });
    if (method !== 'HEAD') return t.deepEqual(heard(answer, bare), bare);
    t.is(answer.status, bare.status);
    t.is(answer.headers['content-type'], bare.type);
    t.is(answer.text, '');
  });
}

const FORM = 'application/x-www-form-urlencoded';
const HTML = 'text/html';

test('[N9] in the course of a sign-in every address answers as agreed', async (t) => {
  const jar = new Map<string, string>();
  const asked = new Set<string>();
  const ask = async (name: string, path: string, options: Parameters<typeof send>[2] = {}) => {
    const [method] = name.split(' ') as [string];
    const cookie = [...jar].map(([key, value]) => `${key}=${value}`).join('; ');
    const headers = { accept: HTML, ...(cookie && { cookie }), ...options.headers };
    const answer = await send(url, path, { method, ...options, headers });
    for (const one of answer.headers['set-cookie'] ?? []) {
      const [, key = '', value = ''] = /^([^=]+)=([^;]*)/.exec(one)!;
      jar.set(key, value);
    }
    const { good } = CONTRACTS[name]!;
    t.deepEqual(heard(answer, good), good, `${name}: ${answer.text.slice(0, 200)}`);
    asked.add(name);
    return answer;
  };
  const post = (name: string, path: string, fields: Record<string, string>) =>
    ask(name, path, {
      headers: { 'content-type': FORM },
      body: new URLSearchParams(fields).toString(),
    });
  const next = ({ headers }: Received) => {
    const { pathname, search } = new URL(headers.location!, url);
    return pathname + search;
  };

  const registered = await ask('POST /oauth2/register', '/oauth2/register', {
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      redirect_uris: [REDIRECT_URI],
      token_endpoint_auth_method: 'client_secret_post',
    }),
  });
  const client = registered.json as TestClient;
  const attempt = authorizationRequest(url, client);
  const begun = await ask('GET /oauth2/authorize', attempt.url.pathname + attempt.url.search);
  const question = await ask('GET /interaction/:uid', next(begun));
  const csrf = /name="csrf" value="([^"]+)"/.exec(question.text)![1]!;
  const approved = await post('POST /interaction/:uid', next(begun), { csrf, decision: 'approve' });
  const signedIn = await login(harness.sandbox, approved.headers.location!);
  const callback = new URL(signedIn.headers.get('location')!);
  const back = await ask('GET /oauth2/authorize/callback', callback.pathname + callback.search);
  const done = await ask('GET /oauth2/authorize/:uid', next(back));
  jar.clear();

  const own = clientParameters(client);
  const redeemed = await post('POST /oauth2/token', '/oauth2/token', {
    grant_type: 'authorization_code',
    code: new URL(done.headers.location!).searchParams.get('code')!,
    redirect_uri: REDIRECT_URI,
    code_verifier: attempt.verifier,
    ...own,
  });
  const { access_token: token } = redeemed.json;
  await post('POST /oauth2/introspect', '/oauth2/introspect', { token, ...own });
  for (const path of ['/mcp', '/mcp/', '/']) {
    await ask(`POST ${path}`, path, {
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    });
  }
  for (const path of ['/sse', '/sse/']) {
    const open = await openEventStream(url, token, {}, path);
    const messages = await open.endpoint();
    const { good } = CONTRACTS[`GET ${path}`]!;
    const answer = { status: open.status, headers: open.headers, text: open.text() } as Received;
    t.deepEqual(heard(answer, good), good);
    asked.add(`GET ${path}`);
    const slash = path.slice('/sse'.length);
    await ask(`POST /messages${slash}`, messages.replace('?', `${slash}?`), {
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    });
    open.close();
  }
  const csrfIn = ({ text }: Received) => /name="csrf" value="([^"]+)"/.exec(text)![1]!;
  const door = await ask('GET /account', '/account');
  const begin = { csrf: csrfIn(door) };
  const toNeonpanel = await post('POST /account/sign-in', '/account/sign-in', begin);
  const returned = await login(harness.sandbox, toNeonpanel.headers.location!);
  const { pathname, search } = new URL(returned.headers.get('location')!);
  const cookie = [...jar].map(([key, value]) => `${key}=${value}`).join('; ');
  const entered = await send(url, pathname + search, { headers: { accept: HTML, cookie } });
  t.is(entered.headers.location, '/account');
  const set = entered.headers['set-cookie']!.find((one) => one.includes('-account='))!;
  jar.set(...(/^([^=]+)=([^;]*)/.exec(set)!.slice(1) as [string, string]));
  const account = '/account/disconnect';
  const grantId = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString()).grant_id;
  const one = `${account}/${grantId}`;
  const session = { csrf: csrfIn(await ask('GET /account/disconnect', account)) };
  await ask('GET /account/disconnect/:uid', one);
  await post('POST /account/disconnect/:uid', one, session);
  await post('POST /account/disconnect', account, session);
  await post('POST /account/sign-out', '/account/sign-out', session);
  await post('POST /oauth2/revoke', '/oauth2/revoke', { token, ...own });
  const rest = Object.keys(CONTRACTS).filter((name) => !asked.has(name));
  for (const name of rest) await ask(name, name.split(' ')[1]!);
  t.deepEqual([...asked].toSorted(), Object.keys(CONTRACTS).toSorted());
});
