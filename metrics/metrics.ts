import type { Middleware } from 'koa';
import type { Store } from '../adapters/store.ts';
import { withListener } from '../facts.ts';
import type { Log } from '../log.ts';
import { type CensusTimes, takeCensus } from './census.ts';
import { serveMetrics } from './server.ts';
import type { Sources } from './states.ts';

/**
 * Metrics for Prometheus, on ADMIN_PORT. The other parts know nothing of them: they tell facts to their log (facts.ts),
 * the store is wrapped once, requests pass one middleware, and states are looked at when somebody collects.
 *
 *   collect.ts        what is counted, and by what
 *   requests.ts, routes.ts, audit-counts.ts, causes.ts, neonpanel.ts, store.ts   each a group of counters
 *   states.ts         what is looked at
 *   census.ts, census-gauges.ts   records, counted in the background
 *   server.ts         /metrics
 */
export interface Metrics {
  /** A log whose facts are counted. */
  readonly log: Log;
  /** Counts the requests that pass; there is none while metrics are off. */
  readonly requests: Middleware | undefined;
  /** @returns the store, with its calls counted */
  measured(store: Store): Store;
  /**
   * Begins to look, when there is something to look at.
   * @returns ends the counting of records, which needs the store
   */
  watch(sources: Sources & { store: Store; masterKeys: readonly string[] }): {
    close(): Promise<void>;
  };
  close(): Promise<void>;
}

/**
 * @param options.port ADMIN_PORT; 0 = off, as when it can't be had: then nothing is counted, and nothing is loaded
 * @param options.tools names of all tools
 * @param options.census lowered by tests
 */
export async function startMetrics(options: {
  port: number;
  log: Log;
  tools: readonly string[];
  census?: Partial<CensusTimes> | undefined;
}): Promise<Metrics> {
  const { port, log, tools } = options;
  if (port === 0) return off(log);
  const { createCollection } = await import('./collect.ts');
  const collection = createCollection(tools);
  const { contentType, expose } = collection;
  const listening = await serveMetrics({ port, log, contentType, expose });
  if (!listening) return off(log);

  return {
    log: withListener(log, collection.listener),
    requests: collection.requests,
    measured: collection.measured,
    watch({ store, masterKeys, ...sources }) {
      collection.showStates(sources);
      const census = takeCensus({ store, log, now: sources.now, times: options.census });
      collection.showCensus(census.latest, masterKeys);
      return census;
    },
    close: () => listening.close(),
  };
}

const off = (log: Log): Metrics => ({
  log,
  requests: undefined,
  measured: (store) => store,
  watch: () => ({ close: async () => {} }),
  close: async () => {},
});
