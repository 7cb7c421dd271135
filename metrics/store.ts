import { Counter, Histogram, type Registry } from 'prom-client';
import type { Store } from '../adapters/store.ts';
import { StoreUnavailable } from '../errors.ts';

/** The embedded store answers in microseconds, Redis in a millisecond or a few. */
const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2];

/** @returns wraps a store so that each of its calls is counted */
export function countStore(registers: Registry[]): (store: Store) => Store {
  const calls = new Counter({
    name: 'neonpanel_mcp_store_calls_total',
    help: 'Calls of the store; "lost_race" are commits that somebody else was ahead of, "unavailable" got no answer in time.',
    labelNames: ['operation', 'outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'neonpanel_mcp_store_call_duration_seconds',
    help: 'Time of calls of the store, with their repetitions.',
    labelNames: ['operation'],
    buckets: SECONDS,
    registers,
  });

  async function counted<T>(
    operation: string,
    call: () => Promise<T>,
    outcomeOf: (result: T) => string = () => 'success',
  ): Promise<T> {
    const started = performance.now();
    let outcome = 'failed';
    try {
      const result = await call();
      outcome = outcomeOf(result);
      return result;
    } catch (error) {
      if (error instanceof StoreUnavailable) outcome = 'unavailable';
      throw error;
    } finally {
      calls.inc({ operation, outcome });
      seconds.observe({ operation }, (performance.now() - started) / 1_000);
    }
  }

  return (store) => ({
    ...store,
    read: (...keys) => counted('read', () => store.read(...keys)),
    commit: (writes) =>
      counted(
        'commit',
        () => store.commit(writes),
        (version) => (version === undefined ? 'lost_race' : 'success'),
      ),
    ping: () => counted('ping', () => store.ping()),
  });
}
