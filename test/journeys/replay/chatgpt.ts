import { discovers } from './discovery.ts';
import { authorize, type Become, type Known } from './identity.ts';
import * as needs from './needs.ts';
import { modern, modernHeaders } from './rpc.ts';
import { session } from './session.ts';
import { ACCESS_TOKEN_EXPIRED_MS, type Stage } from './stage.ts';

/**
 * ChatGPT: asks in the 2026-07-28 era first, reads three documents, asks for every scope that is advertised, sends a long
 * state, refreshes before and after expiry, and revokes when the person disconnects.
 */
const INFO = { name: 'openai-mcp', version: '1.0.0' };
const OAUTH = { 'user-agent': 'openai-mcp/1.0.0', accept: 'application/json' };
const MCP = {
  'user-agent': 'openai-mcp/1.0.0',
  accept: 'application/json, text/event-stream',
  'x-openai-session': 'v1/iGxTAnDvLLk5uNcKxFhIQtsxhKvdGLzWPTpQhWWXKuN',
  'x-openai-subject': 'v1/BcDFt8NTDwMDdxGHYk8eJw9bkZ2vVQdcMXPAq1mSbrK',
};
/** What comes with every call, for whoever wants it. */
const ABOUT_THE_CALL = {
  'openai/userAgent': 'ChatGPT/1.2026.300',
  'openai/locale': 'en-US',
  'openai/userLocation': { city: 'Chicago', country: 'US', timezone: 'America/Chicago' },
  'openai/subject': 'v1/BcDFt8NTDwMDdxGHYk8eJw9bkZ2vVQdcMXPAq1mSbrK',
  'openai/session': 'v1/iGxTAnDvLLk5uNcKxFhIQtsxhKvdGLzWPTpQhWWXKuN',
};
const state = () => `oauth_s_${'6b1f0c9d'.repeat(60)}`;

export async function chatgpt(stage: Stage, become: Become, redirectUri: string): Promise<void> {
  const { t, send, url } = stage;
  const refused = await discover(stage);
  const { resourceMetadata } = needs.needsChallenge(stage, refused);
  const { resource, server } = await discovers(stage, resourceMetadata, {
    resource: OAUTH,
    server: OAUTH,
  });
  needs.needsServer(
    stage,
    await send('GET', `${url}/.well-known/openid-configuration`, { headers: OAUTH }),
  );
  const known = await become(stage, server, OAUTH);
  const signsIn = async (more: Record<string, string> = {}) => {
    const form = await authorize(
      stage,
      server,
      known,
      {
        redirect_uri: redirectUri,
        state: state(),
        scope: server.scopes_supported.join(' '),
        resource,
        prompt: 'consent',
        ...more,
      },
      { write: true },
    );
    return needs.needsTokens(
      stage,
      await known.post(server.token_endpoint, { ...form, resource }, OAUTH),
    );
  };

  const first = await signsIn();
  t.is(first.scope, server.scopes_supported.join(' '));
  t.truthy(first.id_token);
  await works(stage, first.access_token);

  // Proactively, while the access token would still do; both go on working.
  const second = await refreshes(stage, server, known, first, resource);
  await works(stage, first.access_token);
  await works(stage, second.access_token);
  // And at the 401 that says so.
  stage.later(ACCESS_TOKEN_EXPIRED_MS);
  const expired = await callsTool(stage, second.access_token);
  t.is(needs.needsChallenge(stage, expired).error, 'invalid_token');
  const third = await refreshes(stage, server, known, second, resource);
  await works(stage, third.access_token);
  // Where discovery fails it would talk like this.
  await session(stage, third.access_token, { headers: MCP, clientInfo: INFO, opensStream: false });

  // Disconnect.
  const revocation = { token: third.refresh_token, token_type_hint: 'refresh_token' };
  t.is((await known.post(server.revocation_endpoint, revocation, OAUTH)).status, 200);
  stage.later(1_000);
  needs.needsChallenge(stage, await callsTool(stage, third.access_token));
  const form = { grant_type: 'refresh_token', refresh_token: third.refresh_token };
  needs.needsDeadGrant(stage, await known.post(server.token_endpoint, form, OAUTH));

  // Reconnect, as the client it was.
  const again = await signsIn({ id_token_hint: third.id_token ?? first.id_token! });
  await works(stage, again.access_token);
}

function discover(stage: Stage, accessToken?: string) {
  const method = 'server/discover';
  return stage.send('POST', stage.address, {
    headers: { ...MCP, ...modernHeaders(method), ...bearer(accessToken) },
    json: modern(INFO, 1, method),
  });
}

/** Discovery, the list of tools, a call: what ChatGPT does with a token that it has just got. */
async function works(stage: Stage, accessToken: string): Promise<void> {
  const { t, send, address } = stage;
  const found = needs.needsResult(stage, await discover(stage, accessToken));
  t.true(found.supportedVersions.includes('2026-07-28'));
  t.deepEqual(Object.keys(found.capabilities), ['tools']);
  const list = await send('POST', address, {
    headers: { ...MCP, ...modernHeaders('tools/list'), ...bearer(accessToken) },
    json: modern(INFO, 2, 'tools/list'),
  });
  needs.needsTools(stage, list);
  needs.needsCompanies(stage, await callsTool(stage, accessToken));
}

function callsTool(stage: Stage, accessToken: string) {
  const params = { name: 'listCompanies', arguments: {}, _meta: ABOUT_THE_CALL };
  return stage.send('POST', stage.address, {
    headers: { ...MCP, ...modernHeaders('tools/call', params.name), ...bearer(accessToken) },
    json: modern(INFO, 3, 'tools/call', params),
  });
}

async function refreshes(
  stage: Stage,
  server: needs.Server,
  known: Known,
  { refresh_token }: needs.Tokens,
  resource: string,
) {
  const form = { grant_type: 'refresh_token', refresh_token, resource };
  const tokens = needs.needsTokens(stage, await known.post(server.token_endpoint, form, OAUTH));
  stage.t.not(tokens.refresh_token, refresh_token);
  return tokens;
}

const bearer = (accessToken: string | undefined): Record<string, string> =>
  accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` };
