import { load } from './load.ts';
import type { Contestant, Row } from './row.ts';
import { startServer, type RunningServer } from './server.ts';

export interface Plan {
  readonly rounds: number;
  readonly secondsPerRound: number;
  readonly warmUpSeconds: number;
  readonly connections: number;
}

/** Of one contestant, over all rounds. */
export interface Figures {
  readonly requestsPerSecond: Summary;
  /** Undefined where there is no /proc. */
  readonly cpuMicroseconds: Summary | undefined;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface Summary {
  readonly median: number;
  /** (max - min) / median: how much to believe. */
  readonly spread: number;
}

export interface Measured {
  readonly row: Row;
  readonly ours: Figures;
  readonly peer: Figures;
}

/**
 * Measures in alternating rounds (A B A B …), because a machine's speed drifts: what disturbs one disturbs the other.
 * The load generator shares the machine, so CPU per request is the steadier figure.
 */
export async function measure(row: Row, plan: Plan): Promise<Measured> {
  const running: RunningServer[] = [];
  try {
    const ours = await startServer(row.ours);
    running.push(ours);
    const peer = await startServer(row.peerServer);
    running.push(peer);
    const warmUp = { seconds: plan.warmUpSeconds, connections: plan.connections };
    await load(ours.origin, row.ours.request, warmUp);
    await load(peer.origin, row.peerServer.request, warmUp);

    const rounds: { ours: Round; peer: Round }[] = [];
    for (let i = 0; i < plan.rounds; i++) {
      rounds.push({
        ours: await round(ours, row.ours, plan),
        peer: await round(peer, row.peerServer, plan),
      });
    }
    return {
      row,
      ours: figures(rounds.map((r) => r.ours)),
      peer: figures(rounds.map((r) => r.peer)),
    };
  } finally {
    await Promise.all(running.map((server) => server.stop()));
  }
}

interface Round {
  readonly requestsPerSecond: number;
  readonly cpuMicroseconds: number | undefined;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

async function round(server: RunningServer, contestant: Contestant, plan: Plan): Promise<Round> {
  const before = server.cpuSeconds();
  const result = await load(server.origin, contestant.request, {
    seconds: plan.secondsPerRound,
    connections: plan.connections,
  });
  const after = server.cpuSeconds();
  const cpuSeconds = before === undefined || after === undefined ? undefined : after - before;
  return {
    requestsPerSecond: result.requests / result.seconds,
    cpuMicroseconds: cpuSeconds && (cpuSeconds * 1e6) / result.requests,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
  };
}

function figures(rounds: readonly Round[]): Figures {
  const cpu = rounds.map((r) => r.cpuMicroseconds).filter((value) => value !== undefined);
  return {
    requestsPerSecond: summarise(rounds.map((r) => r.requestsPerSecond)),
    cpuMicroseconds: cpu.length > 0 ? summarise(cpu) : undefined,
    p50Ms: summarise(rounds.map((r) => r.p50Ms)).median,
    p99Ms: summarise(rounds.map((r) => r.p99Ms)).median,
  };
}

export function summarise(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
  return { median, spread: median === 0 ? 0 : (sorted.at(-1)! - sorted[0]!) / median };
}
