import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';

/**
 * The command behind `npm start`. What was compiled is kept beside the packages (and nowhere that others may write to), which
 * halves the time of the next start; where that can't be written, every start compiles anew.
 *
 * JavaScript, unlike all else here: the file that turns the cache on can't come out of it, and for a single file of
 * TypeScript Node loads the whole of its compiler.
 *
 * While it loads, V8's young generation stays as small as it begins: what is loaded survives, so it would double again and
 * again, and it never shrinks. Under load it grows as far as it must.
 */
const growYoungGenerationBy = (factor) =>
  setFlagsFromString(`--semi-space-growth-factor=${factor}`);

growYoungGenerationBy(1);
enableCompileCache(join(import.meta.dirname, 'node_modules/.cache/compile'));
const { serve } = await import('./serve.ts');
await serve();
growYoungGenerationBy(2);
