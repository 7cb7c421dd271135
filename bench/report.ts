import type { Figures, Summary } from './figures.ts';
import { commit, machine } from './machine.ts';
import type { Plan } from './plan.ts';
import { type Outcome, reaches, type Row, type Verdict } from './row.ts';
import type { StoreName } from './stage.ts';

export interface Result {
  readonly row: Row;
  readonly store: StoreName;
  readonly outcome: Outcome;
}

/** The table of goals: what was to be reached, and whether it was. */
export function goals(results: readonly Result[]): string {
  const lines = results.flatMap(({ row, store, outcome }) =>
    outcome.verdicts.map((verdict, i) => {
      const first = i === 0 ? [row.id, row.name, store] : ['', '', ''];
      const bounds = [verdict.must, verdict.aim].flatMap((bound) =>
        bound === undefined ? ['', ''] : [shown(verdict, bound), yesNo(reaches(verdict, bound))],
      );
      return cells(...first, verdict.goal, shown(verdict, verdict.value), ...bounds);
    }),
  );
  return [
    cells('', 'row', 'store', 'figure', 'measured', 'must', '', 'aim', ''),
    '| --- | --- | --- | --- | --: | --: | --- | --: | --- |',
    ...lines,
  ].join('\n');
}

/** What a row came to, for who waits for the rest. */
export const progress = ({ outcome: { verdicts } }: Result): string =>
  verdicts.map((verdict) => `   ${verdict.goal}: ${shown(verdict, verdict.value)}`).join('\n');

/** What each side did. */
export function measurements(results: readonly Result[]): string {
  const lines = results.flatMap(({ row, store, outcome }) =>
    outcome.sides.map(({ name, figures }, i) =>
      cells(i === 0 ? row.id : '', i === 0 ? store : '', name, ...columns(figures)),
    ),
  );
  return [
    cells(
      ...['', 'store', 'side', 'per second', '±', 'CPU µs', '±', 'Redis µs'],
      ...['p50 ms', '±', 'p99 ms', '±'],
    ),
    '| --- | --- | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |',
    ...lines,
  ].join('\n');
}

/** The page bench/results.md. */
export function page(results: readonly Result[], plan: Plan): string {
  const rows = [...new Set(results.map(({ row }) => row))];
  return [
    '# Benchmark results',
    '',
    `${new Date().toISOString().slice(0, 10)}, commit ${commit}, ${machine()}.`,
    `${plan.rounds} alternating rounds of ${plan.secondsPerRound} s, medians; ± is (max − min) / median. Each side was warmed up before,`,
    `for ${plan.warmUp.seconds} s, or up to ${plan.warmUp.mostSeconds} until it had served ${plan.warmUp.requests.toLocaleString('en')} requests. ${plan.connections} connections (${plan.flows} clients in refresh and connect), ${plan.users} users who connected`,
    'before. CPU is user and system time of the server process per request, all threads; that of redis-server beside it.',
    'Load generator, upstream, sandbox and Redis run on the same machine: compare ratios, and trust CPU more than the clock.',
    'Written by `npm run bench`.',
    '',
    '## Goals',
    '',
    '<!-- prettier-ignore -->',
    goals(results),
    '',
    '## Measurements',
    '',
    '<!-- prettier-ignore -->',
    measurements(results),
    '',
    '## What is compared, and why that is fair',
    '',
    ...rows.map(({ id, name, why }) => `- **${id}, ${name}.** ${why.replaceAll('\n', ' ')}`),
    '',
  ].join('\n');
}

const cells = (...values: readonly string[]): string => `| ${values.join(' | ')} |`;
const yesNo = (is: boolean): string => (is ? 'reached' : '**not reached**');

function shown({ unit }: Verdict, value: number): string {
  const digits = unit === '×' ? 2 : unit === '%' ? 0 : unit === 'MB' ? 1 : value < 20 ? 2 : 0;
  return unit === '×' ? `${value.toFixed(digits)} ×` : `${value.toFixed(digits)} ${unit}`;
}

function columns({ perSecond, cpu, storeCpu, p50Ms, p99Ms }: Figures): string[] {
  const micros = (summary: Summary | undefined) => summary?.median.toFixed(0) ?? '–';
  return [
    ...[perSecond.median.toFixed(perSecond.median < 100 ? 1 : 0), spread(perSecond)],
    ...[micros(cpu), spread(cpu), micros(storeCpu)],
    ...[p50Ms.median.toFixed(1), spread(p50Ms), p99Ms.median.toFixed(1), spread(p99Ms)],
  ];
}

const spread = (summary: Summary | undefined): string =>
  summary ? `${Math.round(summary.spread * 100)} %` : '–';
