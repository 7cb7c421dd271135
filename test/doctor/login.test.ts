import test from 'ava';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { runAdmin } from '../../cli/admin/program.ts';
import type { Report } from '../../cli/doctor/index.ts';
import { signInByBrowser, signInHeadless } from '../../cli/doctor/sign-in.ts';
import { createBrowser } from '../support/browser.ts';
import { answerConsent, answerLogin } from '../support/oauth.ts';
import { LOGIN_MISTAKES } from './login-mistakes.ts';
import { editJson } from './proxy.ts';
import { assertNamed, createTerminal, idsOf, startWorld, type World } from './world.ts';

let world: World;
test.before(async () => {
  world = await startWorld();
});
test.after.always(() => world?.close());
test.afterEach.always(() => world.proxy.distort(undefined));

test.serial(
  'a healthy server passes every step, the login and what is behind it included',
  async (t) => {
    const report = await world.diagnose({ login: true });
    t.deepEqual(idsOf(report, 'fail', 'warn', 'skip'), []);
    t.true(report.ok && report.ours);
    t.is(report.leftBehind.length, 1);
  },
);

test.serial('of a server that is not ours, what only we promise is no failure', async (t) => {
  const others = /^\/\.well-known\/(oauth-|openid-)/;
  world.proxy.distort(
    editJson(others, (body) => {
      body.scopes_supported = ['openid', 'read'];
      if (!body.token_endpoint) return;
      body.grant_types_supported = ['authorization_code'];
      body.token_endpoint_auth_methods_supported = ['client_secret_post'];
    }),
  );
  const report = await world.diagnose({ login: true });
  t.false(report.ours);
  t.true(report.ok);
  t.deepEqual(idsOf(report, 'fail', 'warn'), ['abilities-advertised']);
  t.deepEqual(idsOf(report, 'skip'), ['refresh-parallel']);
});

for (const mistake of LOGIN_MISTAKES) {
  test.serial(`${mistake.title} is named, and nothing else is blamed`, async (t) => {
    world.proxy.distort(mistake.distort);
    assertNamed(t, await world.diagnose({ login: true }), mistake, []);
  });
}

test.serial('with --browser the person signs in, and the answer comes to loopback', async (t) => {
  const terminal = createTerminal();
  const people: Promise<unknown>[] = [];
  const opened: string[] = [];
  const printed: string[] = [];
  const code = await runAdmin(['doctor', world.proxy.url, '--browser', '--json'], {
    ...terminal,
    openBrowser: ({ href }) => void opened.push(href),
    err(text) {
      terminal.err(text);
      const [, address] = /open this yourself:\s+(\S+)/.exec(text) ?? [];
      if (!address) return;
      printed.push(address);
      people.push(visit(address));
    },
  });
  const report = JSON.parse(terminal.printed()) as Report;
  t.is(code, 0);
  t.deepEqual(idsOf(report, 'fail', 'warn', 'skip'), []);
  t.deepEqual(opened, printed, 'it is opened, and printed too');
  // One for everything, and one to be spent on replaying its code.
  const ends = await Promise.all(people);
  t.deepEqual(ends, ['Done. You can close this page.', 'Done. You can close this page.']);
});

async function visit(address: string): Promise<string> {
  const browser = createBrowser();
  const login = await answerConsent(await browser.goto(address), { write: false });
  return (await answerLogin(login, world.harness.sandbox.users[0]!)).text;
}

test('the listener on loopback takes nothing but the answer that is expected', async (t) => {
  const way = await signInByBrowser(async () => {
    const base = `http://localhost:${way.port}`;
    t.is((await fetch(`${base}/callback?code=x&state=another`)).status, 404);
    t.is((await fetch(`${base}/elsewhere?code=x&state=right`)).status, 404);
    t.is((await fetch(`${base}/callback?code=x&state=right`)).status, 200);
  });
  t.teardown(() => way.close());
  const url = new URL('http://as.example/authorize');
  const request = { url, redirectUri: `http://localhost:${way.port}/callback`, state: 'right' };
  const answer = await way.answer({ ...request, fetch });
  t.is(answer.searchParams.get('code'), 'x');
});

test('whoever never comes back from the browser is waited for a limited time', async (t) => {
  const way = await signInByBrowser(() => {}, 50);
  t.teardown(() => way.close());
  const url = new URL('http://as.example/authorize');
  const redirectUri = `http://localhost:${way.port}/callback`;
  const answer = way.answer({ url, redirectUri, state: 's', fetch });
  await t.throwsAsync(answer, { message: /nobody came back from the browser/ });
});

test('the example in the help text names a user whom the sandbox has', async (t) => {
  const terminal = createTerminal();
  await runAdmin(['doctor', '--help'], terminal);
  const [, email] = /--login --email (\S+)/.exec(terminal.printed())!;
  t.true(
    world.harness.sandbox.users.some((user) => user.email === email),
    email,
  );
});

test.serial('a wrong password is named, and what depends on the login is skipped', async (t) => {
  const signIn = signInHeadless({ email: 'nobody@sandbox.example', password: 'wrong' });
  const report = await world.diagnose({ signIn });
  t.deepEqual(idsOf(report, 'fail', 'warn'), ['sign-in']);
  const { cause } = report.steps.find(({ id }) => id === 'sign-in')!;
  t.regex(cause!, /login at .* does not take the e-mail address and password/);
});

test.serial(
  'as a command of its own: exit code, JSON on stdout, progress on stderr, no password',
  async (t) => {
    const { email, password } = world.harness.sandbox.users[0]!;
    const folder = mkdtempSync(join(tmpdir(), 'doctor-test-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'password');
    writeFileSync(file, `${password}\n`);
    const args = ['--login', '--email', email, '--password-file', file, '--json'];
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ['cli/admin.ts', 'doctor', world.proxy.url, ...args],
      { env: { PATH: process.env.PATH! } },
    );
    const report = JSON.parse(stdout) as Report;
    t.true(report.ok && report.ours && report.ms < 30_000);
    t.deepEqual(Object.keys(report), [
      'url',
      'understood',
      'ours',
      'ok',
      'steps',
      'leftBehind',
      'ms',
    ]);
    t.regex(stderr, /^ok +tls /m);
    t.false((stdout + stderr).includes(password));
  },
);
