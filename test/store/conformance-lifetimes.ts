import type { Lifetime } from '../../adapters/store.ts';
import { put, valueOf } from './conformance-basics.ts';
import type { Bench, Check } from './conformance.ts';

/**
 * Lifetimes. Written so that they hold by any clock: what must be alive has plenty of time left, what must be gone
 * has been gone for a while.
 */
export function lifetimes(check: Check): void {
  check('an expired record is absent for every purpose', async (t, bench) => {
    const { store, key, pass } = bench;
    const version = await put(store, key(), 'old', 2);
    t.is(await valueOf(store, key()), 'old');
    await pass(2.5);
    t.is(await valueOf(store, key()), undefined);
    t.is(await store.commit([{ key: key(), expect: { version }, touch: 60 }]), undefined);
    t.is(await store.commit([{ key: key(), expect: { version }, remove: true }]), undefined);
    t.truthy(await store.commit([{ key: key(), expect: 'any', touch: 60 }]));
    t.is(await valueOf(store, key()), undefined, 'touch wakes nobody up');
    t.is(await keep(bench), undefined);
    t.truthy(await store.commit([{ key: key(), expect: 'absent', put: 'new', lifetime: 60 }]));
    t.is(await valueOf(store, key()), 'new');
  });

  check('put sets the lifetime anew, shorter or longer', async (t, { store, key, pass }) => {
    await put(store, key('longer'), 'x', 2);
    await put(store, key('longer'), 'x', 1_000);
    await put(store, key('shorter'), 'x', 1_000);
    await put(store, key('shorter'), 'x', 2);
    await pass(2.5);
    t.is(await valueOf(store, key('longer')), 'x');
    t.is(await valueOf(store, key('shorter')), undefined);
  });

  check('touch changes the lifetime, not value and version', async (t, { store, key, pass }) => {
    const touch = async (kind: string, from: number, to: Lifetime): Promise<void> => {
      const version = await put(store, key(kind), kind, from);
      t.truthy(await store.commit([{ key: key(kind), expect: { version }, touch: to }]));
      t.deepEqual(await store.read(key(kind)), [{ value: kind, version }]);
    };
    await touch('longer', 3, 1_000);
    await touch('forever', 3, 'forever');
    await touch('shorter', 1_000, 3);
    await touch('kept', 1_000, 'keep');
    await touch('kept-short', 3, 'keep');
    await pass(3.5);
    const kinds = ['longer', 'forever', 'shorter', 'kept', 'kept-short'];
    const values = await Promise.all(kinds.map((kind) => valueOf(store, key(kind))));
    t.deepEqual(values, ['longer', 'forever', undefined, 'kept', undefined]);
  });

  check('touch holds its expectation', async (t, { store, key }) => {
    const touch = { key: key(), touch: 60 } as const;
    t.truthy(await store.commit([{ ...touch, expect: 'any' }]), 'a no-op');
    t.truthy(await store.commit([{ ...touch, expect: 'absent' }]), 'a no-op');
    t.is(await store.commit([{ ...touch, expect: { version: 'neverwasthisone_' } }]), undefined);
    t.is(await valueOf(store, key()), undefined);
    const version = await put(store, key(), 'x');
    t.is(await store.commit([{ ...touch, expect: 'absent' }]), undefined);
    t.truthy(await store.commit([{ ...touch, expect: { version } }]));
    t.truthy(await store.commit([{ ...touch, expect: { version } }]), 'the version did not change');
  });

  check('put with keep leaves the lifetime, and needs a record', async (t, bench) => {
    const { store, key, pass } = bench;
    t.is(await keep(bench), undefined);
    t.is(await valueOf(store, key()), undefined);

    await put(store, key('short'), 'x', 3);
    await put(store, key('long'), 'x', 1_000);
    await store.commit([{ key: key('ever'), expect: 'any', put: 'x', lifetime: 'forever' }]);
    for (const kind of ['short', 'long', 'ever']) t.truthy(await keep(bench, kind));
    t.is(await valueOf(store, key('short')), 'kept');
    await pass(3.5);
    t.is(await valueOf(store, key('short')), undefined);
    t.is(await valueOf(store, key('long')), 'kept');
    t.is(await valueOf(store, key('ever')), 'kept');
  });

  check('a lifetime that has run out makes a record that is gone', async (t, { store, key }) => {
    for (const lifetime of [0, -5]) {
      await put(store, key(), 'x');
      t.truthy(await put(store, key(), 'y', lifetime));
      t.is(await valueOf(store, key()), undefined);
      await put(store, key(), 'x');
      t.truthy(await store.commit([{ key: key(), expect: 'any', touch: lifetime }]));
      t.is(await valueOf(store, key()), undefined);
    }
    for (const lifetime of [NaN, Infinity]) await t.throwsAsync(put(store, key(), 'x', lifetime));
  });

  check('a record outlives its first lifetime by 90 days of touches', async (t, bench) => {
    // By a real clock this would only repeat the tests above.
    const { store, key, pass, clockInjected } = bench;
    const version = await put(store, key(), 'x', 86_400);
    for (let day = 0; clockInjected && day < 90; day++) {
      await pass(86_399);
      t.truthy(await store.commit([{ key: key(), expect: { version }, touch: 86_400 }]));
    }
    t.is(await valueOf(store, key()), 'x');
  });
}

function keep({ store, key }: Bench, kind?: string): Promise<string | undefined> {
  return store.commit([{ key: key(kind), expect: 'any', put: 'kept', lifetime: 'keep' }]);
}
