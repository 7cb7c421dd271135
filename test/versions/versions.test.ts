import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { loadConfig } from '../../config.ts';
import { stopTime } from '../journeys/time.ts';
import { admin } from '../support/admin.ts';
import { type Harness, startHarness, STORES } from '../support/harness.ts';
import { callMcp, callTool, redeem, refresh, token } from '../support/oauth.ts';
import { recordsOf } from '../support/records.ts';
import { type Held, writeEverything } from './everything.ts';
import { type Fixture, startOn } from './fixture.ts';
import { changed, type Content, contentOf, shapeOf } from './records.ts';

/**
 * Old and new instances work on one store for as long as an update rolls, and after it went back. The old version is kept as
 * what it wrote (test/fixtures/store-v1.json); it must be read for ever, and what is written today must have all that it
 * looked for.
 */
const FIXTURES = ['store-v1'].map((name): [string, Fixture] => [
  name,
  JSON.parse(readFileSync(join(import.meta.dirname, `../fixtures/${name}.json`), 'utf8')),
]);

// What the fixture's clients hold has not run out yet. The engine knows no injected clock.
stopTime(FIXTURES[0]![1].at);

const FUTURE = { fromTheFuture: { is: ['a', { list: 1 }] } };
/** As a newer version might: every record has something more, and so has every record in a record. */
const withMore = (content: Content): Content => {
  if (Array.isArray(content)) return content.map(withMore);
  if (typeof content !== 'object' || content === null) return content;
  const inner = Object.entries(content).map(([name, value]) => [
    name,
    RECORDS_IN_RECORDS.includes(name) ? withMore(value) : value,
  ]);
  return { ...Object.fromEntries(inner), ...FUTURE };
};
const RECORDS_IN_RECORDS = ['payload', 'metadata', 'service', 'approved', 'params'];

/** Members that came after the first records were written, by kind. */
const OPTIONAL: Readonly<Record<string, readonly string[]>> = {
  grant: ['masterKey', 'nonce', 'authTime'],
  client: ['usedAt', 'managementUri', 'managementToken'],
  signing: ['promotedAt', 'retiredAt', 'neededUntil'],
  idempotency: ['requestId'],
};
const withLess = (content: Content, kind: string): Content => {
  if (Array.isArray(content)) return content.map((each) => withLess(each, kind));
  if (typeof content !== 'object' || content === null) return content;
  const optional = OPTIONAL[kind] ?? [];
  return Object.fromEntries(Object.entries(content).filter(([name]) => !optional.includes(name)));
};

const VARIANTS: readonly [string, (fixture: Fixture) => Fixture | Promise<Fixture>][] = [
  ['as they are', (fixture) => fixture],
  ['with members that nobody knows', (fixture) => changed(fixture, withMore)],
  ['without the members that came later', (fixture) => changed(fixture, withLess)],
];

for (const [name, fixture] of FIXTURES) {
  for (const store of STORES) {
    for (const [how, make] of VARIANTS) {
      test(`[X39] ${store}: records of ${name}, ${how}, are read by all who need them`, async (t) => {
        const harness = await startOn(await make(fixture), store);
        t.teardown(harness.close);
        await assertAllGoesOn(t, harness, fixture);
        t.deepEqual(harness.logs.find({ event: 'server_error' }), []);
      });
    }
  }
}

async function assertAllGoesOn(t: ExecutionContext, harness: Harness, { held }: Fixture) {
  const { url } = harness;
  const { connection, code, person, login, service, bill, used } = held;

  // The signing keys, the grant, its credential.
  t.is((await callMcp(url, connection.accessToken, 'tools/list')).status, 200);
  // Nothing of it is asked of NeonPanel, which does not know it.
  const billed = await callTool(url, connection.accessToken, 'createDocumentsByPdf', bill.args);
  t.deepEqual(billed.body.result?.structuredContent, bill.result, JSON.stringify(billed.body));
  const repeated = await refresh(url, connection.client, connection.previous);
  t.is(repeated.body.refresh_token, connection.newest, 'in the grace, the same successor');
  const refreshed = await refresh(url, connection.client, connection.newest);
  t.is(refreshed.status, 200, JSON.stringify(refreshed.body));
  const listing = await callMcp(url, refreshed.body.access_token, 'tools/list');
  t.is(listing.status, 200);

  const redeemed = await redeemHeld(url, code);
  t.is(redeemed.status, 200, JSON.stringify(redeemed.body));
  t.is((await redeemHeld(url, code)).status, 400);

  const served = await token(url, { grant_type: 'client_credentials', ...service });
  t.is(served.status, 200, JSON.stringify(served.body));
  const replayed = await token(url, used);
  t.is(replayed.status, 401, 'the assertion was used');

  const page = await visit(url, person);
  t.is(page.status, 200);
  t.regex(await page.text(), /<form/);
  // The login is found, taken and opened; only then NeonPanel is asked, and does not know its code.
  const back = await visit(url, login);
  t.is(back.status, 400);
  t.truthy(harness.logs.only({ event: 'login', outcome: 'refused' }));
  t.is(await (await visit(url, login)).text().then((text) => /used|already/i.test(text)), true);

  const checked = await admin(harness, 'vault', 'check', '--json');
  t.is(checked.code, 0, checked.err + checked.out);
  const listed = await admin(harness, 'clients', 'list', '--json');
  t.is(listed.code, 0, listed.err);
  t.true(listed.out.includes(service.client_id));
}

const redeemHeld = (url: string, { client, code, verifier, redirectUri }: Held['code']) =>
  redeem(url, { client, verifier, redirectUri, state: '', url: new URL(url) }, code);

const visit = (url: string, { path, cookie }: Held['person']) =>
  fetch(url + path, { headers: { cookie, accept: 'text/html' }, redirect: 'manual' });

test('[X39] what is written today has everything that older versions look for, each of the same type', async (t) => {
  const masterKey = FIXTURES[0]![1].masterKey;
  const harness = await startHarness({ env: { MASTER_KEYS: masterKey } });
  t.teardown(harness.close);
  await writeEverything(harness);
  const today = await shapes(masterKey, await recordsOf(harness));
  for (const [name, fixture] of FIXTURES) {
    for (const [kind, older] of await shapes(fixture.masterKey, fixture.records)) {
      for (const wanted of older) {
        const missing = (today.get(kind) ?? []).map((has) =>
          wanted.filter((x) => !has.includes(x)),
        );
        const closest = missing.toSorted((a, b) => a.length - b.length)[0] ?? wanted;
        t.deepEqual(closest, [], `${kind}: ${name} had it, and no record of today has`);
      }
    }
  }
});

/** Of each kind the shapes that occur. */
async function shapes(masterKey: string, rows: Parameters<typeof contentOf>[1]) {
  const found = new Map<string, string[][]>();
  for (const row of rows) {
    const shape = shapeOf(await contentOf(masterKey, rows, row));
    found.set(row.kind, [...(found.get(row.kind) ?? []), shape]);
  }
  return found;
}

/** A production environment as it was written down for version 0.1.0. */
const OLD_ENVIRONMENT = {
  NODE_ENV: 'production',
  PORT: '3000',
  PUBLIC_URL: 'https://mcp.example.com',
  REDIS_URL: 'rediss://user:password@redis.internal:6379/0',
  MASTER_KEYS: randomBytes(32).toString('base64url'),
  NEONPANEL_URL: 'https://my.neonpanel.example',
  NEONPANEL_API_URL: 'https://my.neonpanel.example/api/v1',
  NEONPANEL_CLIENT_ID: 'client',
  NEONPANEL_CLIENT_SECRET: 'secret',
  NEONPANEL_SCOPE: 'openid',
  NEONPANEL_ARRAY_STYLE: 'brackets',
  TRUSTED_PROXY_HOPS: '1',
  ACCESS_TOKEN_TTL_SECONDS: '3600',
  CODE_TTL_SECONDS: '60',
  REFRESH_TOKEN_TTL_SECONDS: '7776000',
  REFRESH_GRACE_SECONDS: '60',
  REDIRECT_SCHEMES: 'cursor,vscode,vscode-insiders,windsurf,claude',
  REGISTRATION: 'open',
  PUBLIC_DISCOVERY: 'false',
  JWKS_CACHE_SECONDS: '86400',
  KEY_ROTATION_DAYS: '0',
  RATE_LIMIT_FACTOR: '1',
  LOG_LEVEL: 'info',
};

test('[X39] an environment that an older version took is taken, with what is new left out', (t) => {
  const config = loadConfig(OLD_ENVIRONMENT);
  t.true(config.production);
  t.is(config.publicUrl, OLD_ENVIRONMENT.PUBLIC_URL);
});
