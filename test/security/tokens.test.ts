import { createHmac, generateKeyPairSync } from 'node:crypto';
import test from 'ava';
import { decodeJwt } from 'jose';
import { assertionForm, assertionKey, clientAssertion } from '../client-auth.ts';
import { send } from '../raw-http.ts';
import { createClock } from '../support/clock.ts';
import { startHarness } from '../support/harness.ts';
import { startTestServer } from '../support/http-server.ts';
import { callMcp, callTool, connect, postForm, refresh, register } from '../support/oauth.ts';
import { fixtures } from '../tools/support/fixtures.ts';
import { createForger, encode } from './forger.ts';
import { watchOutbound } from './outbound.ts';

/** Which bearer tokens are taken at /mcp, beside the table in bearer.test.ts, and where none of ours ever goes. */

const harness = await startHarness({ env: { RATE_LIMIT_FACTOR: '0' } });
const { url, sandbox } = harness;
const connection = await connect(harness, { parameters: { scope: 'openid neonpanel.write' } });
const { tokens } = connection;
const forger = await createForger(harness, tokens.access_token);
const { header, genuine, sign } = forger;
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
const trap = await startTestServer((_request, response) => void response.end('{"keys":[]}'));
const trapUrl = `http://127.0.0.1:${trap.port}/keys`;
test.after.always(() => Promise.all([harness.close(), trap.close()]));

const seconds = () => Math.floor(Date.now() / 1000);
const [head, body, signature] = tokens.access_token.split('.') as [string, string, string];
const strangerJwk = stranger.publicKey.export({ format: 'jwk' });
const without = (name: string) =>
  Object.fromEntries(Object.entries(genuine).filter(([claim]) => claim !== name));

/** HS256 with something public as its key: the classic confusion of algorithms. */
function confused(key: string | Buffer): string {
  const input = `${encode({ ...header, alg: 'HS256' })}.${body}`;
  return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`;
}
const spki = forger.publicKey.export({ type: 'spki', format: 'pem' });
const der = forger.publicKey.export({ type: 'spki', format: 'der' });
const pkcs1 = forger.publicKey.export({ type: 'pkcs1', format: 'pem' });
const jwk = forger.publicKey.export({ format: 'jwk' });

/** Claims in which one is named twice, the second time as given. */
const twice = (name: string, value: unknown): string =>
  `${JSON.stringify(genuine).slice(0, -1)},${JSON.stringify(name)}:${JSON.stringify(value)}}`;

const FORGED: Record<string, string> = {
  'alg none': `${encode({ ...header, alg: 'none' })}.${body}.`,
  'alg None, with a signature': `${encode({ ...header, alg: 'None' })}.${body}.${signature}`,
  'no alg': sign({ typ: header.typ, kid: header.kid }, genuine),
  'alg as a list': sign({ ...header, alg: ['RS256'] }, genuine),
  'alg in lower case': sign({ ...header, alg: 'rs256' }, genuine),
  'HS256 keyed with our key as SPKI PEM': confused(spki),
  'HS256 keyed with our key as SPKI DER': confused(der),
  'HS256 keyed with our key as PKCS #1 PEM': confused(pkcs1),
  'HS256 keyed with our key as a JWK': confused(JSON.stringify(jwk)),
  'HS256 keyed with our modulus': confused(Buffer.from(jwk.n!, 'base64url')),
  'HS256 keyed with nothing': confused(''),
  'a stranger’s key, named in x5c': sign(
    { ...header, kid: 'mine', x5c: [Buffer.from('certificate').toString('base64')] },
    genuine,
    stranger.privateKey,
  ),
  'a stranger’s key in jwk, under our kid': sign(
    { ...header, jwk: strangerJwk },
    genuine,
    stranger.privateKey,
  ),
  'a stranger’s key by jku, under our kid': sign(
    { ...header, jku: trapUrl },
    genuine,
    stranger.privateKey,
  ),
  'a stranger’s key by x5u': sign({ ...header, x5u: trapUrl }, genuine, stranger.privateKey),
  'a kid that is a URL': sign({ ...header, kid: trapUrl }, genuine, stranger.privateKey),
  'a kid that is a path': sign({ ...header, kid: '../../etc/passwd' }, genuine),
  'a kid that is SQL': sign({ ...header, kid: "' UNION SELECT 'x" }, genuine),
  'a kid named like a method of a map': sign({ ...header, kid: 'constructor' }, genuine),
  'typ of an id_token': sign({ ...header, typ: 'JWT' }, genuine),
  'no typ': sign({ alg: 'RS256', kid: header.kid }, genuine),
  'typ of a logout token': sign({ ...header, typ: 'logout+jwt' }, genuine),
  'a header named twice': sign(
    `{"alg":"none","typ":"at+jwt","kid":${JSON.stringify(header.kid)},"alg":"RS256"}`,
    genuine,
  ),
  'an audience named twice, ours last': sign(
    header,
    twice('aud', genuine.aud).replace(
      JSON.stringify(genuine.aud),
      JSON.stringify('https://other.example/mcp'),
    ),
  ),
  'an audience named twice, ours first': sign(header, twice('aud', 'https://other.example/mcp')),
  'a subject named twice': sign(header, twice('sub', genuine.sub)),
  'a grant named twice': sign(header, twice('grant_id', genuine.grant_id)),
  'an expiry named twice': sign(header, twice('exp', seconds() + 3_600)),
  'white space among the claims': sign(header, JSON.stringify(genuine, null, 1)),
  'the issuer of NeonPanel': sign(header, { ...genuine, iss: sandbox.url }),
  'a foreign issuer': sign(header, { ...genuine, iss: 'https://as.example' }),
  'our issuer in upper case': sign(header, { ...genuine, iss: url.toUpperCase() }),
  'the issuer as audience': sign(header, { ...genuine, aud: url }),
  'an alias as audience': sign(header, { ...genuine, aud: `${url}/sse` }),
  'the client as audience': sign(header, { ...genuine, aud: connection.client.client_id }),
  'our audience in a list': sign(header, { ...genuine, aud: [genuine.aud] }),
  'an expiry long past': sign(header, { ...genuine, exp: 1 }),
  'an expiry that is no number': sign(header, { ...genuine, exp: null }),
  'an expiry between two seconds': sign(header, { ...genuine, exp: seconds() + 10.5 }),
  'nbf far away': sign(header, { ...genuine, nbf: seconds() + 3_600 }),
  'nbf as text': sign(header, { ...genuine, nbf: '0' }),
  'iat far away': sign(header, { ...genuine, iat: seconds() + 3_600 }),
  'no iat': sign(header, without('iat')),
  'no client_id': sign(header, without('client_id')),
  'no grant': sign(header, without('grant_id')),
  'no jti': sign(header, without('jti')),
  'no scope': sign(header, without('scope')),
  'scope as a list': sign(header, { ...genuine, scope: ['neonpanel.read'] }),
  'claims that are null': sign(header, 'null'),
  'nothing in it': '..',
  'its header only': head,
  'its end missing': tokens.access_token.slice(0, -20),
  'its beginning missing': tokens.access_token.slice(20),
  'a padded signature': `${tokens.access_token}==`,
  'a signature of spare bits': `${tokens.access_token}A`,
  'the standard alphabet': `${head}.${body}.${Buffer.from(signature, 'base64url').toString('base64')}`,
  'its signature in capitals': `${head}.${body}.${signature.toUpperCase()}`,
  'four thousand claims': sign(header, { ...genuine, x: 'y'.repeat(4_000) }),
};

/** Sent as they are: white space belongs to the header, not to a token. */
const WHITESPACE = [
  `Bearer ${head}. ${body}.${signature}`,
  `Bearer\t${tokens.access_token}`,
  `Bearer ${tokens.access_token} ${tokens.access_token}`,
  `Bearer ${tokens.access_token}\u00a0`,
  `Bearer, ${tokens.access_token}`,
];

test.serial(
  'a token that the forger signs unchanged is taken, or the table shows nothing',
  async (t) => {
    t.is((await callMcp(url, sign(header, genuine), 'tools/list')).status, 200);
    const past = sign(header, { ...genuine, nbf: seconds() - 60 });
    t.is((await callMcp(url, past, 'tools/list')).status, 200, 'an nbf that has come');
  },
);

test.serial(
  '[T9] [T8] no forged token is taken, each is answered with a challenge, and nothing is fetched for it',
  async (t) => {
    t.true(Object.keys(FORGED).length >= 25);
    const outbound = watchOutbound();
    t.teardown(outbound.stop);
    sandbox.recorder.clear();
    const headers: [string, string][] = [
      ...Object.entries(FORGED).map(([what, token]) => [what, `Bearer ${token}`] as const),
      ...WHITESPACE.map((value) => [JSON.stringify(value.slice(0, 20)), value] as const),
    ].map(([what, value]) => [what, value]);
    for (const [what, authorization] of headers) {
      for (const path of ['/mcp', '/']) {
        const answer = await send(url, path, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization },
          body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
        });
        t.is(answer.status, 401, what);
        t.is(answer.json?.error, 'invalid_token', what);
        t.regex(answer.headers['www-authenticate']!, /^Bearer .*resource_metadata="http/, what);
        t.false(answer.text.includes(signature), what);
      }
    }
    const own = `:${new URL(url).port}`;
    t.deepEqual(
      outbound.connections.filter((to) => !to.endsWith(own)),
      [],
    );
    t.deepEqual(
      outbound.names.filter((name) => !['localhost', '127.0.0.1'].includes(name)),
      [],
    );
    t.deepEqual(trap.requests, []);
    t.deepEqual(sandbox.recorder.requests(), []);
    await fetch(trapUrl);
    t.true(
      outbound.connections.some((to) => to.endsWith(`:${trap.port}`)),
      'it would be seen',
    );
  },
);

test.serial(
  '[T8] whatever else is a token here or elsewhere is no access token of ours',
  async (t) => {
    const twin = await startHarness();
    t.teardown(() => twin.close());
    const elsewhere = await connect(twin);
    sandbox.recorder.clear();
    await callTool(url, tokens.access_token, 'listCompanies');
    const upstream = sandbox.recorder.requests().map(({ headers }) => headers.authorization ?? '');
    const neonpanels = /^Bearer (.+)$/.exec(upstream.find((text) => text !== '') ?? '')?.[1];
    const key = await assertionKey('ES256');
    const foreign: Record<string, string | undefined> = {
      'NeonPanel’s access token': neonpanels,
      'an id_token of ours': tokens.id_token,
      'a refresh token of ours': tokens.refresh_token,
      'a code of ours': connection.code,
      'a token of another installation': elsewhere.tokens.access_token,
      'a token of a foreign server for us': sign(
        header,
        { ...genuine, iss: 'https://as.example' },
        stranger.privateKey,
      ),
      'a token of ours for another': sign(header, { ...genuine, aud: 'https://other.example/mcp' }),
      'a client assertion': await clientAssertion(key, connection.client.client_id, { aud: url }),
    };
    for (const [what, token] of Object.entries(foreign)) {
      t.truthy(token, what);
      const { status, body } = await callMcp(url, token, 'tools/list');
      t.is(status, 401, what);
      t.is(body.error, 'invalid_token', what);
    }
    t.is(
      (await callMcp(twin.url, tokens.access_token, 'tools/list')).status,
      401,
      'nor ours there',
    );
  },
);

test.serial(
  '[T8] nothing that we issued is in anything that NeonPanel is sent, by any tool',
  async (t) => {
    const before = await connect(harness, { parameters: { scope: 'openid neonpanel.write' } });
    sandbox.recorder.clear();
    // The refresh at the end goes nowhere near NeonPanel either.
    for (const { tool, args } of fixtures)
      await callTool(url, before.tokens.access_token, tool, args);
    const during = await connect(harness, {
      parameters: { scope: 'openid neonpanel.write' },
      metadata: { token_endpoint_auth_method: 'client_secret_post' },
    });
    const renewed = (await refresh(url, during.client, during.tokens.refresh_token)).body;
    await callTool(url, renewed.access_token, 'listCompanies');
    const secrets = [before.tokens, during.tokens, renewed].flatMap((each) => [
      each.access_token,
      each.refresh_token,
      each.id_token,
    ]);
    secrets.push(during.code, during.attempt.verifier, during.client.client_secret);
    const sent = sandbox.recorder.requests().map((request) => JSON.stringify(request));
    t.true(sent.length >= fixtures.length);
    t.true(sent.some((request) => request.includes('"authorization":"Bearer ')));
    for (const secret of secrets.filter((one) => one !== undefined)) {
      t.false(
        sent.some((request) => request.includes(secret)),
        secret,
      );
    }
  },
);

// ------------------------------------------------------------------------ clocks

test.serial('[T66] clocks may differ by 15 seconds and no more, in either direction', async (t) => {
  const clock = createClock();
  const own = await startHarness({ now: clock.now });
  t.teardown(() => own.close());
  const { tokens: good } = await connect(own);
  const skewed = await createForger(own, good.access_token);
  const now = () => Math.floor(clock.now() / 1000);
  const TABLE: [string, () => Record<string, unknown>, number][] = [
    ['expires in 1 s', () => ({ exp: now() + 1 }), 200],
    ['expired just now', () => ({ exp: now() }), 200],
    ['expired 13 s ago', () => ({ exp: now() - 13 }), 200],
    ['expired 15 s ago', () => ({ exp: now() - 15 }), 401],
    ['expired 60 s ago', () => ({ exp: now() - 60 }), 401],
    ['issued 15 s ahead', () => ({ iat: now() + 15 }), 200],
    ['issued 17 s ahead', () => ({ iat: now() + 17 }), 401],
    ['valid from 15 s ahead', () => ({ nbf: now() + 15 }), 200],
    ['valid from 17 s ahead', () => ({ nbf: now() + 17 }), 401],
  ];
  for (const [what, claims, status] of TABLE) {
    const token = skewed.sign(skewed.header, { ...skewed.genuine, ...claims() });
    t.is((await callMcp(own.url, token, 'tools/list')).status, status, what);
  }
  // The same with a clock that is wrong instead of a token: a genuine one, not yet remembered.
  t.false('nbf' in skewed.genuine);
  // The engine's clock is the real one, and has gone on while this one stood.
  const ahead = (await connect(own)).tokens.access_token;
  const { iat } = decodeJwt(ahead);
  clock.advance(iat! * 1000 - 14_000 - clock.now());
  t.is((await callMcp(own.url, ahead, 'tools/list')).status, 200, 'a clock 14 s behind');
  clock.advance(-4_000);
  const further = (await connect(own)).tokens.access_token;
  t.is((await callMcp(own.url, further, 'tools/list')).status, 401, 'a clock 18 s behind');
  clock.advance(Number(skewed.genuine.exp) * 1000 + 10_000 - clock.now());
  t.is((await callMcp(own.url, good.access_token, 'tools/list')).status, 200, '10 s over');
  clock.advance(6_000);
  t.is((await callMcp(own.url, good.access_token, 'tools/list')).status, 401, '16 s over');
});

test.serial('[T66] a client’s clock may differ as much in its assertions', async (t) => {
  const key = await assertionKey('ES256');
  const { client_id } = (
    await register(url, {
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [key.publicJwk] },
    })
  ).body;
  for (const [claims, error] of [
    [{ exp: seconds() - 8 }, 'invalid_grant'],
    [{ exp: seconds() - 20 }, 'invalid_client'],
    [{ nbf: seconds() + 12 }, 'invalid_grant'],
    [{ nbf: seconds() + 40 }, 'invalid_client'],
    [{ iat: seconds() + 12 }, 'invalid_grant'],
  ] as const) {
    const assertion = await clientAssertion(key, client_id, { aud: url, ...claims });
    const { body } = await postForm(`${url}/oauth2/token`, {
      grant_type: 'refresh_token',
      refresh_token: 'none of ours',
      ...assertionForm(assertion),
    });
    t.is(body.error, error, JSON.stringify(claims));
  }
});

test.serial('[T66] NeonPanel’s clock may differ by 10 seconds', async (t) => {
  for (const ms of [10_000, -10_000]) {
    const skewed = await startHarness({ sandbox: { now: () => Date.now() + ms } });
    t.teardown(() => skewed.close());
    const { tokens: got } = await connect(skewed);
    t.is((await callTool(skewed.url, got.access_token, 'listCompanies')).status, 200, `${ms}`);
  }
});
