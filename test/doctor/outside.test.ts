import test from 'ava';
import { runAdmin } from '../../cli/admin/program.ts';
import { STEPS } from '../../cli/doctor/steps/index.ts';
import { DISCOVERY } from './discovery-mistakes.ts';
import { ENDPOINTS } from './endpoint-mistakes.ts';
import { BEHIND_LOGIN } from './mistake.ts';
import { answer, both, editHeaders, editJson } from './proxy.ts';
import { assertNamed, createTerminal, idsOf, startWorld, type World } from './world.ts';

let world: World;
test.before(async () => {
  world = await startWorld();
});
test.after.always(() => world?.close());
test.afterEach.always(() => world.proxy.distort(undefined));

test.serial('a healthy server passes every step that needs no login', async (t) => {
  const report = await world.diagnose();
  t.deepEqual(idsOf(report, 'fail', 'warn'), []);
  t.deepEqual(idsOf(report, 'skip'), BEHIND_LOGIN);
  t.true(report.ok && report.ours);
  t.is(report.leftBehind.length, 1);
});

for (const mistake of [...DISCOVERY, ...ENDPOINTS]) {
  test.serial(`${mistake.title} is named, and nothing else is blamed`, async (t) => {
    world.proxy.distort(mistake.distort);
    assertNamed(t, await world.diagnose(), mistake, BEHIND_LOGIN);
  });
}

test.serial(
  '[N5] one client for everybody is noticed when each shape is registered by itself',
  async (t) => {
    world.proxy.distort(
      editJson('/oauth2/register', (body) => void (body.client_id &&= 'the-one-and-only')),
    );
    const report = await world.diagnose({ everyShape: true });
    const { outcome, cause } = report.steps.find(({ id }) => id === 'register-chatgpt')!;
    t.is(outcome, 'fail');
    t.regex(cause!, /two different registrations were given the same client_id/);
  },
);

test.serial(
  'registered one by one, every shape leaves a client behind, and the report says so',
  async (t) => {
    const report = await world.diagnose({ everyShape: true });
    t.deepEqual(idsOf(report, 'fail', 'warn'), []);
    t.deepEqual(
      report.leftBehind.map(({ name }) => name),
      ['Claude Code', 'ChatGPT', 'Claude', 'Cursor', 'Visual Studio Code'],
    );
    t.is(new Set(report.leftBehind.map(({ clientId }) => clientId)).size, 5);
  },
);

test.serial('[N7] an initial access token goes to registration, and nowhere else', async (t) => {
  const saw: string[] = [];
  world.proxy.distort((asked, forward) => {
    const isToken = asked.headers.authorization === 'Bearer initial';
    if (isToken) saw.push(asked.url.pathname);
    if (asked.url.pathname !== '/oauth2/register' || isToken) return forward(asked);
    if (!asked.body.includes('NeonPanel doctor')) return forward(asked);
    return { status: 401, headers: {}, body: '' };
  });
  const report = await world.diagnose({ initialAccessToken: 'initial' });
  t.deepEqual(idsOf(report, 'fail', 'warn'), []);
  t.deepEqual(saw, ['/oauth2/register']);
});

test.serial('where a client can be deleted again (RFC 7592), none is left behind', async (t) => {
  const deleted: string[] = [];
  world.proxy.distort(
    both(
      editJson('/oauth2/register', (body) => {
        body.registration_client_uri = `${world.proxy.url}/oauth2/register/${body.client_id}`;
        body.registration_access_token = 'management';
      }),
      (asked, forward) => {
        if (asked.method !== 'DELETE') return forward(asked);
        deleted.push(`${asked.url.pathname} ${asked.headers.authorization}`);
        return { status: 204, headers: {}, body: '' };
      },
    ),
  );
  const report = await world.diagnose();
  t.deepEqual(report.leftBehind, []);
  t.regex(deleted.join(), /^\/oauth2\/register\/[\w-]+ Bearer management$/);
});

test.serial(
  'the command prints one line for each step, with cause and fix, and exits with 1 if one failed',
  async (t) => {
    world.proxy.distort(editHeaders('/mcp', { 'access-control-expose-headers': undefined }));
    const terminal = createTerminal();
    t.is(await runAdmin(['doctor', world.proxy.url], terminal), 1);
    const lines = terminal.printed().trimEnd().split('\n');
    // Before them what is examined, after them what came of it.
    // The steps behind the login are one line; what failed is repeated, after an empty one.
    const skipped = lines.filter((line) => line.startsWith('-'));
    t.deepEqual(skipped, ['-     17 steps skipped: they need a login: add --login or --browser']);
    t.is(lines.length, STEPS.length - 17 + 1 + 2 + 2);
    t.regex(lines.at(-2)!, /^FAIL {2}cors /);
    t.regex(lines[0]!, /^Examining http:\S+\/mcp \(from /);
    t.is(
      lines.filter((line) => /^FAIL {2}cors +.+CORS\)\. Fix: Expose WWW-Authenticate/.test(line))
        .length,
      2,
    );
    t.regex(lines.at(-1)!, /1 failed, 17 skipped, .* Left behind there: 1 registered client \(/);
    t.is(terminal.complained(), '');
  },
);

test.serial('a healthy server is exit code 0, and --json is all that is on stdout', async (t) => {
  const terminal = createTerminal();
  t.is(await runAdmin(['doctor', world.proxy.url, '--json'], terminal), 0);
  const { ok, steps, leftBehind } = JSON.parse(terminal.printed());
  t.true(ok);
  t.is(leftBehind.length, 1);
  for (const step of steps) {
    t.is(typeof step.title, 'string');
    t.true(['pass', 'skip'].includes(step.outcome), step.id);
    t.is(step.outcome === 'skip', typeof step.cause === 'string');
  }
  t.regex(terminal.complained(), /^ok +challenge /m);
});

test.serial(
  'nobody is told that all is well with what was refused, and no sentence ends twice',
  async (t) => {
    world.proxy.distort(
      answer(
        '/oauth2/register',
        400,
        '{"error":"invalid_client_metadata","error_description":"No. Sorry."}',
        { 'content-type': 'application/json' },
      ),
    );
    const terminal = createTerminal();
    t.is(await runAdmin(['doctor', world.proxy.url], terminal), 1);
    t.regex(terminal.printed(), /^- +registration +skipped: all shapes in one are refused \(/m);
    t.regex(terminal.printed(), /Sorry\. Fix: /);
    t.notRegex(terminal.printed(), /\.\. |\.\.$/m);
  },
);

test.serial('what a server says can not steer the terminal', async (t) => {
  world.proxy.distort(answer('/mcp', 301, '', { location: 'https://x.example/\u009b31m' }));
  const terminal = createTerminal();
  t.is(await runAdmin(['doctor', world.proxy.url], terminal), 1);
  t.regex(terminal.printed(), /redirected/);
  t.notRegex(terminal.printed(), /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
});

test('a command that makes no sense is exit code 2, and says why', async (t) => {
  for (const [args, message] of [
    [[], /missing required argument 'url'/],
    [['ftp://x.example'], /not a web address/],
    [['https://x.example', '--unknown'], /unknown option/],
    [['https://x.example', '--login'], /--login needs --email/],
    [['https://x.example', '--login', '--browser'], /not both/],
    [['https://x.example', '--email', 'a@b.example'], /belong to --login/],
    [['https://x.example', '--login', '--email', 'a@b.example'], /add --password-file/],
    [['https://x.example', '--ca-file', '/nowhere'], /--ca-file: ENOENT/],
  ] as const) {
    const terminal = createTerminal();
    t.is(await runAdmin(['doctor', ...args], terminal), 2, args.join(' '));
    t.regex(terminal.complained(), message);
    t.is(terminal.printed(), '');
  }
});
