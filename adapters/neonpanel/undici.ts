import { createRequire } from 'node:module';
import type * as undici from 'undici';

/**
 * The parts of undici that we use, each from its own file. Its index loads a browser's worth beside them (fetch, WebSocket,
 * caches, mocks), which every start would pay for with 50 ms and 14 MB. The files are those of the exact version that
 * package.json names; another one that has moved them can't start.
 */
const load = createRequire(import.meta.url);
const { prototype } = load('undici/lib/dispatcher/dispatcher.js') as typeof undici.Dispatcher;
// As the index does it.
Object.assign(prototype, { request: load('undici/lib/api/api-request.js') as unknown });

export const Agent = load('undici/lib/dispatcher/agent.js') as typeof undici.Agent;
export const Pool = load('undici/lib/dispatcher/pool.js') as typeof undici.Pool;
