import { createMapStore } from '../support/map-store.ts';
import { storeConformance } from './conformance.ts';

/** The store that some tests use for speed does what the real ones do. */

storeConformance('map, for tests', async (options) => {
  const store = createMapStore(options);
  return { store, second: async () => store, cleanup: () => store.close() };
});
