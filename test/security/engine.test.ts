import test from 'ava';
import { Provider } from 'oidc-provider';
import { refuseDevelopmentLogin } from '../../auth/provider.ts';
import { openConsent, nothingGranted } from '../login-support.ts';
import { send } from '../raw-http.ts';
import { createClock } from '../support/clock.ts';
import { startHarness } from '../support/harness.ts';
import {
  authorizationRequest,
  callMcp,
  connect,
  redeem,
  refresh,
  signIn,
} from '../support/oauth.ts';

/** What the engine brings and we do not want, and what ends although its token has not. */

const harness = await startHarness({ env: { RATE_LIMIT_FACTOR: '0' } });
const { url } = harness;
test.after.always(() => harness.close());

test.serial('[T16] an engine with its development login is refused, one without it is not', (t) => {
  const issuer = 'http://localhost:3000';
  // The engine warns of what is asked for here.
  const { warn } = console;
  console.warn = () => {};
  t.teardown(() => (console.warn = warn));
  const off = new Provider(issuer, { features: { devInteractions: { enabled: false } } });
  t.notThrows(() => refuseDevelopmentLogin(off));
  for (const configuration of [
    {},
    { features: {} },
    { features: { devInteractions: { enabled: true } } },
  ]) {
    const on = new Provider(issuer, configuration);
    t.throws(() => refuseDevelopmentLogin(on), { message: /development login is on/ });
  }
});

test('[T16] no form field, path or method signs anybody in on our pages', async (t) => {
  const { page, browser, uid } = await openConsent(harness);
  const csrf = page.form().fields.get('csrf')!;
  const cookie = browser.cookies(page.url).join('; ');
  const { pathname } = new URL(page.url);
  for (const fields of [
    { login: 'victim', prompt: 'login' },
    { login: 'victim', password: 'x', prompt: 'login', csrf },
    { prompt: 'consent', csrf },
    { accountId: '1001', sub: '1001', account: '1001', csrf },
    { 'login[accountId]': '1001', 'result[login][accountId]': '1001', csrf },
  ] as Record<string, string>[]) {
    for (const path of [
      pathname,
      `${pathname}/login`,
      `${pathname}/confirm`,
      `${pathname}/submit`,
    ]) {
      for (const type of ['application/x-www-form-urlencoded', 'application/json']) {
        const answer = await send(url, path, {
          method: 'POST',
          headers: { 'content-type': type, cookie },
          body: type.endsWith('json')
            ? JSON.stringify(fields)
            : new URLSearchParams(fields).toString(),
        });
        t.true(answer.status >= 400 && answer.status < 500, `${path} ${answer.status}`);
        t.is(answer.headers.location, undefined);
        t.is(answer.headers['set-cookie'], undefined);
      }
    }
  }
  nothingGranted(t, harness, uid);
  // And the page itself asks for no name and no password.
  const names = page.dom.querySelectorAll('input').map((field) => field.getAttribute('name'));
  t.deepEqual(names.sort(), ['csrf', 'scope']);
});

test.serial('[T36] when a grant has run out, its access token ends with it', async (t) => {
  const clock = createClock();
  const env = { REFRESH_TOKEN_TTL_SECONDS: '600', ACCESS_TOKEN_TTL_SECONDS: '3600' };
  const own = await startHarness({ now: clock.now, instances: 2, env });
  t.teardown(() => own.close());
  const { client, tokens } = await connect(own);
  const live = async () =>
    (
      await Promise.all(own.instances.map((one) => callMcp(one, tokens.access_token, 'tools/list')))
    ).map(({ status }) => status);
  clock.advance(590_000);
  t.deepEqual(await live(), [200, 200]);
  const renewed = await refresh(own.url, client, tokens.refresh_token);
  t.is(renewed.status, 200, 'which keeps the grant for another ten minutes');
  clock.advance(590_000);
  t.deepEqual(await live(), [200, 200]);
  clock.advance(11_000);
  t.deepEqual(await live(), [401, 401]);
  const late = await refresh(own.url, client, renewed.body.refresh_token);
  t.is((late.body as any).error, 'invalid_grant');
});

test('[T65] after every refusal of a resource the code and the refresh token are as good as new, in any spelling of ours', async (t) => {
  const { host } = new URL(url);
  const spellings = [
    url,
    `${url}/`,
    `${url}/mcp`,
    `${url}/mcp/`,
    `${url}/sse`,
    `${url}/sse/`,
    `HTTP://${host.toUpperCase()}/mcp`,
  ];
  const foreign = [
    'https://evil.example/mcp',
    `${url}.evil.example`,
    `${url}/mcp/../admin`,
    `${url}/%6dcp`,
    `${url}/mcp;x`,
    `${url}\\mcp`,
    `${url}/x/../mcp`,
    `${url}/./mcp`,
    `${url}/m\tcp`,
    ` ${url}/mcp`,
    `${url}/mcp\n`,
    url.replace('//', ''),
    url.replace('localhost', 'local\u00adhost'),

    `http://x@${host}/mcp`,
    'mcp',
    '\u0000',
    'x'.repeat(5_000),
  ];
  const { client } = await connect(harness);
  for (const resource of spellings) {
    const attempt = authorizationRequest(url, client, { resource });
    const code = (await signIn(harness, attempt)).searchParams.get('code')!;
    for (const other of foreign) {
      const { status, body } = await redeem(url, attempt, code, { resource: other });
      t.deepEqual([status, (body as any).error], [400, 'invalid_target'], other);
    }
    const { status, body } = await redeem(url, attempt, code, { resource });
    t.is(status, 200, resource);
    for (const other of foreign) {
      const refused = await refresh(url, client, body.refresh_token, { resource: other });
      t.deepEqual([refused.status, (refused.body as any).error], [400, 'invalid_target'], other);
    }
    t.is((await refresh(url, client, body.refresh_token, { resource })).status, 200, resource);
  }
});
