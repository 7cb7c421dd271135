import { type ClientInfo, INITIALIZED, initialize, request } from './rpc.ts';
import { needsCompanies, needsResult, needsTools } from './needs.ts';
import type { Stage } from './stage.ts';

export interface SessionOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly clientInfo: ClientInfo;
  readonly capabilities?: object;
  /** Added once the version is agreed. VS Code sends none. */
  readonly versionHeader?: boolean;
  /** Opens the stream of the older protocol, and goes on without it. */
  readonly opensStream?: boolean;
  readonly protocolVersion?: string;
}

/** A session of the era before 2026-07-28, from the handshake to the first call. */
export async function session(stage: Stage, accessToken: string, options: SessionOptions) {
  const { t, address, send } = stage;
  const { protocolVersion = '2025-11-25', versionHeader = true, opensStream = true } = options;
  const bearer = { ...options.headers, authorization: `Bearer ${accessToken}` };
  const hello = initialize(options.clientInfo, options.capabilities, protocolVersion);
  const welcome = needsResult(stage, await send('POST', address, { headers: bearer, json: hello }));
  t.is(welcome.protocolVersion, protocolVersion);
  t.deepEqual(Object.keys(welcome.capabilities), ['tools']);
  t.is(welcome.serverInfo.title, 'NeonPanel');

  const headers = { ...bearer, ...(versionHeader && { 'mcp-protocol-version': protocolVersion }) };
  const noted = await send('POST', address, { headers, json: INITIALIZED });
  t.is(noted.status, 202, noted.text);
  t.is(noted.text, '');
  if (opensStream) {
    const stream = await send('GET', address, {
      headers: { ...headers, accept: 'text/event-stream' },
    });
    t.is(stream.status, 405, 'there is none, and the client goes on without');
  }
  needsTools(stage, await send('POST', address, { headers, json: request(1, 'tools/list') }));
  await callsTool(stage, headers);
  return headers;
}

/** One tool call in that session. */
export async function callsTool(stage: Stage, headers: Readonly<Record<string, string>>) {
  const call = request(2, 'tools/call', { name: 'listCompanies', arguments: {} });
  needsCompanies(stage, await stage.send('POST', stage.address, { headers, json: call }));
}
