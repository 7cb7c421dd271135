import test from 'ava';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { startHarness } from './support/harness.ts';
import { callMcp, connect, postForm, refresh, token } from './support/oauth.ts';

const harness = await startHarness();
const { url } = harness;
test.after.always(() => harness.close());

test.serial(
  '[N18] [D7] the token response is complete, typed exactly Bearer, and not cached',
  async (t) => {
    const { client, tokens } = await connect(harness);
    t.is(tokens.token_type, 'Bearer');
    t.is(tokens.expires_in, 3600);
    t.is(tokens.scope, 'neonpanel.read neonpanel.write');
    t.deepEqual(Object.keys(tokens).sort(), [
      'access_token',
      'expires_in',
      'refresh_token',
      'scope',
      'token_type',
    ]);
    const renewed = await refresh(url, client, tokens.refresh_token);
    t.is(renewed.body.token_type, 'Bearer');
    t.is(renewed.headers.get('cache-control'), 'no-store');
    t.is(renewed.headers.get('access-control-allow-origin'), '*');
  },
);

test.serial(
  '[D7] [N14] an access token is an RS256 at+jwt for our one audience with the claims of RFC 9068',
  async (t) => {
    const { client, tokens } = await connect(harness);
    t.like(decodeProtectedHeader(tokens.access_token), { alg: 'RS256', typ: 'at+jwt' });
    const claims = decodeJwt(tokens.access_token);
    t.like(claims, {
      iss: url,
      aud: `${url}/mcp`,
      client_id: client.client_id,
      scope: 'neonpanel.read neonpanel.write',
    });
    t.is(claims.exp! - claims.iat!, 3600);
    t.truthy(claims.sub);
    t.truthy(claims.jti);
    t.is(typeof claims.grant_id, 'string');
  },
);

test.serial('[F7] a token works at the MCP endpoint at once, and twice in parallel', async (t) => {
  const { tokens } = await connect(harness);
  const answers = await Promise.all(
    [1, 2].map(() => callMcp(url, tokens.access_token, 'tools/list')),
  );
  t.deepEqual(
    answers.map(({ status }) => status),
    [200, 200],
  );
});

test.serial(
  '[N3] the token endpoint takes a form and answers JSON, also to a browser',
  async (t) => {
    const asBrowser = await postForm(
      `${url}/oauth2/token`,
      { grant_type: 'password', client_id: 'nobody-at-all' },
      { accept: 'text/html' },
    );
    t.is(asBrowser.status, 401);
    t.is(asBrowser.body.error, 'invalid_client');
    t.regex(asBrowser.headers.get('content-type')!, /json/);
  },
);

test.serial(
  '[D15] other grant types are unsupported, and client_credentials is nobody’s',
  async (t) => {
    const { client } = await connect(harness);
    for (const grant_type of ['password', 'client_credentials', 'implicit', 'urn:x']) {
      const { status, body } = await token(url, { grant_type, client_id: client.client_id });
      t.is(status, 400);
      t.is((body as unknown as { error: string }).error, 'unsupported_grant_type', grant_type);
    }
  },
);
