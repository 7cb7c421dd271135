import { setTimeout as wait } from 'node:timers/promises';

/**
 * Reads Prometheus' text format (0.0.4) strictly: what a collector would not take is an error here, too.
 */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: Sample[];
}

export interface Exposition {
  readonly families: ReadonlyMap<string, Family>;
  readonly samples: readonly Sample[];
  /** The sum of all samples of this name that have these labels; 0 if there is none. */
  sum(name: string, labels?: Record<string, string>): number;
  /** As `sum`, but undefined if there is none. */
  find(name: string, labels?: Record<string, string>): number | undefined;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y;
const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped'];
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
};

/** @throws Error with the line that is wrong */
export function parseExposition(text: string): Exposition {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  const helps = new Map<string, string>();
  let current: Family | undefined;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [, keyword, about = '', rest = ''] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? [];
    if (keyword === 'HELP') {
      if (!NAME.test(about) || helps.has(about)) throw new Error(`wrong: ${line}`);
      helps.set(about, rest);
    } else if (keyword === 'TYPE') {
      if (!TYPES.includes(rest) || families.has(about)) throw new Error(`wrong: ${line}`);
      current = { name: about, type: rest, help: helps.get(about) ?? '', samples: [] };
      families.set(about, current);
    } else if (!line.startsWith('#')) {
      const sample = sampleOf(line);
      const suffixes = SUFFIXES[current?.type ?? ''] ?? [''];
      const isOwn = suffixes.some((suffix) => sample.name === `${current?.name}${suffix}`);
      const identity = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`;
      if (!current || !isOwn || seen.has(identity)) throw new Error(`out of place: ${line}`);
      seen.add(identity);
      current.samples.push(sample);
    }
  }
  const samples = [...families.values()].flatMap((family) => family.samples);
  const matching = (name: string, labels: Record<string, string>) =>
    samples.filter(
      (sample) =>
        sample.name === name &&
        Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    );
  const total = (found: readonly Sample[]) => found.reduce((sum, { value }) => sum + value, 0);
  return {
    families,
    samples,
    sum: (name, labels = {}) => total(matching(name, labels)),
    find(name, labels = {}) {
      const found = matching(name, labels);
      return found.length > 0 ? total(found) : undefined;
    },
  };
}

function sampleOf(line: string): Sample {
  const [, name, inside = '', number] = LINE.exec(line) ?? [];
  if (name === undefined) throw new Error(`not a sample: ${line}`);
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  for (let read = 0; read < inside.length; read = LABEL.lastIndex) {
    const [, label, value] = LABEL.exec(inside) ?? [];
    if (label === undefined || label in labels) throw new Error(`wrong labels: ${line}`);
    labels[label] = value!.replaceAll(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));
  }
  return { name, labels, value: valueOf(number!, line) };
}

function valueOf(text: string, line: string): number {
  // As Go reads them: in any case.
  if (/^nan$/i.test(text)) return NaN;
  if (/^[+-]?inf$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  const value = Number(text);
  if (Number.isNaN(value)) throw new Error(`no number: ${line}`);
  return value;
}

/** Collects once, or is shown what somebody collected a moment ago. */
export async function scrape(url: string): Promise<Exposition> {
  const answer = await fetch(url);
  if (answer.status !== 200) throw new Error(`${url}: ${answer.status}`);
  return parseExposition(await answer.text());
}

/** Collects what there is now: an answer that differs from one that was asked for now was made later. */
export async function scrapeAnew(url: string): Promise<Exposition> {
  const cpu = (exposition: Exposition) => exposition.sum('process_cpu_seconds_total');
  const shown = cpu(await scrape(url));
  for (;;) {
    const exposition = await scrape(url);
    if (cpu(exposition) !== shown) return exposition;
    await wait(20);
  }
}
