import test from 'ava';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { summarise } from '../bench/measure.ts';

const ROOT = join(import.meta.dirname, '..');

test('the benchmark suite runs and prints every row', async (t) => {
  const main = join(ROOT, 'bench', 'main.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [main, '--quick'], { cwd: ROOT });
  t.regex(stdout, /\| GET \/healthz \| ours \| \d+ \|/);
  t.regex(stdout, /\| koa hello \| \d+ \|/);
});

test('medians and spreads', (t) => {
  t.deepEqual(summarise([3, 1, 2]), { median: 2, spread: 1 });
  t.deepEqual(summarise([4, 1, 2, 3]), { median: 2.5, spread: 1.2 });
  t.deepEqual(summarise([0]), { median: 0, spread: 0 });
});
