import { availableParallelism, cpus } from 'node:os';
import type { Figures, Measured, Plan, Summary } from './measure.ts';

/** A Markdown table, two lines per row: ours, then the peer's. */
export function table(results: readonly Measured[]): string {
  const lines = results.flatMap(({ row, ours, peer }) => [
    line(row.name, 'ours', ours, ratios(ours, peer)),
    line('', row.peer, peer, ['1.00', '1.00']),
  ]);
  return [
    '| row | who | req/s | ± | of peer | CPU µs/req | ± | of peer | p50 ms | p99 ms |',
    '| --- | --- | --: | --: | --: | --: | --: | --: | --: | --: |',
    ...lines,
  ].join('\n');
}

/** The page bench/results.md. */
export function page(results: readonly Measured[], plan: Plan): string {
  const machine = `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}`;
  return [
    '# Benchmark results',
    '',
    `${machine}. ${plan.rounds} alternating rounds of ${plan.secondsPerRound} s with ${plan.connections} connections, medians; ± is`,
    '(max − min) / median. The load generator runs on the same machine: compare ratios, and trust CPU per request more',
    'than requests per second.',
    '',
    '<!-- prettier-ignore -->',
    table(results),
    '',
    ...results.map(({ row }) => `- **${row.name}** against ${row.peer}: ${row.why}`),
    '',
  ].join('\n');
}

function line(name: string, who: string, figures: Figures, [speed, cost]: string[]): string {
  const { requestsPerSecond, cpuMicroseconds, p50Ms, p99Ms } = figures;
  const cells = [
    ...[name, who],
    ...[Math.round(requestsPerSecond.median), spread(requestsPerSecond), speed],
    ...[cpuMicroseconds?.median.toFixed(1) ?? '–', spread(cpuMicroseconds), cost],
    ...[p50Ms, p99Ms],
  ];
  return `| ${cells.join(' | ')} |`;
}

const spread = (summary: Summary | undefined): string =>
  summary ? `${Math.round(summary.spread * 100)} %` : '–';

function ratios(ours: Figures, peer: Figures): string[] {
  const of = (a: Summary | undefined, b: Summary | undefined): string =>
    a && b ? (a.median / b.median).toFixed(2) : '–';
  return [
    of(ours.requestsPerSecond, peer.requestsPerSecond),
    of(ours.cpuMicroseconds, peer.cpuMicroseconds),
  ];
}
