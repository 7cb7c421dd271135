import { randomBytes } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { Redis } from 'ioredis';
import { openStore } from '../../adapters/open-store.ts';
import {
  sealContext,
  SEALED_KINDS,
  sealedKindOf,
  sealedPart,
} from '../../adapters/sealed-kinds.ts';
import { resealVault } from '../../adapters/sealed-records.ts';
import { createSecrets, isSealed, masterKeyOf, type Secrets } from '../../adapters/secrets.ts';
import type { Store } from '../../adapters/store.ts';
import { loadConfig } from '../../config.ts';
import { StoreUnavailable } from '../../errors.ts';
import { createLog } from '../../log.ts';
import { openAccount } from '../account/support.ts';
import { approve, openConsent } from '../login-support.ts';
import { admin } from '../support/admin.ts';
import { type Harness, startHarness } from '../support/harness.ts';
import {
  answerLogin,
  authorizationRequest,
  callTool,
  connect,
  type Connection,
  redeem,
  refresh,
  register,
  signIn,
} from '../support/oauth.ts';
import { recordsOf } from '../support/records.ts';
import { createStoreTest } from '../support/stores.ts';

const newKey = () => randomBytes(32).toString('base64url');
const secretsOf = (...keys: string[]): Secrets =>
  createSecrets(keys.map((key) => new Uint8Array(Buffer.from(key, 'base64url'))));
const idOf = (key: string): string => secretsOf(key).masterKeyIds[0]!;

const [oldKey, freshKey] = [newKey(), newKey()];
const [old, fresh] = [idOf(oldKey), idOf(freshKey)];
const CONFIDENTIAL = { token_endpoint_auth_method: 'client_secret_post' };

/** Two instances, whose master keys can be changed from one restart to the next. */
const bothStores = await createStoreTest(async (store) => {
  const env = { MASTER_KEYS: oldKey };
  const harness = await startHarness({ store, instances: 2, env });
  const restartWith = async (...keys: string[]) => {
    env.MASTER_KEYS = keys.join();
    await harness.restart(0);
    await harness.restart(1);
  };
  return { harness, restartWith, close: harness.close };
});

/** What was begun under the old key, to be finished under the new one. */
interface Begun {
  readonly connection: Connection;
  readonly bill: Record<string, unknown>;
  readonly billed: unknown;
  readonly redeemLater: () => ReturnType<typeof redeem>;
  readonly loginLater: () => Promise<URL | undefined>;
}
const begun = new Map<string, Begun>();

async function begin(harness: Harness): Promise<Begun> {
  const { url, sandbox } = harness;
  const connection = await connect(harness, { metadata: CONFIDENTIAL });
  const { access_token } = connection.tokens;
  const companies = await callTool(url, access_token, 'listCompanies');
  const [{ uuid }] = companies.body.result.structuredContent.data;
  const file = { name: 'bill.pdf', link: 'https://files.example.com/bill.pdf' };
  const bill = { type: 'bill', companyUuid: uuid, file, idempotencyKey: 'bill-1' };
  const billed = (await callTool(url, access_token, 'createDocumentsByPdf', bill)).body.result;

  const { client } = connection;
  const attempt = authorizationRequest(url, client);
  const code = (await signIn(harness, attempt)).searchParams.get('code')!;
  const started = await openConsent(harness, { client });
  const login = await approve(harness, started);
  await openAccount(harness, sandbox.users[0]!);
  return {
    connection,
    bill,
    billed,
    redeemLater: () => redeem(url, attempt, code),
    loginLater: async () => {
      started.browser.stopAt((to) => to.href.startsWith(started.attempt.redirectUri));
      const page = await answerLogin(await started.browser.goto(login), sandbox.users[0]!);
      return page.stoppedAt;
    },
  };
}

/** Every sealed text in a record, wherever it is. */
function sealedTextsIn(value: unknown): string[] {
  if (typeof value === 'string') {
    if (isSealed(value)) return [value];
    return value.startsWith('{') ? sealedTextsIn(JSON.parse(value)) : [];
  }
  return typeof value === 'object' && value !== null
    ? Object.values(value).flatMap(sealedTextsIn)
    : [];
}

bothStores(
  '[T51] [T52] [D10] whatever is found sealed after a journey is in the list of sealed kinds, which has no others',
  async (t, { harness }, store) => {
    begun.set(store, await begin(harness));
    const seen = new Set<string>();
    for (const record of await recordsOf(harness)) {
      const sealed = sealedTextsIn(record.value);
      if (sealed.length === 0) continue;
      const kind = sealedKindOf(record);
      t.truthy(kind, `${record.kind} of ${record.tag}`);
      t.deepEqual(sealed, [sealedPart(kind!, record.value)], record.kind);
      t.is(masterKeyOf(sealed[0]!), old);
      seen.add(kind!.name);
    }
    t.deepEqual([...seen].toSorted(), SEALED_KINDS.map(({ name }) => name).toSorted());
  },
);

interface Checked {
  readonly id: string;
  readonly place: number | null;
  readonly sealed: Record<string, number>;
  readonly sealedRecords: number;
  readonly refreshTokens: number;
  readonly canGo: boolean;
}

async function checked(harness: Harness, id: string): Promise<Checked> {
  const run = await admin(harness, 'vault', 'check', '--json');
  return run.json<{ masterKeys: Checked[] }>().masterKeys.find((key) => key.id === id)!;
}

/** When each record ends, in epoch seconds or thereabouts; undefined: never. */
async function endsOf({ redis, dataDir }: Harness): Promise<Map<string, number>> {
  const ends = new Map<string, number>();
  if (redis) {
    const client = new Redis(redis.url);
    for (const name of await client.keys('neonpanel-mcp:*')) {
      ends.set(name, await client.expiretime(name));
    }
    client.disconnect();
    return ends;
  }
  const db = new DatabaseSync(`${dataDir}/neonpanel-mcp.db`, { readOnly: true });
  for (const row of db.prepare('SELECT tag, kind, expires_at FROM records').all()) {
    ends.set(`${row.tag} ${row.kind}`, Number(row.expires_at) / 1_000);
  }
  db.close();
  return ends;
}

bothStores(
  '[T52] [X27] vault rekey seals everything anew while the instances work, and vault check then lets the old key go',
  async (t, { harness, restartWith }, store) => {
    const { connection, bill, billed, redeemLater, loginLater } = begun.get(store)!;
    t.like(await checked(harness, old), { place: 1, refreshTokens: 1, canGo: false });
    await restartWith(oldKey, freshKey);
    t.like(await checked(harness, fresh), { place: 2, sealedRecords: 0, canGo: true });
    await restartWith(freshKey, oldKey);
    const before = await checked(harness, old);
    t.like(before, { place: 2, refreshTokens: 1, canGo: false });
    t.is(
      before.sealedRecords,
      Object.values(before.sealed).reduce((a, b) => a + b),
    );
    const said = await admin(harness, 'vault', 'check');
    t.is(said.code, 0);
    t.regex(said.out, new RegExp(`${old} can't go yet: \\d+ records are sealed .*; 1 connections`));

    const unchanged = await recordsOf(harness);
    const dry = await admin(harness, 'vault', 'rekey', '--dry-run', '--json');
    t.is(dry.json().toReseal, before.sealedRecords);
    t.is((await admin(harness, 'vault', 'rekey')).code, 6);
    t.deepEqual(await recordsOf(harness), unchanged);

    const ends = await endsOf(harness);
    const run = await admin(harness, 'vault', 'rekey', '--yes', '--json');
    t.is(run.code, 0, run.err + run.out);
    t.like(run.json(), { resealed: before.sealedRecords - 1, left: 1, busy: 0, unreadable: 0 });
    t.regex(run.err, /records looked at/);
    t.regex(run.err, /"event":"admin","outcome":"success","command":"vault rekey".*"count":\d/);
    for (const [name, end] of await endsOf(harness)) {
      t.true(Math.abs(end - ends.get(name)!) < 2, `${name} lives as long as before`);
    }

    t.deepEqual((await checked(harness, old)).sealed, { 'logins under way': 1 });
    const { url, instances } = harness;
    t.is((await redeemLater()).status, 200, 'a code that was not redeemed yet');
    t.truthy((await loginLater())?.searchParams.get('code'), 'a login that was under way');
    let { access_token, refresh_token } = connection.tokens;
    for (const instance of instances) {
      t.is((await callTool(instance, access_token, 'listCompanies')).status, 200);
      const { status, body } = await refresh(instance, connection.client, refresh_token);
      t.is(status, 200, 'client secret');
      ({ access_token, refresh_token } = body);
    }
    const again = await callTool(url, access_token, 'createDocumentsByPdf', bill);
    t.deepEqual(again.body.result, billed, 'the same bill again is the same bill');
    // By now every instance has read the keys anew, and found that they are the same.
    await wait(700);
    t.deepEqual(harness.logs.find({ event: 'keys.changed', outcome: 'noticed' }), []);

    t.like(await checked(harness, old), { refreshTokens: 0, canGo: true });
    const free = await admin(harness, 'vault', 'check');
    t.regex(free.out, new RegExp(`${old} can go, 15 minutes after the last instance`));
    await restartWith(freshKey);
    t.is((await callTool(url, access_token, 'listCompanies')).status, 200);
    t.is((await refresh(url, connection.client, refresh_token)).status, 200);
    const nothing = await admin(harness, 'vault', 'rekey');
    t.deepEqual([nothing.code, nothing.out], [0, `Everything is sealed under ${fresh}.\n`]);
  },
);

async function opened(t: ExecutionContext, harness: Harness): Promise<Store> {
  const log = createLog('silent');
  const store = await openStore(loadConfig(harness.env).store, { log, now: Date.now });
  t.teardown(() => store.close());
  return store;
}

bothStores(
  '[X23] [T52] vault rekey leaves alone what somebody is about to write, and says so',
  async (t, { harness, restartWith }) => {
    await restartWith(freshKey, oldKey);
    const store = await opened(t, harness);
    const before = secretsOf(oldKey);
    const tag = 'a-grant-of-a-user-1';
    const credential = await before.seal({ accessToken: 'a' }, sealContext.credential(tag, '7'));
    const state = { state: 'started', startedAt: Date.now() };
    const attempt = await before.seal(state, sealContext.idempotency('call'));
    const died = await before.seal({ ...state, startedAt: 1 }, sealContext.idempotency('died'));
    const unknown = await secretsOf(newKey()).seal(
      'x',
      sealContext.clientSecret('a-client-of-ours'),
    );
    const put = (at: string, kind: string, value: string) =>
      store.commit([{ key: { tag: at, kind }, expect: 'any', put: value, lifetime: 60 }]);
    await put(tag, 'grant', JSON.stringify({ accountId: '7', generation: 3 }));
    await put(tag, 'credential', credential);
    await put(tag, 'refresh-lease', 'held');
    await put('call', 'idempotency', attempt);
    await put('died', 'idempotency', died);
    await put('a-client-of-ours', 'client', JSON.stringify({ secret: unknown, metadata: {} }));

    const run = await admin(harness, 'vault', 'rekey', '--yes', '--json');
    t.is(run.code, 1);
    t.like(run.json(), { busy: 2, unreadable: 1, resealed: 1 });
    const values = (
      await store.read({ tag, kind: 'credential' }, { tag: 'call', kind: 'idempotency' })
    ).map((entry) => entry?.value);
    t.deepEqual(values, [credential, attempt]);
    const check = await admin(harness, 'vault', 'check');
    t.is(check.code, 1, 'something is sealed under a key that is not listed');
    t.regex(check.out, /1 connections hold one of an older version, made with any of the keys/);
    t.regex(check.out, /is not in MASTER_KEYS: what it sealed \(1 records\) counts as absent/);

    await store.commit([{ key: { tag, kind: 'refresh-lease' }, expect: 'any', remove: true }]);
    await store.commit([
      { key: { tag: 'call', kind: 'idempotency' }, expect: 'any', remove: true },
    ]);
    t.like((await admin(harness, 'vault', 'rekey', '--yes', '--json')).json(), {
      resealed: 1,
      busy: 0,
    });
    const lost = await admin(harness, 'vault', 'rekey', '--dry-run', '--json');
    t.like(lost.json(), { toReseal: 0, found: [] });
    t.like(lost.json().unreadable, [{ kind: 'client secrets', records: 1 }]);
    const said = await admin(harness, 'vault', 'rekey', '--yes');
    t.is(said.code, 1, 'not everything is as it should be');
    t.regex(said.out, /none of the MASTER_KEYS opens stays as it is:\n {2}1 client secrets/);
    t.notRegex(said.out, /Everything/);
    for (const [at, kind] of [
      [tag, 'grant'],
      [tag, 'credential'],
      ['a-client-of-ours', 'client'],
    ]) {
      await store.commit([{ key: { tag: at!, kind: kind! }, expect: 'any', remove: true }]);
    }
  },
);

bothStores(
  '[T52] with master keys that are not of this store vault rekey refuses, and touches nothing',
  async (t, { harness }) => {
    const before = await recordsOf(harness);
    const env = { ...harness.env, MASTER_KEYS: newKey() };
    for (const flag of ['--dry-run', '--yes']) {
      const run = await admin({ ...harness, env }, 'vault', 'rekey', flag);
      t.is(run.code, 3, run.out);
      t.regex(run.err, /opens the signing keys/);
    }
    t.deepEqual(await recordsOf(harness), before);
  },
);

bothStores(
  '[X23] what an instance writes between the look of vault rekey and its commit is what stays',
  async (t, { harness, restartWith }) => {
    await restartWith(freshKey, oldKey);
    const store = await opened(t, harness);
    const before = secretsOf(oldKey);
    const key = { tag: 'a-client-of-ours', kind: 'client' };
    const context = sealContext.clientSecret(key.tag);
    const put = async (secret: string) => {
      const value = JSON.stringify({ secret: await before.seal(secret, context) });
      await store.commit([{ key, expect: 'any', put: value, lifetime: 60 }]);
    };
    await put('first');
    let isLate = true;
    const overtaken: Store = {
      ...store,
      commit: async (writes) => {
        if (isLate && writes[0]!.key.tag === key.tag) {
          isLate = false;
          await put('second');
        }
        return store.commit(writes);
      },
    };
    const secrets = secretsOf(freshKey, oldKey);
    await resealVault({ store: overtaken, secrets, now: Date.now, onProgress: () => {} });
    const [entry] = await store.read(key);
    const { secret } = JSON.parse(entry!.value) as { secret: string };
    t.is(masterKeyOf(secret), fresh);
    t.is(await secrets.open(secret, context), 'second');
    await store.commit([{ key, expect: 'any', remove: true }]);
  },
);

bothStores(
  '[T53] [X23] vault rekey goes on where it was cut off, and credentials that are renewed meanwhile are not lost',
  async (t, { harness, restartWith }) => {
    await restartWith(oldKey, freshKey);
    const connections: Connection[] = [];
    const client = (await register(harness.url)).body;
    for (let i = 0; i < 12; i++) connections.push(await connect(harness, { client }));
    await restartWith(freshKey, oldKey);
    const store = await opened(t, harness);
    let commits = 0;
    const failing: Store = {
      ...store,
      commit: (writes) => {
        if (++commits > 4) return Promise.reject(new StoreUnavailable('cut off'));
        return store.commit(writes);
      },
    };
    const secrets = secretsOf(freshKey, oldKey);
    const options = { secrets, now: Date.now, onProgress: () => {} };
    await t.throwsAsync(resealVault({ store: failing, ...options }), {
      instanceOf: StoreUnavailable,
    });
    const half = await checked(harness, old);
    t.true(half.sealedRecords > 0);

    // Every call finds its credential expired and renews it, on either instance, while the rest is sealed anew.
    harness.sandbox.faults.set('expired-token', { times: 24 });
    const calling = Promise.all(
      connections.flatMap(({ tokens }, i) =>
        [0, 1].map(async () => {
          await wait(i * 15);
          return callTool(harness.instances[i % 2]!, tokens.access_token, 'listCompanies');
        }),
      ),
    );
    const run = await admin(harness, 'vault', 'rekey', '--yes', '--json');
    t.is(run.code, 0, run.out);
    t.deepEqual([...new Set((await calling).map(({ status }) => status))], [200]);
    t.like(await checked(harness, old), { sealedRecords: 0 });
    t.deepEqual(harness.logs.find({ event: 'credential.lost' }), []);
    await wait(900);
    for (const { tokens } of connections) {
      t.is((await callTool(harness.url, tokens.access_token, 'listCompanies')).status, 200);
    }
  },
);

test('[T52] the contexts of sealed records never change: they are in stores out there', (t) => {
  t.deepEqual(
    {
      signingKeys: sealContext.signingKeys(),
      credential: sealContext.credential('g', 'a'),
      clientSecret: sealContext.clientSecret('c'),
      login: sealContext.login('u'),
      idempotency: sealContext.idempotency('t'),
      neonpanelClient: sealContext.neonpanelClient(),
    } as Record<string, string>,
    {
      signingKeys: 'signing keys',
      credential: 'credential g a',
      clientSecret: 'client c',
      login: 'login u',
      idempotency: 'idempotency t',
      neonpanelClient: 'client at NeonPanel',
    },
  );
});
