import type { ExecutionContext } from 'ava';
import { StoreUnavailable } from '../../errors.ts';
import type { Expectation, Key, Store, Write } from '../../adapters/store.ts';
import type { Check } from './conformance.ts';

/** Reading, expectations, all or nothing, values and names. */
export function basics(check: Check): void {
  check(
    'reads in the order of the keys, undefined for what is absent',
    async (t, { store, key }) => {
      await put(store, key('a'), 'A');
      await put(store, key('b'), 'B');
      await put(store, key('c', 'other'), 'C');
      const entries = await store.read(
        key('b'),
        key('x'),
        key('c', 'other'),
        key('a'),
        key('b'),
        key('a', 'other'),
      );
      t.deepEqual(
        entries.map((entry) => entry?.value),
        ['B', undefined, 'C', 'A', 'B', undefined],
      );
      t.deepEqual(await store.read(), []);
    },
  );

  check('puts only where the expectation holds', async (t, { store, key }) => {
    const attempt = (expect: Expectation, value: string) =>
      store.commit([{ key: key(), expect, put: value, lifetime: 60 }]);

    t.is(await attempt({ version: 'neverwasthisone_' }, 'no'), undefined);
    const first = await attempt('absent', 'one');
    t.truthy(first);
    t.deepEqual(await store.read(key()), [{ value: 'one', version: first! }]);

    t.is(await attempt('absent', 'no'), undefined);
    t.is(await attempt({ version: 'neverwasthisone_' }, 'no'), undefined);
    const second = await attempt({ version: first! }, 'two');
    t.is(await attempt({ version: first! }, 'no'), undefined);
    t.deepEqual(await store.read(key()), [{ value: 'two', version: second! }]);

    const third = await attempt('any', 'three');
    t.deepEqual(await store.read(key()), [{ value: 'three', version: third! }]);
    t.truthy(await store.commit([{ key: key('fresh'), expect: 'any', put: '', lifetime: 60 }]));
    t.is(await valueOf(store, key('fresh')), '');
    t.is(new Set([first, second, third]).size, 3);
  });

  check('gives all records of one commit the same new version', async (t, { store, key }) => {
    const version = await store.commit([
      { key: key('a'), expect: 'absent', put: 'A', lifetime: 60 },
      { key: key('b'), expect: 'any', put: 'B', lifetime: 'forever' },
    ]);
    const entries = await store.read(key('a'), key('b'));
    t.deepEqual(
      entries.map((entry) => entry?.version),
      [version, version],
    );
  });

  check('removes only where the expectation holds', async (t, { store, key }) => {
    const remove = (expect: Expectation) => store.commit([{ key: key(), expect, remove: true }]);
    t.truthy(await remove('any'));
    t.truthy(await remove('absent'));
    t.is(await remove({ version: 'neverwasthisone_' }), undefined);

    const version = await put(store, key(), 'one');
    t.is(await remove('absent'), undefined);
    t.is(await remove({ version: 'neverwasthisone_' }), undefined);
    t.is(await valueOf(store, key()), 'one');
    t.truthy(await remove({ version }));
    t.is(await valueOf(store, key()), undefined);

    await put(store, key(), 'two');
    t.truthy(await remove('any'));
    t.is(await valueOf(store, key()), undefined);
  });

  for (const failing of [0, 1, 3]) {
    check(`applies nothing when expectation ${failing + 1} of 4 fails`, async (t, bench) => {
      const { store, key, pass } = bench;
      const before = {
        put: await put(store, key('put'), 'old'),
        touch: await put(store, key('touch'), 'old', 1),
        remove: await put(store, key('remove'), 'old'),
      };
      const writes: Write[] = [
        { key: key('put'), expect: { version: before.put }, put: 'new', lifetime: 60 },
        { key: key('touch'), expect: { version: before.touch }, touch: 'forever' },
        { key: key('remove'), expect: { version: before.remove }, remove: true },
        { key: key('create'), expect: 'absent', put: 'new', lifetime: 60 },
      ];
      const broken = { ...writes[failing]!, expect: { version: 'neverwasthisone_' } };
      t.is(await store.commit(writes.with(failing, broken)), undefined);
      const now = await store.read(key('put'), key('remove'), key('create'));
      t.deepEqual(now, [
        { value: 'old', version: before.put },
        { value: 'old', version: before.remove },
        undefined,
      ]);
      await pass(1.2);
      t.is(await valueOf(store, key('touch')), undefined, 'the lifetime was not changed either');
    });
  }

  check('keeps values exactly: hostile, empty, 256 kB', async (t, { store, key, second }) => {
    const values = [
      '',
      ' ',
      'a\0b\0',
      `'; DROP TABLE records; -- " \\ \`$`,
      '{"a":"\\u0000"}',
      '\r\n\t\u001b[31m',
      '\ufeffbom \ufffd \uffff',
      'ß Ω 漢字 עברית \u202e 👩‍👩‍👧‍👦 \u{10ffff}',
      '0012',
      '1e400',
      'x'.repeat(256 * 1024),
      'ä'.repeat(128 * 1024),
    ];
    const other = await second();
    for (const value of values) {
      await put(store, key(), value);
      t.true((await valueOf(other, key())) === value, JSON.stringify(value.slice(0, 30)));
    }
  });

  check('refuses values it could not give back', async (t, { store, key }) => {
    for (const value of ['x'.repeat(256 * 1024 + 1), 'ä'.repeat(128 * 1024 + 1), 'a\ud800b']) {
      await refusedAsMistake(t, put(store, key(), value));
    }
    t.is(await valueOf(store, key()), undefined);
  });

  check('refuses tags and kinds of hostile form', async (t, { store, key }) => {
    const hostile = ['', 'a b', 'a{b}', '*', 'a\0', 'a\n', 'é', '../x', 'a/b', 'x'.repeat(301)];
    for (const part of hostile) {
      for (const bad of [
        { tag: part, kind: 'k' },
        { tag: 't', kind: part },
      ]) {
        await refusedAsMistake(t, store.read(key(), bad));
        await refusedAsMistake(t, put(store, bad, 'value'));
      }
      await refusedAsMistake(t, all(store, part));
    }
    const longest = key('Az09_.:~-', '~'.repeat(250));
    await put(store, longest, 'value');
    t.is(await valueOf(store, longest), 'value');
  });

  check('does not confuse keys whose parts join to the same text', async (t, { store, key }) => {
    const { tag } = key();
    await put(store, { tag: `${tag}:a`, kind: 'b' }, 'one');
    await put(store, { tag, kind: 'a:b' }, 'two');
    t.is(await valueOf(store, { tag: `${tag}:a`, kind: 'b' }), 'one');
    t.is(await valueOf(store, { tag, kind: 'a:b' }), 'two');
  });

  check('refuses a commit over two tags or twice over one record', async (t, { store, key }) => {
    const write = (to: Key): Write => ({ key: to, expect: 'any', put: 'x', lifetime: 60 });
    await refusedAsMistake(t, store.commit([write(key('a')), write(key('b', 'other'))]));
    await refusedAsMistake(t, store.commit([write(key('a')), write(key('a'))]));
    t.deepEqual(await store.read(key('a'), key('b', 'other')), [undefined, undefined]);
    t.truthy(await store.commit([]), 'nothing to do is done');
  });

  check(
    'lists the live keys of a kind, also while they change',
    async (t, { store, key, pass }) => {
      const number = (i: number): Key => key('listed', `tag${i}`);
      const every = Array.from({ length: 1_300 }, (_, i) => i);
      await Promise.all(every.map((i) => put(store, number(i), 'x', 1_000)));
      await put(store, key('listed', 'expired'), 'x', 0.5);
      await put(store, key('unlisted', 'tag1'), 'x');
      await pass(0.7);

      const seen = new Set<string>();
      for await (const found of store.keys(number(0).kind)) {
        t.is(found.kind, number(0).kind);
        seen.add(found.tag);
        // Some go, some come; those that stay must all be seen.
        const i = seen.size;
        if (i <= 100) await remove(store, number(i * 13 - 1));
        if (i <= 100) await put(store, number(2_000 + i), 'x');
      }
      const stayed = every.filter((i) => (i + 1) % 13 !== 0).map((i) => number(i).tag);
      t.deepEqual(
        stayed.filter((tag) => !seen.has(tag)),
        [],
      );
      t.false(seen.has(key('listed', 'expired').tag));
      t.true([...seen].every((tag) => tag.startsWith('tag')));
    },
  );

  check('answers a ping, and nothing once it is closed', async (t, { store, key, second }) => {
    await put(store, key(), 'value');
    const other = await second();
    await store.ping();
    await store.close();
    await store.close();
    const gone = { instanceOf: StoreUnavailable };
    await t.throwsAsync(store.ping(), gone);
    await t.throwsAsync(store.read(key()), gone);
    await t.throwsAsync(put(store, key(), 'no'), gone);
    await t.throwsAsync(all(store, key().kind), gone);
    if (other !== store) t.is(await valueOf(other, key()), 'value');
  });
}

export async function put(
  store: Store,
  key: Key,
  value: string,
  lifetime = 1_000,
): Promise<string> {
  return (await store.commit([{ key, expect: 'any', put: value, lifetime }]))!;
}

export async function valueOf(store: Store, key: Key): Promise<string | undefined> {
  return (await store.read(key))[0]?.value;
}

async function remove(store: Store, key: Key): Promise<void> {
  await store.commit([{ key, expect: 'any', remove: true }]);
}

async function all(store: Store, kind: string): Promise<Key[]> {
  const keys: Key[] = [];
  for await (const key of store.keys(kind)) keys.push(key);
  return keys;
}

/** A mistake of the program is an ordinary error: nobody should be told to try again later. */
async function refusedAsMistake(t: ExecutionContext, action: Promise<unknown>): Promise<void> {
  const error = await t.throwsAsync(action);
  t.false(error instanceof StoreUnavailable, error?.message);
}
