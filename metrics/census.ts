import { setTimeout as pause } from 'node:timers/promises';
import type { ClientRecord } from '../adapters/clients.ts';
import { type Grant, isService } from '../adapters/grants.ts';
import { recordsOf, SLOWLY } from '../adapters/records.ts';
import { countSealed } from '../adapters/sealed-records.ts';
import type { Store } from '../adapters/store.ts';
import { StoreUnavailable } from '../errors.ts';
import type { Log } from '../log.ts';

/** How many records there are of what. */
export interface Census {
  readonly grants: ReadonlyMap<'user' | 'service', number>;
  readonly clients: ReadonlyMap<'registered' | 'pre-registered' | 'service', number>;
  /** Connections by the master key that their refresh token was made with. */
  readonly refreshTokens: ReadonlyMap<string, number>;
  /** By public name of the master key, by kind. */
  readonly sealed: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Epoch milliseconds at its end, and how long it took. */
  readonly takenAt: number;
  readonly ms: number;
}

export interface CensusTimes {
  /** From the start to the first one: a start has other things to do. */
  readonly firstAfterMs: number;
  /** From the end of one to the beginning of the next. */
  readonly everyMs: number;
}

const TIMES: CensusTimes = { firstAfterMs: 30_000, everyMs: 15 * 60_000 };

/** In `clients`, our own client at NeonPanel is beside theirs. */
const NEONPANEL = 'neonpanel';

/**
 * Counts the records again and again, in the background and slowly: every record is read, 50 at a time with pauses, so
 * 200,000 connections take some minutes. A store that is away is asked again at the next time.
 */
export function takeCensus(options: {
  store: Store;
  log: Log;
  now: () => number;
  times?: Partial<CensusTimes> | undefined;
}) {
  const { store, log, now } = options;
  const times = { ...TIMES, ...options.times };
  const stop = new AbortController();
  let latest: Census | undefined;

  async function count(): Promise<void> {
    const wait = (ms: number) => pause(ms, undefined, { ref: false, signal: stop.signal });
    for (await wait(times.firstAfterMs); ; await wait(times.everyMs)) {
      latest = await countOnce(store, stop.signal, now).catch((error: unknown) => {
        if (stop.signal.aborted || !(error instanceof StoreUnavailable)) throw error;
        return latest;
      });
    }
  }

  const counting = count().catch((err: unknown) => {
    if (!stop.signal.aborted) log.error({ event: 'metrics', err });
  });

  return {
    latest: () => latest,
    async close() {
      stop.abort();
      await counting;
    },
  };
}

async function countOnce(
  everything: Store,
  signal: AbortSignal,
  now: () => number,
): Promise<Census> {
  const started = performance.now();
  // The end of the process is not kept waiting.
  const store: Store = {
    ...everything,
    read(...keys) {
      signal.throwIfAborted();
      return everything.read(...keys);
    },
  };
  const grants = new Map([
    ['user', 0],
    ['service', 0],
  ] as ['user' | 'service', number][]);
  const refreshTokens = new Map<string, number>();
  for await (const { entry } of recordsOf(store, 'grant', SLOWLY)) {
    const grant = JSON.parse(entry.value) as Grant;
    increase(grants, isService(grant) ? 'service' : 'user');
    if (grant.generation !== undefined) increase(refreshTokens, grant.masterKey ?? '');
  }
  const clients = new Map<'registered' | 'pre-registered' | 'service', number>();
  for await (const { key, entry } of recordsOf(store, 'client', SLOWLY)) {
    if (key.tag === NEONPANEL) continue;
    increase(clients, (JSON.parse(entry.value) as ClientRecord).kind ?? 'registered');
  }
  const sealed = await countSealed(store);
  return {
    grants,
    clients,
    refreshTokens,
    sealed,
    takenAt: now(),
    ms: performance.now() - started,
  };
}

function increase<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
