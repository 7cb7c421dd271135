import test, { type ExecutionContext } from 'ava';
import { type StoreName, STORES } from './harness.ts';

/** `[T4] of 50 …` becomes `[T4] redis: of 50 …`. */
export const titleOn = (store: StoreName, title: string): string =>
  title.replace(/^(\[\w+\] )*/, (ids) => `${ids}${store}: `);

type Body<World> = (t: ExecutionContext, world: World, store: StoreName) => Promise<unknown>;

/**
 * For tests that must hold on every store, whichever keeps the records. They run one after the other: what the tests of a
 * file share, servers and clients, works in the file's one process, and what a test says of time is of its own requests.
 *
 * @param start makes what the tests of a file share, e.g. a harness; called once for each store
 * @returns declares a test once for each store, and gives it what was made for that one. `.redis` and `.sqlite`
 * declare it for one store only
 */
export async function createStoreTest<World extends { close(): Promise<unknown> }>(
  start: (store: StoreName) => Promise<World>,
) {
  const worlds = new Map<StoreName, World>();
  for (const store of STORES) worlds.set(store, await start(store));
  test.after.always(() => Promise.all([...worlds.values()].map((world) => world.close())));

  const declareOn = (stores: readonly StoreName[]) => (title: string, body: Body<World>) => {
    for (const store of stores) {
      test.serial(titleOn(store, title), async (t) => {
        await body(t, worlds.get(store)!, store);
      });
    }
  };
  return Object.assign(declareOn(STORES), {
    sqlite: declareOn(['sqlite']),
    redis: declareOn(['redis']),
  });
}
