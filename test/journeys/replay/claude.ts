import { randomBytes } from 'node:crypto';
import { discovers, readsServer } from './discovery.ts';
import { authorize, type Become, type Known } from './identity.ts';
import * as needs from './needs.ts';
import { initialize } from './rpc.ts';
import { callsTool, session } from './session.ts';
import { ACCESS_TOKEN_EXPIRED_MS, type Stage } from './stage.ts';

/**
 * Claude on the web: its OAuth requests come from other machines than its calls, know the version of the protocol, and
 * register twice for one connection when it has to register.
 */
const INFO = { name: 'claude-ai', version: '0.1.0' };
const OAUTH = {
  'user-agent': 'python-httpx/0.28.1',
  accept: '*/*',
  'accept-encoding': 'identity',
  'mcp-protocol-version': '2025-11-25',
};
const MCP = { 'user-agent': 'Claude-User', accept: 'application/json, text/event-stream' };
const CALLBACK = 'https://claude.ai/api/mcp/auth_callback';

/** @param times how often it becomes known for one connection */
export async function claude(
  stage: Stage,
  become: Become,
  { times, scope }: { times: 1 | 2; scope: string },
): Promise<void> {
  const { t, send, address } = stage;
  const hello = initialize(INFO);
  const refused = await send('POST', address, { headers: MCP, json: hello });
  const { resourceMetadata } = needs.needsChallenge(stage, refused);
  needs.needsChallenge(stage, await send('HEAD', address, { headers: MCP }));
  const { resource, server } = await discovers(stage, resourceMetadata, {
    resource: OAUTH,
    server: OAUTH,
  });

  const clients = await Promise.all(
    Array.from({ length: times }, () => become(stage, server, OAUTH)),
  );
  t.is(new Set(clients.map(({ clientId }) => clientId)).size, times, 'each is one of its own');
  const tokens = [];
  for (const client of clients) {
    const state = randomBytes(32).toString('base64url');
    const asks = { redirect_uri: CALLBACK, state, scope, resource };
    const form = await authorize(stage, server, client, asks);
    await readsServer(stage, OAUTH);
    tokens.push(
      needs.needsTokens(
        stage,
        await client.post(server.token_endpoint, { ...form, resource }, OAUTH),
      ),
    );
  }
  for (const { access_token } of tokens)
    await session(stage, access_token, { headers: MCP, clientInfo: INFO });

  // An hour later.
  stage.later(ACCESS_TOKEN_EXPIRED_MS);
  const client = clients.at(-1)!;
  const expired = { ...MCP, authorization: `Bearer ${tokens.at(-1)!.access_token}` };
  needs.needsChallenge(stage, await send('POST', address, { headers: expired, json: hello }));
  const refreshed = await refreshes(stage, client, server, tokens.at(-1)!, resource);
  await callsTool(stage, {
    ...MCP,
    'mcp-protocol-version': '2025-11-25',
    authorization: `Bearer ${refreshed.access_token}`,
  });
}

async function refreshes(
  stage: Stage,
  client: Known,
  server: needs.Server,
  { refresh_token }: needs.Tokens,
  resource: string,
): Promise<needs.Tokens> {
  const form = { grant_type: 'refresh_token', refresh_token, resource };
  return needs.needsTokens(stage, await client.post(server.token_endpoint, form, OAUTH));
}
