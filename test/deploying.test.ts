import test from 'ava';
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { VARIABLES } from '../config/schema.ts';
import { CALL_DEADLINE_MS } from '../mcp/options.ts';
import { DRAIN_MS, GRACE_MS, STOP_MS } from '../stop-times.ts';
import { importsOf } from './support/imports.ts';

/** No container runtime and no init system is needed to see that what they are given fits together. */
const ROOT = join(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const COMMAND = 'node_modules/.bin/node server.js';

/** Every file of ours that a program loads, by its imports. */
function reachableFrom(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const specifier of importsOf(read(file))) {
    if (!specifier.startsWith('.')) continue;
    reachableFrom(relative(ROOT, join(ROOT, dirname(file), specifier)), seen);
  }
  return seen;
}

test('the image holds everything that the server loads', (t) => {
  const left = read('.dockerignore').trim().split('\n');
  const files = [...reachableFrom('server.js'), 'views/consent.eta', 'views/style.css'];
  t.true(files.length > 100);
  for (const file of files) {
    const [top = ''] = file.split('/');
    t.false(left.includes(top), file);
    t.false(file.startsWith('.') || file.endsWith('.md'), file);
  }
});

test('all places start the same command, without npm between it and its signals', (t) => {
  t.is(read('Procfile').trim(), `web: ${COMMAND}`);
  t.true(read('Dockerfile').includes(`CMD ["${COMMAND.replace(' ', '", "')}"]`));
  t.regex(
    read('deploy/neonpanel-mcp.service'),
    /^ExecStart=\/\S+\/node_modules\/\.bin\/node server\.js$/m,
  );
});

test('the image runs as a user without rights, and takes no file of secrets with it', (t) => {
  t.regex(read('Dockerfile'), /^USER node$/m);
  t.true(read('.dockerignore').startsWith('.*\n'));
  t.notRegex(read('Dockerfile'), /MASTER_KEYS|SECRET/);
});

test('every variable that the deployments name exists', (t) => {
  const known = new Set<string>([
    ...VARIABLES,
    'NODE_ENV',
    'NODE_EXTRA_CA_CERTS',
    'NODE_TLS_REJECT_UNAUTHORIZED',
    // Address families, to systemd.
    'AF_INET',
    'AF_UNIX',
  ]);
  for (const file of [
    'Dockerfile',
    'compose.yml',
    'deploy/neonpanel-mcp.service',
    'docs/deploying.md',
  ]) {
    for (const [name] of read(file).matchAll(/\b[A-Z]+(?:_[A-Z]+)+\b/g))
      t.true(known.has(name), `${file}: ${name}`);
  }
});

test('everything waits for a stop as long as the server may take, and says the same figures', (t) => {
  const [grace, drain, stop] = [GRACE_MS, DRAIN_MS, STOP_MS].map((ms) => ms / 1_000);
  t.true(CALL_DEADLINE_MS < DRAIN_MS, 'a call under way is finished');
  t.true(GRACE_MS < DRAIN_MS && DRAIN_MS < STOP_MS);
  const waits: readonly (readonly [string, RegExp])[] = [
    ['compose.yml', /stop_grace_period: (\d+)s$/m],
    ['deploy/neonpanel-mcp.service', /^TimeoutStopSec=(\d+)$/m],
    ['docs/deploying.md', /`stopTimeout: (\d+)`/],
    ['docs/operations.md', /Give it (\d+) s between SIGTERM and SIGKILL/],
  ];
  for (const [file, form] of waits) {
    const wait = Number(form.exec(read(file))?.[1]);
    t.is(wait, 30, `${file}: what Heroku gives, and ECS and Kubernetes by default`);
    t.true(wait > stop!, file);
  }
  for (const [file] of waits) {
    const text = read(file).replace(/\n *#? */g, ' ');
    t.true(
      text.includes(`new requests for ${grace} s, cut off after ${drain} s, over after ${stop} s`),
      file,
    );
  }
  const limits = read('docs/limits.md');
  t.regex(limits, new RegExp(`\\| ${grace} s +\\|.*\`GRACE_MS\``));
  t.regex(limits, new RegExp(`\\| ${drain} s +\\|.*\`DRAIN_MS\``));
  t.regex(limits, new RegExp(`\\| ${stop} s +\\|.*\`STOP_MS\``));
});
