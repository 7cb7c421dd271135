import { request } from 'undici';
import { createFlow } from '../redis/flow.ts';
import { refresh } from '../support/oauth.ts';
import type { Soaked } from './server.ts';

/** What the server has to do: MCP calls of connections that live on, and whole connections from registration to revocation. */

const AT_A_TIME = { calls: 16, flows: 8 };
/** Each connection gets new tokens after so many calls. */
const CALLS_BETWEEN_REFRESHES = 200;

export interface Connected {
  call(): Promise<void>;
}

export async function connectOne({ url, sandbox }: Soaked): Promise<Connected> {
  const { held, run } = createFlow({ base: url, sandbox });
  await run('register', 'redeem the code');
  let { access_token, refresh_token } = held.first!;
  let calls = 0;
  const renew = async () => {
    const { status, body } = await refresh(url, held.client!, refresh_token);
    if (status !== 200) throw new Error(`refresh: ${status} ${JSON.stringify(body)}`);
    ({ access_token, refresh_token } = body);
  };
  return {
    async call() {
      if (++calls % CALLS_BETWEEN_REFRESHES === 0) await renew();
      const { statusCode, body } = await request(`${url}/mcp`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${access_token}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': '2025-11-25',
        },
        body: calls % 10 === 0 ? LIST : CALL,
      });
      const text = await body.text();
      if (statusCode !== 200 || text.includes('"isError":true')) {
        throw new Error(`call: ${statusCode} ${text.slice(0, 300)}`);
      }
    },
  };
}

const message = (method: string, params: object) =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
const CALL = message('tools/call', { name: 'listCompanies', arguments: {} });
const LIST = message('tools/list', {});

/** Connections in turn. */
export function makeCalls(connected: readonly Connected[], count: number): Promise<void> {
  let made = 0;
  return sideBySide(AT_A_TIME.calls, async () => {
    while (made < count) await connected[made++ % connected.length]!.call();
  });
}

export function makeFlows({ url, sandbox }: Soaked, count: number): Promise<void> {
  let made = 0;
  return sideBySide(AT_A_TIME.flows, async () => {
    while (made++ < count) await createFlow({ base: url, sandbox }).run();
  });
}

async function sideBySide(lanes: number, work: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: lanes }, work));
}
