import { randomBytes } from 'node:crypto';
import { discovers } from './discovery.ts';
import { authorize, type Become } from './identity.ts';
import * as needs from './needs.ts';
import { initialize } from './rpc.ts';
import { callsTool, session } from './session.ts';
import { ACCESS_TOKEN_EXPIRED_MS, type Stage } from './stage.ts';

/**
 * Cursor: takes its answer through its own scheme, forgets where the challenge led and looks for the documents itself, and
 * has no stream without one that is refused.
 */
const INFO = { name: 'cursor-vscode', version: '1.0.0' };
const OAUTH = { 'user-agent': 'node', accept: '*/*', 'mcp-protocol-version': '2025-11-25' };
const MCP = { 'user-agent': 'node', accept: 'application/json, text/event-stream' };

/** @param redirectUri the desktop's, or that of its agents on the web */
export async function cursor(stage: Stage, become: Become, redirectUri: string): Promise<void> {
  const { send, address, url } = stage;
  const refused = await send('POST', address, { headers: MCP, json: initialize(INFO) });
  const { scope } = needs.needsChallenge(stage, refused);
  const suffix = new URL(address).pathname.replace(/\/$/, '');
  const { resource, server } = await discovers(
    stage,
    `${url}/.well-known/oauth-protected-resource${suffix}`,
    { resource: OAUTH, server: OAUTH },
    'prefix',
  );
  const known = await become(stage, server, OAUTH);
  const form = await authorize(stage, server, known, {
    redirect_uri: redirectUri,
    state: JSON.stringify({ id: 'neonpanel', nonce: randomBytes(12).toString('base64') }),
    scope,
    resource,
  });
  const tokens = needs.needsTokens(
    stage,
    await known.post(server.token_endpoint, { ...form, resource }, OAUTH),
  );
  const options = { headers: MCP, clientInfo: INFO, capabilities: { roots: {} } };
  await session(stage, tokens.access_token, options);

  stage.later(ACCESS_TOKEN_EXPIRED_MS);
  const expired = { ...MCP, authorization: `Bearer ${tokens.access_token}` };
  const call = { headers: expired, json: initialize(INFO) };
  needs.needsChallenge(stage, await send('POST', address, call));
  const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token, resource };
  const refreshed = needs.needsTokens(
    stage,
    await known.post(server.token_endpoint, refresh, OAUTH),
  );
  await callsTool(stage, {
    ...MCP,
    'mcp-protocol-version': '2025-11-25',
    authorization: `Bearer ${refreshed.access_token}`,
  });
}
