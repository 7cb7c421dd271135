import { setTimeout as delay } from 'node:timers/promises';
import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import type { Key, Store } from '../../adapters/store.ts';
import { basics } from './conformance-basics.ts';
import { contention } from './conformance-contention.ts';
import { lifetimes } from './conformance-lifetimes.ts';
import { model } from './conformance-model.ts';

/**
 * What every store must do, whatever keeps its records. A backend's own test file calls `storeConformance` and adds
 * only what is special about it.
 */

export interface Backend {
  readonly store: Store;
  /** Another connection to the same records. */
  second(): Promise<Store>;
  /** Also closes the connections. */
  cleanup(): Promise<void>;
}

export type OpenBackend = (options: { now?: () => number }) => Promise<Backend>;

/** What a conformance test gets beside ava's `t`. */
export interface Bench {
  readonly store: Store;
  second(): Promise<Store>;
  /** A key nobody else uses; keys of one bench share their tag unless another is given. */
  key(kind?: string, tag?: string): Key;
  /** Lets time go by: moves the injected clock, or really waits. */
  pass(seconds: number): Promise<void>;
  /** Whether `pass` costs nothing. */
  readonly clockInjected: boolean;
}

/** Registers one conformance test. */
export type Check = (
  title: string,
  body: (t: ExecutionContext, bench: Bench) => Promise<void>,
) => void;

/**
 * @param name of the backend, for the titles
 * @param options.clock `real` for a backend that measures lifetimes by a clock of its own
 */
export function storeConformance(
  name: string,
  open: OpenBackend,
  options: { clock?: 'injected' | 'real' } = {},
): void {
  const clockInjected = options.clock !== 'real';

  const checkBy =
    (implementation: typeof test | typeof test.serial): Check =>
    (title, body) =>
      implementation(`[D11] ${name}: ${title}`, async (t) => {
        let time = Date.now();
        const backend = await open(clockInjected ? { now: () => time } : {});
        // The records may live in a place other tests use as well: names are what keeps them apart.
        const id = randomUUID();
        try {
          await body(t, {
            store: backend.store,
            second: backend.second,
            key: (kind = 'record', tag = 'tag') => ({ tag: `${tag}-${id}`, kind: `${kind}-${id}` }),
            pass: async (seconds) => {
              if (clockInjected) time += seconds * 1_000;
              else await delay(seconds * 1_000);
            },
            clockInjected,
          });
        } finally {
          await backend.cleanup();
        }
      });

  // One after the other: all at once they would be a load of their own, and a store gives up a call after a second.
  const check = checkBy(test.serial);
  basics(check);
  contention(check);
  model(check);
  // These mostly wait.
  lifetimes(checkBy(test));
}
