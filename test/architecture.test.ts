import test from 'ava';
import { globSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { importsOf, packageOf } from './support/imports.ts';

/**
 * The directions in which the parts may import each other: server → app → {auth, mcp, cli} → http → {adapters, keys,
 * views} → {config, resource, errors, log}. A rule that stands in the way is a question about the design first.
 */

const ROOT = join(import.meta.dirname, '..');

/** What everything may use. It uses nothing of ours but itself. */
const BASE =
  /^(config|resource|errors|log|audit|facts|redaction|clock|json-size|bounded-map|stdout|process-end|stop-times)\.ts$|^config\//;

interface Part {
  readonly files: RegExp;
  /** Files of ours, besides those of the part itself. */
  readonly ours: readonly RegExp[];
  readonly packages: readonly string[];
}

const PARTS: readonly Part[] = [
  { files: BASE, ours: [], packages: ['zod', 'pino'] },
  {
    files: /^server\.js$/,
    ours: [/^serve\.ts$/],
    packages: [],
  },
  {
    files: /^serve\.ts$/,
    ours: [BASE, /^app\.ts$/, /^(auth|mcp|http|cli|adapters|keys|views|metrics|sandbox)\//],
    packages: ['koa', '@koa/router'],
  },
  {
    files: /^app\.ts$/,
    ours: [BASE, /^(auth|mcp|http|cli|adapters|keys|views|metrics|sandbox)\//],
    packages: ['koa', '@koa/router'],
  },
  {
    files: /^auth\//,
    ours: [BASE, /^(http|adapters|keys|views)\//],
    packages: ['oidc-provider', 'koa', '@koa/router', 'jose', 'zod'],
  },
  {
    files: /^mcp\//,
    ours: [BASE, /^(http|adapters|keys)\//],
    packages: [
      '@modelcontextprotocol/server',
      '@modelcontextprotocol/node',
      '@modelcontextprotocol/server-legacy',
      'koa',
      '@koa/router',
      'jose',
      'zod',
    ],
  },
  {
    files: /^cli\/demo\b/,
    ours: [BASE, /^(server|app)\.ts$/, /^(cli|adapters|keys|sandbox)\//],
    packages: ['@modelcontextprotocol/client', 'oauth4webapi'],
  },
  // It sees a server from outside only: nothing of its configuration, store or keys.
  {
    files: /^cli\/doctor\/(?!command\.ts$)/,
    ours: [/^cli\/headless-browser\.ts$/],
    packages: ['undici', 'jose'],
  },
  {
    files: /^cli\//,
    ours: [BASE, /^auth\/(registration|redirect-uri|supported|paths)\.ts$/, /^(adapters|keys)\//],
    packages: ['commander', '@inquirer/confirm', '@inquirer/password', 'jose', 'undici', 'zod'],
  },
  {
    files: /^http\//,
    ours: [BASE, /^(adapters|views)\//],
    packages: ['koa', '@koa/router'],
  },
  // It hears of the halves (facts.ts) and imports neither; nobody but app.ts imports it.
  {
    files: /^metrics\//,
    ours: [BASE, /^(http|adapters|keys)\//],
    packages: ['koa', 'prom-client'],
  },
  // The store's interface and its helpers; no backend, no NeonPanel.
  {
    files: /^keys\//,
    ours: [BASE, /^adapters\/(store|secrets|sealed-kinds)\.ts$/],
    packages: ['jose'],
  },
  {
    files: /^adapters\//,
    ours: [BASE],
    packages: ['ioredis', 'oidc-provider', 'undici', 'oauth4webapi', 'jose', 'zod'],
  },
  { files: /^views\//, ours: [], packages: ['eta'] },
  // Nothing of ours, so that it cannot share our mistakes.
  { files: /^sandbox\//, ours: [], packages: ['koa', '@koa/router', 'jose'] },
  { files: /^scripts\//, ours: [BASE], packages: [] },
];

const files = globSync(['**/*.ts', 'server.js'], {
  cwd: ROOT,
  exclude: ['**/node_modules', '.*'],
}).toSorted();
const product = files.filter((file) => !/^(test|bench)\//.test(file));
const imports = new Map(
  files.map((file) => [file, importsOf(readFileSync(join(ROOT, file), 'utf8'))]),
);

const isLocal = (specifier: string): boolean => /^\.{0,2}\//.test(specifier);
const resolve = (file: string, specifier: string): string => join(dirname(file), specifier);
const partOf = (file: string): Part | undefined => PARTS.find((part) => part.files.test(file));

/** Every import that a predicate objects to, as `file: specifier`. */
const offending = (among: readonly string[], bad: (file: string, specifier: string) => boolean) =>
  among.flatMap((file) =>
    imports
      .get(file)!
      .filter((specifier) => bad(file, specifier))
      .map((specifier) => `${file}: ${specifier}`),
  );

test('[D3] every file belongs to a part', (t) => {
  t.deepEqual(
    product.filter((file) => !partOf(file)),
    [],
  );
  t.true(product.length > 50, 'the files were found');
});

test('[D3] imports between the parts point one way', (t) => {
  const wrong = offending(product, (file, specifier) => {
    if (!isLocal(specifier)) return false;
    const target = resolve(file, specifier);
    const part = partOf(file);
    return !!part && !part.files.test(target) && !part.ours.some((r) => r.test(target));
  });
  t.deepEqual(wrong, []);
});

test('[D3] each part uses the packages that are its business', (t) => {
  const wrong = offending(product, (file, specifier) => {
    if (isLocal(specifier)) return false;
    if (isBuiltin(specifier))
      return specifier === 'node:sqlite' && !/^(adapters|sandbox)\//.test(file);
    return !partOf(file)?.packages.includes(packageOf(specifier));
  });
  t.deepEqual(wrong, []);
});

test('[D3] the product imports nothing of test', (t) => {
  t.deepEqual(
    offending(product, (f, s) => isLocal(s) && resolve(f, s).startsWith('test/')),
    [],
  );
});

test('[D3] the benchmarks see us only over HTTP, with what the tests start us and ask us with', (t) => {
  // Those in inside/ are loaded into our server, or write into its store; the browser knows nothing of us.
  const bench = files.filter((file) => /^bench\/(?!inside\/)/.test(file));
  const allowed = /^(bench|test\/support)\/|^cli\/headless-browser\.ts$/;
  t.deepEqual(
    offending(bench, (f, s) => isLocal(s) && !allowed.test(resolve(f, s))),
    [],
  );
  const inward = offending(bench, (f, s) => isLocal(s) && /^bench\/inside\//.test(resolve(f, s)));
  t.deepEqual(inward, []);
});

test('[D1] every import names the file that Node loads, and no path leaves the project', (t) => {
  const extensionless = offending(files, (_, s) => isLocal(s) && !/\.(ts|json|mjs)$/.test(s));
  t.deepEqual(extensionless, []);
  const outside = offending(files, (f, s) => isLocal(s) && resolve(f, s).startsWith('..'));
  t.deepEqual(outside, []);
});

test('[D1] the tests run on the Node that the product needs', (t) => {
  const [major, minor] = process.versions.node.split('.').map(Number);
  t.true(major! > 24 || (major === 24 && minor! >= 12), process.versions.node);
});

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
}
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;

test('[D2] dependencies are exact versions', (t) => {
  const all = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
  t.deepEqual(
    all.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)),
    [],
  );
});

test('[D2] what the product imports is installed in production too', (t) => {
  // The demo plays the part of a client and runs in a checkout.
  const deployed = product.filter((file) => !/^(cli\/demo\b|scripts\/)/.test(file));
  const missing = offending(
    deployed,
    (_, s) => !isLocal(s) && !isBuiltin(s) && !(packageOf(s) in manifest.dependencies),
  );
  t.deepEqual(missing, []);
});

test('no file reads anything beside the project', (t) => {
  // Assembled, or this line would be found.
  const beside = ['..', 'shared'].join('/');
  const texts = globSync('**/*.{ts,js,json,md,sh,eta,css,yml,yaml}', {
    cwd: ROOT,
    exclude: ['**/node_modules', '**/package-lock.json'],
  });
  const reading = texts.filter((file) => readFileSync(join(ROOT, file), 'utf8').includes(beside));
  t.deepEqual(reading, []);
});
