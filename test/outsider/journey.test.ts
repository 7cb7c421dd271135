import test, { type ExecutionContext } from 'ava';
import {
  answerConsent,
  answerLogin,
  authorizationRequest,
  callMcp,
  postForm,
  redeem,
  refresh,
  register,
  userBrowser,
} from '../support/oauth.ts';
import { STORES } from '../support/harness.ts';
import { titleOn } from '../support/stores.ts';
import { COMPANIES, ITEMS, WAREHOUSES } from './records.ts';
import { complaints } from './rules.ts';
import type { StandInOptions } from './stand-in.ts';
import { startWorld, type World } from './world.ts';

/**
 * From registration to revocation with a NeonPanel that a stranger wrote from the documentation, in every shape that
 * the documentation leaves open. Whatever our server sends there is held against the documentation as well.
 */

const company = { companyUuid: COMPANIES[0].uuid };
const file = { name: 'invoice.pdf', link: 'https://files.example.org/invoice.pdf?sig=a%2Fb' };
const period = { startDate: '2025-01-01', endDate: '2025-03-31' };

/** Every tool but the last two, which need the answer of another. */
const CALLS: readonly (readonly [tool: string, args: object, expected: object])[] = [
  ['listCompanies', {}, { current_page: 1, per_page: 30, last_page: 1, data: COMPANIES }],
  ['listReports', {}, { count: 1 }],
  ['listInventoryItems', { ...company, sku: 'KTL-2' }, { data: [ITEMS[1]] }],
  ['listInventoryItems', { companyUuid: 'œuf & fils "maison"', perPage: 60 }, { per_page: 60 }],
  ['listWarehouses', { companyUuid: 'bwk' }, { data: WAREHOUSES }],
  ['getWarehouseBalances', { ...company, warehouseUuid: WAREHOUSES[0].uuid }, { last_page: 1 }],
  [
    'getInventoryDetails',
    { ...company, inventoryId: 502, balancesDate: '2025-06-30' },
    { inventory: ITEMS[1] },
  ],
  [
    'getInventoryLandedCost',
    { ...company, inventoryId: 501, warehouseUuid: WAREHOUSES[0].uuid, ...period },
    { amount: 812.4, warehouse: WAREHOUSES[0] },
  ],
  [
    'getInventoryCogs',
    { ...company, inventoryId: '501', startDate: '2025-01-01' },
    { lost_amount: 13.54, total_amount: 40.62 },
  ],
  [
    'getRevenueAndCogs',
    {
      ...period,
      periodicity: 'monthly',
      grouping: ['company', 'country'],
      companyUuids: [COMPANIES[0].uuid, 72],
      countryCodes: ['US', 'ca'],
    },
    {
      filters: {
        company_uuids: COMPANIES.map(({ uuid }) => uuid),
        country_codes: ['US', 'CA'],
        periodicity: 'monthly',
        grouping: ['company', 'country'],
        start_date: '2025-01-01',
        end_date: '2025-03-31',
      },
    },
  ],
  [
    'listCompaniesWithPermission',
    { permission: 'view:quicksight_group.finance-new', companyUuids: ['OEF'] },
    { filters: { company_uuids: [COMPANIES[1].uuid] }, companies: [COMPANIES[1]] },
  ],
];

interface Variant {
  readonly name: string;
  readonly ids?: string;
  readonly standIn?: StandInOptions;
  readonly env?: Record<string, string>;
}

const VARIANTS: readonly Variant[] = [
  { name: 'as documented', ids: '[N1] [N40] [N45] ' },
  { name: 'that publishes no metadata', standIn: { metadata: false } },
  { name: 'behind a proxy', standIn: { issuer: 'https://my.neonpanel.com' } },
  { name: 'whose refresh tokens do not rotate', standIn: { rotates: false } },
  {
    name: 'that answers instructions as text and tokens without expires_in',
    standIn: { plainInstructions: true, saysExpiresIn: false },
  },
  { name: 'of before the rename of /details', ids: '[N41] ', standIn: { oldDetailsPath: true } },
  {
    name: 'that reads lists as OpenAPI spells them',
    standIn: { arrays: 'repeat' },
    env: { NEONPANEL_ARRAY_STYLE: 'repeat' },
  },
];

for (const store of STORES) {
  for (const { name, ids = '', standIn, env = {} } of VARIANTS) {
    const title = `${ids}a NeonPanel ${name} is served from registration to revocation`;
    test.serial(titleOn(store, title), async (t) => {
      const world = await startWorld(standIn, { store, env });
      t.teardown(world.close);
      await journey(t, world);
    });
  }
}

/** Things a client sends us that are none of NeonPanel's business. */
const CANARIES = {
  'user-agent': 'canary-agent/9',
  cookie: 'canary=cookie',
  'accept-language': 'xx-canary',
  'x-forwarded-for': '203.0.113.77',
  traceparent: '00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01',
  'x-canary': 'canary-header',
};

async function journey(t: ExecutionContext, world: World): Promise<void> {
  const { url, standIn, logs } = world;
  const { connection, ours } = await signInByHand(world);
  const { client, tokens } = connection;
  const answers: string[] = [];
  const called = new Set<string>();
  let accessToken = tokens.access_token;
  const call = async (tool: string, args: object) => {
    const params = { name: tool, arguments: args };
    const answer = await callMcp(url, accessToken, 'tools/call', params, { headers: CANARIES });
    answers.push(JSON.stringify(answer.body));
    called.add(tool);
    t.is(answer.status, 200, tool);
    t.falsy(answer.body.result?.isError, `${tool}: ${JSON.stringify(answer.body)}`);
    return answer.body.result.structuredContent;
  };

  const listed = await callMcp(url, accessToken, 'tools/list');
  const names = listed.body.result.tools.map((tool: { name: string }) => tool.name);
  for (const [tool, args, expected] of CALLS) {
    t.like(await call(tool, args), expected, tool);
  }
  t.truthy((await call('getImportInstructions', { type: 'bill' })).general);

  const data = {
    ref_number: 'B-1',
    date: null,
    details: [{ service_id: 4, quantity: 2, rate: 9 }],
  };
  const created = await call('createDocuments', { ...company, type: 'bill', data });
  t.is(created.status, 'done');
  t.deepEqual(sentBodies(world, /\/create\/bill$/), [{ data }]);
  const queued = await call('createDocumentsByPdf', { ...company, type: 'bill', file });
  t.like(queued, { status: 'queued', retry_after_seconds: 15 });
  t.deepEqual(sentBodies(world, /\/import\/bill\/pdf$/), [{ file }]);
  const poll = { ...company, type: 'bill', requestId: queued.request_id };
  t.like(await call('checkImportStatus', poll), { status: 'processing', retry_after_seconds: 5 });
  const done = await call('checkImportStatus', poll);
  t.is(done.status, 'done');
  t.is(done.retry_after_seconds, undefined);

  const own = ['search', 'fetch'];
  t.deepEqual([...called].sort(), names.filter((name: string) => !own.includes(name)).sort());
  t.is(called.size, 14);

  const renewed = await refresh(url, client, tokens.refresh_token);
  t.is(renewed.status, 200);
  accessToken = renewed.body.access_token;
  t.is(standIn.refreshes(), 0, 'our refresh is no business of NeonPanel');
  await call('listReports', {});
  for (let round = 1; round <= 2; round++) {
    world.advance(601);
    await call('listReports', {});
    t.is(standIn.refreshes(), round);
  }

  const upstream = standIn.requests.length;
  const { client_id } = client;
  const revoked = await postForm(`${url}/oauth2/revoke`, { token: accessToken, client_id });
  t.is(revoked.status, 200);
  world.advance(1);
  const after = await callMcp(url, accessToken, 'tools/call', { name: 'listReports' });
  t.is(after.status, 401);
  const over = await refresh(url, client, renewed.body.refresh_token);
  t.like(over, { status: 400, body: { error: 'invalid_grant' } } as object);
  t.is(standIn.requests.length, upstream, 'NeonPanel is not asked for a dead connection');

  const redirectUri = `${url}/oauth2/authorize/callback`;
  t.deepEqual(
    standIn.requests.flatMap((request) => complaints(request, redirectUri)),
    [],
  );
  const secrets = [
    ...ours,
    renewed.body.access_token,
    renewed.body.refresh_token,
    ...Object.values(CANARIES),
    'client.example',
    'canary',
  ];
  const sent = standIn.requests.filter(({ path }) => path !== '/login').map(asText);
  t.deepEqual(
    secrets.filter((secret) => sent.some((text) => text.includes(secret))),
    [],
    'nothing of the client or of its connection to us goes upstream',
  );
  const kept = standIn.secrets();
  t.true(kept.length >= 4);
  t.deepEqual(
    kept.filter((secret) => answers.some((text) => text.includes(secret))),
    [],
    'nothing of NeonPanel’s goes to the client',
  );
  t.deepEqual(logs.leaked(kept), []);
}

/** Register, consent, login, redeem. @returns also every value that only the client and we may know */
async function signInByHand(world: World) {
  const { url, standIn } = world;
  const client = (await register(url)).body;
  const attempt = authorizationRequest(url, client);
  const browser = userBrowser(attempt);
  const login = await answerConsent(await browser.goto(attempt.url));
  const end = await answerLogin(login, standIn.user);
  const code = end.stoppedAt!.searchParams.get('code')!;
  const tokens = (await redeem(url, attempt, code)).body;
  const ours = [client.client_id, attempt.state, attempt.verifier, code];
  ours.push(tokens.access_token, tokens.refresh_token);
  return { connection: { client, tokens }, ours };
}

const sentBodies = ({ standIn }: World, match: RegExp) =>
  standIn.seen(match).map(({ body }) => JSON.parse(body) as unknown);

const asText = ({ url, headers, body }: { url: URL; headers: object; body: string }) =>
  decodeURIComponent(
    `${url.href} ${JSON.stringify(headers)} ${body}`.replace(/%(?![0-9A-F]{2})/gi, ''),
  );

for (const store of STORES) {
  const title =
    'a NeonPanel whose every endpoint fails once with HTML is got through by trying again';
  test.serial(titleOn(store, title), async (t) => {
    const { url, standIn, close } = await startWorld({ flaky: true }, { store });
    t.teardown(close);
    const client = (await register(url)).body;
    const attempt = authorizationRequest(url, client);
    const browser = userBrowser(attempt);
    let page = await browser.goto(attempt.url);
    const failures: string[] = [];
    for (let round = 0; round < 30 && !page.stoppedAt; round++) {
      if (page.status >= 500) {
        failures.push(page.url);
        // What NeonPanel shows the browser itself is its own affair: reload it.
        if (page.url.startsWith(standIn.url)) page = await browser.goto(page.url);
        else {
          t.notRegex(page.text, /Whoops|Illuminate|vendor/);
          page = await page.follow('a[href^="/interaction/"]');
        }
        continue;
      }
      const signingIn = page.dom.querySelector('input[type=password]');
      page = await (signingIn ? answerLogin(page, standIn.user) : answerConsent(page));
    }
    // What it says of itself and its keys are asked for twice; registration, login and tokens are not.
    t.deepEqual(
      failures.map((failure) => new URL(failure).pathname.replace(/(?<=^\/interaction\/).*/, '')),
      ['/interaction/', '/oauth2/authorize', '/oauth2/authorize/callback'],
    );
    const code = page.stoppedAt?.searchParams.get('code');
    t.truthy(code);
    const { body: tokens, status } = await redeem(url, attempt, code!);
    t.is(status, 200);
    for (const [name, args] of CALLS) {
      const answer = await callMcp(url, tokens.access_token, 'tools/call', {
        name,
        arguments: args,
      });
      t.falsy(answer.body.result.isError, `${name}: ${JSON.stringify(answer.body)}`);
    }
  });
}
