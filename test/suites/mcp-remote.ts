import { join } from 'node:path';
import { freePort } from '../support/ports.ts';
import { runProgram } from './program.ts';
import type { Suite } from './suite.ts';

/** The bridge for clients without OAuth of their own: its client signs in and lists the tools. */
export const mcpRemote: Suite = {
  name: 'mcp-remote: sign-in and tools/list',
  async run({ harness, signIn, dir }) {
    const printed = await runProgram(
      'mcp-remote-client',
      [`${harness.url}/mcp`, String(await freePort())],
      { cwd: dir, env: { MCP_REMOTE_CONFIG_DIR: join(dir, 'mcp-remote') }, onUrl: signIn },
    );
    if (!printed.includes('listInventoryItems')) throw new Error(printed);
  },
};
