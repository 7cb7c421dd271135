import { setTimeout as wait } from 'node:timers/promises';
import test from 'ava';
import fc from 'fast-check';
import {
  applyChanges,
  type Change,
  combine,
  type ConnectionList,
  ENDED_SHOWN_MS,
  endedFacts,
  lifetimeOf,
  MAX_ENDED,
  MAX_LISTED,
  NO_CONNECTIONS,
} from '../../adapters/connection-list.ts';
import { createConnections } from '../../adapters/connections.ts';
import { credentialKey, type Grant, grantKey, serviceGrant } from '../../adapters/grants.ts';
import { openStore } from '../../adapters/open-store.ts';
import { digest } from '../../adapters/secrets.ts';
import type { Key, Store } from '../../adapters/store.ts';
import { loadConfig } from '../../config.ts';
import { StoreUnavailable } from '../../errors.ts';
import { createLog } from '../../log.ts';
import { TEXTS } from '../../views/texts/texts.ts';
import { admin } from '../support/admin.ts';
import type { Page } from '../support/browser.ts';
import { createClock } from '../support/clock.ts';
import { startHarness } from '../support/harness.ts';
import { createMapStore } from '../support/map-store.ts';
import {
  callTool,
  clientParameters,
  connect,
  postForm,
  postJson,
  refresh,
} from '../support/oauth.ts';
import { endedOn, factsOf, grantOf, listed, openAccount, type SignedIn } from './support.ts';

/** The record behind the page: whose connections, how they are used, how they ended. Two instances on one Redis. */

const clock = createClock();
const harness = await startHarness({
  store: 'redis',
  instances: 2,
  now: clock.now,
  missingConnectionsEveryMs: 50,
});
const { url, instances, sandbox, logs } = harness;
const log = createLog('silent');
const store = await openStore(loadConfig(harness.env).store, { log, now: clock.now });
test.after.always(() => Promise.all([store.close(), harness.close()]));
const [ada, bruno] = sandbox.users as [(typeof sandbox.users)[0], (typeof sandbox.users)[0]];
const says = TEXTS.en.account;
const MINUTE_MS = 60_000;
const LIFETIME_SECONDS = 7_776_000;
const times = { grantLifetimeSeconds: LIFETIME_SECONDS, now: clock.now };

const listKey = (subject: string): Key => ({
  tag: digest(`connections ${subject}`),
  kind: 'connections',
});
/** Says that no grant is missing on its user's list. */
const complete: Key = { tag: 'connections', kind: 'complete' };
const put = (key: Key, value: object) =>
  store.commit([{ key, expect: 'any', put: JSON.stringify(value), lifetime: 3_600 }]);
const remove = (key: Key) => store.commit([{ key, expect: 'any', remove: true }]);
const storedGrant = async (grantId: string): Promise<Grant> =>
  JSON.parse((await store.read(grantKey(grantId)))[0]!.value);
const open = ({ browser }: Pick<SignedIn, 'browser'>) => browser.goto(`${instances[1]}/account`);
const call = (base: string, token: string) => callTool(base, token, 'listCompanies');

/** The page, as soon as it is as it should be, or as it is after some seconds. */
async function until(
  session: Pick<SignedIn, 'browser'>,
  isRight: (page: Page) => boolean,
): Promise<Page> {
  for (let tries = 0; ; tries++) {
    const page = await open(session);
    if (isRight(page) || tries === 50) return page;
    await wait(100);
  }
}

test.serial('calls at all instances are counted, and shown within a minute', async (t) => {
  const { tokens } = await connect(harness, { user: ada });
  const grantId = grantOf(tokens);
  const session = await openAccount(harness, ada);
  const connectedAt = clock.now();
  clock.advance(5_000);
  for (const base of [0, 0, 1, 0, 1]) await call(instances[base]!, tokens.access_token);
  const usedAt = clock.now();
  const before = factsOf(await open(session), grantId);
  t.deepEqual(
    [before[says.calls], before[says.last]],
    ['0', says.never],
    'no call waited for it, and none wrote',
  );
  clock.advance(MINUTE_MS);
  const page = await until(session, (at) => factsOf(at, grantId)[says.calls] === '5');
  t.is(factsOf(page, grantId)[says.calls], '5');
  const [first, last] = page.dom
    .querySelectorAll('.connection')
    .find((each) => each.toString().includes(grantId))!
    .querySelectorAll('time')
    .map((time) => Date.parse(time.getAttribute('datetime')!));
  t.deepEqual([first, last], [connectedAt, usedAt]);
});

test.serial('an orderly stop loses no count', async (t) => {
  const { tokens } = await connect(harness, { user: ada });
  const session = await openAccount(harness, ada);
  for (let i = 0; i < 3; i++) await call(instances[1]!, tokens.access_token);
  await harness.restart(1);
  t.is(factsOf(await open(session), grantOf(tokens))[says.calls], '3');
});

test.serial(
  'a connection that no list names, lost or from before there were lists, is listed when it is renewed or used',
  async (t) => {
    const metadata = { client_name: 'Older app', redirect_uris: ['https://older.example/cb'] };
    const renewed = await connect(harness, { user: bruno, metadata });
    const used = await connect(harness, { user: bruno });
    const idle = await connect(harness, { user: bruno });
    const session = await openAccount(harness, bruno);
    t.is(listed(session.page).length, 3);
    await remove(listKey('1002'));
    // As an older version wrote it.
    for (const { tokens } of [renewed, used]) {
      const { app: _, ...older } = await storedGrant(grantOf(tokens));
      await put(grantKey(grantOf(tokens)), older);
    }
    t.deepEqual(listed(await open(session)), []);

    const { status } = await refresh(url, renewed.client, renewed.tokens.refresh_token);
    t.is(status, 200);
    t.is((await call(url, used.tokens.access_token)).status, 200);
    clock.advance(MINUTE_MS);
    const expected = [renewed, used].map(({ tokens }) => grantOf(tokens)).sort();
    const page = await until(session, (at) => listed(at).length === 2);
    t.deepEqual(listed(page), expected);
    t.false(page.text.includes(grantOf(idle.tokens)), 'an idle one can’t be known');
    t.regex(
      page.dom.querySelector('main')!.text,
      /older\.example\s+The app says it is called Older app/,
    );
  },
);

test.serial(
  'within a day an instance lists what no list names, also what is idle, and leaves alone what has ended',
  async (t) => {
    const made = [await connect(harness, { user: bruno }), await connect(harness, { user: ada })];
    const [idle, others] = made.map(({ tokens }) => grantOf(tokens)) as [string, string];
    const service = 'service-of-nobody-1234';
    await put(grantKey(service), serviceGrant(service, 'neonpanel.read', clock.now()));
    const session = await openAccount(harness, bruno);
    await remove(listKey('1002'));
    const before = (await store.read(listKey('1001')))[0]!.version;
    await remove(complete);
    const page = await until(session, (at) => listed(at).includes(idle));
    t.true(listed(page).includes(idle));
    t.false(listed(page).includes(others));
    t.deepEqual(factsOf(page, idle)[says.calls], '0');
    for (let tries = 0; tries < 50 && !(await store.read(complete))[0]; tries++) await wait(50);
    t.truthy((await store.read(complete))[0], 'not again for a day');
    t.is(
      (await store.read(listKey('1001')))[0]!.version,
      before,
      'what is complete is not written',
    );
    t.deepEqual(await store.read(listKey(`service:${service}`)), [undefined]);
    await remove(grantKey(service));
  },
);

test.serial('whoever ends a connection, the page says so, and lists it no more', async (t) => {
  const session = await openAccount(harness, ada);
  const make = async (name: string) => {
    const redirect_uris = [`https://${name}.example/cb`];
    const made = await connect(harness, {
      user: ada,
      metadata: { client_name: name, redirect_uris },
    });
    return { ...made, grantId: grantOf(made.tokens) };
  };
  const [byApp, twice, byOperator, lost] = [
    await make('by-app'),
    await make('twice'),
    await make('by-operator'),
    await make('lost'),
  ];
  await postForm(`${url}/oauth2/revoke`, {
    token: byApp.tokens.refresh_token,
    ...clientParameters(byApp.client),
  });
  const first = await refresh(url, twice.client, twice.tokens.refresh_token);
  await refresh(url, twice.client, first.body.refresh_token);
  t.is((await refresh(url, twice.client, twice.tokens.refresh_token)).status, 400);
  t.is((await admin(harness, 'grants', 'revoke', byOperator.grantId, '--yes')).code, 0);
  await remove(credentialKey(lost.grantId));
  clock.advance(1_000);
  t.is((await call(url, lost.tokens.access_token)).status, 401);
  const reasons = [
    ['by-app.example', says.why.app],
    ['twice.example', says.why.replayed],
    ['by-operator.example', says.why.operator],
    ['lost.example', says.why.lost],
  ] as const;
  const ofAda = await until(session, (at) => endedOn(at).length >= reasons.length);
  for (const [host, why] of reasons) {
    const line = endedOn(ofAda).find((each) => each.startsWith(host));
    t.true(line?.endsWith(why), `${host}: ${line}`);
  }
  for (const { grantId } of [byApp, twice, byOperator, lost]) {
    t.false(listed(ofAda).includes(grantId));
    const [entry] = await store.read(listKey('1001'));
    t.false(grantId in (JSON.parse(entry!.value) as ConnectionList).connections);
  }

  const refused = await connect(harness, { user: bruno });
  const other = await openAccount(harness, bruno);
  await postJson(`${sandbox.url}/_sandbox/revoke-user`, { email: bruno.email });
  clock.advance(1_000);
  sandbox.faults.set('expired-token', { times: 1 });
  await call(url, refused.tokens.access_token);
  clock.advance(1_000);
  t.is((await call(url, refused.tokens.access_token)).status, 401);
  const ofBruno = await until(other, (at) => endedOn(at).length > 0);
  t.true(endedOn(ofBruno)[0]!.endsWith(says.why.neonpanel), endedOn(ofBruno)[0]);
});

test.serial(
  'a connection that comes back with an older state of the store is listed, not told as ended',
  async (t) => {
    const { tokens } = await connect(harness, { user: ada });
    const grantId = grantOf(tokens);
    const keys = [grantKey(grantId), credentialKey(grantId)];
    const older = await store.read(...keys);
    const session = await openAccount(harness, ada);
    const question = await session.page.follow(`a[href="/account/disconnect/${grantId}"]`);
    t.false(listed(await question.form().submit()).includes(grantId));
    for (const [i, key] of keys.entries()) {
      const put = older[i]!.value;
      await store.commit([{ key, expect: 'any', put, lifetime: 3_600 }]);
    }
    t.true(listed(await open(session)).includes(grantId));
    // It counts again, once nobody can have read it before its end.
    clock.advance(2 * MINUTE_MS);
    t.is((await call(url, tokens.access_token)).status, 200);
    clock.advance(MINUTE_MS);
    const page = await until(session, (at) => factsOf(at, grantId)[says.calls] === '1');
    t.is(factsOf(page, grantId)[says.calls], '1');
    await (await page.follow(`a[href="/account/disconnect/${grantId}"]`)).form().submit();
    t.false(listed(await open(session)).includes(grantId));
    t.deepEqual(await store.read(grantKey(grantId)), [undefined]);
  },
);

test.serial(
  'a list that had no room says so until a look at all grants finds that it lacks none',
  async (t) => {
    const { tokens } = await connect(harness, { user: bruno });
    const { browser } = await openAccount(harness, bruno);
    const session = { browser };
    const isCrowded = (page: Page) => page.text.includes('You have more connections than can be');
    await put(listKey('1002'), { connections: {}, ended: [], isIncomplete: true });
    await remove(complete);
    const isListed = (page: Page) => listed(page).includes(grantOf(tokens));
    t.true(isCrowded(await until(session, isListed)), 'it did lack some');
    for (let tries = 0; tries < 50 && !(await store.read(complete))[0]; tries++) await wait(50);
    await remove(complete);
    const page = await until(session, (at) => !isCrowded(at));
    t.true(isListed(page));
    t.false(isCrowded(page));
  },
);

test.serial(
  'of many connections the last used are shown first and the rest on demand; all are ended, also those that no list has room for',
  async (t) => {
    const { tokens } = await connect(harness, { user: bruno });
    const grant = await storedGrant(grantOf(tokens));
    const ids = Array.from({ length: 60 }, (_, i) => `many-connections-${i}`);
    for (const id of ids) await put(grantKey(id), grant);
    const endsAt = clock.now() + MINUTE_MS;
    const uses = ids
      .slice(0, 55)
      .map((id, i) => [id, { calls: i, usedAt: clock.now() - i, endsAt }]);
    await put(listKey('1002'), {
      connections: Object.fromEntries(uses),
      ended: [],
      isIncomplete: true,
    });
    const session = await openAccount(harness, bruno);
    t.deepEqual(listed(session.page), ids.slice(0, 50).sort());
    t.true(session.page.text.includes('These are the 50 connections used last, of 55.'));
    t.true(session.page.text.includes('You have more connections than can be listed.'));
    const all = await session.page.follow('a[href="/account?show=all"]');
    t.deepEqual(listed(all), ids.slice(0, 55).sort());
    const after = await (await all.follow('a[href="/account/disconnect"]')).form().submit();
    t.deepEqual(listed(after), []);
    t.is(endedOn(after).length, MAX_ENDED);
    const left = await store.read(...[...ids, grantOf(tokens)].map(grantKey));
    t.deepEqual(left.filter(Boolean), []);
    t.false(after.text.includes('You have more connections'));
    const { count } = logs.find({ event: 'account.disconnect', subject: '1002' }).at(-1)!;
    t.true(Number(count) >= ids.length + 1, String(count));
  },
);

test.serial('[T50] a list that names somebody else’s grant opens nothing of it', async (t) => {
  const { tokens } = await connect(harness, { user: ada });
  const grantId = grantOf(tokens);
  const connections = { [grantId]: { calls: 0, endsAt: clock.now() + MINUTE_MS } };
  await put(listKey('1002'), { connections, ended: [] });
  const session = await openAccount(harness, bruno);
  t.deepEqual(listed(session.page), []);
  const form = { csrf: session.page.form('.who form').fields.get('csrf')! };
  await session.browser.goto(`${url}/account/disconnect`, { form });
  t.truthy((await store.read(grantKey(grantId)))[0]);
});

test.serial(
  '[T73] a service account’s grant is on no list, and can’t be ended from the page',
  async (t) => {
    const map = createMapStore({ now: clock.now });
    const connections = createConnections({ store: map, log, ...times });
    const grant = serviceGrant('s'.repeat(43), 'neonpanel.read', clock.now());
    connections.opened('s'.repeat(43), grant, LIFETIME_SECONDS);
    connections.called({ grantId: 's'.repeat(43), accountId: grant.accountId });
    await connections.ended('s'.repeat(43), grant, 'operator');
    await connections.close();
    t.is(map.contents().size, 0);
    // Whoever gets hold of its id.
    await put(grantKey('service-account-grant'), { ...grant, accountId: 'service:1001' });
    const { page, browser } = await openAccount(harness, ada);
    const form = { csrf: page.form('.who form').fields.get('csrf')! };
    await browser.goto(`${url}/account/disconnect/service-account-grant`, { form });
    t.truthy((await store.read(grantKey('service-account-grant')))[0]);
  },
);

test.serial('what the store does not take is kept, and written when it is back', async (t) => {
  const map = createMapStore({ now: clock.now });
  let isAway = true;
  const away = {
    commit: async () => {
      throw new StoreUnavailable('away');
    },
  };
  const flaky = new Proxy(map, {
    get: (target, name) =>
      isAway && name === 'commit' ? away.commit : target[name as keyof Store],
  });
  const connections = createConnections({ store: flaky, log, ...times });
  const grant = { clientId: 'c', accountId: '7', scope: '', rotatedAt: 0, createdAt: 0 };
  connections.called({ grantId: 'one', accountId: '7' });
  await connections.ended('two', grant, 'app');
  connections.called({ grantId: 'one', accountId: '7' });
  t.is(map.contents().size, 0);
  isAway = false;
  await connections.close();
  const { connections: kept, ended } = await connections.of('7');
  t.is(kept.one?.calls, 2);
  t.deepEqual(
    ended.map(({ grantId, why }) => [grantId, why]),
    [['two', 'app']],
  );
});

test.serial(
  'calls that come while others are written, or while the store is away, wait for the next half minute',
  async (t) => {
    const ownClock = createClock();
    const map = createMapStore({ now: ownClock.now });
    let commits = 0;
    let isAway = false;
    let release = () => {};
    let gate = Promise.resolve();
    const slow = new Proxy(map, {
      get(target, name) {
        if (name !== 'commit') return target[name as keyof Store];
        return async (...writes: Parameters<Store['commit']>) => {
          commits += 1;
          await gate;
          if (isAway) throw new StoreUnavailable('away');
          return target.commit(...writes);
        };
      },
    });
    const connections = createConnections({
      ...{ store: slow, log, grantLifetimeSeconds: LIFETIME_SECONDS },
      ...{ now: ownClock.now, lookEveryMs: 5 },
    });
    // More than are written side by side.
    const users = Array.from({ length: 60 }, (_, i) => String(i));
    const callAll = () => {
      for (const accountId of users) connections.called({ grantId: `g${accountId}`, accountId });
    };
    const calls = async (accountId: string) => {
      const { connections: uses } = await connections.of(accountId);
      return uses[`g${accountId}`]?.calls;
    };
    const committed = async (count: number) => {
      for (let tries = 0; commits < count && tries < 400; tries++) await wait(5);
      // Several looks later it is still so.
      await wait(60);
      return commits;
    };
    callAll();
    gate = new Promise((resolve) => (release = resolve));
    ownClock.advance(30_000);
    t.is(await committed(50), 50);
    callAll();
    release();
    await committed(60);
    callAll();
    t.is(await committed(60), 60, 'not with the next look');
    ownClock.advance(30_000);
    t.is(await committed(120), 120);
    t.deepEqual([await calls('0'), await calls('59')], [3, 3]);

    isAway = true;
    callAll();
    ownClock.advance(30_000);
    t.is(await committed(180), 180);
    t.is(await committed(180), 180, 'what is away is not asked with every look');
    ownClock.advance(30_000);
    t.is(await committed(240), 240);
    isAway = false;
    callAll();
    ownClock.advance(30_000);
    t.is(await committed(300), 300);
    t.deepEqual([await calls('0'), await calls('59')], [5, 5]);
    await connections.close();
  },
);

const NOW = 1_000_000_000_000;
const DAY_MS = 86_400_000;
const grantId = fc.constantFrom('a', 'b', 'c', 'd');
const change = fc
  .tuple(grantId, fc.nat(5), fc.nat(1_000), fc.option(fc.nat(1_000)), fc.boolean())
  .map(([id, calls, ago, ends, isOver]): [string, Change] => [
    id,
    {
      calls,
      usedAt: NOW - ago,
      ...(ends !== null && { endsAt: NOW + ends + 1 }),
      ...(isOver && {
        ended: endedFacts(id, { clientId: 'c' } as Grant, 'app', NOW - ago),
      }),
    },
  ]);

test.serial(
  'changes may be written one by one or all at once, by whichever instance: the list says the same (property)',
  (t) => {
    const apply = (list: ConnectionList, changes: ReadonlyMap<string, Change>) =>
      applyChanges(list, changes, NOW, DAY_MS);
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        const oneByOne = changes.reduce(
          (list, each) => apply(list, new Map([each])),
          NO_CONNECTIONS,
        );
        const together = new Map<string, Change>();
        for (const [id, each] of changes) together.set(id, combine(together.get(id), each));
        const atOnce = apply(NO_CONNECTIONS, together);
        const over = new Set(changes.filter(([, { ended }]) => ended).map(([id]) => id));
        t.deepEqual(atOnce.ended.map((each) => each.grantId).sort(), [...over].sort());
        for (const list of [oneByOne, atOnce]) {
          for (const id of Object.keys(list.connections)) t.false(over.has(id));
          for (const [id, { calls }] of Object.entries(list.connections)) {
            const all = changes.filter(([of]) => of === id).map(([, each]) => each.calls ?? 0);
            t.is(
              calls,
              all.reduce((sum, each) => sum + each, 0),
            );
          }
        }
        t.deepEqual(
          Object.keys(oneByOne.connections).sort(),
          Object.keys(atOnce.connections).sort(),
        );
      }),
      { numRuns: 300 },
    );
  },
);

test.serial(
  '[D11] a list keeps what is alive or ended lately, within bounds, and lives as long as that',
  (t) => {
    const ends = (id: string, endsAt: number): [string, Change] => [id, { endsAt }];
    const many = Array.from({ length: MAX_LISTED + 3 }, (_, i) => ends(`g${i}`, NOW + DAY_MS + i));
    const full = applyChanges(NO_CONNECTIONS, new Map(many), NOW, DAY_MS);
    t.is(Object.keys(full.connections).length, MAX_LISTED);
    t.true(full.isIncomplete);
    t.false('g0' in full.connections, 'those that would end first have gone');
    t.true(JSON.stringify(full).length < 64_000);
    t.is(
      lifetimeOf(full, NOW),
      (DAY_MS + MAX_LISTED + 2) / 1000 + 1 - ((MAX_LISTED + 2) % 1000) / 1000,
    );

    const later = applyChanges(
      full,
      new Map([ends('new', NOW + 3 * DAY_MS)]),
      NOW + 2 * DAY_MS,
      DAY_MS,
    );
    t.deepEqual(Object.keys(later.connections), ['new']);
    const over = Array.from({ length: MAX_ENDED + 2 }, (_, i): [string, Change] => [
      `e${i}`,
      { ended: endedFacts(`e${i}`, { clientId: 'c' } as Grant, 'app', NOW + i) },
    ]);
    const ended = applyChanges(NO_CONNECTIONS, new Map(over), NOW, DAY_MS);
    t.is(ended.ended.length, MAX_ENDED);
    t.is(ended.ended[0]!.grantId, `e${MAX_ENDED + 1}`, 'the newest first');
    t.deepEqual(applyChanges(ended, new Map(), NOW + ENDED_SHOWN_MS + MINUTE_MS, DAY_MS).ended, []);
  },
);
