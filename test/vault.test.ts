import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { sealContext } from '../adapters/sealed-kinds.ts';
import { createSecrets } from '../adapters/secrets.ts';
import { type Row, sumOf } from '../adapters/sqlite/schema.ts';
import { startApp } from '../app.ts';
import { loadConfig } from '../config.ts';
import { createLog } from '../log.ts';
import { startSandbox } from '../sandbox/index.ts';
import {
  approve,
  isCallback,
  openConsent,
  refusedByPage,
  stopAtClient,
  storedRecords,
} from './login-support.ts';
import { recordResponses } from './response-recorder.ts';
import { createClock } from './support/clock.ts';
import { type Harness, startHarness } from './support/harness.ts';
import { createLogs } from './support/logs.ts';
import {
  answerConsent,
  answerLogin,
  callTool,
  clientParameters,
  connect,
  postForm,
  postJson,
  redeem,
  refresh,
  register,
} from './support/oauth.ts';
import { freePort } from './support/ports.ts';

const newKey = () => randomBytes(32).toString('base64url');
const usersOf = (harness: Harness) => harness.sandbox.users as [User, User];
type User = Harness['sandbox']['users'][number];

/** Everything on disk: the file, its log, its index. Read by another process, which disturbs no lock of ours. */
function storeBytes(dataDir: string): string {
  const files = ['', '-wal', '-shm']
    .map((end) => join(dataDir, `neonpanel-mcp.db${end}`))
    .filter((file) => existsSync(file));
  return execFileSync('cat', files, { maxBuffer: 64 * 1024 * 1024 }).toString('latin1');
}

/** Changes records behind the server's back, checksums included. */
function tamper(dataDir: string, change: (rows: Row[]) => Row[]): void {
  const db = new DatabaseSync(join(dataDir, 'neonpanel-mcp.db'));
  try {
    const rows = db.prepare('SELECT * FROM records').all() as unknown as Row[];
    const update = db.prepare('UPDATE records SET value = ?, sum = ? WHERE tag = ? AND kind = ?');
    for (const row of change(rows)) update.run(row.value, sumOf(row), row.tag, row.kind);
  } finally {
    db.close();
  }
}

/** Two records trade their values. */
function swap(dataDir: string, kind: string, tags: readonly [string, string]): void {
  tamper(dataDir, (rows) => {
    const [one, two] = tags.map((tag) => rows.find((r) => r.tag === tag && r.kind === kind)!);
    return [
      { ...one!, value: two!.value },
      { ...two!, value: one!.value },
    ];
  });
}

const grantOf = (code: string): string => code.split('.')[0]!;

/** The key a sealed record names in its header. */
function sealedBy(harness: Harness, tag: string, kind = 'credential'): string {
  const record = storedRecords(harness).find((r) => r.tag === tag && r.kind === kind)!;
  const header = (JSON.parse(record.value) as { protected: string }).protected;
  return (JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string }).kid;
}

async function companiesOf(harness: Harness, accessToken: string): Promise<number[]> {
  const { body } = await callTool(harness.url, accessToken, 'listCompanies');
  return body.result.structuredContent.data.map(({ id }: { id: number }) => id);
}

test.serial(
  '[T17] [T28] [T51] [T8] [T58] no secret of a whole journey is in the store, the log, or an answer it was not meant for',
  async (t) => {
    const recorder = recordResponses();
    t.teardown(recorder.stop);
    const journey = await traced(t);
    const { harness, callback } = journey;
    const { url, sandbox, logs, dataDir } = harness;
    const [ada] = usersOf(harness);
    const seen: string[] = [];
    const look = () => seen.push(storeBytes(dataDir));

    // The first NeonPanel token is about to expire, so the first call refreshes it.
    sandbox.faults.set('token-lifetime', { seconds: 20, times: 1 });
    const client = (
      await register(url, {
        client_name: 'Canary',
        token_endpoint_auth_method: 'client_secret_post',
      })
    ).body;
    const started = await openConsent(harness, { client, parameters: { scope: 'openid' } });
    const { attempt, browser, page } = started;
    const csrf = page.form().fields.get('csrf')!;
    const upstream = await approve(harness, started);
    look();
    const binding = browser.cookies(url).find(({ key }) => key.includes('-login-'))!;
    browser.stopAt(isCallback);
    const back = (await answerLogin(await browser.goto(upstream), ada)).stoppedAt!;
    stopAtClient(browser, attempt);
    const code = (await browser.goto(back)).stoppedAt!.searchParams.get('code')!;
    look();
    const first = (await redeem(url, attempt, code)).body;
    look();
    t.is((await callTool(url, first.access_token, 'listCompanies')).status, 200);
    look();
    const second = (await refresh(url, client, first.refresh_token)).body;
    t.is((await callTool(url, second.access_token, 'getInventoryDetails', { x: 1 })).status, 200);
    const asClient = clientParameters(client);
    await postForm(`${url}/oauth2/introspect`, { token: second.access_token, ...asClient });
    await refresh(url, client, 'not-a-token');
    await redeem(url, attempt, code, { code_verifier: `${attempt.verifier}x` });
    await failAtNeonpanel(harness);
    await postForm(`${url}/oauth2/revoke`, { token: second.refresh_token, ...asClient });
    t.is((await refresh(url, client, second.refresh_token)).status, 400);
    look();

    const sandboxPort = portOf(sandbox.url);
    const issued = recorder.responses
      .filter((one) => one.port === sandboxPort && one.path === '/oauth2/token')
      .flatMap(({ text }) => [...text.matchAll(/"(?:access|refresh)_token":"([^"]+)"/g)])
      .map(([, token]) => token ?? '');
    t.true(issued.length >= 4, 'NeonPanel issued two pairs of tokens');
    const verifiers = sandbox.recorder
      .requests()
      .map(({ body }) => new URLSearchParams(body).get('code_verifier'))
      .filter((verifier): verifier is string => verifier !== null);
    t.true(verifiers.length >= 1);

    /** Secrets shared with NeonPanel: no answer of ours may carry them. */
    const shared: [what: string, secret: string][] = [
      ...issued.map((token, i): [string, string] => [`NeonPanel token ${i}`, token]),
      ...verifiers.map((verifier): [string, string] => ['our PKCE verifier', verifier]),
      ['our secret at NeonPanel', journey.clientSecret],
      ['NeonPanel’s code', back.searchParams.get('code') ?? ''],
      ['the password', ada.password],
    ];
    /** Secrets of ours, with the only path whose answers may carry them: NeonPanel sees none of them. */
    const own: [what: string, secret: string, path?: RegExp][] = [
      ['a master key', journey.masterKey],
      ['the client’s PKCE verifier', attempt.verifier],
      ['the client’s secret', client.client_secret!, /^\/oauth2\/register$/],
      ['the code', code.split('.')[1]!, /^\/oauth2\/authorize\/[\w-]{16,}$/],
      ['the first access token', first.access_token, /^\/oauth2\/token$/],
      ['the first refresh token', first.refresh_token, /^\/oauth2\/token$/],
      ['the second access token', second.access_token, /^\/oauth2\/token$/],
      ['the second refresh token', second.refresh_token, /^\/oauth2\/token$/],
      ['the id token', first.id_token!, /^\/oauth2\/token$/],
      ['the form code', csrf, /^\/interaction\//],
    ];
    const state = upstream.searchParams.get('state')!.split('.')[1]!;
    const nonce = binding.value.split('.')[1]!;
    // Cookies do not know ports: a browser shows ours to the sandbox, which is another port of the same host.
    const canaries = [
      ...shared,
      ...own,
      ['our state', state, /^\/interaction\//] as const,
      ['the binding nonce', nonce, /^\/interaction\//] as const,
    ];
    const ours = recorder.responses.filter((one) => one.port === portOf(url));
    for (const [what, secret, path] of canaries) {
      t.true(typeof secret === 'string' && secret.length >= 12, what);
      for (const [i, bytes] of seen.entries())
        t.false(bytes.includes(secret), `${what}, look ${i}`);
      t.deepEqual(logs.leaked([secret]), [], `${what} in the log`);
      const carriers = ours.filter(({ text }) => text.includes(secret)).map((one) => one.path);
      t.deepEqual(
        carriers.filter((one) => !path?.test(one.split('?')[0]!)),
        [],
        what,
      );
      if (path) t.true(carriers.length > 0, `${what} was answered at all`);
    }

    // The nets catch something: what may be there is there.
    t.true(seen.every((bytes) => bytes.includes(started.uid)));
    t.true(logs.text().includes(client.client_id));
    t.true(logs.text().includes('"path":"/oauth2/authorize/callback"'));
    t.true(ours.some(({ text }) => text.includes('Harbor & Pine')));

    // Of ours, NeonPanel was shown nothing.
    const theirs = JSON.stringify(sandbox.recorder.requests());
    t.true(theirs.includes(issued[0]!));
    for (const [what, secret] of own) t.false(theirs.includes(secret), what);
    t.false(theirs.includes(client.client_id));
    t.is(upstream.searchParams.get('redirect_uri'), callback);
  },
);

const portOf = (url: string): number => Number(new URL(url).port);

/** A sign-in that NeonPanel spoils with an error page full of secrets of its own. */
async function failAtNeonpanel(harness: Harness): Promise<void> {
  const { page } = await openConsent(harness);
  const login = await answerConsent(page);
  harness.sandbox.faults.set('html-500', { path: '/oauth2/token', times: 1 });
  const { status } = await answerLogin(login, harness.sandbox.users[0]!);
  if (status !== 502) throw new Error(`expected 502, got ${status}`);
}

/** A server that logs everything there is to log, and that is a confidential client of NeonPanel. */
async function traced(t: ExecutionContext) {
  const dataDir = mkdtempSync(join(tmpdir(), 'neonpanel-mcp-vault-'));
  const sandbox = await startSandbox({ port: 0 });
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const callback = `${url}/oauth2/authorize/callback`;
  const { body } = await postJson<{ client_id: string; client_secret: string }>(
    `${sandbox.url}/oauth2/register`,
    {
      redirect_uris: [callback],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'client_secret_post',
    },
  );
  const masterKey = newKey();
  const env = {
    PORT: String(port),
    DATA_DIR: dataDir,
    NEONPANEL_URL: sandbox.url,
    NEONPANEL_CLIENT_ID: body.client_id,
    NEONPANEL_CLIENT_SECRET: body.client_secret,
    MASTER_KEYS: masterKey,
    LOG_LEVEL: 'trace',
  };
  const logs = createLogs();
  const app = await startApp(loadConfig(env), { log: createLog('trace', logs.sink) });
  const close = async () => {
    await app.close();
    await sandbox.close();
    rmSync(dataDir, { recursive: true, force: true });
  };
  t.teardown(close);
  const restart = () => Promise.reject(new Error('not here'));
  const harness: Harness = { url, instances: [url], sandbox, logs, dataDir, env, restart, close };
  return { harness, callback, masterKey, clientSecret: body.client_secret };
}

test.serial(
  '[T17] [D10] a credential that was moved to another user’s grant opens for neither of them',
  async (t) => {
    const clock = createClock();
    const harness = await startHarness({ now: clock.now });
    t.teardown(harness.close);
    const [ada, bruno] = usersOf(harness);
    const one = await connect(harness, { user: ada });
    const two = await connect(harness, { user: bruno });
    const tags = [grantOf(one.code), grantOf(two.code)] as const;
    const tokens = [one.tokens.access_token, two.tokens.access_token];
    const companies = () => Promise.all(tokens.map((token) => companiesOf(harness, token)));
    const before = await companies();
    t.deepEqual(before, [[201, 202, 203], [301]]);
    const asked = harness.sandbox.recorder.requests().length;

    const refusesBoth = async (how: string) => {
      clock.advance(1_000);
      for (const token of tokens) {
        const { status, headers, body } = await callTool(harness.url, token, 'listCompanies');
        t.is(status, 401, how);
        t.regex(headers.get('www-authenticate')!, /error="invalid_token"/);
        t.is(body.result, undefined);
      }
    };
    swap(harness.dataDir, 'credential', tags);
    await refusesBoth('credentials swapped');
    swap(harness.dataDir, 'grant', tags);
    await refusesBoth('grants and credentials swapped');
    swap(harness.dataDir, 'credential', tags);
    await refusesBoth('grants swapped');
    t.is(harness.sandbox.recorder.requests().length, asked, 'NeonPanel was not asked');

    swap(harness.dataDir, 'grant', tags);
    clock.advance(1_000);
    t.deepEqual(await companies(), before);
  },
);

const withAnotherLast = (text: string): string =>
  text.slice(0, -1) + (text.endsWith('_') ? '-' : '_');

test.serial('[T17] a changed credential is refused as a whole', async (t) => {
  const clock = createClock();
  const harness = await startHarness({ now: clock.now });
  t.teardown(harness.close);
  const { tokens, code } = await connect(harness);
  const spoil: ((value: string) => string)[] = [
    (value) => value.replace(/"ciphertext":"./, withAnotherLast),
    (value) => value.replace(/"tag":"./, withAnotherLast),
    (value) => value.replace(/"protected":"[^"]+"/, '"protected":"e30"'),
    () => '{}',
    () => 'not JSON',
    () => '',
  ];
  const { value } = storedRecords(harness).find((r) => r.kind === 'credential')!;
  for (const change of spoil) {
    const changed = change(value);
    t.not(changed, value);
    tamper(harness.dataDir, (rows) => {
      const row = rows.find((r) => r.tag === grantOf(code) && r.kind === 'credential')!;
      return [{ ...row, value: changed }];
    });
    clock.advance(1_000);
    const answer = await callTool(harness.url, tokens.access_token, 'listCompanies');
    t.is(answer.status, 401, changed.slice(0, 40));
  }
});

test.serial(
  '[D10] with a new master key in front, old records open and new ones are sealed under it',
  async (t) => {
    const [old, fresh] = [newKey(), newKey()];
    const env: Record<string, string> = { MASTER_KEYS: old };
    const harness = await startHarness({ env });
    t.teardown(harness.close);
    const [ada, bruno] = usersOf(harness);
    const before = await connect(harness, { user: ada });
    const started = await openConsent(harness);
    const oldKid = sealedBy(harness, grantOf(before.code));

    env.MASTER_KEYS = `${fresh},${old}`;
    await harness.restart();
    t.deepEqual(await companiesOf(harness, before.tokens.access_token), [201, 202, 203]);
    // A page shown under the old key is answered under the new one.
    t.is((await answerConsent(started.page)).status, 200);
    const after = await connect(harness, { user: bruno });
    const newKid = sealedBy(harness, grantOf(after.code));
    t.not(newKid, oldKid);
    t.is(sealedBy(harness, grantOf(before.code)), oldKid);
    const renewed = await refresh(harness.url, before.client, before.tokens.refresh_token);
    t.is(renewed.status, 200);

    // A credential that is written again is sealed under the first key.
    harness.sandbox.faults.set('expired-token', { times: 1 });
    t.deepEqual(await companiesOf(harness, renewed.body.access_token), [201, 202, 203]);
    t.is(sealedBy(harness, grantOf(before.code)), newKid);
  },
);

test.serial(
  '[D10] without the key they were sealed under, people sign in again and nothing fails with 500',
  async (t) => {
    const [old, fresh] = [newKey(), newKey()];
    const env: Record<string, string> = { MASTER_KEYS: old };
    const harness = await startHarness({ env });
    t.teardown(harness.close);
    const { url, sandbox } = harness;
    const before = await connect(harness);
    const secretive = await register(url, { token_endpoint_auth_method: 'client_secret_post' });
    const started = await openConsent(harness, { client: before.client });
    const upstream = await approve(harness, started);
    started.browser.stopAt(isCallback);
    const callback = (await answerLogin(await started.browser.goto(upstream), sandbox.users[0]!))
      .stoppedAt!;

    const [oldSecrets, freshSecrets] = [old, fresh].map((key) =>
      createSecrets([new Uint8Array(Buffer.from(key, 'base64url'))]),
    );
    const signing = storedRecords(harness).find((r) => r.tag === 'keys' && r.kind === 'signing')!;
    const keys = await oldSecrets!.open(signing.value, 'signing keys');
    const value = await freshSecrets!.seal(keys, sealContext.signingKeys());
    tamper(harness.dataDir, (rows) => [
      { ...rows.find((r) => r.tag === 'keys' && r.kind === 'signing')!, value },
    ]);
    env.MASTER_KEYS = fresh;
    await harness.restart();

    const call = await callTool(url, before.tokens.access_token, 'listCompanies');
    t.is(call.status, 401);
    t.truthy(call.headers.get('www-authenticate'));
    const renewal = await refresh(url, before.client, before.tokens.refresh_token);
    t.is(renewal.status, 400);
    t.like(renewal.body, { error: 'invalid_grant' });
    refusedByPage(t, harness, await started.browser.goto(callback), 400);

    // A client whose secret can no longer be compared is unknown: it registers itself anew.
    const lost = await refresh(url, secretive.body, 'x');
    t.is(lost.status, 401);
    t.like(lost.body, { error: 'invalid_client' });

    const again = await connect(harness, { client: before.client });
    t.deepEqual(await companiesOf(harness, again.tokens.access_token), [201, 202, 203]);
    t.deepEqual(harness.logs.find({ event: 'request', status: 500 }), []);
  },
);

test.serial(
  '[X28] a server whose signing keys it cannot open refuses to start, in one line',
  async (t) => {
    const harness = await startHarness({ env: { MASTER_KEYS: newKey() } });
    t.teardown(harness.close);
    const config = loadConfig({
      PORT: String(await freePort()),
      DATA_DIR: harness.dataDir,
      NEONPANEL_URL: harness.sandbox.url,
      MASTER_KEYS: newKey(),
    });
    const error = await t.throwsAsync(startApp(config, { log: createLog('silent') }));
    t.regex(error!.message, /master key/i);
    t.false(error!.message.includes('\n'));
  },
);
