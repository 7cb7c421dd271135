import { enableCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { join } from 'node:path';

/**
 * The command behind `npm start`. What was compiled is kept beside the packages (and nowhere that others may write to), which
 * halves the time of the next start; where that can't be written, every start compiles anew.
 *
 * JavaScript, unlike all else here: the file that turns the cache on can't come out of it, and for a single file of
 * TypeScript Node loads the whole of its compiler.
 */
setFlagsFromString('--semi-space-growth-factor=1');
enableCompileCache(join(import.meta.dirname, 'node_modules/.cache/compile'));
const { serve } = await import('./serve.ts');
await serve();
setFlagsFromString('--semi-space-growth-factor=2');
