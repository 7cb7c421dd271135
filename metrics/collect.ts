import type { Middleware } from 'koa';
import { collectDefaultMetrics, Counter, Registry } from 'prom-client';
import type { Store } from '../adapters/store.ts';
import { LIMIT_NAMES } from '../adapters/limit-refusals.ts';
import type { Facts, Listener } from '../facts.ts';
import { countAudit } from './audit-counts.ts';
import { showCensus } from './census-gauges.ts';
import type { Census } from './census.ts';
import { countNeonpanel } from './neonpanel.ts';
import { countRequests } from './requests.ts';
import { showStates, type Sources } from './states.ts';
import { countStore } from './store.ts';

export interface Collection {
  readonly contentType: string;
  expose(): Promise<string>;
  readonly listener: Listener;
  readonly requests: Middleware;
  readonly measured: (store: Store) => Store;
  showStates(sources: Sources): void;
  showCensus(latest: () => Census | undefined, masterKeys: readonly string[]): void;
}

/**
 * All that is counted by one instance, in a registry of its own. Every value of every label is a word of ours.
 *
 * @param tools names of all tools
 */
export function createCollection(tools: readonly string[]): Collection {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const { middleware, unread } = countRequests(registers);
  const counts = {
    unread,
    audit: countAudit(registers, tools),
    refresh: countRefreshes(registers),
    limit: countLimits(registers),
    ...neonpanelCounts(registers),
  } satisfies { [F in keyof Facts]: (about: Facts[F]) => void };
  return {
    contentType: registry.contentType,
    expose: shared(() => registry.metrics()),
    listener: (fact, about) => counts[fact](about as never),
    requests: middleware,
    measured: countStore(registers),
    showStates: (sources) => showStates(registers, sources),
    showCensus: (latest, masterKeys) => showCensus(registers, latest, masterKeys),
  };
}

/** Of the time, at most this part is spent on it, however many collect. */
const SHARE = 1 / 10;

/** Who asks while an answer is made, or soon after, gets the same. */
function shared<T>(make: () => Promise<T>): () => Promise<T> {
  let last: Promise<T> | undefined;
  return () => {
    if (last) return last;
    const since = performance.now();
    last = make();
    const again = () => (last = undefined);
    const pause = () =>
      void setTimeout(again, (performance.now() - since) * (1 / SHARE - 1)).unref();
    last.then(pause, again);
    return last;
  };
}

function neonpanelCounts(registers: Registry[]) {
  const { request, breaker } = countNeonpanel(registers);
  return { 'neonpanel.request': request, 'neonpanel.breaker': breaker };
}

function countRefreshes(registers: Registry[]) {
  const total = new Counter({
    name: 'neonpanel_mcp_refresh_tokens_taken_total',
    help: 'Refresh tokens that were taken: the newest ("rotated"), again within the grace ("repeated"), or one that the store had lost ("recovered").',
    labelNames: ['as'],
    registers,
  });
  for (const as of ['rotated', 'repeated', 'recovered']) total.inc({ as }, 0);
  return ({ as }: Facts['refresh']) => total.inc({ as });
}

function countLimits(registers: Registry[]) {
  const total = new Counter({
    name: 'neonpanel_mcp_limit_refusals_total',
    help: 'Requests that were refused because a limit was reached.',
    labelNames: ['limit'],
    registers,
  });
  for (const limit of LIMIT_NAMES) total.inc({ limit }, 0);
  return ({ limit }: Facts['limit']) => total.inc({ limit });
}
