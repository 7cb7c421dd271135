import test from 'ava';
import { documentUrlProblem } from '../../auth/cimd/document-url.ts';
import { redirectUriProblem } from '../../auth/redirect-uri.ts';
import { loadConfig } from '../../config.ts';
import { badRedirectUris } from '../redirect-uris.ts';
import { createClock } from '../support/clock.ts';
import { startHarness } from '../support/harness.ts';
import { authorizationRequest, postForm, postJson, REDIRECT_URI } from '../support/oauth.ts';
import { documented } from './client.ts';
import { startListener } from './listener.ts';

/** Which addresses a client's document may have. Nothing here may look a name up, let alone connect. */
const lookedUp: string[] = [];
const clock = createClock();
const harness = await startHarness({
  now: clock.now,
  env: { RATE_LIMIT_FACTOR: '0' },
  resolve: async (name) => {
    lookedUp.push(name);
    return ['127.0.0.1', '::1'];
  },
});
test.after.always(() => harness.close());

const requestFor = (clientId: string) =>
  authorizationRequest(harness.url, documented(clientId, [REDIRECT_URI], harness.url).client).url;

/** @param port where something listens on every loopback address */
const badUrls = (port: number): readonly string[] => [
  'http://client.example/c.json',
  'HTTPS://client.example/c.json',
  'ftp://client.example/c.json',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'data:application/json,{}',
  'gopher://client.example/_x',
  'urn:client:example',
  'https:client.example/c.json',
  'https:/client.example/c.json',
  'https:///c.json',
  'https://',
  'https://client.example',
  'https://client.example?c',
  'https://Client.example/c.json',
  'https://client.example:443/c.json',
  'https://client.example:8443/c.json',
  'https://client.example:25/',
  'https://client.example:/c.json',
  'https://client.example:99999/c.json',
  'https://client.example./c.json',
  'https://client.example/c.json#here',
  'https://client.example/c.json#',
  'https://client.example/./c.json',
  'https://client.example/../c.json',
  'https://client.example/a/%2e%2e/c.json',
  'https://client.example/a/.%2E/c.json',
  'https://client.example/%',
  'https://client.example/%zz',
  'https://client.example/%0d%0ax',
  'https://client.example/?x=%00',
  'https://client.example\\c.json',
  'https://client.example/a\\b',
  'https://client.example/a b',
  'https://client.example/a\tb',
  'https://client.example/a\r\nx-injected: 1',
  'https://client.example/\0',
  ' https://client.example/c.json',
  'https://client.example/c.json ',
  'https://client.example/ü',
  'https://clіent.example/c.json',
  'https://client。example/c.json',
  'https://user@client.example/c.json',
  'https://user:pass@client.example/c.json',
  'https://@client.example/c.json',
  'https://:@client.example/c.json',
  'https://client.example@127.0.0.1/c.json',
  'https://client/c.json',
  'https://localhost/c.json',
  'https://app.localhost/c.json',
  'https://printer.local/c.json',
  'https://metadata.google.internal/c.json',
  'https://router.lan/c.json',
  'https://1.1.1.1/c.json',
  'https://10.0.0.5:6379/',
  'https://169.254.169.254/latest/meta-data',
  'https://[2606:4700::1111]/c.json',
  `https://localhost:${port}/c.json`,
  `https://127.0.0.1:${port}/c.json`,
  `https://127.1:${port}/c.json`,
  `https://127.0.0.2:${port}/c.json`,
  `https://2130706433:${port}/c.json`,
  `https://0x7f000001:${port}/c.json`,
  `https://0x7f.0.0.1:${port}/c.json`,
  `https://017700000001:${port}/c.json`,
  `https://0177.0.0.01:${port}/c.json`,
  `https://0.0.0.0:${port}/c.json`,
  `https://0:${port}/c.json`,
  `https://[::1]:${port}/c.json`,
  `https://[::]:${port}/c.json`,
  `https://[::ffff:127.0.0.1]:${port}/c.json`,
  `https://[::ffff:7f00:1]:${port}/c.json`,
  `https://[64:ff9b::7f00:1]:${port}/c.json`,
  `https://[2002:7f00:1::]:${port}/c.json`,
  `https://①②⑦.0.0.1:${port}/c.json`,
  `https://127。0。0。1:${port}/c.json`,
  `https://client.example/${'a'.repeat(1_024)}`,
];

test.serial(
  '[T19] [A5] [F36] a client_id that is no good address gets a page, 401 at the endpoints, and no connection',
  async (t) => {
    const listener = await startListener(t);
    const urls = badUrls(listener.port);
    t.true(urls.length >= 40, `${urls.length}`);
    for (const clientId of urls) {
      const label = JSON.stringify(clientId.slice(0, 80));
      const page = await fetch(requestFor(clientId), {
        redirect: 'manual',
        headers: { accept: 'text/html' },
      });
      t.is(page.status, 400, label);
      t.is(page.headers.get('location'), null, label);
      t.regex(page.headers.get('content-type')!, /^text\/html/, label);
      t.regex(await page.text(), /This app can’t be recognised/, label);
      const data = await fetch(requestFor(clientId), { redirect: 'manual' });
      t.is(data.status, 400, label);
      t.is(((await data.json()) as any).error, 'invalid_client', label);
      const token = await postForm(`${harness.url}/oauth2/token`, {
        grant_type: 'authorization_code',
        code: 'x',
        client_id: clientId,
      });
      t.is(token.status, 401, label);
      t.is(token.body.error, 'invalid_client', label);
      const description = String(token.body.error_description);
      t.regex(description, /^client_id as the address of [\x20-\x7e]+$/, label);
      t.notRegex(description, /app|page/i);
    }
    t.is(listener.connections(), 0);
    t.deepEqual(lookedUp, []);
    const causes = harness.logs.find({ event: 'authorization', outcome: 'refused' });
    t.true(causes.length >= urls.length);
    t.true(causes.every(({ cause }) => String(cause).startsWith('client_id ')));
  },
);

test.serial('[A5] an address that is as it should be is acceptable', (t) => {
  for (const good of [
    'https://chatgpt.com/oauth/client.json',
    'https://chatgpt.com/oauth/tU1UVEq8rRTK/client.json',
    'https://claude.ai/oauth/mcp-oauth-client-metadata',
    'https://claude.ai/oauth/claude-code-client-metadata',
    'https://vscode.dev/oauth/client-metadata.json',
    'https://cursor.com/oauth/mcp-client.json',
    'https://client.example/',
    'https://client.example/?version=2',
    'https://client.example/a%20b/%7Euser',
    'https://client.example/a@b',
    'https://xn--bcher-kva.example/c.json',
    'https://a.b.c.d.client.example/c',
    `https://client.example/${'a'.repeat(1_000)}`,
  ]) {
    t.is(documentUrlProblem(good), undefined, good);
  }
});

test.serial(
  '[T12] [T19] what is misspelt is refused in the same words, whatever address it is meant to be',
  (t) => {
    let misspelt = 0;
    for (const uri of badRedirectUris) {
      const problem = redirectUriProblem(uri, []);
      if (
        !/string|ASCII|in a URI|percent|encoded|absolute|fragment|userinfo|canonical/.test(problem!)
      )
        continue;
      misspelt++;
      t.is(documentUrlProblem(uri), problem, JSON.stringify(uri));
    }
    t.true(misspelt > 100, `${misspelt}`);
    // Where a wildcard would be one.
    t.is(documentUrlProblem('https://client.example/*'), undefined);
  },
);

test.serial('[T19] CIMD_TEST_ORIGIN is one origin, and never there under production rules', (t) => {
  const origin = 'http://localhost:4000';
  t.is(documentUrlProblem(`${origin}/c.json`, origin), undefined);
  for (const other of [
    'http://localhost:4001/c.json',
    'https://localhost:4000/c.json',
    'http://127.0.0.1:4000/c.json',
    'http://localhost:4000@127.0.0.1/c.json',
    'http://localhost:4000/a/../c.json',
    'http://localhost:4000/#',
  ]) {
    t.not(documentUrlProblem(other, origin), undefined, other);
  }
  const error = t.throws(() =>
    loadConfig({ PUBLIC_URL: 'https://mcp.example.com', CIMD_TEST_ORIGIN: origin }),
  );
  t.regex(String(error), /CIMD_TEST_ORIGIN: is refused/);
});

test.serial(
  '[T19] a name that leads to this machine is looked up once, and answered like one that leads nowhere',
  async (t) => {
    lookedUp.length = 0;
    const answers = [];
    for (const name of ['rebound.example', 'rebound.example']) {
      const page = await fetch(requestFor(`https://${name}/c.json`), {
        redirect: 'manual',
        headers: { accept: 'text/html' },
      });
      t.is(page.status, 503);
      t.is(page.headers.get('retry-after'), '10');
      answers.push(await page.text());
    }
    t.deepEqual(lookedUp, ['rebound.example']);
    for (const text of answers) {
      t.regex(text, /can’t be loaded right now/);
      t.false(text.includes('127.0.0.1'));
    }
    const [line] = harness.logs.find({ event: 'client_metadata', outcome: 'refused' });
    t.is(line!.cause, 'no public address among 127.0.0.1 ::1');
  },
);

test.serial(
  '[T19] [N6] a registration’s jwks_uri, sector_identifier_uri and other addresses are never asked',
  async (t) => {
    const listener = await startListener(t);
    for (const scheme of ['http', 'https']) {
      const at = `${scheme}://127.0.0.1:${listener.port}`;
      const addresses = {
        jwks_uri: `${at}/jwks`,
        sector_identifier_uri: `${at}/sector`,
        logo_uri: `${at}/logo.png`,
        client_uri: `${at}/`,
        policy_uri: `${at}/policy`,
        tos_uri: `${at}/tos`,
        request_uris: [`${at}/request`],
        initiate_login_uri: `${at}/login`,
        software_statement: 'e30.e30.',
      };
      const registered = await postJson(`${harness.url}/oauth2/register`, {
        redirect_uris: [REDIRECT_URI],
        token_endpoint_auth_method: 'none',
        subject_type: 'pairwise',
        ...addresses,
      });
      t.is(registered.status, 201, JSON.stringify(registered.body));
      for (const name of ['jwks_uri', 'sector_identifier_uri', 'request_uris']) {
        t.false(name in registered.body, name);
      }
      const withKeys = await postJson(`${harness.url}/oauth2/register`, {
        redirect_uris: [REDIRECT_URI],
        token_endpoint_auth_method: 'private_key_jwt',
        ...addresses,
      });
      t.is(withKeys.status, 400);
      t.is(withKeys.body.error, 'invalid_client_metadata');
    }
    t.is(listener.connections(), 0);
  },
);
