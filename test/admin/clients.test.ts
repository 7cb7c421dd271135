import { setTimeout as pause } from 'node:timers/promises';
import { createGrants, grantKey } from '../../adapters/grants.ts';
import { openStore } from '../../adapters/open-store.ts';
import { loadConfig } from '../../config.ts';
import { createLog } from '../../log.ts';
import { connectDocumented, documented } from '../cimd/client.ts';
import { startDocumentHost } from '../cimd/host.ts';
import { admin, type AdminRun, createTerminal, runIn } from '../support/admin.ts';
import { endsEverywhere } from '../support/ends.ts';
import { type Harness, startHarness } from '../support/harness.ts';
import {
  authorizationRequest,
  callMcp,
  connect,
  type Connection,
  postForm,
  redeem,
  refresh,
  register,
  signIn,
  type TestClient,
} from '../support/oauth.ts';
import { recordsOf } from '../support/records.ts';
import { createStoreTest } from '../support/stores.ts';

/**
 * Clients and grants as an operator sees and ends them, by commands beside running instances (two of them on Redis), with
 * NeonPanel's revocation endpoint switched on.
 */
const DAY_MS = 86_400_000;
let shift = 0;
const now = () => Date.now() + shift;
const storeTest = await createStoreTest(async (store) => {
  const host = await startDocumentHost();
  const harness = await startHarness({
    store,
    now,
    instances: store === 'redis' ? 2 : 1,
    env: { CIMD_TEST_ORIGIN: host.origin },
  });
  harness.sandbox.faults.set('offer-revocation');
  const close = async () => void (await Promise.all([harness.close(), host.close()]));
  return { ...harness, host, close };
});

const lives = async ({ url }: Harness, { tokens }: Connection) =>
  (await callMcp(url, tokens.access_token, 'tools/list')).status === 200;

const kindsOf = async (world: Harness, tag: string) =>
  (await recordsOf(world))
    .filter((record) => record.tag === tag && !record.kind.startsWith('commit:'))
    .map(({ kind }) => kind);

/** The audit log of a command, which writes nothing else to stderr with `--json`. */
const logged = ({ err }: AdminRun): any[] =>
  err
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

/** What must not be left of a connection. */
const ENDED = ['grant', 'credential'];
const grantOf = ({ code }: Connection) => code.split('.')[0]!;
const told = ({ sandbox }: Harness) =>
  sandbox.recorder.requests().filter(({ path }) => path === '/oauth2/revoke').length;

// ---------------------------------------------------------------------------------- clients

storeTest(
  '[D13] a client that an operator makes can be connected, and is never collected',
  async (t, world) => {
    const made = await admin(
      world,
      'clients',
      'create',
      '--name',
      'Desk',
      '--redirect-uri',
      'https://desk.example/cb',
      '--yes',
      '--json',
    );
    t.is(made.code, 0, made.err);
    const { clientId: client_id, clientSecret } = made.json();
    t.is(clientSecret, undefined, 'public');
    const client: TestClient = {
      client_id,
      redirect_uris: ['https://desk.example/cb'],
      token_endpoint_auth_method: 'none',
    };
    const { tokens } = await connect(world, { client });
    t.is((await refresh(world.url, client, tokens.refresh_token)).status, 200);
    const shown = (await admin(world, 'clients', 'show', client_id, '--json')).json();
    t.like(shown, {
      kind: 'pre-registered',
      name: 'Desk',
      hosts: ['desk.example'],
      liveGrants: 1,
      expiresAt: null,
    });
    t.is(shown.grants[0].subject, '1001');
    if (world.redis) {
      t.is(await world.redis.command('TTL', `neonpanel-mcp:{${client_id}}:client`), ':-1\r\n');
    }
  },
);

storeTest(
  '[D13] a confidential client’s secret is printed once, sealed in the store, and rotates',
  async (t, world) => {
    const args = [
      '--name',
      'Server',
      '--redirect-uri',
      'https://server.example/cb',
      '--auth-method',
      'client_secret_post',
    ];
    const made = await admin(world, 'clients', 'create', ...args, '--yes', '--json');
    const { clientId: client_id, clientSecret: client_secret } =
      made.json<Record<string, string>>();
    const client: TestClient = {
      client_id: client_id!,
      client_secret: client_secret!,
      redirect_uris: ['https://server.example/cb'],
      token_endpoint_auth_method: 'client_secret_post',
    };
    const { tokens } = await connect(world, { client });
    const secret = client.client_secret!;
    t.false(JSON.stringify(await recordsOf(world)).includes(secret));
    for (const command of [
      ['list', '--search', 'Server'],
      ['show', client.client_id],
    ]) {
      const { out, err } = await admin(world, 'clients', ...command, '--json');
      t.false((out + err).includes(secret));
    }
    const rotated = await admin(
      world,
      'clients',
      'rotate-secret',
      client.client_id,
      '--yes',
      '--json',
    );
    const renewed = { ...client, client_secret: rotated.json().clientSecret as string };
    await pause(1_000);
    for (const instance of world.instances) {
      t.is((await refresh(instance, client, tokens.refresh_token)).status, 401);
    }
    t.is((await refresh(world.url, renewed, tokens.refresh_token)).status, 200, 'its users stay');
  },
);

for (const [why, uri] of [
  ['http', 'http://desk.example/cb'],
  ['a wildcard', 'https://*.desk.example/cb'],
  ['a foreign scheme', 'javascript:alert(1)'],
  ['a fragment', 'https://desk.example/cb#here'],
] as const) {
  storeTest.sqlite(
    `[D13] the policy for redirect URIs holds for operators, too: ${why}`,
    async (t, world) => {
      const made = await admin(
        world,
        'clients',
        'create',
        '--name',
        'No',
        '--redirect-uri',
        uri,
        '--yes',
      );
      t.is(made.code, 2);
      t.regex(made.err, /redirect_uris/);
    },
  );
}

storeTest(
  '[D13] list searches and sorts, and tells kinds, redirect hosts, live grants and last use',
  async (t, world) => {
    const mark = `Zebra ${Math.random().toString(36).slice(2, 8)}`;
    const busy = await connect(world, {
      metadata: { client_name: `${mark} busy`, redirect_uris: ['https://busy.example/cb'] },
    });
    await connect(world, { client: busy.client });
    const { body: idle } = await register(world.url, {
      client_name: `${mark} idle`,
      redirect_uris: ['cursor://anysphere/cb', 'http://127.0.0.1/cb'],
    });
    const list = async (...options: string[]) =>
      (
        await admin(world, 'clients', 'list', '--search', mark.toUpperCase(), ...options, '--json')
      ).json();
    const found = await list('--sort', 'grants');
    t.is(found.count, 2);
    t.like(found.clients[0], {
      clientId: busy.client.client_id,
      liveGrants: 2,
      hosts: ['busy.example'],
      kind: 'registered',
    });
    t.true(Date.now() - Date.parse(found.clients[0].lastUsed) < 60_000);
    t.like(found.clients[1], {
      clientId: idle.client_id,
      liveGrants: 0,
      hosts: ['cursor:', 'loopback'],
      lastUsed: null,
    });
    t.deepEqual(
      (await list('--sort', 'name')).clients.map((c: any) => c.name),
      [`${mark} busy`, `${mark} idle`],
    );
    const first = await list('--sort', 'name', '--limit', '1');
    t.deepEqual([first.count, first.clients.length], [2, 1]);
    t.is((await list('--kind', 'service')).count, 0);
    const byHost = (
      await admin(world, 'clients', 'list', '--search', 'busy.example', '--json')
    ).json();
    t.true(byHost.clients.some((c: any) => c.clientId === busy.client.client_id));
    const { out } = await admin(world, 'clients', 'list', '--search', mark, '--limit', '1');
    t.regex(out, /CLIENT +KIND +NAME/);
    t.regex(out, /1 of 2 shown/);
  },
);

storeTest(
  '[T36] [D7] revoking a client ends it and all its grants everywhere, and nobody else’s',
  async (t, world) => {
    const one = await connect(world);
    const two = await connect(world, { client: one.client, user: world.sandbox.users[1]! });
    const other = await connect(world);
    const attempt = authorizationRequest(world.url, one.client);
    const code = (await signIn(world, attempt)).searchParams.get('code')!;
    for (const instance of world.instances) {
      t.is((await callMcp(instance, one.tokens.access_token, 'tools/list')).status, 200);
    }
    const revoked = await admin(
      world,
      'clients',
      'revoke',
      one.client.client_id,
      '--yes',
      '--json',
    );
    t.is(revoked.code, 0, revoked.err);
    t.is(revoked.json().ended, 2);
    for (const { tokens } of [one, two]) {
      t.true(await endsEverywhere(world, tokens.access_token));
      for (const instance of world.instances) {
        t.is((await refresh(instance, one.client, tokens.refresh_token)).status, 401);
      }
    }
    t.is((await redeem(world.url, attempt, code)).status, 401);
    t.deepEqual(await kindsOf(world, one.client.client_id), []);
    t.deepEqual(
      (await kindsOf(world, grantOf(one))).filter((k) => ENDED.includes(k)),
      [],
    );
    t.true(await lives(world, other));
    const line = logged(revoked).find(({ event }) => event === 'admin');
    t.like(line, {
      command: 'clients revoke',
      outcome: 'success',
      client_id: one.client.client_id,
      count: 2,
    });
    t.is((await admin(world, 'clients', 'show', one.client.client_id)).code, 4);
  },
);

storeTest(
  '[T36] [D13] no grant that is opened while its client is revoked survives it',
  async (t, world) => {
    const { body: client } = await register(world.url);
    // One grant, so that nothing of the client has to be written for the others.
    await connect(world, { client });
    const attempts = Array.from({ length: 6 }, () => authorizationRequest(world.url, client));
    const codes = await Promise.all(
      attempts.map(async (attempt) => (await signIn(world, attempt)).searchParams.get('code')!),
    );
    const revocation = admin(world, 'clients', 'revoke', client.client_id, '--yes', '--json');
    for (const [i, attempt] of attempts.entries()) {
      const instance = world.instances[i % world.instances.length]!;
      await redeem(instance, attempt, codes[i]!);
      await pause(20);
    }
    t.is((await revocation).code, 0);
    const left = (await recordsOf(world)).filter(
      ({ kind, value }) => kind === 'grant' && value.includes(client.client_id),
    );
    t.deepEqual(left, []);
  },
);

storeTest(
  '[D13] [T36] of a client with a document the grants are ended; there is no record',
  async (t, world) => {
    const { host } = world;
    const clientId = `${host.origin}/client`;
    const redirect_uris = ['https://client.example/callback'];
    host.serve(new URL(clientId).pathname, {
      client_id: clientId,
      client_name: 'Documented',
      redirect_uris,
    });
    const tokens = await connectDocumented(world, documented(clientId, redirect_uris, world.url));
    const listed = (await admin(world, 'clients', 'list', '--kind', 'document', '--json')).json();
    t.like(listed.clients[0], { clientId, hosts: [new URL(clientId).host], liveGrants: 1 });
    const revoked = await admin(world, 'clients', 'revoke', clientId, '--yes', '--json');
    t.is(revoked.json().ended, 1, revoked.err);
    t.true(await endsEverywhere(world, tokens.access_token));
    t.is((await admin(world, 'clients', 'revoke', clientId, '--yes')).code, 4);
  },
);

// ------------------------------------------------------------------------------- collection

storeTest(
  '[D13] gc names who waits for too long and why, and removes nobody without being told',
  async (t, world) => {
    t.teardown(() => (shift = 0));
    shift = -10 * DAY_MS;
    const { body: old } = await register(world.url, { client_name: 'Old' });
    const used = await connect(world);
    shift = 0;
    const { body: young } = await register(world.url);
    const dry = (
      await admin(world, 'clients', 'gc', '--waiting-for', '7d', '--dry-run', '--json')
    ).json();
    t.deepEqual(
      dry.clients.map((c: any) => c.clientId),
      [old.client_id],
    );
    t.regex(dry.clients[0].why, /never completed a login since \d{4}-/);
    t.is((await admin(world, 'clients', 'gc', '--waiting-for', '7d')).code, 6, 'nobody confirmed');
    t.is(
      (await admin(world, 'clients', 'gc', '--dry-run', '--json')).json().count,
      0,
      '30 days by default',
    );
    t.is((await admin(world, 'clients', 'gc', '--waiting-for', '23h', '--yes')).code, 2);
    t.deepEqual(await kindsOf(world, old.client_id), ['client', 'waiting']);
    const done = await admin(world, 'clients', 'gc', '--waiting-for', '7d', '--yes', '--json');
    t.deepEqual(done.json(), { removed: 1, spared: 0 });
    t.deepEqual(await kindsOf(world, old.client_id), []);
    t.deepEqual(await kindsOf(world, young.client_id), ['client', 'waiting']);
    t.true((await kindsOf(world, used.client.client_id)).includes('client'));
  },
);

storeTest('[D13] [T26] gc spares whoever completes a login while it asks', async (t, world) => {
  t.teardown(() => (shift = 0));
  shift = -10 * DAY_MS;
  const { body: client } = await register(world.url);
  const { body: other } = await register(world.url);
  shift = 0;
  const terminal = createTerminal(world.env, { answers: [], now });
  let connection: Connection | undefined;
  const confirm = async () => {
    connection = await connect(world, { client });
    return true;
  };
  const done = await runIn(
    { ...terminal, confirm },
    'clients',
    'gc',
    '--waiting-for',
    '7d',
    '--json',
  );
  t.deepEqual(done.json(), { removed: 1, spared: 1 }, done.err);
  t.true(await lives(world, connection!));
  t.is((await refresh(world.url, client, connection!.tokens.refresh_token)).status, 200);
  t.deepEqual(await kindsOf(world, other.client_id), []);
});

storeTest.sqlite(
  '[D13] gc takes a client 180 days after its last grant ended: none with a live one, and none that comes back while it asks',
  async (t, world) => {
    t.teardown(() => (shift = 0));
    // Used when grants lived for long; now they live for a day, so its time was over long ago.
    const env = { ...world.env, REFRESH_TOKEN_TTL_SECONDS: '86400' };
    const gc = async (...options: string[]) =>
      (await runIn(createTerminal(env, { now }), 'clients', 'gc', ...options, '--json')).json();
    const planned = async () =>
      (await gc('--dry-run')).clients.map((c: any) => c.clientId).toSorted() as string[];
    const ids = (...connections: Connection[]) =>
      connections.map(({ client }) => client.client_id).toSorted();
    shift = -190 * DAY_MS;
    const left = await connect(world);
    const back = await connect(world);
    const early = await connect(world);
    const alive = await connect(world);
    shift = 0;
    t.deepEqual(await planned(), ids(left, back, early, alive));

    const store = await openStore(loadConfig(world.env).store, { log: createLog('silent'), now });
    t.teardown(() => store.close());
    // From when grants lived for a year.
    const long = { clientId: alive.client.client_id, accountId: '7', scope: 'neonpanel.read' };
    const put = JSON.stringify({ ...long, rotatedAt: now() - 190 * DAY_MS, createdAt: 0 });
    const key = grantKey('a-grant-that-lives-long');
    await store.commit([{ key, expect: 'absent', put, lifetime: 60 }]);
    t.deepEqual(await planned(), ids(left, back, early));
    await connect(world, { client: early.client });
    t.deepEqual(await planned(), ids(left, back));

    const confirm = async () => {
      await connect(world, { client: back.client });
      return true;
    };
    const terminal = { ...createTerminal(env, { answers: [], now }), confirm };
    const done = await runIn(terminal, 'clients', 'gc', '--json');
    t.regex(done.err, /its last grant ended before/);
    t.deepEqual(done.json(), { removed: 1, spared: 1 });
    t.deepEqual(await kindsOf(world, left.client.client_id), []);
    t.true((await kindsOf(world, back.client.client_id)).includes('client'));
    await store.commit([{ key, expect: 'any', remove: true }]);
  },
);

// ----------------------------------------------------------------------------------- grants

storeTest(
  '[T36] [D7] grants are listed and ended by user and client, with their credentials, here and at NeonPanel',
  async (t, world) => {
    const bruno = world.sandbox.users[1]!;
    const { body: client } = await register(world.url);
    const ada = await connect(world, { client });
    const hers = await connect(world, { client, user: bruno });
    const selection = ['--client', client.client_id, '--user', '1002'];
    const list = (await admin(world, 'grants', 'list', ...selection, '--json')).json();
    t.is(list.count, 1);
    t.like(list.grants[0], { grant: grantOf(hers), subject: '1002', client: client.client_id });
    const before = told(world);
    const revoked = await admin(world, 'grants', 'revoke', ...selection, '--yes', '--json');
    t.deepEqual(revoked.json(), { ended: 1, atNeonpanel: { revoked: 1, failed: 0 } }, revoked.err);
    t.is(told(world), before + 1);
    t.true(await endsEverywhere(world, hers.tokens.access_token));
    t.is((await refresh(world.url, client, hers.tokens.refresh_token)).status, 400);
    t.deepEqual(
      (await kindsOf(world, grantOf(hers))).filter((k) => ENDED.includes(k)),
      [],
    );
    t.true(await lives(world, ada));
    const lines = logged(revoked);
    t.deepEqual(lines.map(({ event, outcome }) => `${event} ${outcome}`).toSorted(), [
      'admin success',
      'grant.ended revoked',
      'neonpanel.revocation success',
    ]);
  },
);

storeTest('[T36] one grant is ended by its id, as the audit log names it', async (t, world) => {
  const one = await connect(world);
  const other = await connect(world, { client: one.client });
  const planned = await admin(world, 'grants', 'revoke', grantOf(one), '--dry-run', '--json');
  t.like(planned.json(), { dryRun: true, count: 1 });
  t.true(await lives(world, one), 'a dry run changes nothing');
  t.is((await admin(world, 'grants', 'revoke', grantOf(one))).code, 6);
  t.true(await lives(world, one), 'nobody confirmed');
  t.is((await admin(world, 'grants', 'revoke', grantOf(one), '--yes')).code, 0);
  t.true(await endsEverywhere(world, one.tokens.access_token));
  t.true(await lives(world, other));
  t.is((await admin(world, 'grants', 'revoke', grantOf(one), '--yes')).code, 4);
  t.is(
    (await admin(world, 'grants', 'revoke', '--yes')).code,
    2,
    'all of them is not what was meant',
  );
  t.is((await admin(world, 'grants', 'revoke', '--olderthan', '90d', '--yes')).code, 2);
});

storeTest('[T36] grants are ended by age, however many there are', async (t, world) => {
  const store = await openStore(loadConfig(world.env).store, { log: createLog('silent'), now });
  t.teardown(() => store.close());
  const young = await connect(world);
  const count = process.env.LONG_TESTS ? 200_000 : 1_500;
  const client = `bulk-${count}`;
  const put = (age: number) =>
    JSON.stringify({
      clientId: client,
      accountId: '7',
      scope: 'neonpanel.read',
      rotatedAt: now() - age,
      createdAt: now() - age,
    });
  for (let i = 0; i < count; i += 500) {
    await Promise.all(
      Array.from({ length: Math.min(500, count - i) }, (_, j) =>
        store.commit([
          {
            key: grantKey(`bulk-grant-${i + j}-xxxxxxxx`),
            expect: 'any',
            put: put((100 - (j % 2) * 50) * DAY_MS),
            lifetime: 600,
          },
        ]),
      ),
    );
  }
  const list = (await admin(world, 'grants', 'list', '--client', client, '--json')).json();
  t.deepEqual([list.count, list.grants.length], [count, 50]);
  const revoked = await admin(world, 'grants', 'revoke', '--older-than', '90d', '--yes', '--json');
  t.is(revoked.json().ended, count / 2);
  let left = 0;
  for await (const { grant } of createGrants(store).all()) if (grant.clientId === client) left++;
  t.is(left, count / 2);
  t.true(await lives(world, young));
  t.is(
    (await admin(world, 'grants', 'revoke', '--client', client, '--yes', '--json')).json().ended,
    count / 2,
  );
});

// ------------------------------------------------------------------------- telling NeonPanel

storeTest(
  '[T36] when a client revokes, NeonPanel is told behind the answer, and its token ends there',
  async (t, world) => {
    const { client, tokens, code } = await connect(world);
    const grant = code.split('.')[0]!;
    world.sandbox.recorder.clear();
    const form = { token: tokens.refresh_token, client_id: client.client_id };
    t.is((await postForm(`${world.url}/oauth2/revoke`, form)).status, 200);
    const line = await world.logs.waitFor({ event: 'neonpanel.revocation', grant });
    t.like(line, { outcome: 'success', client_id: client.client_id, subject: '1001' });
    t.is(told(world), 1);
  },
);

storeTest(
  '[T36] a NeonPanel that hangs or fails neither holds up nor spoils a revocation',
  async (t, world) => {
    const { sandbox, logs } = world;
    for (const fault of ['html-500', 'hang'] as const) {
      const { client, tokens, code } = await connect(world);
      const grant = code.split('.')[0]!;
      sandbox.faults.set(fault, { path: '/oauth2/revoke' });
      const form = { token: tokens.access_token, client_id: client.client_id };
      t.is((await postForm(`${world.url}/oauth2/revoke`, form)).status, 200);
      const told = logs.find({ event: 'neonpanel.revocation', grant });
      if (fault === 'hang') t.deepEqual(told, [], 'answered while NeonPanel is still silent');
      t.true(await endsEverywhere(world, tokens.access_token));
      await logs.waitFor({ event: 'neonpanel.revocation', grant, outcome: 'failed' }, 15_000);
      sandbox.faults.clear(fault);
    }
  },
);

storeTest(
  '[T36] a command gives up on a NeonPanel that is away, and ends the grants all the same',
  async (t, world) => {
    const { sandbox } = world;
    const { body: client } = await register(world.url);
    const all = await Promise.all(Array.from({ length: 9 }, () => connect(world, { client })));
    sandbox.faults.set('html-500', { path: '/oauth2/revoke' });
    t.teardown(() => sandbox.faults.clear('html-500'));
    sandbox.recorder.clear();
    const revoked = await admin(
      world,
      'grants',
      'revoke',
      '--client',
      client.client_id,
      '--yes',
      '--json',
    );
    t.deepEqual(revoked.json(), { ended: 9, atNeonpanel: { revoked: 0, failed: 9 } }, revoked.err);
    t.is(told(world), 8, 'the ninth was not tried');
    t.true(await endsEverywhere(world, all[8]!.tokens.access_token));
  },
);
