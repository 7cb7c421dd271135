import { createRequire } from 'node:module';
import type { Load, Repeat, Shot } from './protocol.ts';

/** The part of autocannon that is used here. */
interface Report {
  readonly duration: number;
  readonly errors: number;
  readonly mismatches: number;
  readonly statusCodeStats: Readonly<Record<string, { readonly count: number }>>;
  readonly latency: { readonly p50: number; readonly p99: number };
}

type Autocannon = (options: object) => Promise<Report>;

const SAMPLE_MS = 50;

/** @throws when any answer is missing, has another status than 200, or does not hold what it should */
export async function repeat(task: Repeat): Promise<Load> {
  const report = await attempt(task);
  // On a machine that is very busy a short round can end before anything was served. That is no finding.
  const isNothing = report.errors === 0 && Object.keys(report.statusCodeStats).length === 0;
  return judge(task, isNothing ? await attempt(task) : report);
}

function attempt(task: Repeat): Promise<Report> {
  const autocannon = loadAutocannon();
  const connections = Math.min(task.connections, task.amount ?? Infinity);
  const shares = shareOut(task.shots, connections);
  let next = 0;
  return autocannon({
    url: task.origin,
    connections,
    ...(task.amount === undefined ? { duration: task.seconds } : { amount: task.amount }),
    sampleInt: SAMPLE_MS,
    setupClient: (client: { setRequests(shots: readonly Shot[]): void }) =>
      // It writes the finished bytes into what it is given.
      client.setRequests(shares[next++ % shares.length]!.map((shot) => ({ ...shot }))),
    verifyBody: (body: string) => body.includes(task.expect),
  });
}

function judge(task: Repeat, report: Report): Load {
  const good = report.statusCodeStats['200']?.count ?? 0;
  const all = Object.values(report.statusCodeStats).reduce((sum, { count }) => sum + count, 0);
  if (good === 0 || good !== all || report.errors > 0 || report.mismatches > 0) {
    const { errors, mismatches, statusCodeStats } = report;
    const seen = JSON.stringify({ errors, mismatches, ...statusCodeStats });
    throw new Error(`${task.shots[0]!.path}: expected 200 with ${task.expect}, got ${seen}`);
  }
  const { duration, latency } = report;
  return { requests: good, seconds: duration, p50Ms: latency.p50, p99Ms: latency.p99 };
}

/** Every connection gets some; with few shots all get the same. */
function shareOut(shots: readonly Shot[], connections: number): Shot[][] {
  if (shots.length < connections) return [[...shots]];
  return Array.from({ length: connections }, (_, i) =>
    shots.filter((_, at) => at % connections === i),
  );
}

function loadAutocannon(): Autocannon {
  try {
    return createRequire(import.meta.url)('autocannon') as Autocannon;
  } catch (cause) {
    throw new Error('autocannon is missing; run: npm ci --prefix bench', { cause });
  }
}
