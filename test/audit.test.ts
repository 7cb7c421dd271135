import { randomBytes } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { sealContext } from '../adapters/sealed-kinds.ts';
import { createSecrets } from '../adapters/secrets.ts';
import { VERSION_LENGTH } from '../adapters/redis/commit-script.ts';
import { audit, AUDIT_EVENTS, type AuditEvent } from '../audit.ts';
import { createLog } from '../log.ts';
import { withoutSecrets } from '../redaction.ts';
import { withoutEchoes } from '../mcp/tools/echoes.ts';
import { openAccount } from './account/support.ts';
import { approve, openConsent } from './login-support.ts';
import { admin, createTerminal, runIn } from './support/admin.ts';
import { createClock } from './support/clock.ts';
import { startHarness } from './support/harness.ts';
import { createLogs, type LogEntry } from './support/logs.ts';
import {
  answerConsent,
  answerLogin,
  authorizationRequest,
  callTool,
  clientParameters,
  connect,
  postForm,
  postJson,
  redeem,
  refresh,
  register,
  signIn,
  token,
} from './support/oauth.ts';

const ROOT = join(import.meta.dirname, '..');
const masterKey = randomBytes(32).toString('base64url');
const clock = createClock();
const harness = await startHarness({
  store: 'redis',
  now: clock.now,
  env: { MASTER_KEYS: masterKey },
});
const { url, logs, sandbox } = harness;
test.after.always(() => harness.close());

const line = (event: AuditEvent, outcome: string, more: LogEntry = {}) =>
  logs.waitFor({ audit: true, event, outcome, ...more });
const grantOf = (code: string): string => code.split('.')[0]!;
const requestIdOf = (answer: { headers: Headers }) => answer.headers.get('x-request-id')!;

test.serial('[N18] a registration has one line: what was registered, or why not', async (t) => {
  const done = await register(url, {
    client_name: 'Ledger\u202E desk',
    redirect_uris: ['https://client.example/cb?key=not-for-the-log', 'http://127.0.0.1/cb'],
  });
  const { client_id } = done.body;
  const told = await line('registration', 'success', { request_id: requestIdOf(done) });
  t.like(told, {
    client_id,
    client_name: 'Ledger desk',
    redirect_uris: ['https://client.example/cb', 'http://127.0.0.1/cb'],
    auth_method: 'none',
  });
  t.is(typeof told.ms, 'number');
  const refused = await register(url, { redirect_uris: ['javascript:alert(1)'] });
  const why = await line('registration', 'refused', { request_id: requestIdOf(refused) });
  t.regex(String(why.cause), /redirect_uris/);
  const unreadable = await postJson(`${url}/oauth2/register`, '{"redirect_uris":');
  await line('registration', 'refused', { request_id: requestIdOf(unreadable) });
});

test.serial('[N18] a connection is one grant in all its lines', async (t) => {
  const { client, code, tokens } = await connect(harness, { write: false });
  const grant = grantOf(code);
  const subject = '1001';
  const { client_id } = client;
  await callTool(url, tokens.access_token, 'listCompanies');
  await refresh(url, client, tokens.refresh_token);
  const lines = logs.find({ audit: true, grant }).map(({ event, outcome, ...rest }) => {
    t.is(rest.client_id, client_id);
    t.regex(String(rest.request_id), /^[0-9a-f-]{36}$/);
    return `${event} ${outcome} ${rest.subject ?? '-'} ${rest.scope ?? '-'}`;
  });
  t.deepEqual(lines, [
    'authorization started - -',
    'consent shown - neonpanel.read neonpanel.write',
    'consent approved - neonpanel.read',
    `login success ${subject} -`,
    'authorization success - -',
    `token success ${subject} neonpanel.read`,
    `tool.call success ${subject} -`,
    `token success ${subject} neonpanel.read`,
  ]);
});

test.serial(
  '[N18] a refused authorization says why, a denied one that it was denied',
  async (t) => {
    const client = (await register(url)).body;
    const { client_id } = client;
    const { attempt, uid } = await openConsent(harness, { client });
    const denied = await signIn(harness, attempt, { decision: 'deny' });
    t.is(denied.searchParams.get('error'), 'access_denied');
    await line('consent', 'denied', { client_id });
    t.true(logs.find({ event: 'authorization', outcome: 'refused', client_id }).length > 0);
    const silent = authorizationRequest(url, client, { prompt: 'none' });
    await fetch(silent.url, { redirect: 'manual' });
    await line('authorization', 'refused', { client_id, error: 'login_required' });
    await fetch(`${url}/oauth2/authorize?client_id=nobody-knows`, { redirect: 'manual' });
    await line('authorization', 'refused', { client_id: 'nobody-knows', error: 'invalid_client' });
    const forged = await postForm(`${url}/interaction/${uid}`, { decision: 'approve' });
    const why = await line('consent', 'refused', { request_id: requestIdOf(forged), grant: uid });
    t.regex(String(why.cause), /does not match this browser/);
  },
);

test.serial('[N18] a sign-in that fails at NeonPanel says how', async (t) => {
  const started = await openConsent(harness);
  const upstream = await approve(harness, started);
  const back = new URL(`${url}/oauth2/authorize/callback`);
  back.searchParams.set('state', upstream.searchParams.get('state')!);
  back.searchParams.set('error', 'access_denied');
  await started.browser.goto(back);
  await line('login', 'denied', { grant: started.uid });
  const again = await started.browser.goto(back);
  const why = await line('login', 'refused', { request_id: requestIdOf(again) });
  t.regex(String(why.cause), /no login transaction/);
  t.is(why.grant, undefined, 'nobody knows whose it is');

  const { page, uid } = await openConsent(harness);
  const login = await answerConsent(page);
  sandbox.faults.set('html-500', { path: '/oauth2/token', times: 1 });
  await answerLogin(login, sandbox.users[0]!);
  t.is((await line('login', 'failed', { grant: uid })).error, 'temporarily_unavailable');
});

test.serial(
  '[N18] every token request has exactly one line with client, grant type, outcome and cause',
  async (t) => {
    const client = (await register(url, { token_endpoint_auth_method: 'client_secret_post' })).body;
    const attempt = authorizationRequest(url, client);
    const code = (await signIn(harness, attempt)).searchParams.get('code')!;
    const grant = grantOf(code);
    const asClient = clientParameters(client);
    logs.clear();
    const answers: [what: string, Promise<{ headers: Headers; status: number }>, LogEntry][] = [];
    const ask = async (
      what: string,
      answer: Promise<{ headers: Headers; status: number }>,
      expected: LogEntry,
    ) => {
      answers.push([what, answer, expected]);
      await answer;
    };
    const type = { grant_type: 'authorization_code' };
    const mine = { ...type, client_id: client.client_id };
    const refusedGrant = { outcome: 'refused', error: 'invalid_grant' };
    await ask('wrong verifier', redeem(url, attempt, code, { code_verifier: 'v'.repeat(43) }), {
      ...mine,
      ...refusedGrant,
      grant,
      cause: 'PKCE verification failed',
    });
    await ask('wrong secret', redeem(url, attempt, code, { client_secret: 'wrong' }), {
      ...mine,
      outcome: 'refused',
      error: 'invalid_client',
    });
    await ask('unknown client', redeem(url, attempt, code, { client_id: 'nobody-knows' }), {
      ...type,
      client_id: 'nobody-knows',
      outcome: 'refused',
    });
    const verifier = 'Zq3'.repeat(14) + '_';
    await ask('a verifier in place of the client', token(url, { client_id: verifier }), {
      client_id: `${verifier.slice(0, 12)}…`,
      outcome: 'refused',
    });
    t.deepEqual(logs.leaked([verifier]), []);
    await ask('no grant type', token(url, asClient), { outcome: 'refused' });
    await ask('strange grant type', token(url, { ...asClient, grant_type: 'Pa$$word' }), {
      outcome: 'refused',
      grant_type: 'other',
      error: 'unsupported_grant_type',
    });
    await ask('wrong resource', redeem(url, attempt, code, { resource: 'https://else.example' }), {
      ...mine,
      outcome: 'refused',
      error: 'invalid_target',
    });
    await ask('redeemed', redeem(url, attempt, code), {
      ...mine,
      outcome: 'success',
      grant,
      subject: '1001',
    });
    await ask('at once again', redeem(url, attempt, code), { ...mine, ...refusedGrant, grant });
    await ask('garbage', refresh(url, client, 'garbage'), {
      grant_type: 'refresh_token',
      ...refusedGrant,
      cause: 'not a refresh token of ours',
    });
    const json = postJson(`${url}/oauth2/token`, { grant_type: 'refresh_token' });
    await ask('JSON', json, { outcome: 'refused', error: 'invalid_request' });
    const huge = postForm(`${url}/oauth2/token`, { grant_type: 'x'.repeat(200_000) });
    await ask('too large', huge, { outcome: 'refused' });
    for (const [what, answer, expected] of answers) {
      const request_id = requestIdOf(await answer);
      const found = logs.find({ event: 'token', request_id });
      t.is(found.length, 1, what);
      t.like(found[0], expected, what);
      t.is(found[0]!.outcome === 'success', (await answer).status === 200, what);
      if (found[0]!.outcome === 'refused') t.truthy(found[0]!.error, what);
    }
    t.is(logs.find({ event: 'token' }).length, answers.length);
  },
);

test.serial(
  '[N18] [T4] [T6] the end of a grant has a line of its own, with the reason',
  async (t) => {
    const replayed = await connect(harness);
    const stolen = await connect(harness);
    const left = await connect(harness);
    const ended = await connect(harness, { user: sandbox.users[1]! });
    clock.advance(3_000);
    await redeem(url, replayed.attempt, replayed.code);
    const grant = grantOf(replayed.code);
    t.like(await line('grant.ended', 'code_replayed', { grant }), { subject: '1001' });
    await line('token', 'refused', { grant, cause: 'code was replayed; its grant is revoked' });

    await refresh(url, stolen.client, stolen.tokens.refresh_token);
    clock.advance(61_000);
    await refresh(url, stolen.client, stolen.tokens.refresh_token);
    await line('grant.ended', 'refresh_token_replayed', { grant: grantOf(stolen.code) });
    t.is(logs.find({ event: 'grant.ended', grant: grantOf(stolen.code) }).length, 1);

    const revoke = (parameters: Record<string, string>) =>
      postForm(`${url}/oauth2/revoke`, { client_id: left.client.client_id, ...parameters });
    await revoke({ token: 'nothing-of-ours' });
    await line('revocation', 'ignored', { client_id: left.client.client_id });
    await revoke({ token: left.tokens.refresh_token });
    await line('revocation', 'success', { grant: grantOf(left.code) });
    await line('grant.ended', 'revoked', { grant: grantOf(left.code), subject: '1001' });
    await revoke({ client_id: 'nobody-knows', token: 'x' });
    await line('revocation', 'refused', { client_id: 'nobody-knows', error: 'invalid_client' });

    sandbox.faults.set('expired-token', { times: 1 });
    await callTool(url, ended.tokens.access_token, 'listCompanies');
    await line('neonpanel.refresh', 'success', { grant: grantOf(ended.code), subject: '1002' });
    sandbox.faults.set('expired-token', { times: 1 });
    sandbox.faults.set('html-500', { path: '/oauth2/token', times: 1 });
    await callTool(url, ended.tokens.access_token, 'listCompanies');
    await line('neonpanel.refresh', 'unavailable', { grant: grantOf(ended.code) });
    await fetch(`${sandbox.url}/_sandbox/revoke-user`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: sandbox.users[1]!.email }),
    });
    clock.advance(1_000);
    const last = await callTool(url, ended.tokens.access_token, 'listCompanies');
    const request_id = requestIdOf(last);
    await line('neonpanel.refresh', 'refused', { grant: grantOf(ended.code), request_id });
    await line('grant.ended', 'refused_by_neonpanel', { grant: grantOf(ended.code), request_id });
  },
);

test.serial(
  '[N18] at the page of connected apps, each sign-in, sign-out and disconnection has its line',
  async (t) => {
    const { code } = await connect(harness);
    const grant = grantOf(code);
    const { browser, page } = await openAccount(harness, sandbox.users[0]!);
    await line('account.login', 'success', { subject: '1001' });
    const form = page.form('.who form').fields;
    const disconnect = `${url}/account/disconnect/${grant}`;
    const forged = { 'sec-fetch-site': 'cross-site' };
    for (const path of [disconnect, `${url}/account/sign-out`])
      t.is((await browser.goto(path, { form, headers: forged })).status, 403);
    await line('account.disconnect', 'refused', { grant, error: 'access_denied' });
    await line('account.logout', 'refused', { cause: 'submitted from null (cross-site)' });
    await browser.goto(disconnect, { form });
    await line('account.disconnect', 'success', { grant, subject: '1001', count: 1 });
    await line('grant.ended', 'disconnected', { grant, subject: '1001' });
    await browser.goto(`${url}/account/sign-out`, { form });
    await line('account.logout', 'success', { subject: '1001' });

    await browser.goto(`${url}/oauth2/authorize/callback?state=account-of-nobody.x&code=y`);
    await line('account.login', 'refused', { cause: 'expired' });
    browser.stopAt((to) => to.origin === sandbox.url);
    const begin = async () => {
      const door = await browser.goto(`${url}/account`);
      const { stoppedAt } = await door.form().submit();
      const callback = new URL(stoppedAt!.searchParams.get('redirect_uri')!);
      callback.searchParams.set('state', stoppedAt!.searchParams.get('state')!);
      return callback;
    };
    const denied = await begin();
    denied.searchParams.set('error', 'access_denied');
    await browser.goto(denied);
    await line('account.login', 'denied');
    const failed = await begin();
    failed.searchParams.set('code', 'any');
    sandbox.faults.set('html-500', { path: '/oauth2/token', times: 1 });
    await browser.goto(failed);
    await line('account.login', 'failed', { error: 'temporarily_unavailable' });
  },
);

test.serial('[N18] an introspection says what was answered, and why it was not', async (t) => {
  const connection = await connect(harness, {
    metadata: { token_endpoint_auth_method: 'client_secret_post' },
  });
  const { client, tokens } = connection;
  const ask = (parameters: Record<string, string>) =>
    postForm(`${url}/oauth2/introspect`, { ...clientParameters(client), ...parameters });
  const answers = [
    await ask({ token: tokens.access_token }),
    await ask({ token: 'nothing' }),
    await ask({ token: tokens.access_token, client_secret: 'wrong' }),
  ];
  const lines = answers.map((answer) =>
    logs.only({ event: 'introspection', request_id: requestIdOf(answer) }),
  );
  t.deepEqual(
    lines.map(({ outcome }) => outcome),
    ['active', 'inactive', 'refused'],
  );
  t.is(lines[0]!.grant, grantOf(connection.code));
  t.is(lines[2]!.error, 'invalid_client');
});

test.serial(
  '[N39] [T17] a tool call has one line: tool, companies, outcome, duration, and nothing of what was in it',
  async (t) => {
    const { tokens } = await connect(harness);
    const reading = await connect(harness, { write: false });
    const secretText = 'Quartz Falcon Holding';
    const call = async (name: string, args: object, as = tokens) => {
      const answer = await callTool(url, as.access_token, name, args);
      const found = logs.find({ event: 'tool.call', request_id: requestIdOf(answer) });
      t.is(found.length, 1, name);
      return { told: found[0]!, answer };
    };
    const listed = await call('listCompanies', {});
    t.like(listed.told, { outcome: 'success', tool: 'listCompanies', subject: '1001' });
    const [{ uuid, name }] = listed.answer.body.result.structuredContent.data;
    t.like((await call('listWarehouses', { companyUuid: name })).told, {
      outcome: 'success',
      companies: [uuid],
    });
    t.like((await call('listWarehouses', { companyUuid: secretText })).told, {
      outcome: 'refused',
      error: 'unknown_company',
      companies: undefined,
    });
    t.like((await call('listWarehouses', { nothing: secretText })).told, {
      outcome: 'refused',
      error: 'invalid_arguments',
    });
    t.like((await call('Quartz Falcon!', {})).told, { outcome: 'refused', tool: 'unknown' });
    t.like((await call('noSuchTool', {})).told, { error: 'unknown_tool', tool: 'noSuchTool' });
    const bill = { type: 'bill', companyUuid: uuid, data: { vendor: secretText } };
    t.like((await call('createDocuments', bill, reading.tokens)).told, {
      outcome: 'refused',
      error: 'insufficient_scope',
      tool: 'createDocuments',
    });
    t.like((await call('createDocuments', bill)).told, { outcome: 'refused', status: 422 });
    sandbox.faults.set('html-500', { operation: 'listReports', times: 2 });
    const away = (await call('listReports', {})).told;
    t.like(away, { outcome: 'failed', error: 'unavailable', status: 500 });
    t.is(typeof away.ms, 'number');
    t.deepEqual(logs.leaked([secretText, name]), []);
  },
);

test.serial('[N39] [T17] what NeonPanel repeats of a document does not get into the log', (t) => {
  const args = {
    type: 'bill',
    data: { vendor: 'Acme "Q" Holding', lines: [{ note: 'three\nlines' }], ref: 'A-7' },
  };
  const said =
    '422 {"vendor":["Acme \\"Q\\" Holding is unknown"],"note":"three\\nlines","ref":"A-7"}';
  t.is(withoutEchoes(said, args), '422 {"vendor":["[…] is unknown"],"note":"[…]","ref":"A-7"}');
  t.is(withoutEchoes('500 Acme "Q" Holding', args), '500 […]');
  t.is(withoutEchoes('500 nothing', undefined), '500 nothing');
});

test.serial(
  '[N18] changes of the signing keys are told: made, put back, changed elsewhere',
  async (t) => {
    const redis = new Redis(harness.redis!.url);
    t.teardown(() => redis.disconnect());
    const { keys } = (await (await fetch(`${url}/.well-known/jwks.json`)).json()) as {
      keys: { kid: string }[];
    };
    const kids = keys.map(({ kid }) => kid);
    const name = 'neonpanel-mcp:{keys}:signing';
    const stored = (await redis.get(name))!;
    await redis.del(name);
    await line('keys.changed', 'restored', { kids });
    const secrets = createSecrets([new Uint8Array(Buffer.from(masterKey, 'base64url'))]);
    const set = (await secrets.open(stored.slice(VERSION_LENGTH), 'signing keys')) as object[];
    const sealed = await secrets.seal(set.slice(0, 1), sealContext.signingKeys());
    await redis.set(
      name,
      randomBytes(VERSION_LENGTH).toString('hex').slice(0, VERSION_LENGTH) + sealed,
    );
    await line('keys.changed', 'noticed', { kids: kids.slice(0, 1) });
    await redis.set(name, stored);
    const time = createClock();
    const fresh = await startHarness({ now: time.now, env: { KEY_ROTATION_DAYS: '2' } });
    t.teardown(fresh.close);
    t.is(fresh.logs.find({ event: 'keys.changed', outcome: 'created' }).length, 1);
    for (const outcome of ['rotated', 'pruned']) {
      time.advance(3 * 86_400_000);
      await fresh.logs.waitFor({ event: 'keys.changed', outcome });
    }
    written.push(...fresh.logs.entries());
  },
);

/** The audit lines that a command wrote. */
function told(err: string): LogEntry[] {
  const lines = err.split('\n').filter((text) => text.startsWith('{'));
  const entries = lines.map((text) => JSON.parse(text) as LogEntry);
  written.push(...entries);
  return entries;
}

test.serial(
  '[N18] [T53] what an admin changed has one line: who, what, and what became of it',
  async (t) => {
    const rotate = ['keys', 'rotate', '--now', '--yes'];
    const runs = await Promise.all([admin(harness, ...rotate), admin(harness, ...rotate)]);
    const entries = runs.flatMap(({ err }) => told(err));
    t.deepEqual(entries.map(({ outcome }) => outcome).toSorted(), ['refused', 'success']);
    const done = entries.find(({ outcome }) => outcome === 'success')!;
    t.like(done, { event: 'admin', command: 'keys rotate', actor: userInfo().username });
    t.is((done.kids as string[]).length, 3);
    const refused = entries.find(({ outcome }) => outcome === 'refused')!;
    t.regex(String(refused.cause), /Somebody else changed the keys/);
    t.deepEqual(told((await admin(harness, 'keys', 'list')).err), [], 'who only looks leaves none');
    t.deepEqual(told((await admin(harness, ...rotate, '--dry-run')).err), []);
  },
);

test.serial(
  '[N18] what became of telling NeonPanel that a grant has ended has one line',
  async (t) => {
    sandbox.faults.set('offer-revocation');
    t.teardown(() => sandbox.faults.clear());
    // What its metadata said before is no longer believed.
    clock.advance(300_001);
    for (const outcome of ['success', 'failed']) {
      const { client, tokens, code } = await connect(harness);
      const form = { ...clientParameters(client), token: tokens.refresh_token };
      const answer = await postForm(`${url}/oauth2/revoke`, form);
      const told = await line('neonpanel.revocation', outcome, { grant: grantOf(code) });
      t.like(told, { client_id: client.client_id, subject: '1001' });
      t.is(told.request_id, requestIdOf(answer));
      t.is(told.status, outcome === 'failed' ? 500 : undefined);
      sandbox.faults.set('html-500', { path: '/oauth2/revoke' });
    }
  },
);

test.serial('[X2] with the store away the lines say that it was our side', async (t) => {
  const { client, tokens } = await connect(harness, {
    metadata: { token_endpoint_auth_method: 'client_secret_post' },
  });
  const { browser, page } = await openAccount(harness, sandbox.users[0]!);
  const account = page.form('.who form').fields;
  // The store goes while an admin reads the question.
  const terminal = createTerminal(harness.env, { answers: [true], now: clock.now });
  const ask = terminal.confirm;
  const confirm = async (question: string) => {
    await harness.redis!.kill();
    return ask(question);
  };
  const run = await runIn({ ...terminal, confirm }, 'keys', 'rotate', '--now');
  t.is(run.code, 1);
  t.like(told(run.err).at(-1), { event: 'admin', outcome: 'failed', command: 'keys rotate' });
  clock.advance(1_000);
  await pause(1_100);
  await register(url);
  await line('registration', 'failed', { error: 'temporarily_unavailable' });
  await refresh(url, client, tokens.refresh_token);
  await line('token', 'failed', { error: 'temporarily_unavailable' });
  const form = { ...clientParameters(client), token: tokens.refresh_token };
  await postForm(`${url}/oauth2/revoke`, form);
  await line('revocation', 'failed');
  await postForm(`${url}/oauth2/introspect`, form);
  await line('introspection', 'failed');
  await fetch(authorizationRequest(url, client).url, { redirect: 'manual' });
  await line('authorization', 'failed');
  for (const word of ['disconnect', 'sign-out'])
    t.is((await browser.goto(`${url}/account/${word}`, { form: account })).status, 503);
  await line('account.disconnect', 'failed', { error: 'temporarily_unavailable' });
  await line('account.logout', 'failed', { error: 'temporarily_unavailable' });
  await harness.redis!.start();
  t.pass();
});

/** Everything this file made the server write. */
const written: LogEntry[] = [];
test.afterEach.always(() => void written.push(...logs.entries()));

test.after('[N18] every line was one that is defined, and every defined one was seen', (t) => {
  const lines = written.filter((entry) => entry.audit === true);
  const seen = new Set(lines.map(({ event, outcome }) => `${event} ${outcome}`));
  for (const entry of lines) isAsDefined(t, entry);
  const missing = Object.entries(AUDIT_EVENTS).flatMap(([event, { outcomes }]) =>
    outcomes.map((outcome) => `${event} ${outcome}`).filter((each) => !seen.has(each)),
  );
  t.deepEqual(missing, []);
});

const COMMON = ['level', 'time', 'audit', 'event', 'outcome', 'request_id'];

function isAsDefined(t: ExecutionContext, entry: LogEntry): void {
  const definition = AUDIT_EVENTS[entry.event as AuditEvent];
  t.truthy(definition, String(entry.event));
  t.true(
    (definition.outcomes as readonly unknown[]).includes(entry.outcome),
    JSON.stringify(entry),
  );
  const allowed = [...COMMON, ...definition.fields];
  t.deepEqual(
    Object.keys(entry).filter((name) => !allowed.includes(name)),
    [],
  );
  if (entry.event !== 'keys.changed' && entry.event !== 'admin')
    t.regex(String(entry.request_id), /^[0-9a-f-]{36}$/);
}

const page = readFileSync(join(ROOT, 'docs/audit.md'), 'utf8');
const section = (title: string): string =>
  page.split(/^## /m).find((text) => text.startsWith(title))!;
const rows = (text: string): string[][] =>
  text
    .split('\n')
    .filter((row) => /^\| `/.test(row))
    .map((row) => row.split('|').slice(1, -1));
const names = (cell: string): string[] =>
  [...cell.matchAll(/`([\w.]+)`/g)].map(([, name]) => name!);

test.serial(
  'docs/audit.md lists every event with its outcomes and fields, and explains each field',
  (t) => {
    const documented = rows(section('Events')).map(([event, , outcomes, fields]) => [
      names(event!)[0],
      { outcomes: names(outcomes!), fields: names(fields!) },
    ]);
    t.deepEqual(
      Object.fromEntries(documented),
      JSON.parse(JSON.stringify(AUDIT_EVENTS)) as Record<string, unknown>,
    );
    const fields = new Set(
      Object.values(AUDIT_EVENTS).flatMap((event): string[] => [...event.fields]),
    );
    const explained = rows(section('Fields')).map(([field]) => names(field!)[0]!);
    t.deepEqual(explained.toSorted(), [...fields].toSorted());
  },
);

test.serial('docs/audit.md has an example line of every event, and each is as defined', (t) => {
  const examples = section('Examples')
    .split('\n')
    .filter((text) => text.startsWith('{'))
    .map((text) => JSON.parse(text) as LogEntry);
  for (const example of examples) isAsDefined(t, example);
  t.deepEqual(
    [...new Set(examples.map(({ event }) => event))].toSorted(),
    Object.keys(AUDIT_EVENTS).toSorted(),
  );
});

test.serial('docs/audit.md names every other event that the sources write', (t) => {
  const files = globSync('**/*.ts', {
    cwd: ROOT,
    exclude: ['**/node_modules', 'test', 'bench', 'sandbox', 'scripts', '.*'],
  });
  const sources = files.map((file) => readFileSync(join(ROOT, file), 'utf8')).join('\n');
  const used = new Set([...sources.matchAll(/\bevent: '([\w.]+)'/g)].map(([, event]) => event!));
  const documented = rows(section('The other lines')).flatMap(([event]) => names(event!));
  t.deepEqual(documented.toSorted(), [...used].toSorted());
  t.deepEqual(
    [...used].filter((event) => event in AUDIT_EVENTS),
    [],
    'audit events are written by audit()',
  );
});

test.serial('[T17] whatever a line is given, no secret gets in (property)', (t) => {
  const secret = fc
    .tuple(fc.uint8Array({ minLength: 32, maxLength: 96 }), fc.constantFrom('base64url', 'hex'))
    .map(([bytes, form]) => Buffer.from(bytes).toString(form as BufferEncoding));
  const event = fc.constantFrom(...(Object.keys(AUDIT_EVENTS) as AuditEvent[]));
  const field = fc.constantFrom(
    ...new Set(Object.values(AUDIT_EVENTS).flatMap((one): string[] => [...one.fields])),
    'access_token',
    'code',
    'state',
    'args',
  );
  const filler = fc.string({ maxLength: 30, unit: fc.constantFrom(...' =&"\n/:,.x') });
  const around = fc.oneof(filler, fc.constantFrom('', 'service:', ' service:', '-'));
  fc.assert(
    fc.property(event, field, secret, around, around, (name, member, hidden, before, after) => {
      const logs = createLogs();
      const text = before + hidden + after;
      fc.pre(!isId(member, text));
      const value = ['companies', 'kids', 'pruned', 'redirect_uris'].includes(member)
        ? [text]
        : text;
      const isNumber = ['ms', 'status'].includes(member);
      const facts = { outcome: text, [member]: isNumber ? Number.NaN : value };
      audit(createLog('info', logs.sink), name, facts as never);
      t.deepEqual(logs.leaked([hidden]), []);
      const [entry] = logs.entries();
      if (logs.entries().length !== 1 || entry!.outcome !== 'unknown') t.fail(logs.text());
    }),
    { numRuns: process.env.LONG_TESTS ? 1_000_000 : 10_000 },
  );
});

/** What has exactly the form of an id is one, in the fields that ids have; see docs/audit.md. */
const isId = (field: string, text: string): boolean =>
  ['client_id', 'grant'].includes(field)
    ? /^[\w-]{43}$/.test(text)
    : field === 'subject' && /^service:[\w-]{43}$/.test(text);

test.serial(
  '[N18] ids are logged whole, each in the field that has its form, and nowhere else',
  (t) => {
    const ours = randomBytes(32).toString('base64url');
    const neonpanels = randomBytes(20).toString('hex');
    const logged = (facts: object) => {
      const logs = createLogs();
      audit(createLog('info', logs.sink), 'admin', { outcome: 'success', ...facts });
      return logs.only({ event: 'admin' });
    };
    const facts = { client_id: ours, subject: `service:${ours}`, neonpanel_client: neonpanels };
    t.like(logged(facts), facts);
    t.like(logged({ client_id: neonpanels, subject: ours, neonpanel_client: ours }), {
      client_id: '[…]',
      subject: '[…]',
      neonpanel_client: '[…]',
    });
    for (const subject of [
      `${ours}service:${ours}`,
      `service:${ours}${ours}`,
      `service:${ours} x`,
    ]) {
      t.false(String(logged({ subject }).subject).includes(ours), subject);
    }
  },
);

test.serial('[T17] [T58] of a long text that is cut no part of a secret is left', (t) => {
  const secret = 'aB3dE6gH9jK2mN5pQ8sT1vW4yZ7_bC-fF0hJ3lL6nP9';
  const filler = fc.constantFrom('a ', 'long-run-of-characters-that-is-removed ', '\u{1F600} ');
  fc.assert(
    fc.property(fc.array(filler, { maxLength: 5 }), fc.nat(40), ([...before], spaces) => {
      const text = `${before.join('')}${' '.repeat(spaces)}${secret} and more of it ${secret}`;
      const logged = withoutSecrets(text, 50);
      for (let at = 0; at + 8 <= secret.length; at++) {
        if (logged.includes(secret.slice(at, at + 8))) t.fail(logged);
      }
      t.true(logged.length <= 50);
    }),
    { numRuns: 2_000 },
  );
});

test.serial('the audit log is written at every level but silent', (t) => {
  for (const level of ['trace', 'info', 'warn', 'error', 'fatal']) {
    const logs = createLogs();
    const log = createLog(level, logs.sink).child({ request_id: 'r' });
    audit(log, 'consent', { outcome: 'shown', client_id: 'c' });
    t.like(logs.only({ event: 'consent' }), { audit: true, request_id: 'r' }, level);
  }
  const logs = createLogs();
  audit(createLog('silent', logs.sink), 'consent', { outcome: 'shown' });
  t.is(logs.text(), '');
});

test.serial(
  '[T17] a field that is named like a secret is not written, at the top of a line and two levels below it',
  (t) => {
    const logs = createLogs();
    const log = createLog('trace', logs.sink);
    const line = {
      event: 'x',
      token: 'hunter2secret',
      headers: { authorization: 'hunter2secret', accept: 'kept' },
      answers: [{ refresh_token: 'hunter2secret' }, { scope: 'kept' }],
    };
    const before = structuredClone(line);
    log.info(line);
    t.deepEqual(logs.leaked(['hunter2secret']), []);
    t.deepEqual(line, before);
    t.like(logs.only({ event: 'x' }), {
      token: '[redacted]',
      headers: { authorization: '[redacted]', accept: 'kept' },
      answers: [{ refresh_token: '[redacted]' }, { scope: 'kept' }],
    });
  },
);

test.serial(
  '[T58] [T17] an error is logged by its name, words, code, place and causes, and by nothing it carries',
  (t) => {
    const logs = createLogs();
    const inner = Object.assign(new Error('connect redis://u:hunter2secret@host:1 failed'), {
      command: { name: 'auth', args: ['hunter2secret'] },
      code: 'ECONNREFUSED',
    });
    const token = 'hunter2secret'.repeat(3);
    const outer = Object.assign(new TypeError(`went wrong with ${token}`), {
      response: { body: { refresh_token: 'hunter2secret' } },
    });
    outer.cause = inner;
    createLog('trace', logs.sink).error({ event: 'x', err: outer });
    t.deepEqual(logs.leaked(['hunter2secret']), []);
    const { err, msg } = logs.only({ event: 'x' }) as {
      err: Record<string, unknown>;
      msg: unknown;
    };
    t.is(msg, undefined, 'the same words a second time');
    t.like(err, { type: 'TypeError', message: 'went wrong with […]' });
    t.regex(String(err.stack), /audit\.test\.ts/);
    t.like(err.cause as object, { code: 'ECONNREFUSED', type: 'Error' });
  },
);
