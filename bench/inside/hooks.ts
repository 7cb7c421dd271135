import { registerHooks } from 'node:module';

/**
 * Loaded before our server and before the sandbox: where one imports its list of tools, and the other its list of users, it
 * gets the one of this directory, which has more. Everything else is as it is.
 */
const here = (path: string) => new URL(path, import.meta.url).href;
const INSTEAD: Readonly<Record<string, string>> = {
  [here('../../mcp/tools/index.ts')]: here('tools.ts'),
  [here('../../sandbox/data/users.ts')]: here('users.ts'),
};

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const instead = INSTEAD[resolved.url];
    return instead === undefined || context.parentURL === instead
      ? resolved
      : next(instead, context);
  },
});
