import { Agent, getGlobalDispatcher, setGlobalDispatcher } from 'undici';
import type { StoreName } from '../support/harness.ts';
import { type Connected, connectOne, makeCalls, makeFlows } from './load.ts';
import { type Sample, type Soaked, startSoaked, type StoreSize } from './server.ts';

export interface SoakOptions {
  readonly store: StoreName;
  /** By which the calls are made. */
  readonly connections: number;
  readonly calls: number;
  readonly flows: number;
  /** Looks at the server during each kind of work, after as many calls or flows each. */
  readonly looks: number;
  /** What is done before the first look: caches fill, code is compiled. */
  readonly warmUp: Readonly<Record<Work, number>>;
  readonly onLook?: (work: Work, done: number, sample: Sample) => void;
}

export type Work = 'calls' | 'flows';

export interface SoakResult {
  /** After each part of the work, the first after the warm-up. */
  readonly during: Readonly<Record<Work, readonly { done: number; sample: Sample }[]>>;
  /** With nobody connected, after the warm-up and at the end. */
  readonly rest: { readonly before: Sample; readonly after: Sample };
  readonly stored: {
    readonly before: StoreSize;
    readonly calls: StoreSize;
    readonly flows: StoreSize;
  };
}

/** Has a server work for a long time. @throws Error at the first answer that is not as it should be */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { store, connections, warmUp } = options;
  const server = await startSoaked(store);
  const usual = getGlobalDispatcher();
  const disconnect = async () => {
    await getGlobalDispatcher().close();
    setGlobalDispatcher(new Agent());
  };
  setGlobalDispatcher(new Agent());
  try {
    const connected: Connected[] = [];
    while (connected.length < connections) connected.push(await connectOne(server));
    await makeCalls(connected, warmUp.calls);
    await makeFlows(server, warmUp.flows);
    await disconnect();
    const before = { rest: await server.atRest(), stored: await server.size() };

    const duringCalls = await inParts(server, 'calls', options, (n) => makeCalls(connected, n));
    const afterCalls = await server.size();
    const duringFlows = await inParts(server, 'flows', options, (n) => makeFlows(server, n));
    const afterFlows = await server.size();
    await disconnect();
    return {
      during: { calls: duringCalls, flows: duringFlows },
      rest: { before: before.rest, after: await server.atRest() },
      stored: { before: before.stored, calls: afterCalls, flows: afterFlows },
    };
  } finally {
    await getGlobalDispatcher().close();
    setGlobalDispatcher(usual);
    await server.close();
  }
}

async function inParts(
  server: Soaked,
  work: Work,
  options: SoakOptions,
  make: (count: number) => Promise<void>,
) {
  const { looks, onLook } = options;
  const part = Math.ceil(options[work] / looks);
  const seen: { done: number; sample: Sample }[] = [];
  for (let i = 0; i <= looks; i++) {
    if (i > 0) await make(part);
    const sample = await server.look();
    seen.push({ done: i * part, sample });
    onLook?.(work, i * part, sample);
  }
  return seen;
}

/** Growth of something over the work, by least squares, for each 100,000. */
export function slopePer100k(
  seen: SoakResult['during'][Work],
  of: (sample: Sample) => number,
): number {
  const mean = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b) / numbers.length;
  const x = seen.map(({ done }) => done);
  const y = seen.map(({ sample }) => of(sample));
  const [mx, my] = [mean(x), mean(y)];
  const covariance = mean(x.map((each, i) => (each - mx) * (y[i]! - my)));
  return (covariance / mean(x.map((each) => (each - mx) ** 2))) * 100_000;
}
