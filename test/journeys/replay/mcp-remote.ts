import { randomUUID } from 'node:crypto';
import { discovers } from './discovery.ts';
import { authorize, type Become } from './identity.ts';
import * as needs from './needs.ts';
import { callsTool, session } from './session.ts';
import { ACCESS_TOKEN_EXPIRED_MS, type Stage } from './stage.ts';

/**
 * mcp-remote 0.15.1: asks with GET whether a sign-in is needed, keeps the client that it registered, and tries it at the
 * authorization endpoint before it opens a browser.
 */
const INFO = { name: 'mcp-remote', version: '0.15.1' };
const WELL_KNOWN = { 'user-agent': 'node', accept: 'application/json' };
const OAUTH = { 'user-agent': 'node', accept: 'application/json' };
const MCP = { 'user-agent': 'node', accept: 'application/json, text/event-stream' };

export async function mcpRemote(stage: Stage, become: Become): Promise<void> {
  const { t, send, address } = stage;
  const probe = await send('GET', address, { headers: MCP });
  const { resourceMetadata, scope } = needs.needsChallenge(stage, probe);
  const { resource, server } = await discovers(
    stage,
    resourceMetadata,
    { resource: { ...WELL_KNOWN, 'accept-encoding': 'identity' }, server: WELL_KNOWN },
    'prefix',
  );
  const known = await become(stage, server, OAUTH);
  const signsIn = async (port: number) => {
    const asks = {
      redirect_uri: `http://localhost:${port}/oauth/callback`,
      state: randomUUID(),
      scope,
      resource,
    };
    const form = await authorize(stage, server, known, asks);
    return needs.needsTokens(
      stage,
      await known.post(server.token_endpoint, { ...form, resource }, OAUTH),
    );
  };
  const tokens = await signsIn(3334);
  const options = { headers: MCP, clientInfo: INFO };
  await session(stage, tokens.access_token, options);

  // Started again the next day: what it kept still does.
  stage.later(24 * ACCESS_TOKEN_EXPIRED_MS);
  const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token, resource };
  const refreshed = needs.needsTokens(stage, await known.post(server.token_endpoint, form, OAUTH));
  await session(stage, refreshed.access_token, options);

  // Without its tokens it keeps the client, and asks itself what a browser would be told about it.
  const preflight = async (clientId: string) => {
    const to = new URL(server.authorization_endpoint);
    to.search = new URLSearchParams({
      response_type: 'code',
      client_id: clientId,
      redirect_uri: 'http://localhost:22777/oauth/callback',
      state: randomUUID(),
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
      scope,
      resource,
    }).toString();
    return send('GET', to.href, { headers: { accept: 'application/json' }, asBrowser: true });
  };
  t.is((await preflight(known.clientId)).status, 303);
  const unknown = await preflight('a-client-of-another-server');
  t.true([400, 401].includes(unknown.status));
  t.is(unknown.json.error, 'invalid_client');
  t.is(unknown.headers.get('location'), null);
  const again = await signsIn(22777);
  await callsTool(stage, {
    ...MCP,
    'mcp-protocol-version': '2025-11-25',
    authorization: `Bearer ${again.access_token}`,
  });
}
