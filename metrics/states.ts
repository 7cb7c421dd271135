import { Gauge, type Registry } from 'prom-client';
import type { LoopState } from '../http/event-loop.ts';
import { firstUseOf, type SigningKey } from '../keys/stages.ts';

/** What is looked at when it is asked for. */
export interface Sources {
  readonly version: string;
  /** Resolves if store and keys can be used. */
  readonly ready: () => Promise<void>;
  readonly eventLoop: () => LoopState;
  readonly storeIsAway: () => boolean;
  readonly storeIsSettled: () => boolean;
  readonly signingKeys: () => readonly Omit<SigningKey, 'jwk'>[];
  /** Streams of old clients that are open. */
  readonly streams: () => number;
  /** Idle MCP servers, by protocol era. */
  readonly idleServers: Readonly<Record<string, () => Readonly<Record<string, number>>>>;
  /** Connections to NeonPanel's API, and requests that wait for one. */
  readonly upstream: () => {
    readonly open: number;
    readonly busy: number;
    readonly waiting: number;
  };
  /** Epoch milliseconds. */
  readonly now: () => number;
}

export function showStates(registers: Registry[], sources: Sources): void {
  gauge('build_info', 'Which version runs; always 1.', ['version', 'node'], (set) =>
    set(1, { version: sources.version, node: process.versions.node }),
  );
  gauge('ready', '1 if store and keys can be used and the event loop is not stuck.', [], (set) =>
    sources.ready().then(
      () => set(sources.eventLoop() === 'stuck' ? 0 : 1),
      () => set(0),
    ),
  );
  gauge('event_loop_state', '1 for the state that the event loop is in.', ['state'], (set) => {
    const is = sources.eventLoop();
    for (const state of ['ok', 'slow', 'stuck']) set(state === is ? 1 : 0, { state });
  });
  gauge('store_away', '1 from a failure of the store until it takes a record again.', [], (set) =>
    set(sources.storeIsAway() ? 1 : 0),
  );
  gauge('store_settled', '0 for two seconds after an outage of the store.', [], (set) =>
    set(sources.storeIsSettled() ? 1 : 0),
  );
  gauge('signing_keys', 'Published signing keys, by stage; always 1.', ['stage', 'kid'], (set) => {
    for (const { state, kid } of sources.signingKeys()) set(1, { stage: state, kid });
  });
  gauge(
    'signing_key_age_seconds',
    'For how long the key has been in its stage.',
    ['stage', 'kid'],
    (set) => {
      for (const key of sources.signingKeys()) {
        const seconds = (sources.now() - sinceOf(key as SigningKey)) / 1_000;
        set(Math.max(0, seconds), { stage: key.state, kid: key.kid });
      }
    },
  );
  gauge('streams_open', 'Open streams of old clients (/sse).', [], (set) => set(sources.streams()));
  gauge('idle_servers', 'MCP servers that wait to be used again.', ['era', 'way'], (set) => {
    for (const [way, idle] of Object.entries(sources.idleServers)) {
      for (const [era, count] of Object.entries(idle())) set(count, { era, way });
    }
  });
  gauge('upstream_connections', 'Connections to NeonPanel’s API.', ['state'], (set) => {
    const { open, busy } = sources.upstream();
    set(busy, { state: 'busy' });
    set(Math.max(0, open - busy), { state: 'idle' });
  });
  gauge('upstream_waiting', 'Requests to NeonPanel’s API that wait for a connection.', [], (set) =>
    set(sources.upstream().waiting),
  );

  function gauge(
    name: string,
    help: string,
    labelNames: string[],
    show: (set: (value: number, labels?: Record<string, string>) => void) => void | Promise<void>,
  ): void {
    new Gauge({
      name: `neonpanel_mcp_${name}`,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        return show((value, labels = {}) => this.set(labels, value));
      },
    });
  }
}

const sinceOf = (key: SigningKey): number => key.retiredAt ?? firstUseOf(key) ?? key.createdAt;
