import test from 'ava';
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { VARIABLES } from '../config/schema.ts';
import { importsOf } from './support/imports.ts';

/** No container runtime and no init system is needed to see that what they are given fits together. */
const ROOT = join(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const COMMAND = 'node_modules/.bin/node server.ts';

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
  const files = [...reachableFrom('server.ts'), 'views/consent.eta', 'views/style.css'];
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
    /^ExecStart=\/\S+\/node_modules\/\.bin\/node server\.ts$/m,
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

test('everything waits for a stop as long as the server may take', (t) => {
  t.regex(read('compose.yml'), /stop_grace_period: 35s/);
  t.regex(read('deploy/neonpanel-mcp.service'), /^TimeoutStopSec=35$/m);
});
