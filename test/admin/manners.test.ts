import { spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { createTerminal, runIn } from '../support/admin.ts';
import { startHarness } from '../support/harness.ts';
import { connect } from '../support/oauth.ts';
import { freePort } from '../support/ports.ts';

/** How the admin command behaves towards whoever calls it, person or script, whatever the command. */
const harness = await startHarness();
test.after.always(() => harness.close());

const ROOT = join(import.meta.dirname, '../..');

const run = (env: Record<string, string>, ...args: string[]) => runIn(createTerminal(env), ...args);

function start(
  t: ExecutionContext,
  args: string[],
  options: SpawnOptions = {},
  through: readonly string[] = [],
) {
  const [command, ...rest] = [...through, process.execPath, 'cli/admin.ts', ...args];
  const child = spawn(command!, rest, {
    cwd: ROOT,
    env: { PATH: process.env.PATH!, ...harness.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  });
  t.teardown(() => void child.kill('SIGKILL'));
  const written = { out: '', err: '' };
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (written.out += text));
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (written.err += text));
  const ended = once(child, 'close') as Promise<[code: number | null, signal: string | null]>;
  return { child, written, ended };
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test.serial(
    `[N18] a change that has begun ends at ${signal} only when it is done and written down`,
    async (t) => {
      const { client } = await connect(harness);
      const { child, written, ended } = start(t, ['clients', 'revoke', client.client_id, '--yes']);
      // The command goes on for a second after this line, until nobody can know the client any more.
      while (!written.err.includes('"event":"grant.ended"')) await once(child.stderr!, 'data');
      child.kill(signal);
      t.deepEqual(await ended, [0, null], written.err);
      t.regex(written.err, /Finishing what has begun/);
      t.regex(written.err, /"event":"admin","outcome":"success","command":"clients revoke"/);
      t.regex(written.out, /is gone\. Ended 1 grant/);
    },
  );
}

function directory(t: ExecutionContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'neonpanel-mcp-manners-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test.serial(
  '[T52] a command in the wrong directory makes no store and no master key, and says where it looked',
  async (t) => {
    const dir = directory(t);
    const wrong = { DATA_DIR: dir, NEONPANEL_URL: harness.sandbox.url };
    for (const args of [
      ['clients', 'list'],
      ['clients', 'create', '--name', 'x', '--redirect-uri', 'https://x.example/cb', '--yes'],
      ['keys', 'rotate', '--yes'],
      ['grants', 'revoke', '--user', '1001', '--yes'],
      ['vault', 'check'],
      ['neonpanel', 'check'],
    ]) {
      const { code, err } = await run(wrong, ...args);
      t.is(code, 4, args.join(' '));
      t.true(err.includes(`There is no store at ${dir}/neonpanel-mcp.db; is DATA_DIR/SQLITE_PATH`));
    }
    t.deepEqual(readdirSync(dir), []);
    writeFileSync(join(dir, 'neonpanel-mcp.db'), 'a store');
    const keyless = await run(wrong, 'clients', 'list');
    t.is(keyless.code, 4);
    t.regex(keyless.err, /There is no master key at .*\/master\.key/);
    t.deepEqual(readdirSync(dir), ['neonpanel-mcp.db']);
  },
);

test.serial('a directory that can not be made is an error at once', async (t) => {
  const env = { DATA_DIR: '/proc/neonpanel-mcp/data', NEONPANEL_URL: harness.sandbox.url };
  const { code, err } = await run(env, 'neonpanel', 'register', '--yes');
  t.is(code, 1);
  t.regex(err, /The directory \/proc\/neonpanel-mcp\/data can't be made \(E[A-Z]+\)/);
});

/** For a pipe to count as somebody's terminal. */
const AT_TERMINAL =
  'data:text/javascript,process.stdin.isTTY = process.stderr.isTTY = true; process.stdin.setRawMode = () => {}';

for (const [how, keys] of [
  ['the end of input', null],
  ['no', 'n\r'],
] as const) {
  test.serial(
    `${how} at the question is no: nothing is done, and nothing else is said`,
    async (t) => {
      const child = spawn(
        process.execPath,
        ['--import', AT_TERMINAL, 'cli/admin.ts', 'keys', 'rotate', '--now'],
        { cwd: ROOT, env: { PATH: process.env.PATH!, ...harness.env } },
      );
      t.teardown(() => void child.kill('SIGKILL'));
      let err = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
      const ended = once(child, 'close');
      while (!err.includes('Go on?')) await once(child.stderr, 'data');
      if (keys === null) child.stdin.end();
      else child.stdin.write(keys);
      t.deepEqual(await ended, [6, null], err);
      t.regex(err, /Nothing done\.\n$/);
      t.notRegex(err, /[Ww]arning|Failed/);
    },
  );
}

const onIt = (...args: string[]) => run(harness.env, ...args);

test.serial(
  'with --json a call that makes no sense is told in JSON, and nothing else is on stdout',
  async (t) => {
    for (const [args, message] of [
      [['keys', 'retire', '--json'], /^missing required argument 'kid'/],
      [['clients', 'list', '--limit', 'x', '--json'], /Expected a whole number/],
      [['clients', 'create', '--json'], /^required option '--name/],
      [['grants', 'list', '--nothing', '--json'], /^unknown option '--nothing'/],
      [['grants', 'nothing', '--json'], /^unknown (command|option)/],
      [['doctor', '--json'], /^missing required argument 'url'/],
      [['doctor', 'ftp://x.example', '--json'], /not a web address/],
      [['grants', 'revoke', '--json'], /^Say which grants/],
    ] as const) {
      const { code, out } = await onIt(...args);
      t.is(code, 2, args.join(' '));
      const said = JSON.parse(out) as { error: string; message: string };
      t.deepEqual(Object.keys(said), ['error', 'message']);
      t.is(said.error, 'usage');
      t.regex(said.message, message);
    }
  },
);

test.serial('grants revoke tells nobody from somebody without such a grant', async (t) => {
  const { code } = await connect(harness);
  const grant = code.split('.')[0]!;
  for (const [args, exit, message] of [
    [['--user', 'nobody'], 4, /no live grant of the user nobody/],
    [['--client', 'nobody'], 4, /no client nobody/],
    [['--user', '1001', '--older-than', '90d'], 0, /^To be ended: 0 grants/],
    [['nothing'], 4, /There is no live grant nothing/],
    [[grant, '--user', '1002'], 4, /is live, and not one that the options mean/],
  ] as const) {
    const run = await onIt('grants', 'revoke', ...args, '--yes');
    t.is(run.code, exit, args.join(' '));
    t.regex(run.out + run.err, message);
  }
  t.is((await onIt('grants', 'revoke', grant, '--user', '1001', '--dry-run')).code, 0);
});

test.serial(
  'with nothing to do a command prints JSON of the shape that it always has',
  async (t) => {
    const shape = async (...args: string[]) => {
      const { code, out } = await onIt(...args, '--yes', '--json');
      t.is(code, 0, out);
      return Object.keys(JSON.parse(out) as object).toSorted();
    };
    t.deepEqual(await shape('clients', 'gc'), ['removed', 'spared']);
    t.deepEqual(await shape('grants', 'revoke', '--older-than', '90d'), ['atNeonpanel', 'ended']);
    t.deepEqual(await shape('keys', 'prune'), ['current', 'kids', 'next', 'pruned']);
    t.deepEqual(await shape('vault', 'rekey'), [
      'busy',
      'fresh',
      'left',
      'masterKey',
      'resealed',
      'unreadable',
    ]);
  },
);

test.serial(
  '[N52] a sandbox that is not there fails the checks, with its address and the cause',
  async (t) => {
    const NEONPANEL_URL = `http://localhost:${await freePort()}`;
    for (const noun of ['neonpanel', 'config']) {
      const { code, out } = await run(
        { ...harness.env, NEONPANEL_URL: '', SANDBOX_PORT: NEONPANEL_URL.split(':')[2]! },
        noun,
        'check',
      );
      t.is(code, 1, out);
      t.regex(
        out,
        new RegExp(`^FAIL +neonpanel .*${NEONPANEL_URL} does not answer \\(.*ECONNREFUSED`, 'm'),
      );
    }
  },
);

/** For root everything is open; without its capabilities it is a user like others. */
const AS_USER =
  process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all'] : [];

test.serial('another user is told to run a command as the server’s', async (t) => {
  const dir = directory(t);
  chmodSync(dir, 0);
  const options = { env: { PATH: process.env.PATH!, ...harness.env, DATA_DIR: dir } };
  const list = start(t, ['clients', 'list'], options, AS_USER);
  t.deepEqual(await list.ended, [1, null]);
  t.regex(list.written.err, /may not be used \(EACCES\): run this as the server’s user/);
  const check = start(t, ['config', 'check'], options, AS_USER);
  t.deepEqual(await check.ended, [1, null]);
  const { out } = check.written;
  t.regex(out, /^FAIL +master keys .*\n +fix: run this as the server’s user/m);
  t.regex(out, /^FAIL +store .*\n +fix: run this as the server’s user/m);
  t.regex(out, /^pass +neonpanel /m);
});

test.serial(
  'a master key file that is damaged is one finding among the others, with its fix',
  async (t) => {
    const dir = directory(t);
    writeFileSync(join(dir, 'master.key'), 'too short');
    const { code, out } = await run({ ...harness.env, DATA_DIR: dir }, 'config', 'check');
    t.is(code, 1);
    t.regex(out, /^FAIL +master keys .*does not hold a 32-byte key\n +fix: put the key back/m);
    t.regex(out, /^pass +environment /m);
    t.regex(out, /^pass +neonpanel /m);
  },
);

test.serial('an id is an id, with however many dashes it begins', async (t) => {
  const id = `--${'x'.repeat(41)}`;
  for (const args of [
    ['clients', 'show', id],
    ['clients', 'show', '--json', id],
    ['clients', 'revoke', id, '--yes'],
    ['grants', 'revoke', '--yes', id],
  ]) {
    const { code, out, err } = await onIt(...args);
    t.is(code, 4, out + err);
    t.true((out + err).includes(id));
  }
});

test.serial('help is had in every way that people try, and says defaults in words', async (t) => {
  const help = await onIt('keys', 'rotate', '--help');
  t.deepEqual([help.code, (await onIt('help', 'keys', 'rotate')).out], [0, help.out]);
  t.regex((await onIt('help', 'keys')).out, /^ +rotate /m);
  t.regex((await onIt('clients', 'gc', '--help')).out, /default: 30d/);
});

test.serial(
  'clients create takes no empty name, says what it would do, and shows what it made',
  async (t) => {
    const create = (name: string, ...more: string[]) =>
      onIt(
        'clients',
        'create',
        '--name',
        name,
        '--redirect-uri',
        'https://desk.example/cb',
        ...more,
      );
    t.is((await create(' ', '--yes')).code, 2);
    const dry = await create('Desk', '--dry-run');
    t.regex(dry.out, /^This would happen; nothing was changed:/);
    const { out } = await create('Desk', '--yes');
    t.regex(
      out,
      /client id +\S{43}\n +name +Desk\n +kind +pre-registered\n +redirect uris +https:/,
    );
  },
);
