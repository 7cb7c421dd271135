/** A line of a chart: its points, and what it is called. */
export interface Line {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface Chart {
  readonly title: string;
  /** What is along the bottom, which is logarithmic. */
  readonly across: string;
  /** What is along the side, from 0. */
  readonly up: string;
  readonly lines: readonly Line[];
}

const WIDTH = 640;
const HEIGHT = 300;
/** Room around the field: for the title, the numbers, the names of the lines. */
const ROOM = { top: 46, right: 150, bottom: 48, left: 58 };
/** Readable on white and on black. */
const COLOURS = [
  ['#1a66c2', '#6cb0ff'],
  ['#b3420a', '#ff9d5c'],
  ['#15743f', '#5fd08d'],
] as const;

/** A chart as an SVG picture that follows the reader's light or dark scheme. */
export function chart({ title, across, up, lines }: Chart): string {
  const points = lines.flatMap((line) => line.points);
  const steps = [...new Set(points.map(({ x }) => x))].toSorted((a, b) => a - b);
  const [low, high] = [Math.log10(steps[0]!), Math.log10(steps.at(-1)!)];
  const ticks = niceTicks(Math.max(...points.map(({ y }) => y)));
  const right = WIDTH - ROOM.right;
  const bottom = HEIGHT - ROOM.bottom;
  const atX = (x: number) =>
    ROOM.left + ((right - ROOM.left) * (Math.log10(x) - low)) / (high - low || 1);
  const atY = (y: number) => bottom - ((bottom - ROOM.top) * y) / ticks.at(-1)!;

  const grid = ticks.map((tick) => {
    const y = atY(tick).toFixed(1);
    const label = text(ROOM.left - 8, atY(tick) + 4, number(tick), 'end');
    return `<line class="grid" x1="${ROOM.left}" y1="${y}" x2="${right}" y2="${y}"/>${label}`;
  });
  const below = steps.map((x) => text(atX(x), bottom + 18, number(x), 'middle'));
  const names = apart(lines.map(({ points }) => atY(points.at(-1)!.y)));
  const drawn = lines.map(({ name, points }, i) => {
    const path = points.map(({ x, y }) => `${atX(x).toFixed(1)},${atY(y).toFixed(1)}`);
    const dots = path.map((at) => {
      const [cx, cy] = at.split(',');
      return `<circle class="dot${i}" cx="${cx}" cy="${cy}" r="3"/>`;
    });
    const label = text(right + 8, names[i]! + 4, name, 'start', `name${i}`);
    return `<polyline class="line${i}" points="${path.join(' ')}"/>${dots.join('')}${label}`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escape(title)}">`,
    `<style>${style(lines.length)}</style>`,
    text(ROOM.left, 18, title, 'start', 'title'),
    text(ROOM.left, 36, up, 'start'),
    ...grid,
    ...below,
    text((ROOM.left + right) / 2, HEIGHT - 10, across, 'middle'),
    ...drawn,
    '</svg>',
    '',
  ].join('\n');
}

function style(lines: number): string {
  const inks = (scheme: 0 | 1) =>
    COLOURS.slice(0, lines)
      .map(
        (colours, i) =>
          `.line${i}{stroke:${colours[scheme]}}.dot${i},.name${i}{fill:${colours[scheme]}}`,
      )
      .join('');
  return [
    'text{font:12px system-ui,sans-serif;fill:#424a53}.title{font-weight:600;font-size:14px;fill:#1f2328}',
    '.grid{stroke:#d1d9e0}polyline{fill:none;stroke-width:2}',
    inks(0),
    '@media (prefers-color-scheme:dark){text{fill:#9198a1}.title{fill:#f0f6fc}.grid{stroke:#3d444d}',
    `${inks(1)}}`,
  ].join('');
}

/** Four steps or so from 0 to at least the highest value, in round numbers. */
function niceTicks(highest: number): number[] {
  const rough = Math.max(highest, 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((f) => f * power).find((s) => s >= rough)!;
  const count = Math.ceil(Math.max(highest, 1) / step);
  return Array.from({ length: count + 1 }, (_, i) => i * step);
}

/** Moves names that would cover each other apart, downwards. */
function apart(heights: readonly number[]): number[] {
  const moved = [...heights];
  const order = moved.map((_, i) => i).toSorted((a, b) => moved[a]! - moved[b]!);
  for (const [i, which] of order.entries()) {
    if (i > 0) moved[which] = Math.max(moved[which]!, moved[order[i - 1]!]! + 15);
  }
  return moved;
}

const text = (x: number, y: number, words: string, anchor: string, kind = 'label'): string =>
  `<text class="${kind}" x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${escape(words)}</text>`;

const number = (value: number): string => value.toLocaleString('en');

const escape = (words: string): string =>
  words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
