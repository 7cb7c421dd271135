import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';

const ROOT = join(import.meta.dirname, '..');
const read = (file: string): any => JSON.parse(readFileSync(join(ROOT, file), 'utf8'));

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
  readonly inBundle?: boolean;
}

/** Ours, the benchmarks' and those of outside test suites. */
const lockfiles = globSync('{,bench/,test/suites/**/}package-lock.json', {
  cwd: ROOT,
  exclude: ['**/node_modules'],
}).toSorted();

const SUITES = 'test/suites/package-lock.json';
/** No mistake of an older version: another one would be as good, once it is tried. */
const MEASURED = 'what was measured';

/** Path in node_modules to entry, without the project itself. */
const entriesOf = (file: string): [path: string, entry: Locked][] =>
  Object.entries(read(file).packages as Record<string, Locked>).filter(([path]) => path !== '');

const nameOf = (path: string): string => path.split('node_modules/').at(-1)!;

/** Versions that must not come back. `below` is the first good one; `from` the first bad one, if not all before are. */
const FLOORS: readonly { name: string; below: string; from?: string; id: string }[] = [
  { name: 'koa', below: '3.1.2', id: 'CVE-2026-27959: ctx.hostname believes what is before an @' },
  { name: 'koa', below: '3.0.1', id: 'CVE-2025-8129: open redirect by back (koajs/koa#1892)' },
  { name: 'koa', below: '3.0.0', id: 'CVE-2025-25200: slow pattern on X-Forwarded-Proto' },
  {
    name: 'oidc-provider',
    below: '9.11.4',
    id: 'exact redirect_uri comparison, strict Basic decoding, client metadata document URLs',
  },
  {
    name: '@modelcontextprotocol/sdk',
    from: '1.10.0',
    below: '1.26.0',
    id: 'CVE-2026-25536: answers cross clients of a shared server',
  },
  {
    name: '@modelcontextprotocol/sdk',
    below: '1.24.0',
    id: 'CVE-2025-66414: no protection against DNS rebinding',
  },
  { name: '@modelcontextprotocol/server', below: '2.4.0', id: MEASURED },
  { name: '@modelcontextprotocol/client', below: '2.4.0', id: MEASURED },
  { name: '@modelcontextprotocol/node', below: '2.1.2', id: MEASURED },
  {
    name: '@modelcontextprotocol/inspector',
    below: '0.14.1',
    id: 'CVE-2025-49596: the proxy runs commands for any page',
  },
  {
    name: 'mcp-remote',
    below: '0.1.16',
    id: 'CVE-2025-6514: a hostile authorization_endpoint runs commands',
  },
  { name: 'node', below: '24.12.0', id: 'type stripping without a flag or a warning' },
];

const numbers = (version: string): number[] => version.split(/[.+-]/).slice(0, 3).map(Number);

/** A pre-release counts as older than its release. */
function isBelow(version: string, floor: string): boolean {
  const [a, b] = [numbers(version), numbers(floor)];
  const i = a.findIndex((part, at) => part !== b[at]);
  return i === -1 ? version.includes('-') : a[i]! < b[i]!;
}

const problemsOf = (name: string, version: string): string[] =>
  FLOORS.filter((floor) => floor.name === name)
    .filter(({ below, from = '0.0.0' }) => isBelow(version, below) && !isBelow(version, from))
    .map(({ id }) => `${name} ${version}: ${id}`);

test('[T56] no locked package is one of the versions known to be bad', (t) => {
  t.true(lockfiles.includes('package-lock.json') && lockfiles.includes('bench/package-lock.json'));
  for (const file of lockfiles) {
    const problems = entriesOf(file).flatMap(([path, { version = '' }]) =>
      problemsOf(nameOf(path), version),
    );
    // Others' suites bring the protocol's packages as they were when they were written.
    const bad = problems.filter((each) => file !== SUITES || !each.endsWith(MEASURED));
    t.deepEqual(bad, [], file);
  }
});

test('[T56] the table of bad versions finds them', (t) => {
  t.is(problemsOf('koa', '3.1.1').length, 1);
  t.is(problemsOf('koa', '2.16.0').length, 3);
  t.is(problemsOf('koa', '3.1.2-rc.1').length, 1);
  t.is(problemsOf('@modelcontextprotocol/sdk', '1.9.9').length, 1);
  t.is(problemsOf('@modelcontextprotocol/sdk', '1.25.3').length, 1);
  for (const { name, below } of FLOORS)
    t.true(problemsOf(name, '0.0.1').length > 0 || name.endsWith('sdk'), below);
  const direct = { ...read('package.json').dependencies, ...read('package.json').devDependencies };
  for (const [name, version] of Object.entries(direct))
    t.deepEqual(problemsOf(name, version as string), []);
});

test('[T56] every entry of a lockfile has an exact version and a hash, and comes from a registry', (t) => {
  for (const file of lockfiles) {
    const { lockfileVersion } = read(file);
    t.is(lockfileVersion, 3, file);
    const entries = entriesOf(file);
    t.true(entries.length > 0);
    for (const [path, entry] of entries) {
      const where = `${file}: ${path}`;
      t.regex(path, /^(?:node_modules\/(?:@[\w.-]+\/)?[\w.-]+\/?)+$/, where);
      t.regex(entry.version ?? '', /^\d+\.\d+\.\d+(?:[-+][\w.+-]+)?$/, where);
      t.regex(entry.integrity ?? '', /^sha512-[A-Za-z0-9+/]{86}==$/, where);
      // No address: neither git, nor a tarball elsewhere, nor a directory.
      t.is(entry.resolved, undefined, where);
      t.falsy(entry.link, where);
      t.falsy(entry.inBundle, where);
    }
  }
});

test('[T56] only node may run a script when it is installed', (t) => {
  for (const file of lockfiles) {
    if (file === SUITES) continue;
    const scripts = entriesOf(file).filter(([, { hasInstallScript }]) => hasInstallScript);
    const allowed = file === 'package-lock.json' ? ['node'] : [];
    t.deepEqual(
      scripts.map(([path]) => nameOf(path)),
      allowed,
      file,
    );
  }
  t.deepEqual(read('package.json').allowScripts, { node: true });
  const setup = readFileSync(join(ROOT, 'scripts/setup.sh'), 'utf8');
  t.regex(setup, /npm ci .*--ignore-scripts --prefix test\/suites$/m);
});

test('[T56] package.json and the lockfile agree, and every version is exact', (t) => {
  for (const file of lockfiles) {
    const manifest = read(file.replace('package-lock.json', 'package.json'));
    const locked = read(file).packages as Record<string, any>;
    for (const kind of ['dependencies', 'devDependencies']) {
      t.deepEqual(locked['']![kind] ?? {}, manifest[kind] ?? {}, `${file} ${kind}`);
      for (const [name, version] of Object.entries(manifest[kind] ?? {})) {
        t.regex(String(version), /^\d+\.\d+\.\d+(?:-alpha\.\d+)?$/, name);
        t.is(locked[`node_modules/${name}`]?.version, version, name);
      }
    }
  }
});

test('[T56] [D2] every direct dependency has its reason written down', (t) => {
  const page = readFileSync(join(ROOT, 'docs/dependencies.md'), 'utf8');
  const { dependencies, devDependencies } = read('package.json');
  const sections = page.split(/^## /m);
  const documented = (title: string) =>
    sections
      .find((section) => section.startsWith(title))!
      .split('\n')
      .flatMap((row) => /^\| `([^`]+)` +\| (.+?) +\|$/.exec(row)?.slice(1, 3) ?? [])
      .filter((_, i) => i % 2 === 0);
  t.deepEqual(documented('In production').toSorted(), Object.keys(dependencies).toSorted());
  t.deepEqual(documented('For development').toSorted(), Object.keys(devDependencies).toSorted());
});

test('docs/clients.md says what was tried with the versions that are installed', (t) => {
  const page = readFileSync(join(ROOT, 'docs/clients.md'), 'utf8');
  const said = (row: RegExp) => page.match(row)?.[1]?.trim();
  const versions = {
    ...read('package.json').devDependencies,
    ...read('package.json').dependencies,
    ...read('test/suites/package.json').dependencies,
  };
  const rows: [name: string, row: RegExp][] = [
    ['@modelcontextprotocol/sdk', /^\| SDK client v1 +\| ([^|]+)/m],
    ['@modelcontextprotocol/client', /^\| SDK client v2 +\| ([^|]+)/m],
    ['oauth4webapi', /^\| oauth4webapi +\| ([^|]+)/m],
    ['mcp-remote', /^\| mcp-remote +\| ([^|]+)/m],
    ['@modelcontextprotocol/inspector', /^\| MCP Inspector +\| (\d[^|]+)/m],
    [
      '@modelcontextprotocol/conformance',
      /^\| `@modelcontextprotocol\/conformance`, server +\| ([^|]+)/m,
    ],
    ['@mcpjam/sdk', /^\| `@mcpjam\/sdk` +\| ([^|]+)/m],
  ];
  for (const [name, row] of rows) t.is(said(row), versions[name], name);
});
