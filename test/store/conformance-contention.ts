import { update, type Store } from '../../adapters/store.ts';
import { put, valueOf } from './conformance-basics.ts';
import type { Check } from './conformance.ts';

const WRITERS = 50;
const ROUNDS = 50;

/** Many writers, two connections: the promises that codes and refresh tokens stand on. */
export function contention(check: Check): void {
  check('50 writers with the same version: exactly one wins, 50 times', async (t, bench) => {
    const { key, ...rest } = bench;
    const stores = [rest.store, await rest.second()];
    let version = await put(rest.store, key(), 'start');
    for (let round = 0; round < ROUNDS; round++) {
      const won = await race(stores, (store, writer) =>
        store.commit([
          { key: key(), expect: { version }, put: `${round}.${writer}`, lifetime: 60 },
          { key: key('beside'), expect: 'any', put: `${round}.${writer}`, lifetime: 60 },
        ]),
      );
      t.is(won.length, 1, `round ${round}`);
      version = won[0]!.result;
      const expected = { value: `${round}.${won[0]!.writer}`, version };
      t.deepEqual(await stores[1]!.read(key(), key('beside')), [expected, expected]);
    }
  });

  check('50 writers of a record that is absent: exactly one wins, 50 times', async (t, bench) => {
    const { key, ...rest } = bench;
    const stores = [rest.store, await rest.second()];
    for (let round = 0; round < ROUNDS; round++) {
      const won = await race(stores, (store, writer) =>
        store.commit([
          { key: key(`round${round}`), expect: 'absent', put: `${writer}`, lifetime: 60 },
        ]),
      );
      t.is(won.length, 1, `round ${round}`);
      t.is(await valueOf(rest.store, key(`round${round}`)), `${won[0]!.writer}`);
    }
  });

  check('50 takers of one record: exactly one gets it', async (t, { key, ...rest }) => {
    const stores = [rest.store, await rest.second()];
    const version = await put(rest.store, key(), 'prize');
    const won = await race(stores, (store) =>
      store.commit([{ key: key(), expect: { version }, remove: true }]),
    );
    t.is(won.length, 1);
  });

  check('update() loses nothing under 50 writers', async (t, { key, ...rest }) => {
    const stores = [rest.store, await rest.second()];
    const counted = await race(stores, (store) =>
      update(store, key(), (old) => ({ put: `${Number(old ?? 0) + 1}`, lifetime: 60 })),
    );
    t.is(await valueOf(rest.store, key()), `${WRITERS}`);
    t.is(new Set(counted.map(({ result }) => result)).size, WRITERS);
  });

  check('update() that declines changes nothing', async (t, { store, key }) => {
    t.is(await update(store, key(), () => undefined), undefined);
    const version = await put(store, key(), 'x');
    t.is(await update(store, key(), () => undefined), 'x');
    t.deepEqual(await store.read(key()), [{ value: 'x', version }]);
  });
}

/** Starts all writers at once, spread over the stores. @returns those whose action gave something */
async function race<T>(
  stores: readonly Store[],
  action: (store: Store, writer: number) => Promise<T | undefined>,
): Promise<{ writer: number; result: T }[]> {
  const won: { writer: number; result: T }[] = [];
  await Promise.all(
    Array.from({ length: WRITERS }, async (_, writer) => {
      const result = await action(stores[writer % stores.length]!, writer);
      if (result !== undefined) won.push({ writer, result });
    }),
  );
  return won;
}
