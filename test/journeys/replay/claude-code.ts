import { randomBytes } from 'node:crypto';
import { discovers } from './discovery.ts';
import { authorize, type Become } from './identity.ts';
import * as needs from './needs.ts';
import { initialize } from './rpc.ts';
import { callsTool, session } from './session.ts';
import { ACCESS_TOKEN_EXPIRED_MS, type Stage } from './stage.ts';

/**
 * Claude Code: listens on whichever loopback port is free at the time, and of several windows with one token file each
 * refreshes the same refresh token when it has expired.
 */
const INFO = { name: 'claude-code', title: 'Claude Code', version: '2.1.281' };
const AGENT = 'claude-code/2.1.281 (cli)';
const OAUTH = {
  'user-agent': AGENT,
  accept: 'application/json',
  'mcp-protocol-version': '2025-11-25',
};
const MCP = { 'user-agent': AGENT, accept: 'application/json, text/event-stream' };
const WINDOWS = 5;

export async function claudeCode(stage: Stage, become: Become): Promise<void> {
  const { t, send, address } = stage;
  const hello = initialize(INFO, { roots: {}, elicitation: {} });
  const refused = await send('POST', address, { headers: MCP, json: hello });
  const { resourceMetadata, scope } = needs.needsChallenge(stage, refused);
  const { resource, server } = await discovers(stage, resourceMetadata, {
    resource: OAUTH,
    server: OAUTH,
  });
  const known = await become(stage, server, OAUTH);
  const signsIn = async (redirectUri: string) => {
    const asks = {
      redirect_uri: redirectUri,
      state: randomBytes(32).toString('base64url'),
      scope: `${scope} offline_access`,
      prompt: 'consent',
      resource,
    };
    const form = await authorize(stage, server, known, asks);
    return needs.needsTokens(
      stage,
      await known.post(server.token_endpoint, { ...form, resource }, OAUTH),
    );
  };
  const tokens = await signsIn('http://localhost:49731/callback');
  const options = { headers: MCP, clientInfo: INFO, capabilities: { roots: {}, elicitation: {} } };
  await session(stage, tokens.access_token, options);

  stage.later(ACCESS_TOKEN_EXPIRED_MS);
  const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token, resource };
  const refreshed = await Promise.all(
    Array.from({ length: WINDOWS }, async () =>
      needs.needsTokens(stage, await known.post(server.token_endpoint, form, OAUTH)),
    ),
  );
  const successors = new Set(refreshed.map(({ refresh_token }) => refresh_token));
  t.is(successors.size, 1, 'whichever window writes its file last');
  for (const { access_token } of refreshed) {
    const headers = { ...MCP, authorization: `Bearer ${access_token}` };
    await callsTool(stage, { ...headers, 'mcp-protocol-version': '2025-11-25' });
  }
  // A laptop that was closed over night, then the straggler that still has the token of yesterday.
  stage.later(12 * ACCESS_TOKEN_EXPIRED_MS);
  const next = { ...form, refresh_token: [...successors][0]! };
  const woken = needs.needsTokens(stage, await known.post(server.token_endpoint, next, OAUTH));
  await session(stage, woken.access_token, options);
  needs.needsDeadGrant(stage, await known.post(server.token_endpoint, form, OAUTH));
  // It signs in again, as the client it was, on another port.
  const again = await signsIn('http://localhost:61022/callback');
  await session(stage, again.access_token, options);
}
