import test from 'ava';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { openRedisStore } from '../../adapters/redis/redis.ts';
import type { Key, Store } from '../../adapters/store.ts';
import { type ClusterNode, startRedisCluster } from '../support/redis-cluster.ts';
import { storeConformance } from './conformance.ts';
import { unavailable } from './redis-support.ts';

/** The conformance suite on a real cluster, and how records are spread over it. Its faults are in a file of their own. */

const cluster = await startRedisCluster();
test.after.always(() => cluster.stop());

/** One after the other: a crowd of new connections would take a busy machine longer than a call may last. */
let opening: Promise<unknown> = Promise.resolve();
function open(): Promise<Store> {
  const config = { kind: 'redis', mode: 'cluster', urls: cluster.urls } as const;
  const opened = opening.then(() => openRedisStore({ config }));
  opening = opened;
  return opened;
}

storeConformance(
  'redis cluster',
  async () => {
    const opened = [await open()];
    return {
      store: opened[0]!,
      second: async () => {
        opened.push(await open());
        return opened.at(-1)!;
      },
      cleanup: async () => {
        for (const store of opened) await store.close();
      },
    };
  },
  { clock: 'real' },
);

test.serial(
  '[D11] redis cluster: records of one tag are on one node, tags are on all of them',
  async (t) => {
    const store = await open();
    t.teardown(() => store.close());
    const kinds = ['a', 'b', 'c'].map((kind) => `${kind}-${randomUUID()}`);
    const tags = Array.from({ length: 30 }, () => `tag-${randomUUID()}`);
    for (const tag of tags) {
      t.truthy(await store.commit(kinds.map((kind) => insert({ tag, kind }))));
    }

    const found = await Promise.all(cluster.masters.map((node) => tagsOn(node, kinds)));
    const places = tags.map((tag) => found.map((on) => on.get(tag) ?? 0));
    t.true(
      places.every((counts) => counts.toSorted().join() === '0,0,3'),
      JSON.stringify(places),
    );
    t.true(
      found.every((on) => on.size > 0),
      'every node has some',
    );
    const keys = tags.flatMap((tag) => kinds.map((kind) => ({ tag, kind })));
    t.false((await store.read(...keys)).includes(undefined), 'one read asks all nodes');
  },
);

test.serial('[D11] redis cluster: keys() lists those of every node', async (t) => {
  const store = await open();
  t.teardown(() => store.close());
  const kind = `kind-${randomUUID()}`;
  const tags = Array.from({ length: 100 }, (_, i) => `tag-${i}`);
  await Promise.all(tags.map((tag) => store.commit([insert({ tag, kind })])));
  t.deepEqual(await tagsOf(store, kind), tags.toSorted());
});

test.serial('[D11] redis cluster: a slot on its way to another node is followed', async (t) => {
  const store = await open();
  t.teardown(() => store.close());
  const key = { tag: `tag-${randomUUID()}`, kind: 'record' };
  const other = { ...key, kind: 'other' };
  const name = `{${key.tag}}`;
  let version = (await store.commit([insert(key), insert(other)]))!;
  const change = async (put: string): Promise<void> => {
    t.is((await store.read(key, other))[0]?.version, version);
    const touch = { key: other, expect: 'any', touch: 'keep' } as const;
    version = (await store.commit([{ key, expect: { version }, put, lifetime: 60 }, touch]))!;
    t.truthy(version, put);
    const another = { tag: key.tag, kind: randomUUID() };
    t.truthy(await store.commit([insert(another)]), put);
  };

  const from = await cluster.ownerOf(name);
  const to = cluster.masters.find((node) => node !== from)!;
  const move = await cluster.beginMove(name, to);
  await change('while the old owner answers ASK');
  await move.finish();
  t.is(await cluster.ownerOf(name), to);
  await change('when the old owner answers MOVED');
  await change('when it is known');

  const back = await cluster.beginMove(name, from);
  await back.finish();
  await Promise.all([store.read(key), store.read(key), store.read(key)]);
  await change('back again');
});

test.serial(
  '[D11] redis cluster: commits over records of which some are moved already wait, end as unavailable in time, and are never half done',
  async (t) => {
    const store = await open();
    t.teardown(() => store.close());
    const tag = `tag-${randomUUID()}`;
    const [moved, unmoved] = [
      { tag, kind: 'moved' },
      { tag, kind: 'unmoved' },
    ];
    const version = (await store.commit([insert(moved), insert(unmoved)]))!;
    const change = (put: string): Promise<string | undefined> =>
      store.commit(
        [moved, unmoved].map((key) => ({ key, expect: { version }, put, lifetime: 60 })),
      );
    const values = async (): Promise<(string | undefined)[]> => {
      const found = await Promise.all([store.read(moved), store.read(unmoved)]);
      return found.map(([entry]) => entry?.value);
    };

    const from = await cluster.ownerOf(`{${tag}}`);
    const to = cluster.masters.find((node) => node !== from)!;
    const move = await cluster.beginMove(`{${tag}}`, to, (name) => name.endsWith(':moved'));
    t.deepEqual(await values(), ['value', 'value'], 'one by one they can be read');
    for (const call of [() => change('too early'), () => store.read(moved, unmoved)]) {
      const { error, ms } = await unavailable(t, call);
      t.regex(error.detail!, /TRYAGAIN|no answer in time/);
      // 1 s; the rest is for a busy machine.
      t.true(ms > 500 && ms < 3_000, `${ms} ms`);
    }
    t.deepEqual(await values(), ['value', 'value']);

    const changed = change('changed');
    await sleep(200);
    await move.moveRest();
    t.truthy(await changed, 'it had waited for the rest');
    t.deepEqual(await values(), ['changed', 'changed']);
    await move.finish();
    t.deepEqual(await values(), ['changed', 'changed']);
    t.is(await change('with an old version'), undefined);
  },
);

const insert = (key: Key) => ({ key, expect: 'absent', put: 'value', lifetime: 60 }) as const;

async function tagsOf(store: Store, kind: string): Promise<string[]> {
  const keys = await Array.fromAsync(store.keys(kind));
  return keys.map(({ tag }) => tag).toSorted();
}

/** How many records of these kinds each tag has on one node. */
async function tagsOn(node: ClusterNode, kinds: readonly string[]): Promise<Map<string, number>> {
  const names = (await node.command('KEYS', '*')).split('\r\n');
  const ours = names.filter((name) => kinds.some((kind) => name.endsWith(`:${kind}`)));
  const groups = Map.groupBy(ours, (name) => /\{(.*)\}/.exec(name)![1]!);
  return new Map([...groups].map(([tag, found]) => [tag, found.length]));
}
