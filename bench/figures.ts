/** What one side of a row did in one round. */
export interface Sample {
  readonly requests: number;
  readonly seconds: number;
  /** Of the server's process; undefined where there is no /proc. */
  readonly cpuSeconds: number | undefined;
  /** Of the store's process beside it, if it has one. */
  readonly storeCpuSeconds?: number | undefined;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Of one side, over all rounds. */
export interface Figures {
  readonly perSecond: Summary;
  /** Microseconds of the server per request, user and system, all threads. */
  readonly cpu: Summary | undefined;
  /** Microseconds of redis-server per request. */
  readonly storeCpu: Summary | undefined;
  readonly p50Ms: Summary;
  readonly p99Ms: Summary;
}

export interface Summary {
  readonly median: number;
  /** (max - min) / median: how much to believe. */
  readonly spread: number;
}

export function figuresOf(samples: readonly Sample[]): Figures {
  return {
    perSecond: summarise(samples.map(({ requests, seconds }) => requests / seconds)),
    cpu: perRequest(samples, ({ cpuSeconds }) => cpuSeconds),
    storeCpu: perRequest(samples, ({ storeCpuSeconds }) => storeCpuSeconds),
    p50Ms: summarise(samples.map(({ p50Ms }) => p50Ms)),
    p99Ms: summarise(samples.map(({ p99Ms }) => p99Ms)),
  };
}

function perRequest(
  samples: readonly Sample[],
  secondsOf: (sample: Sample) => number | undefined,
): Summary | undefined {
  const micros = samples.flatMap((sample) => {
    const seconds = secondsOf(sample);
    return seconds === undefined ? [] : [(seconds * 1e6) / sample.requests];
  });
  return micros.length > 0 ? summarise(micros) : undefined;
}

export function summarise(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
  return { median, spread: median === 0 ? 0 : (sorted.at(-1)! - sorted[0]!) / median };
}
