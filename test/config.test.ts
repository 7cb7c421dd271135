import test from 'ava';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { aboutVariable, VARIABLES, type Variable } from '../config/schema.ts';
import { ConfigError, describeConfig, isLoopbackHostname, loadConfig } from '../config.ts';
import { envExample } from '../scripts/env-example.ts';

type Env = Record<string, string | undefined>;

const key = (): string => randomBytes(32).toString('base64url');

/** The least that a deployment must say. */
const DEPLOYED: Env = {
  PUBLIC_URL: 'https://mcp.example.com',
  MASTER_KEYS: key(),
  SQLITE_PATH: '/var/lib/mcp/store.db',
  NEONPANEL_URL: 'https://panel.example.com',
  NEONPANEL_CLIENT_ID: 'our-client',
};

function problemsOf(env: Env): string[] {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((p) => p.variable);
  }
}

test('[D19] an empty environment is a laptop: loopback, SQLite, sandbox, generated keys', (t) => {
  const config = loadConfig({});
  t.like(config, {
    port: 3000,
    host: 'localhost',
    publicUrl: 'http://localhost:3000',
    loopback: true,
    production: false,
    sandbox: { enabled: true, port: 3100 },
    adminPort: 0,
    store: { kind: 'sqlite', path: '.data/neonpanel-mcp.db' },
    masterKeys: undefined,
    dataDir: '.data',
    neonpanel: { url: 'http://localhost:3100', apiUrl: 'http://localhost:3100/api/v1' },
    registration: { mode: 'open' },
    accessTokenTtlSeconds: 3600,
    codeTtlSeconds: 60,
    refreshTokenTtlSeconds: 7776000,
    refreshGraceSeconds: 60,
    rateLimitFactor: 1,
    logLevel: 'info',
  });
  t.deepEqual(config.allowedOrigins, ['http://localhost:3000', 'loopback']);
  t.deepEqual(config.warnings, []);
});

test('[D19] the least a deployment must say is enough', (t) => {
  const config = loadConfig(DEPLOYED);
  t.like(config, {
    host: '::',
    production: true,
    loopback: false,
    sandbox: { enabled: false },
    neonpanel: { apiUrl: 'https://panel.example.com/api/v1', clientId: 'our-client' },
  });
  t.is(config.masterKeys?.length, 1);
  t.deepEqual(config.warnings, []);
});

test('NODE_ENV changes nothing', (t) => {
  t.deepEqual(loadConfig({ NODE_ENV: 'production' }), loadConfig({}));
  t.is(loadConfig({ ...DEPLOYED, NODE_ENV: 'development' }).production, true);
});

test('an empty variable counts as not given', (t) => {
  const empty = Object.fromEntries(VARIABLES.map((name) => [name, ' ']));
  t.deepEqual(loadConfig(empty), loadConfig({}));
});

test('[D4] PUBLIC_URL is kept as an origin without trailing slash', (t) => {
  t.is(loadConfig({ PUBLIC_URL: 'http://LOCALHOST:3000/' }).publicUrl, 'http://localhost:3000');
  const deployed = { ...DEPLOYED, PUBLIC_URL: 'HTTPS://Mcp.Example.com:443' };
  t.is(loadConfig(deployed).publicUrl, 'https://mcp.example.com');
});

for (const missing of ['MASTER_KEYS', 'SQLITE_PATH', 'NEONPANEL_URL', 'NEONPANEL_CLIENT_ID']) {
  test(`[D19] a deployment without ${missing} is refused`, (t) => {
    t.deepEqual(problemsOf({ ...DEPLOYED, [missing]: undefined }), [missing]);
  });
}

const REFUSED_WHEN_DEPLOYED: Env = {
  PUBLIC_URL: 'http://mcp.example.com',
  NEONPANEL_URL: 'http://localhost:3100',
  NEONPANEL_API_URL: 'http://127.0.0.1/api',
  RATE_LIMIT_FACTOR: '0',
  CIMD_TEST_ORIGIN: 'http://localhost:4000',
  MASTER_KEYS: Buffer.alloc(32, 7).toString('base64url'),
};
for (const [variable, value] of Object.entries(REFUSED_WHEN_DEPLOYED)) {
  test(`[D19] a deployment with ${variable}=${value} is refused`, (t) => {
    t.deepEqual(problemsOf({ ...DEPLOYED, [variable]: value }), [variable]);
  });
}

test('[D19] ALLOW_SANDBOX keeps the sandbox behind a public address, loudly', (t) => {
  const { NEONPANEL_URL: _, NEONPANEL_CLIENT_ID: __, ...rest } = DEPLOYED;
  const config = loadConfig({ ...rest, ALLOW_SANDBOX: 'true' });
  t.like(config, { production: true, sandbox: { enabled: true } });
  t.regex(config.warnings.join('\n'), /SANDBOX IS REACHABLE/);
  t.deepEqual(problemsOf({ ...rest, ALLOW_SANDBOX: 'true', MASTER_KEYS: '' }), ['MASTER_KEYS']);
});

test('a NEONPANEL_URL switches the sandbox off on a laptop too', (t) => {
  t.false(loadConfig({ NEONPANEL_URL: 'https://panel.example.com' }).sandbox.enabled);
});

const REFUSED: [variable: Variable, ...values: string[]][] = [
  ['PORT', '0', '65536', '80a', '-1', '1e3', '3000.5'],
  ['HOST', 'http://localhost', '[::1]', 'a b', 'host/'],
  ['PUBLIC_URL', 'localhost:3000', 'http://localhost:3000/mcp', 'http://u:p@localhost:3000'],
  [
    'PUBLIC_URL',
    'http://localhost:3000/?',
    'http://localhost#',
    'http:localhost',
    'ftp://localhost',
  ],
  ['REDIS_URL', 'localhost:6379', 'http://localhost', 'redis://', 'redis://a,,redis://b'],
  ['SQLITE_PATH', ':memory:', 'file:x?mode=memory'],
  ['MASTER_KEYS', 'secret', `${'A'.repeat(42)}`, `${'A'.repeat(44)}`, `${'A'.repeat(43)},`],
  ['NEONPANEL_URL', 'panel', 'http://panel.example.com', 'https://u:p@panel.example.com'],
  ['NEONPANEL_API_URL', 'https://panel.example.com/api?x=1'],
  ['NEONPANEL_CLIENT_ID', 'two words'],
  ['NEONPANEL_SCOPE', 'a  b', 'a"b'],
  ['NEONPANEL_ARRAY_STYLE', 'comma'],
  ['ALLOW_SANDBOX', 'yes', '1', 'TRUE'],
  ['ACCESS_TOKEN_TTL_SECONDS', '0', '86401', '1h'],
  ['CODE_TTL_SECONDS', '0', '601'],
  ['REFRESH_TOKEN_TTL_SECONDS', '0', '31536001'],
  ['REFRESH_GRACE_SECONDS', '-1', '3601'],
  ['TRUSTED_PROXY_HOPS', '11', 'true'],
  ['ALLOWED_ORIGINS', '*', 'null', 'https://a.example/path', 'http://a.example'],
  ['REDIRECT_SCHEMES', 'cursor:', 'Cursor', 'javascript', 'https', 'ms-msdt', 'a,a', 'data'],
  ['REGISTRATION', 'off'],
  ['CIMD_TEST_ORIGIN', 'http://example.com', 'http://localhost:1/x'],
  ['PUBLIC_DISCOVERY', 'on'],
  ['JWKS_CACHE_SECONDS', '604801'],
  ['KEY_ROTATION_DAYS', '3651'],
  ['RATE_LIMIT_FACTOR', '-1', '1001', '1,5'],
  ['BRAND_NAME', 'two\nlines', 'x'.repeat(61), 'ev\u202Eil'],
  ['BRAND_LOGO', 'https://cdn.example/logo.svg', 'logo.gif'],
  ['BRAND_COLOR', 'red', '#fff'],
  ['SUPPORT_URL', 'http://help.example', 'javascript:alert(1)', 'mailto:nobody'],
  ['OPENAI_APPS_CHALLENGE', 'a b'],
  ['LOG_LEVEL', 'verbose'],
];
for (const [variable, ...values] of REFUSED) {
  for (const value of values) {
    test(`${variable}=${JSON.stringify(value)} is refused`, (t) => {
      t.true(problemsOf({ [variable]: value }).includes(variable));
    });
  }
}

const SENTINEL: Env = { REDIS_MODE: 'sentinel', REDIS_SENTINEL_NAME: 'mymaster' };
const CROSS: [title: string, env: Env, problem: string][] = [
  ['REDIS_MODE without REDIS_URL', { REDIS_MODE: 'cluster' }, 'REDIS_URL'],
  ['several nodes in single mode', { REDIS_URL: 'redis://a,redis://b' }, 'REDIS_URL'],
  ['a database in a cluster', { REDIS_URL: 'redis://a:1/2', REDIS_MODE: 'cluster' }, 'REDIS_URL'],
  [
    'nodes of a cluster that differ in scheme',
    { REDIS_URL: 'redis://a,rediss://b', REDIS_MODE: 'cluster' },
    'REDIS_URL',
  ],
  [
    'nodes of a cluster that differ in password',
    { REDIS_URL: 'redis://u:one@a,redis://u:one@b,redis://u:two@c', REDIS_MODE: 'cluster' },
    'REDIS_URL',
  ],
  [
    'sentinels that differ in user',
    { REDIS_URL: 'redis://u:p@a,redis://:p@b', ...SENTINEL },
    'REDIS_URL',
  ],
  [
    'sentinels that differ in database',
    { REDIS_URL: 'redis://a/1,redis://b', ...SENTINEL },
    'REDIS_URL',
  ],
  [
    'sentinels without a name',
    { REDIS_URL: 'redis://a', REDIS_MODE: 'sentinel' },
    'REDIS_SENTINEL_NAME',
  ],
  ['no sandbox and no NeonPanel', { SANDBOX_PORT: '0' }, 'NEONPANEL_URL'],
  ['a secret without a client', { NEONPANEL_CLIENT_SECRET: 's3cret' }, 'NEONPANEL_CLIENT_ID'],
  ['sandbox on our port', { PORT: '3100' }, 'SANDBOX_PORT'],
  ['metrics on our port', { ADMIN_PORT: '3000' }, 'ADMIN_PORT'],
  ['metrics on the sandbox port', { ADMIN_PORT: '3100' }, 'ADMIN_PORT'],
  ['token registration without token', { REGISTRATION: 'token' }, 'REGISTRATION_TOKEN'],
  ['grace beyond the life', { REFRESH_TOKEN_TTL_SECONDS: '5' }, 'REFRESH_GRACE_SECONDS'],
  ['rotation within the cache time', { KEY_ROTATION_DAYS: '1' }, 'KEY_ROTATION_DAYS'],
];
for (const [title, env, problem] of CROSS) {
  test(`refused: ${title}`, (t) => t.deepEqual(problemsOf(env), [problem]));
}

test('several stores: cluster and sentinel take a list of nodes', (t) => {
  const nodes = { REDIS_URL: 'rediss://u:p@a:1, rediss://u:p@b:2/0' };
  t.deepEqual(loadConfig({ ...nodes, REDIS_MODE: 'cluster' }).store, {
    kind: 'redis',
    mode: 'cluster',
    urls: ['rediss://u:p@a:1', 'rediss://u:p@b:2/0'],
  });
  t.like(loadConfig({ ...nodes, ...SENTINEL }).store, {
    mode: 'sentinel',
    sentinelName: 'mymaster',
  });
});

test('every mistake is reported at once, in the order of the table, with form and example', (t) => {
  const wrong: Env = {
    ...DEPLOYED,
    PORT: 'x',
    MASTER_KEYS: '',
    CODE_TTL_SECONDS: '0',
    LOG_LEVEL: 'loud',
  };
  const error = t.throws(() => loadConfig(wrong), { instanceOf: ConfigError })!;
  t.deepEqual(
    error.problems.map((p) => p.variable),
    ['PORT', 'MASTER_KEYS', 'CODE_TTL_SECONDS', 'LOG_LEVEL'],
  );
  const lines = error.message.split('\n');
  t.is(lines[0], '4 problems in the environment:');
  t.is(lines[1], '  PORT: is malformed; expected a whole number from 1 to 65535, e.g. 3000');
  t.is(lines.length, 5);
});

test('[T17] no message, warning or description repeats a secret', (t) => {
  const canary = 'canary-c4n4ry-canary';
  const secrets: Env = {
    MASTER_KEYS: canary,
    NEONPANEL_CLIENT_SECRET: `${canary} with space`,
    REGISTRATION_TOKEN: `${canary}!`,
    REDIS_URL: `http://user:${canary}@host`,
    NEONPANEL_SECRET: canary,
    OPENAI_APPS_CHALLENGE: `${canary} x`,
  };
  const error = t.throws(() => loadConfig(secrets), { instanceOf: ConfigError })!;
  t.is(error.problems.length, 6);
  t.notRegex(error.message, /canary/);

  const nodes: Env = { REDIS_MODE: 'cluster', REDIS_URL: `redis://u:${canary}@a/1,redis://b` };
  const differing = t.throws(() => loadConfig(nodes), { instanceOf: ConfigError })!;
  t.is(differing.problems.length, 2);
  t.notRegex(differing.message, /canary/);

  const masterKey = key();
  const sound = loadConfig({
    MASTER_KEYS: masterKey,
    NEONPANEL_CLIENT_ID: 'id',
    NEONPANEL_CLIENT_SECRET: canary,
    REGISTRATION: 'token',
    REGISTRATION_TOKEN: canary,
    REDIS_URL: `rediss://user:${canary}@redis.example:6380/1`,
    OPENAI_APPS_CHALLENGE: canary,
    NEONPANEL_SECRET: canary,
  });
  const described = JSON.stringify(describeConfig(sound));
  t.notRegex(described, /canary/);
  t.false(described.includes(masterKey));
  t.regex(described, /rediss:\/\/redis\.example:6380\/1/);
});

test('the description names the effective NeonPanel API base', (t) => {
  const described = describeConfig(loadConfig({ NEONPANEL_URL: 'https://panel.example.com/' }));
  t.like(described, { neonpanel: { apiUrl: 'https://panel.example.com/api/v1' } });
});

test('the configuration is frozen to its leaves', (t) => {
  const config = loadConfig({ REDIS_URL: 'redis://a' });
  const frozen = (value: unknown): boolean =>
    typeof value !== 'object' ||
    value === null ||
    (Object.isFrozen(value) && Object.values(value).every(frozen));
  t.true(frozen(config));
});

const SUSPECTS: [name: string, meant: string | undefined][] = [
  ['PUBLICURL', 'PUBLIC_URL'],
  ['PUBLIC_URI', 'PUBLIC_URL'],
  ['NEONPANEL_URI', 'NEONPANEL_URL'],
  ['MASTER_KEY', 'MASTER_KEYS'],
  ['port', 'PORT'],
  ['REDIS_URLS', 'REDIS_URL'],
  ['NEONPANEL_TOKEN', ''],
  ['HOSTNAME', undefined],
  ['PATH', undefined],
  ['REDIS_PORT', undefined],
  ['LOGNAME', undefined],
];
for (const [name, meant] of SUSPECTS) {
  test(`${name} is ${meant === undefined ? 'left alone' : 'reported as a likely mistake'}`, (t) => {
    const { warnings } = loadConfig({ [name]: 'some-value' });
    t.is(warnings.length, meant === undefined ? 0 : 1);
    if (meant) t.true(warnings[0]!.endsWith(`did you mean ${meant}?`));
    t.notRegex(warnings.join(), /some-value/);
  });
}

const IGNORED: [title: string, env: Env, warning: RegExp][] = [
  ['HOST open on a laptop', { HOST: '0.0.0.0' }, /HOST is open/],
  ['two stores', { REDIS_URL: 'redis://a', SQLITE_PATH: 'x.db' }, /SQLITE_PATH is ignored/],
  ['token unused', { REGISTRATION_TOKEN: 'x'.repeat(20) }, /REGISTRATION_TOKEN is ignored/],
  ['short key staging', { ...DEPLOYED, JWKS_CACHE_SECONDS: '60' }, /JWKS_CACHE_SECONDS/],
];
for (const [title, env, warning] of IGNORED) {
  test(`warned about: ${title}`, (t) => t.regex(loadConfig(env).warnings.join('\n'), warning));
}

test('loopback means localhost, its subdomains and the loopback addresses', (t) => {
  for (const host of ['localhost', 'a.localhost', '127.0.0.1', '127.9.9.9', '[::1]'])
    t.true(isLoopbackHostname(host), host);
  for (const host of ['localhost.example', '128.0.0.1', '127.evil.com', '[::2]', '0.0.0.0', ''])
    t.false(isLoopbackHostname(host), host);
});

test('a PUBLIC_URL with a number that means 127.0.0.1 is loopback, one with a suffix is not', (t) => {
  t.true(loadConfig({ PUBLIC_URL: 'http://2130706433:3000' }).loopback);
  t.true(problemsOf({ PUBLIC_URL: 'http://127.0.0.1.example.com' }).includes('MASTER_KEYS'));
});

test('.env.example lists exactly the variables of the schema', (t) => {
  const file = readFileSync(new URL('../.env.example', import.meta.url), 'utf8');
  t.is(file, envExample(), 'run node scripts/env-example.ts');
  for (const name of VARIABLES) t.true(aboutVariable(name).about.length < 100, name);
});

test('the example of every variable has the form it illustrates', (t) => {
  for (const name of VARIABLES) {
    const { example } = aboutVariable(name);
    if (!example.startsWith('the ')) t.false(problemsOf({ [name]: example }).includes(name), name);
  }
});
