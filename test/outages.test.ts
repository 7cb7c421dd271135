import { setTimeout as wait } from 'node:timers/promises';
import test from 'ava';
import { watchOutages } from '../adapters/outages.ts';
import type { Store } from '../adapters/store.ts';
import { StoreUnavailable } from '../errors.ts';

/** After an outage there is a moment in which nobody begins work that somebody else may have done meanwhile. */

const KEY = { tag: 'tag', kind: 'kind' };
const WRITE = [{ key: KEY, expect: 'any', remove: true }] as const;
/** An outage that counts is longer than a second; it is settled two seconds later. */
const LONG_MS = 1_100;
const SETTLED_MS = 2_100;

/** A store that can be switched off: wholly, or for writing only. */
function switchable() {
  let error: Error | undefined;
  let readable = true;
  const store: Store = {
    read: async () => {
      if (error && !readable) throw error;
      return [undefined];
    },
    commit: async () => {
      if (error) throw error;
      return 'version';
    },
    keys: async function* () {},
    ping: async () => {
      if (error) throw error;
    },
    close: async () => {},
  };
  return {
    ...watchOutages(store),
    off(by: Error = new StoreUnavailable('away'), canBeRead = false) {
      error = by;
      readable = canBeRead;
    },
    on() {
      error = undefined;
    },
  };
}

test('[X2] [X23] a store that came back after an outage is settled two seconds later', async (t) => {
  const { store, isSettled, off, on } = switchable();
  t.true(isSettled());
  off();
  await t.throwsAsync(store.read(KEY), { instanceOf: StoreUnavailable });
  await wait(LONG_MS);
  await t.throwsAsync(store.commit(WRITE), { instanceOf: StoreUnavailable });
  on();
  t.is(await store.commit(WRITE), 'version');
  t.false(isSettled());
  await wait(LONG_MS);
  t.is(await store.commit(WRITE), 'version');
  t.false(isSettled(), 'it does not begin anew');
  await wait(SETTLED_MS - LONG_MS);
  t.true(isSettled());
});

test('[X5] [X9] that it can be read does not end an outage, that it can be written does', async (t) => {
  const { store, isSettled, off, on } = switchable();
  off(new StoreUnavailable('READONLY'), true);
  await t.throwsAsync(store.ping());
  await wait(LONG_MS);
  t.deepEqual(await store.read(KEY), [undefined]);
  t.true(isSettled());
  on();
  await store.ping();
  t.false(isSettled());
});

test('[X7] a call that failed now and then is no outage', async (t) => {
  const { store, isSettled, off, on } = switchable();
  for (let i = 0; i < 3; i++) {
    off();
    await t.throwsAsync(store.commit(WRITE));
    on();
    await store.commit(WRITE);
    t.true(isSettled());
    await wait(400);
  }
});

test('a fault of ours is no outage', async (t) => {
  const { store, isSettled, off, on } = switchable();
  off(new TypeError('two tags'));
  await t.throwsAsync(store.commit(WRITE), { instanceOf: TypeError });
  await wait(LONG_MS);
  on();
  await store.commit(WRITE);
  t.true(isSettled());
});
