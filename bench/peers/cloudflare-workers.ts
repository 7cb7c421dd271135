import { registerHooks } from 'node:module';

/** Loaded before workers-oauth-provider: the one class it takes from the Workers runtime. */
const STAND_IN = 'data:text/javascript,export class WorkerEntrypoint {}';

registerHooks({
  resolve(specifier, context, next) {
    if (specifier !== 'cloudflare:workers') return next(specifier, context);
    return { url: STAND_IN, shortCircuit: true };
  },
});
