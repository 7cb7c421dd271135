import test from 'ava';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { figuresOf, summarise } from '../bench/figures.ts';
import { chart } from '../bench/growth/chart.ts';
import { tableOf } from '../bench/growth/series.ts';
import { quantiles } from '../bench/generator/quantiles.ts';
import { goals, page } from '../bench/report.ts';
import { PLANS } from '../bench/plan.ts';
import type { Row, Verdict } from '../bench/row.ts';

const ROOT = join(import.meta.dirname, '..');
const bench = async (...args: string[]): Promise<string> => {
  const main = join(ROOT, 'bench', 'main.ts');
  return (await promisify(execFile)(process.execPath, [main, ...args], { cwd: ROOT })).stdout;
};
const GOALS = ['G1', 'G2', 'G3', 'G4', 'G5', 'G6', 'G7', 'G9', 'G11', 'G12', 'G13'];

test('the benchmark suite runs every row against every peer, and says what was reached', async (t) => {
  const out = await bench('--smoke');
  const [verdicts = '', sides = ''] = out.split('\n\n');
  for (const id of GOALS) {
    const line = new RegExp(`^\\| ${id} \\| [^|]+ \\| redis \\| .* (not )?reached`, 'm');
    t.regex(verdicts, line, id);
  }
  const peers = [
    ...['SDK v1 stateless', 'SDK v2 createMcpHandler', 'koa JSON echo', 'JSON-RPC by hand'],
    ...['naive', 'pass-through proxy', 'one RS256 signature', 'oidc-provider'],
    ...['workers-oauth-provider', 'better-auth'],
  ];
  for (const peer of peers) t.regex(sides, new RegExp(`\\| ${peer}[^|]*\\| [\\d.]+ \\|`), peer);
});

test('a row that is not there is named', async (t) => {
  const error = await t.throwsAsync(bench('--smoke', '--only', 'G1,G99'));
  t.true(error.message.includes('no row is called G99'));
});

test('what --growth cannot heed is refused', async (t) => {
  for (const option of [
    ['--store', 'sqlite'],
    ['--only', 'G1'],
  ]) {
    const error = await t.throwsAsync(bench('--growth', '--smoke', ...option));
    t.true(error.message.includes('leave out --only and --store'));
  }
});

if (process.env['LONG_TESTS']) {
  test('the benchmark suite measures what it costs as the work grows', async (t) => {
    const out = await bench('--growth', '--smoke');
    for (const title of ['Live connections', 'Users at a time', 'Tools'])
      t.true(out.includes(title));
  });
}

test('medians and spreads', (t) => {
  t.deepEqual(summarise([3, 1, 2]), { median: 2, spread: 1 });
  t.deepEqual(summarise([4, 1, 2, 3]), { median: 2.5, spread: 1.2 });
  t.deepEqual(summarise([0]), { median: 0, spread: 0 });
});

test('the figures of a side are per second and per request', (t) => {
  const sample = { requests: 200, seconds: 2, cpuSeconds: 0.1, p50Ms: 1, p99Ms: 4 };
  const { perSecond, cpu, storeCpu, p99Ms } = figuresOf([
    sample,
    { ...sample, seconds: 4 },
    sample,
  ]);
  t.deepEqual([perSecond.median, perSecond.spread], [100, 0.5]);
  t.is(cpu?.median, 500);
  t.is(storeCpu, undefined);
  t.deepEqual(p99Ms, { median: 4, spread: 0 });
  t.is(figuresOf([{ ...sample, cpuSeconds: undefined }]).cpu, undefined);
});

test('quantiles of latencies', (t) => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  t.deepEqual(quantiles(hundred), { p50Ms: 51, p99Ms: 100 });
  t.deepEqual(quantiles([]), { p50Ms: 0, p99Ms: 0 });
});

const row = { id: 'G0', name: 'nothing', why: 'two\nlines' } as Row;
const result = (...verdicts: Verdict[]) => ({
  ...{ row, store: 'redis' as const },
  outcome: { sides: [], verdicts },
});

test('a goal is reached from its bound on, in its own direction', (t) => {
  const more = { goal: 'speed', unit: '×', value: 2, must: 2, aim: 3, more: true } as const;
  const less = { goal: 'wait', unit: 'ms', value: 2, must: 1.5, aim: 2, more: false } as const;
  const [, , speed, wait] = goals([result(more, less)]).split('\n');
  t.true(speed!.endsWith('| 2.00 × | 2.00 × | reached | 3.00 × | **not reached** |'), speed);
  t.true(wait!.endsWith('| 2.00 ms | 1.50 ms | **not reached** | 2.00 ms | reached |'), wait);
});

test('the page of results says when, what and on what, and nothing else about the machine', (t) => {
  const text = page([result()], PLANS.full);
  t.regex(text, /\d{4}-\d\d-\d\d, commit \w+\+?, \d+ × .+, \d+ GiB, Node v24/);
  t.true(text.includes('**G0, nothing.** two lines'));
  t.false(text.includes(ROOT));
});

test('what grows is drawn for light and dark, and written as a table', (t) => {
  const points = [10, 100_000].map((x) => ({ x, y: x / 50 }));
  const svg = chart({
    ...{ title: 'Calls & "lists"', across: 'tools', up: 'µs' },
    lines: [{ name: 'tools/call', points }],
  });
  t.true(svg.startsWith('<svg xmlns="http://www.w3.org/2000/svg"'));
  t.true(svg.includes('prefers-color-scheme:dark'));
  t.true(svg.includes('Calls &amp; &quot;lists&quot;'));
  t.is(svg.match(/<circle/g)?.length, 2);
  t.true(svg.includes('>100,000</text>'));

  const sample = { requests: 10, seconds: 1, cpuSeconds: 0.01, p50Ms: 1, p99Ms: 2 };
  const sides = [{ name: 'call', figures: figuresOf([sample]) }];
  const table = tableOf({
    ...{ title: 'T', about: '', across: 'tools', file: '' },
    points: [{ x: 1000, sides, beside: { MB: '3' } }],
  });
  t.is(table.split('\n').at(-1), '| 1,000 | 10 | 1000 | 0 % | 2.0 | 3 |');
});
