import { join } from 'node:path';
import { connect, register } from '../support/oauth.ts';
import { freePort } from '../support/ports.ts';
import { startBearerProxy } from './bearer-proxy.ts';
import { runProgram } from './program.ts';
import type { Suite } from './suite.ts';

/**
 * The protocol's own conformance suite. Its server scenarios ask for tools, prompts and resources that exist only to be
 * tested; what fails for want of them is listed, with its reason, in expected/. The list must fit exactly: a scenario in it
 * that passes is a failure as well.
 */
const server = (revision: string): Suite => ({
  name: `conformance: server, ${revision}`,
  async run({ harness, dir }) {
    const { tokens } = await connect(harness);
    const proxy = await startBearerProxy(harness.url, tokens.access_token);
    const expected = join(import.meta.dirname, 'expected', `${revision}.yml`);
    try {
      await runProgram(
        'conformance',
        [
          ...['server', '--url', `${proxy.url}/mcp`, '--requirements', revision],
          ...['--timeout', '8000', '--expected-failures', expected],
        ],
        { cwd: dir },
      );
    } finally {
      await proxy.close();
    }
  },
});

const authorization: Suite = {
  name: 'conformance: authorization',
  async run({ harness, signIn, dir }) {
    const port = String(await freePort());
    const { body: client } = await register(harness.url, {
      redirect_uris: [`http://127.0.0.1:${port}/callback`],
    });
    const printed = await runProgram(
      'conformance',
      [
        ...['authorization', '--url', harness.url, '--client-id', client.client_id],
        ...['--resource', `${harness.url}/mcp`, '--port', port, '--spec-version', '2026-07-28'],
      ],
      { cwd: dir, onUrl: signIn },
    );
    if (!/Total: [1-9]\d* passed, 0 failed/.test(printed)) throw new Error(printed);
  },
};

export const conformance = [server('2025-11-25'), server('2026-07-28'), authorization];
