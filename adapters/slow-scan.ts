import { setTimeout as pause } from 'node:timers/promises';
import { batches } from './batches.ts';
import type { Entry, Key, Store } from './store.ts';

/** It goes slowly, a few records at a time, so that nobody who waits for the store notices. */
const BATCH = 50;
const PAUSE_MS = 20;

/** Every live record of one kind, in no order; never on a request's path. @throws StoreUnavailable */
export async function* recordsOf(
  store: Store,
  kind: string,
): AsyncGenerator<{ key: Key; entry: Entry }> {
  for await (const batch of batches(store.keys(kind), BATCH)) {
    const entries = await store.read(...batch);
    for (const [i, key] of batch.entries()) {
      const entry = entries[i];
      if (entry) yield { key, entry };
    }
    if (batch.length === BATCH) await pause(PAUSE_MS);
  }
}
