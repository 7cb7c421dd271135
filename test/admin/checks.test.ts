import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { html, json, PATHS, startFakeNeonpanel } from '../fake-neonpanel.ts';
import { admin, type AdminRun, createTerminal, runIn } from '../support/admin.ts';
import { startHarness } from '../support/harness.ts';
import { connect } from '../support/oauth.ts';
import { freePort } from '../support/ports.ts';
import { recordsOf } from '../support/records.ts';
import { startRedis } from '../support/redis.ts';
import { withSession } from '../../cli/admin/session.ts';
import type { Finding } from '../../cli/admin/findings.ts';

/** `neonpanel register`, `neonpanel check` and `config check`: each cause is named, with its fix. */
const harness = await startHarness({ store: 'redis' });
const neonpanel = await startFakeNeonpanel();
test.after.always(() => Promise.all([harness.close(), neonpanel.close()]));
test.before(() => connect(harness).then(() => undefined));

const findingsOf = (run: AdminRun): Finding[] => run.json<{ findings: Finding[] }>().findings;
const bad = (run: AdminRun) =>
  findingsOf(run)
    .filter(({ status }) => status !== 'pass')
    .map(({ check, status, detail, fix }) => `${status} ${check}: ${detail}; ${fix ?? ''}`);

/** A directory and an environment that is nobody else's. */
function elsewhere(t: ExecutionContext, env: Record<string, string> = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'neonpanel-mcp-checks-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return { DATA_DIR: dir, NEONPANEL_URL: harness.sandbox.url, ...env };
}

/** As after a first start. */
const begun = (env: Record<string, string>) =>
  withSession(createTerminal(env), async () => {}, 'new');

const run = (env: Record<string, string>, ...args: string[]) => runIn(createTerminal(env), ...args);
const configCheck = (env: Record<string, string>) => run(env, 'config', 'check', '--json');
const masterKey = () => randomBytes(32).toString('base64url');

// ------------------------------------------------------------------------ neonpanel register

test.serial(
  '[N52] register makes our client there, prints the environment, and keeps the registration token sealed',
  async (t) => {
    const env = elsewhere(t, { PUBLIC_URL: 'http://localhost:3999' });
    const dry = await run(env, 'neonpanel', 'register', '--dry-run');
    t.is(dry.code, 0);
    t.regex(dry.out, /http:\/\/localhost:3999\/oauth2\/authorize\/callback/);
    t.regex(dry.out, /There is no store at .* yet, so it is made/);
    t.deepEqual(readdirSync(env.DATA_DIR), [], 'a dry run makes nothing');
    t.is((await run(env, 'neonpanel', 'register')).code, 6);
    t.deepEqual(readdirSync(env.DATA_DIR), []);
    const made = await run(env, 'neonpanel', 'register', '--yes');
    t.is(made.code, 0, made.err);
    const [, id] = /^NEONPANEL_CLIENT_ID=(\S+)$/m.exec(made.out)!;
    t.true(made.err.includes(`"neonpanel_client":"${id}"`), 'the audit log names it');
    const requests = harness.sandbox.recorder.requests();
    const { body } = requests.findLast(({ path }) => path === '/oauth2/register')!;
    t.deepEqual(JSON.parse(String(body)).redirect_uris, [
      'http://localhost:3999/oauth2/authorize/callback',
    ]);

    const stored = await recordsOf({ dataDir: env.DATA_DIR, redis: undefined });
    const record = stored.find(({ tag, kind }) => tag === 'neonpanel' && kind === 'client')!;
    t.truthy(JSON.parse(record.value).ciphertext, 'sealed');
    t.false(record.value.includes(id!));

    const twice = await run(env, 'neonpanel', 'register', '--yes');
    t.is(twice.code, 3);
    t.regex(twice.err, new RegExp(`${id}.*--again`));
    const configured = { ...env, NEONPANEL_CLIENT_ID: 'configured' };
    t.is((await run(configured, 'neonpanel', 'register', '--yes')).code, 3);
    const again = await run(
      env,
      'neonpanel',
      'register',
      '--again',
      '--auth-method',
      'client_secret_post',
      '--yes',
      '--json',
    );
    const { environment } = again.json();
    t.not(environment.NEONPANEL_CLIENT_ID, id);
    t.truthy(environment.NEONPANEL_CLIENT_SECRET);
    t.false(again.err.includes(environment.NEONPANEL_CLIENT_SECRET));

    const check = await run({ ...env, ...environment }, 'neonpanel', 'check', '--json');
    t.is(check.code, 0, check.out);
    t.true(findingsOf(check).some(({ detail }) => detail.includes('is registered with')));
  },
);

test.serial('[D19] register works in a deployment that can not name its client yet', async (t) => {
  const env = elsewhere(t, {
    PUBLIC_URL: 'https://mcp.example.com',
    MASTER_KEYS: masterKey(),
    NEONPANEL_URL: 'https://panel.invalid',
  });
  const production = { ...env, SQLITE_PATH: join(env.DATA_DIR, 'store.db') };
  t.is((await run(production, 'clients', 'list')).code, 2, 'others can not');
  const dry = await run(production, 'neonpanel', 'register', '--dry-run', '--json');
  t.is(dry.code, 0, dry.err);
  t.is(dry.json().redirectUri, 'https://mcp.example.com/oauth2/authorize/callback');
  const failed = await run(production, 'neonpanel', 'register', '--yes');
  t.is(failed.code, 1);
  t.regex(failed.err, /NeonPanel/);
});

test.serial(
  '[T52] [N52] with another master key the client that was registered is lost, and nobody says that there was none',
  async (t) => {
    const env = elsewhere(t, { PUBLIC_URL: 'http://localhost:3997', MASTER_KEYS: masterKey() });
    t.is((await run(env, 'neonpanel', 'register', '--yes')).code, 0);
    const other = { ...env, MASTER_KEYS: masterKey() };
    for (const noun of ['neonpanel', 'config']) {
      const check = await run(other, noun, 'check', '--json');
      t.is(check.code, 1, noun);
      t.regex(
        bad(check).join('\n'),
        /fail client: a client was registered, and none of the MASTER_/,
      );
    }
    const configured = { ...other, NEONPANEL_CLIENT_ID: 'configured' };
    const said = bad(await run(configured, 'neonpanel', 'check', '--json')).join('\n');
    t.regex(said, /warn registration token: a client was registered, and none/);
    const before = await recordsOf({ dataDir: env.DATA_DIR, redis: undefined });
    const register = await run(other, 'neonpanel', 'register', '--yes');
    t.is(register.code, 3);
    t.regex(register.err, /none of the MASTER_KEYS opens its record.*--again/);
    t.deepEqual(await recordsOf({ dataDir: env.DATA_DIR, redis: undefined }), before);
    t.is((await run(other, 'neonpanel', 'register', '--again', '--yes')).code, 0);
  },
);

// --------------------------------------------------------------------------- neonpanel check

test.serial(
  '[N52] check passes where all is well, by the registration token or by a probe',
  async (t) => {
    const check = await admin(harness, 'neonpanel', 'check', '--json');
    t.is(check.code, 0, check.out);
    t.deepEqual(bad(check), []);
    t.deepEqual(
      findingsOf(check).map(({ check }) => check),
      [
        'neonpanel',
        'clock',
        'metadata',
        'signing keys',
        'token endpoint',
        'API',
        'client',
        'registration token',
      ],
    );
    const redirect = `${harness.url}/oauth2/authorize/callback`;
    const response = await fetch(`${harness.sandbox.url}/oauth2/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: [redirect], token_endpoint_auth_method: 'none' }),
    });
    const { client_id } = (await response.json()) as { client_id: string };
    const known = { ...harness.env, NEONPANEL_CLIENT_ID: client_id };
    const probed = await run(known, 'neonpanel', 'check', '--json');
    t.is(probed.code, 0, probed.out);
    t.true(
      findingsOf(probed).some(({ detail }) => detail === `${client_id} is known with ${redirect}`),
    );

    const unknown = await run(
      { ...known, NEONPANEL_CLIENT_ID: 'nobody' },
      'neonpanel',
      'check',
      '--json',
    );
    t.is(unknown.code, 1);
    t.deepEqual(bad(unknown).length, 1);
    t.regex(bad(unknown)[0]!, /does not know the client nobody.*register/);
    const moved = await run(
      { ...known, PUBLIC_URL: 'http://localhost:3998' },
      'neonpanel',
      'check',
      '--json',
    );
    t.is(moved.code, 1);
    t.regex(bad(moved).join('\n'), /not registered with the callback http:\/\/localhost:3998/);
  },
);

const METADATA = (url: string) => ({
  issuer: url,
  authorization_endpoint: `${url}/oauth2/authorize`,
  token_endpoint: `${url}/oauth2/token`,
  jwks_uri: `${url}/.well-known/jwks.json`,
  grant_types_supported: ['authorization_code', 'refresh_token'],
  code_challenge_methods_supported: ['S256'],
});

test.serial('[N52] check names what is wrong with NeonPanel', async (t) => {
  const { url, jwk } = neonpanel;
  const env = elsewhere(t, { NEONPANEL_URL: url, NEONPANEL_CLIENT_ID: 'ours' });
  await begun(env);
  const good = () => {
    neonpanel.on(PATHS.metadata, json(METADATA(url)));
    neonpanel.on(PATHS.jwks, json({ keys: [jwk] }));
    neonpanel.on(PATHS.token, json({ error: 'invalid_request' }, 400));
    neonpanel.on(PATHS.companies, json({ message: 'Unauthenticated.' }, 401));
    neonpanel.on('/oauth2/authorize', (response, { url: asked }) => {
      const isOurs = asked.searchParams.get('client_id') === 'ours';
      const isBack = asked.searchParams.get('redirect_uri')!.endsWith('/callback');
      return (isOurs && isBack ? html(200) : json({ error: 'invalid_client' }, 401))(
        response,
        undefined as never,
      );
    });
  };
  const check = () => run(env, 'neonpanel', 'check', '--json');
  good();
  t.deepEqual(bad(await check()), []);
  const cases: [string, ReturnType<typeof json>, RegExp][] = [
    [
      PATHS.metadata,
      json({ ...METADATA(url), issuer: 'https://other.example' }),
      /warn metadata: its issuer is https:\/\/other\.example/,
    ],
    [
      PATHS.metadata,
      json({ ...METADATA(url), token_endpoint: 'nowhere' }),
      /fail metadata: token_endpoint/,
    ],
    [
      PATHS.metadata,
      json({ ...METADATA(url), code_challenge_methods_supported: ['plain'] }),
      /fail metadata: .*lacks S256/,
    ],
    [PATHS.metadata, html(200), /warn metadata: no metadata document/],
    [PATHS.jwks, json({ keys: [] }), /fail signing keys: .*no RSA key/],
    [PATHS.jwks, html(500), /fail signing keys: .*HTTP 500/],
    [PATHS.token, html(200), /fail token endpoint: .*HTTP 200, not JSON/],
    [PATHS.companies, html(404), /fail API: .*HTTP 404.*NEONPANEL_API_URL/],
    ['/oauth2/authorize', html(200), /warn client: NeonPanel lets everybody begin/],
    [
      '/oauth2/authorize',
      html(500),
      /fail client: the authorization endpoint could not be asked: HTTP 500/,
    ],
  ];
  for (const [path, answer, expected] of cases) {
    good();
    neonpanel.on(path, answer);
    t.regex(bad(await check()).join('\n'), expected);
  }
  good();
  const late = createTerminal(env, { now: () => Date.now() + 30_000 });
  const skewed = await runIn(late, 'neonpanel', 'check', '--json');
  t.is(skewed.code, 1);
  t.regex(
    bad(skewed).join('\n'),
    /fail clock: NeonPanel’s clock is (29|30|31)\.\d s behind this one.*NTP/,
  );
});

test.serial(
  '[N52] a NeonPanel that does not answer is one finding, and takes a bounded time',
  async (t) => {
    const env = elsewhere(t, {
      NEONPANEL_URL: `http://localhost:${await freePort()}`,
      NEONPANEL_CLIENT_ID: 'ours',
    });
    await begun(env);
    const check = await run(env, 'neonpanel', 'check', '--json');
    t.is(check.code, 1);
    t.is(bad(check).length, 1);
    t.regex(bad(check)[0]!, /fail neonpanel: .*ECONNREFUSED.*NEONPANEL_URL/);
  },
);

// ------------------------------------------------------------------------------ config check

test.serial(
  'config check passes beside a running server, and prints a line for each check',
  async (t) => {
    const check = await admin(harness, 'config', 'check', '--json');
    t.is(check.code, 0, check.out);
    t.deepEqual(bad(check), []);
    const details = findingsOf(check).map(({ check, detail }) => `${check}: ${detail}`);
    for (const expected of [
      /^environment: http:\/\/localhost/,
      /^master keys: /,
      /^store: Redis \d/,
      /^store: .*eviction policy and persistence/,
      /^schema: version 1$/,
      /^clock: Redis’s clock/,
      /^store: writes, reads, lists and deletes$/,
      /^our signing keys: 2, opened/,
      /^clock: NeonPanel’s/,
      /^client: .* is registered with/,
    ]) {
      t.true(
        details.some((text) => expected.test(text)),
        `${expected}\n${details.join('\n')}`,
      );
    }
    const left = (await recordsOf(harness)).filter(({ kind }) => kind === 'config-check');
    t.deepEqual(left, []);
    const { out } = await admin(harness, 'config', 'check');
    t.regex(out, /^pass {2}environment /m);
    t.regex(out, /0 failed\n$/);
  },
);

test.serial('config check lists every mistake in the environment, and no secret', async (t) => {
  const secret = 'c2VjcmV0LXRoYXQtaXMtdG9vLXNob3J0';
  const check = await configCheck({
    PORT: 'x',
    PUBLIC_URL: 'https://mcp.example.com',
    MASTER_KEYS: secret,
  });
  t.is(check.code, 1);
  const said = bad(check).join('\n');
  for (const name of [
    'PORT',
    'MASTER_KEYS',
    'SQLITE_PATH',
    'NEONPANEL_URL',
    'NEONPANEL_CLIENT_ID',
  ]) {
    t.regex(said, new RegExp(`fail environment: ${name} `));
  }
  t.regex(said, /npm run admin -- neonpanel register/);
  t.false((check.out + check.err).includes(secret));
});

test.serial('[X10] config check names what is wrong with a Redis', async (t) => {
  const redis = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] });
  t.teardown(redis.stop);
  const env = elsewhere(t, { REDIS_URL: redis.url });
  const weak = await configCheck(env);
  t.is(weak.code, 0, 'warnings do not fail it');
  const said = bad(weak).join('\n');
  t.regex(
    said,
    /warn store: Redis removes records .*allkeys-lru.*; Set maxmemory-policy noeviction/,
  );
  t.regex(said, /warn store: Redis has neither an append-only file.*; Set appendonly yes/);

  await redis.command('SET', 'neonpanel-mcp:{store}:schema', '2');
  t.regex(
    bad(await configCheck(env)).join('\n'),
    /fail schema: version 2.*; run the newer version/,
  );
  await redis.command('DEL', 'neonpanel-mcp:{store}:schema');

  await redis.command('ACL', 'SETUSER', 'some', 'on', '>pw', '~neonpanel-mcp:*', '+@all', '-scan');
  const denied = await configCheck({ ...env, REDIS_URL: redis.url.replace('//', '//some:pw@') });
  t.is(denied.code, 1);
  t.regex(bad(denied).join('\n'), /fail store: .*scan.*docs\/storage\.md/);
  const wrong = await configCheck({ ...env, REDIS_URL: redis.url.replace('//', '//some:not-it@') });
  t.is(wrong.code, 1);
  t.regex(bad(wrong).join('\n'), /fail store: Redis can’t be used: WRONGPASS/);
  t.false((denied.out + wrong.out).includes('not-it'));
  await redis.kill();
  const away = await configCheck(env);
  t.regex(bad(away).join('\n'), /fail store: Redis can’t be used: .*; check REDIS_URL/);
  t.true(
    findingsOf(away).some(({ check }) => check === 'token endpoint'),
    'the rest is checked all the same',
  );
});

test.serial('[X10] config check tells a clock of Redis that differs', async (t) => {
  const terminal = createTerminal(harness.env, { now: () => Date.now() - 20_000 });
  const check = await runIn(terminal, 'config', 'check', '--json');
  t.regex(bad(check).join('\n'), /fail clock: Redis’s clock is (19|20)\.\d s ahead of this one/);
});

test.serial('[T52] config check tells that MASTER_KEYS do not open the signing keys', async (t) => {
  const check = await configCheck({ ...harness.env, MASTER_KEYS: masterKey() });
  t.is(check.code, 1);
  t.regex(bad(check).join('\n'), /fail our signing keys: MASTER_KEYS do not open them/);
});

test.serial(
  'config check looks into the embedded store, and makes none where there is none',
  async (t) => {
    const env = elsewhere(t);
    const none = await configCheck(env);
    t.deepEqual(readdirSync(env.DATA_DIR), [], 'nothing was made');
    t.true(findingsOf(none).some(({ detail }) => detail.includes('made at first start')));
    t.regex(bad(none).join('\n'), /warn store: SQLite: .*not there yet.*SQLITE_PATH are not its/);
    t.is((await run(env, 'neonpanel', 'register', '--yes')).code, 0);
    const made = await configCheck(env);
    t.is(made.json().fail, 0, made.out);
    for (const expected of ['every record is as it was written', 'version 1']) {
      t.true(
        findingsOf(made).some(({ detail }) => detail === expected),
        expected,
      );
    }
    const file = join(env.DATA_DIR, 'neonpanel-mcp.db');
    chmodSync(file, 0o644);
    // The store itself takes the rights away again when it is opened.
    t.regex(bad(await configCheck(env)).join('\n'), /warn store: others may read .*; chmod 600/);
    writeFileSync(file, randomBytes(16_384));
    const broken = await configCheck(env);
    t.is(broken.code, 1);
    t.regex(bad(broken).join('\n'), /fail store: /);
  },
);

// ---------------------------------------------------------------------------------- processes

const ROOT = join(import.meta.dirname, '../..');

for (const [command, expected] of [
  ['clients list --json', /"count": \d+/],
  ['grants list --json', /"subject": "1001"/],
  ['neonpanel check', /^pass {2}client /m],
  ['config check', /^pass {2}our signing keys /m],
] as const) {
  test.serial(`npm run admin -- ${command}, as a process of its own`, async (t) => {
    const child = spawn(process.execPath, ['cli/admin.ts', ...command.split(' ')], {
      cwd: ROOT,
      env: { PATH: process.env.PATH!, ...harness.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    const code = await new Promise((resolve) => child.once('close', resolve));
    t.is(code, 0, out + err);
    t.regex(out, expected);
    t.is(err, '');
  });
}

test.serial('every command has a help text with an example', async (t) => {
  const nouns = {
    clients: ['list', 'show', 'create', 'reconnect', 'rotate-secret', 'revoke', 'gc'],
    grants: ['list', 'revoke'],
    neonpanel: ['register', 'check'],
    config: ['check'],
    keys: ['list', 'rotate', 'retire', 'prune', 'export'],
    vault: ['check', 'rekey'],
  };
  for (const [noun, verbs] of Object.entries(nouns)) {
    const { out } = await runIn(createTerminal({}), noun, '--help');
    for (const verb of verbs) {
      t.regex(out, new RegExp(`^ +${verb}\\b`, 'm'));
      const help = await runIn(createTerminal({}), noun, verb, '--help');
      t.is(help.code, 0);
      t.regex(
        help.out,
        new RegExp(`Examples?:\\n +npm run (-s )?(admin -- ${noun}|${noun} --) ${verb}`),
        verb,
      );
      for (const line of help.out.split('\n')) assertSilent(t, line);
    }
  }
});

/** npm prints its banner on stdout, where it breaks JSON and files. */
function assertSilent(t: ExecutionContext, line: string): void {
  if (!/npm run (admin|keys) --[^`]*(--json|> ?\w)/.test(line)) return;
  t.fail(line);
}

test.serial(
  'wherever output is shown to go to a program or a file, npm is told to be silent',
  async (t) => {
    const { out } = await runIn(createTerminal({}), 'keys', 'export', '--help');
    t.regex(out, /npm run -s keys -- export --public > jwks\.json/);
    for (const page of ['README.md', 'docs/operations.md', 'docs/doctor.md', 'docs/deploying.md']) {
      for (const line of readFileSync(join(ROOT, page), 'utf8').split('\n')) assertSilent(t, line);
    }
  },
);
