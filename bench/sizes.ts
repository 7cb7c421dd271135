import type { Result } from './report.ts';

/** What one core does: the side of a row, and what one request of it is called. */
const SIZES = [
  { row: 'G5', side: 'ours, 2026-07-28', work: 'tool calls that ask NeonPanel' },
  { row: 'G1', side: 'ours, 2026-07-28', work: 'tool calls that ask nobody' },
  { row: 'G4', side: 'ours, 2026-07-28', work: '`tools/list`' },
  { row: 'G7', side: 'ours', work: 'refreshes' },
  { row: 'G9', side: 'ours', work: 'whole connections' },
] as const;

/** How much of each kind of work a core of the server does in a second, and what Redis does for it. */
export function sizes(results: readonly Result[]): string {
  const lines = SIZES.flatMap(({ row, side, work }) => {
    const at = (store: string) =>
      results
        .find((result) => result.row.id === row && result.store === store)
        ?.outcome.sides.find(({ name }) => name === side)?.figures;
    const [redis, sqlite] = [at('redis'), at('sqlite')];
    const { cpu, storeCpu } = redis ?? {};
    const cells = [work, perCore(cpu?.median), micros(cpu?.median), micros(storeCpu?.median)];
    return [`| ${[...cells, perCore(sqlite?.cpu?.median)].join(' | ')} |`];
  });
  return [
    '<!-- prettier-ignore -->',
    '| work | a second and core | CPU of the server | of Redis | on SQLite, a second and core |',
    '| --- | --: | --: | --: | --: |',
    ...lines,
  ].join('\n');
}

const perCore = (cpuMicros: number | undefined): string =>
  cpuMicros ? rounded(1e6 / cpuMicros).toLocaleString('en') : '–';
const micros = (value: number | undefined): string =>
  value === undefined ? '–' : `${rounded(value)} µs`;

/** To two digits: more would not be true tomorrow. */
const rounded = (value: number): number => Number(value.toPrecision(2));
