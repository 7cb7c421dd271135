import { runProgram } from './program.ts';
import type { Suite } from './suite.ts';

/** MCP Inspector's command line: signs in by itself, and looks at every schema with the eyes of strict clients. */
const era = (name: 'legacy' | 'modern'): Suite => ({
  name: `Inspector: sign-in, tools/list --strict, tools/call, ${name} era`,
  async run({ harness, signIn, dir }) {
    const inspect = (...args: string[]) =>
      runProgram(
        'mcp-inspector',
        ['--cli', `${harness.url}/mcp`, '--protocol-era', name, ...args],
        {
          cwd: dir,
          // It opens no browser of its own, and keeps its tokens in a file of this directory.
          env: { MCP_AUTO_OPEN_ENABLED: 'true', MCP_INSPECTOR_SECRET_STORE: 'file' },
          onUrl: signIn,
        },
      );
    const listed = await inspect('--method', 'tools/list', '--strict');
    if (!listed.includes('listInventoryItems')) throw new Error(listed);
    const called = await inspect('--method', 'tools/call', '--tool-name', 'listCompanies');
    if (!called.includes('Harbor & Pine Home')) throw new Error(called);
  },
});

export const inspector = [era('legacy'), era('modern')];
