import { registerHooks } from 'node:module';

/**
 * Loaded before our server: where it imports its list of tools, it gets the one of tools.ts, which has more. Everything
 * else is the server as it is.
 */
const TOOLS = new URL('../../mcp/tools/index.ts', import.meta.url).href;
const MORE_TOOLS = new URL('tools.ts', import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const isOurs = resolved.url === TOOLS && context.parentURL !== MORE_TOOLS;
    return isOurs ? next(MORE_TOOLS, context) : resolved;
  },
});
