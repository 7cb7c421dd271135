import test from 'ava';
import {
  createPrivateKey,
  createPublicKey,
  createSign,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { decodeJwt, SignJWT } from 'jose';
import { loadMasterKeys } from '../adapters/master-keys.ts';
import { createSecrets } from '../adapters/secrets.ts';
import { createAccessTokenVerifier } from '../keys/access-token.ts';
import { openKeyRing } from '../keys/keystore.ts';
import { openSqliteStore } from '../adapters/sqlite/sqlite.ts';
import { createLog } from '../log.ts';
import { startHarness } from './support/harness.ts';
import { startTestServer } from './support/http-server.ts';
import { callMcp, connect } from './support/oauth.ts';

const harness = await startHarness();
const { url } = harness;
const { tokens } = await connect(harness);
const genuine = decodeJwt(tokens.access_token) as Record<string, unknown>;

/** The server's own key set, read as the server reads it: a forger with the private key is the strongest forger. */
const store = await openSqliteStore({ path: `${harness.dataDir}/neonpanel-mcp.db` });
const keyRing = await openKeyRing({
  store,
  secrets: createSecrets(loadMasterKeys(undefined, harness.dataDir)),
  log: createLog('silent'),
  now: Date.now,
});
const keys = keyRing.current();
keyRing.close();
await store.close();
const [current] = keys.signing as [Record<string, string>];
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ours = createPrivateKey({ key: current as never, format: 'jwk' });
const header = { alg: 'RS256', typ: 'at+jwt', kid: current.kid };

const b64 = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
/** Signs anything, however malformed. */
function sign(head: unknown, body: unknown, key: KeyObject = ours): string {
  const input = `${b64(head)}.${b64(body)}`;
  return `${input}.${createSign('RSA-SHA256').update(input).sign(key, 'base64url')}`;
}
const without = (name: string) =>
  Object.fromEntries(Object.entries(genuine).filter(([key]) => key !== name));
const spkiPem = createPublicKey(ours).export({ type: 'spki', format: 'pem' }).toString();
const [h, p, s] = tokens.access_token.split('.') as [string, string, string];
const listener = await startTestServer((_request, response) => void response.end('{}'));
const elsewhere = `http://127.0.0.1:${listener.port}/jwks.json`;
const strangerJwk = stranger.publicKey.export({ format: 'jwk' });

const forged: Record<string, string | Promise<string>> = {
  'alg none without signature': `${b64({ ...header, alg: 'none' })}.${p}.`,
  'alg none with the genuine signature': `${b64({ ...header, alg: 'none' })}.${p}.${s}`,
  'HS256 keyed with our public key': new SignJWT(genuine)
    .setProtectedHeader({ ...header, alg: 'HS256' })
    .sign(Buffer.from(spkiPem)),
  'a stranger’s key under our kid': sign(header, genuine, stranger.privateKey),
  'a stranger’s key under its own kid': sign(
    { ...header, kid: 'mine' },
    genuine,
    stranger.privateKey,
  ),
  'a stranger’s key in jwk': sign(
    { ...header, kid: 'mine', jwk: strangerJwk },
    genuine,
    stranger.privateKey,
  ),
  'a stranger’s key by jku': sign(
    { ...header, kid: 'mine', jku: elsewhere },
    genuine,
    stranger.privateKey,
  ),
  'a stranger’s key by x5u': sign(
    { ...header, kid: 'mine', x5u: elsewhere },
    genuine,
    stranger.privateKey,
  ),
  'kid is a path': sign({ ...header, kid: '../../../dev/null' }, genuine),
  'kid is a URL': sign({ ...header, kid: elsewhere }, genuine),
  'kid is an object': sign({ ...header, kid: { toString: 'x' } }, genuine),
  'no kid': sign({ alg: 'RS256', typ: 'at+jwt' }, genuine),
  'kid __proto__': sign(JSON.parse(`{"alg":"RS256","typ":"at+jwt","kid":"__proto__"}`), genuine),
  'PS256 header': sign({ ...header, alg: 'PS256' }, genuine),
  ES256: new SignJWT(genuine)
    .setProtectedHeader({ ...header, alg: 'ES256' })
    .sign(elliptic.privateKey),
  'typ JWT': sign({ ...header, typ: 'JWT' }, genuine),
  'no typ': sign({ alg: 'RS256', kid: current.kid }, genuine),
  'crit header': sign({ ...header, crit: ['exp'] }, genuine),
  'another issuer': sign(header, { ...genuine, iss: 'https://my.neonpanel.com' }),
  'issuer with a slash': sign(header, { ...genuine, iss: `${url}/` }),
  'no issuer': sign(header, without('iss')),
  'another audience': sign(header, { ...genuine, aud: 'https://other.example/mcp' }),
  'audience list': sign(header, { ...genuine, aud: [`${url}/mcp`, 'https://other.example'] }),
  'no audience': sign(header, without('aud')),
  expired: sign(header, { ...genuine, exp: Math.floor(Date.now() / 1000) - 20 }),
  'no expiry': sign(header, without('exp')),
  'expiry as text': sign(header, { ...genuine, exp: '9999999999' }),
  'issued in the future': sign(header, { ...genuine, iat: Math.floor(Date.now() / 1000) + 600 }),
  'no subject': sign(header, without('sub')),
  'no client_id': sign(header, without('client_id')),
  'no grant': sign(header, without('grant_id')),
  'an unknown grant': sign(header, { ...genuine, grant_id: 'x'.repeat(43) }),
  'a grant id that is a path': sign(header, { ...genuine, grant_id: '../../keys' }),
  'another user on this grant': sign(header, { ...genuine, sub: '1002' }),
  'another client on this grant': sign(header, { ...genuine, client_id: 'another-client' }),
  'no scope of ours': sign(header, { ...genuine, scope: 'openid' }),
  'claims changed, signature kept': `${h}.${b64({ ...genuine, sub: '1002' })}.${s}`,
  'signature cut': `${h}.${p}.${s.slice(0, -4)}`,
  'four parts': `${tokens.access_token}.x`,
  'two parts': `${h}.${p}`,
  'not base64url': `${h}.${p}.${s.slice(0, -2)}==`,
  'claims are a list': sign(header, '[1]'),
  'claims are not JSON': sign(header, '{'),
  huge: `${h}.${'A'.repeat(9_000)}.${s}`,
  'a refresh token': tokens.refresh_token,
};

test.after.always(() => Promise.all([harness.close(), listener.close()]));

test('the genuine article is taken (or the table below shows nothing)', async (t) => {
  t.is((await callMcp(url, tokens.access_token, 'tools/list')).status, 200);
  t.is(
    (await callMcp(url, sign(header, genuine), 'tools/list')).status,
    200,
    'signed by the forger',
  );
});

for (const [name, token] of Object.entries(forged)) {
  test(`[T9] [T8] [N45] a token with ${name} is refused`, async (t) => {
    const { status, headers, body } = await callMcp(url, await token, 'tools/list');
    t.is(status, 401);
    t.is(body.error, 'invalid_token');
    t.regex(headers.get('www-authenticate')!, /^Bearer error="invalid_token"/);
  });
}

test.serial('[T9] no forged token makes us fetch anything', async (t) => {
  for (const token of Object.values(forged)) await callMcp(url, await token, 'tools/list');
  t.is(listener.requests.length, 0);
});

test('[T8] NeonPanel’s own token is not one of ours', async (t) => {
  await callMcp(url, tokens.access_token, 'tools/call', { name: 'listCompanies', arguments: {} });
  const upstream = harness.sandbox.recorder
    .requests()
    .flatMap(({ headers }) => /^Bearer (.+)$/.exec(String(headers.authorization))?.[1] ?? []);
  t.true(upstream.length > 0);
  t.false(upstream.includes(tokens.access_token), 'and ours never goes to NeonPanel');
  t.is((await callMcp(url, upstream[0], 'tools/list')).status, 401);
});

test('[T8] an id_token is not an access token', async (t) => {
  const { tokens } = await connect(harness, { parameters: { scope: 'openid neonpanel.read' } });
  t.truthy(tokens.id_token);
  t.is((await callMcp(url, tokens.id_token, 'tools/list')).status, 401);
});

test('[T29] a token in the query is not looked at', async (t) => {
  const path = `/mcp?access_token=${tokens.access_token}`;
  t.is((await callMcp(url, undefined, 'tools/list', {}, { path })).status, 401);
  t.false(harness.logs.text().includes(tokens.access_token));
});

for (const authorization of [
  '',
  'Bearer',
  'Bearer ',
  'Basic dXNlcjpwYXNz',
  'token abc',
  'Bearer a b',
]) {
  test(`[N25] "Authorization: ${authorization}" counts as anonymous`, async (t) => {
    const { status, headers, body } = await callMcp(
      url,
      undefined,
      'tools/list',
      {},
      { headers: { authorization } },
    );
    t.is(status, 401);
    t.is(
      headers.get('www-authenticate'),
      `Bearer scope="neonpanel.read neonpanel.write", resource_metadata="${url}/.well-known/oauth-protected-resource/mcp"`,
    );
    t.is(body.error, 'invalid_token');
    t.truthy(body.request_id);
  });
}

test('[N8] the scheme is case-insensitive', async (t) => {
  const headers = { authorization: `bEARER ${tokens.access_token}` };
  t.is((await callMcp(url, undefined, 'tools/list', {}, { headers })).status, 200);
});

test('[R1] [F24] GET and HEAD are challenged too, each address with its own metadata', async (t) => {
  for (const [path, suffix] of [
    ['/mcp', '/mcp'],
    ['/mcp/', '/mcp'],
    ['/', ''],
  ] as const) {
    for (const method of ['GET', 'HEAD', 'DELETE']) {
      const response = await fetch(url + path, {
        method,
        headers: { accept: 'text/event-stream' },
      });
      t.is(response.status, 401, `${method} ${path}`);
      t.true(
        response.headers.get('www-authenticate')!.endsWith(`/oauth-protected-resource${suffix}"`),
      );
    }
  }
});

test('[D16] with a valid token only POST is taken', async (t) => {
  const headers = { authorization: `Bearer ${tokens.access_token}` };
  for (const method of ['GET', 'DELETE', 'PUT', 'PATCH']) {
    const response = await fetch(`${url}/mcp`, { method, headers });
    t.is(response.status, 405, method);
    t.is(response.headers.get('allow'), 'POST, OPTIONS');
  }
});

test('[D7] the verifier forgets what it remembered when the key set changes, and when a token expires', (t) => {
  let now = Date.now();
  let set = keys;
  const verifier = createAccessTokenVerifier({ keys: () => set, publicUrl: url, now: () => now });
  t.truthy(verifier.verify(tokens.access_token));
  t.truthy(verifier.verify(tokens.access_token), 'remembered');
  now += 3_600_000 + 16_000;
  t.is(verifier.verify(tokens.access_token), undefined, 'expired');
  now = Date.now();
  set = { ...keys, verification: new Map() };
  t.is(verifier.verify(tokens.access_token), undefined, 'its key was withdrawn');
});
