import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { startHarness } from '../support/harness.ts';
import { connect } from '../support/oauth.ts';

/** How the admin command behaves towards whoever calls it, person or script, whatever the command. */
const harness = await startHarness();
test.after.always(() => harness.close());

const ROOT = join(import.meta.dirname, '../..');

function start(t: ExecutionContext, ...args: string[]) {
  const child = spawn(process.execPath, ['cli/admin.ts', ...args], {
    cwd: ROOT,
    env: { PATH: process.env.PATH!, ...harness.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => void child.kill('SIGKILL'));
  const written = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (written.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (written.err += text));
  const ended = once(child, 'close') as Promise<[code: number | null, signal: string | null]>;
  return { child, written, ended };
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`[N18] a change that has begun ends at ${signal} only when it is done and written down`, async (t) => {
    const { client } = await connect(harness);
    const { child, written, ended } = start(t, 'clients', 'revoke', client.client_id, '--yes');
    // The command goes on for a second after this line, until nobody can know the client any more.
    while (!written.err.includes('"event":"grant.ended"')) await once(child.stderr, 'data');
    child.kill(signal);
    t.deepEqual(await ended, [0, null], written.err);
    t.regex(written.err, /Finishing what has begun/);
    t.regex(written.err, /"event":"admin","outcome":"success","command":"clients revoke"/);
    t.regex(written.out, /is gone\. Ended 1 grant/);
  });
}
