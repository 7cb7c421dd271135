import type { Figures } from '../figures.ts';

/** What was measured at each size of one thing. */
export interface Series {
  readonly title: string;
  readonly about: string;
  /** What grows. */
  readonly across: string;
  /** Of the picture. */
  readonly file: string;
  readonly points: readonly Point[];
}

export interface Point {
  readonly x: number;
  readonly sides: readonly { readonly name: string; readonly figures: Figures }[];
  /** Further columns. */
  readonly beside?: Readonly<Record<string, string>>;
}

export function tableOf({ across, points }: Series): string {
  const [{ sides, beside = {} } = { sides: [] }] = points;
  const head = [
    across,
    ...sides.flatMap(({ name }) => [`${name}: per second`, 'CPU µs', '±', 'p99 ms']),
    ...Object.keys(beside),
  ];
  const lines = points.map((point) => [
    point.x.toLocaleString('en'),
    ...point.sides.flatMap(({ figures: { perSecond, cpu, p99Ms } }) => [
      perSecond.median.toFixed(0),
      cpu?.median.toFixed(0) ?? '–',
      `${Math.round(100 * (cpu ?? perSecond).spread)} %`,
      p99Ms.median.toFixed(1),
    ]),
    ...Object.values(point.beside ?? {}),
  ]);
  return [head, head.map(() => '--:'), ...lines]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}
