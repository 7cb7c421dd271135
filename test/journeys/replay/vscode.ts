import { randomBytes } from 'node:crypto';
import { readsServer } from './discovery.ts';
import { authorize, type Become } from './identity.ts';
import * as needs from './needs.ts';
import { initialize, request } from './rpc.ts';
import { session } from './session.ts';
import { ACCESS_TOKEN_EXPIRED_MS, type Stage } from './stage.ts';

/**
 * VS Code: compares the resource with the address it was given, sends no version with its messages, opens a stream after
 * the first answer, and after a 401 or 403 in spite of a token becomes a new client.
 */
const INFO = { name: 'Visual Studio Code', version: '1.120.0' };
const CAPABILITIES = { roots: { listChanged: true }, sampling: {}, elicitation: {} };
const AGENT = { 'user-agent': 'Visual Studio Code/1.120.0' };
const WELL_KNOWN = { ...AGENT, accept: 'application/json', 'mcp-protocol-version': '2025-11-25' };
const OAUTH = { ...AGENT, accept: 'application/json' };
const MCP = { ...AGENT, accept: 'text/event-stream, application/json' };

/** @param redirectUri its own port of the moment, or the page that hands over to it */
export async function vscode(stage: Stage, become: Become, redirectUri: string): Promise<void> {
  const { t, send, address } = stage;
  const hello = initialize(INFO, CAPABILITIES);
  const refused = await send('POST', address, { headers: MCP, json: hello });
  const { resourceMetadata, scope } = needs.needsChallenge(stage, refused);
  const metadata = await send('GET', resourceMetadata, { headers: WELL_KNOWN });
  // It takes no other address than its own. Then it looks for the server at the origin, and names no resource.
  const isSame = new URL(metadata.json.resource).href === new URL(address).href;
  const resource = needs.needsResource(stage, metadata, isSame ? 'equal' : 'prefix');
  const target: Record<string, string> = isSame ? { resource } : {};
  const server = await readsServer(stage, WELL_KNOWN);

  const connects = async (write: boolean) => {
    const known = await become(stage, server, OAUTH);
    const asks = {
      redirect_uri: redirectUri,
      state: randomBytes(300).toString('base64'),
      scope,
      ...target,
    };
    const form = await authorize(stage, server, known, asks, { write });
    const redemption = await known.post(server.token_endpoint, { ...form, ...target }, OAUTH);
    return { known, tokens: needs.needsTokens(stage, redemption) };
  };
  const { known, tokens } = await connects(false);
  const options = {
    headers: MCP,
    clientInfo: INFO,
    capabilities: CAPABILITIES,
    versionHeader: false,
  };
  await session(stage, tokens.access_token, options);

  stage.later(ACCESS_TOKEN_EXPIRED_MS);
  const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token, ...target };
  const refreshed = needs.needsTokens(stage, await known.post(server.token_endpoint, form, OAUTH));
  await session(stage, refreshed.access_token, options);

  const stale = { ...MCP, authorization: `Bearer ${tokens.access_token}` };
  needs.needsChallenge(stage, await send('POST', address, { headers: stale, json: hello }));
  const anew = await connects(false);
  await session(stage, anew.tokens.access_token, options);

  // A tool that writes, allowed to read only: it does the same at the 403, and the person is asked again.
  const create = {
    name: 'createDocuments',
    arguments: {
      companyUuid: 'HPH',
      type: 'bill',
      data: { ref_number: `VS-${randomBytes(6).toString('hex')}`, date: '2026-02-01' },
    },
  };
  const calls = (accessToken: string) =>
    send('POST', address, {
      headers: { ...MCP, authorization: `Bearer ${accessToken}` },
      json: request(3, 'tools/call', create),
    });
  const short = await calls(anew.tokens.access_token);
  t.is(short.status, 403);
  t.regex(short.headers.get('www-authenticate')!, /scope="neonpanel\.read neonpanel\.write"/);
  const allowed = await connects(true);
  const created = needs.needsResult(stage, await calls(allowed.tokens.access_token));
  t.not(created.isError, true, JSON.stringify(created));
  // No other connection was lost by it.
  await session(stage, refreshed.access_token, options);
}
