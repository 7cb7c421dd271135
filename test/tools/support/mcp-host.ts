import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, type AuthInfo, type McpServer } from '@modelcontextprotocol/server';
import type { ExecutionContext } from 'ava';
import { createLog } from '../../../log.ts';
import { createDirect } from '../../../mcp/direct.ts';
import { createPlainReader } from '../../../mcp/plain-request.ts';
import { createPool, type Loan } from '../../../mcp/pool.ts';
import { createServerFactory, type ServerFactoryOptions } from '../../../mcp/server.ts';
import { scopesOf } from '../../../mcp/tools/definitions.ts';
import { tools } from '../../../mcp/tools/index.ts';
import { READ, WRITE } from '../../../resource.ts';
import { recordingUpstream } from './upstream.ts';

export const authInfo = (extra: Partial<AuthInfo> = {}): AuthInfo => ({
  token: 'unused',
  clientId: 'client',
  scopes: [READ, WRITE],
  expiresAt: 4_000_000_000,
  ...extra,
});

/** The factory with everything a test does not care about filled in. */
export const factory = (options: Partial<ServerFactoryOptions> = {}) =>
  createServerFactory({
    version: '1.2.3',
    tools,
    publicUrl: 'https://mcp.neonpanel.test',
    log: createLog('silent'),
    contextFor: () => recordingUpstream().context,
    ...options,
  });

/**
 * What the product does with a POST: plain requests are answered directly, others by the SDK's handler over our pool, where
 * each exchange borrows its servers, and its authInfo carries the loan.
 */
export function pooledHandler(build: () => McpServer) {
  const lend = createPool(build);
  const handler = createMcpHandler(({ era, authInfo: info }) =>
    (info!.extra!['loan'] as Loan<McpServer>).take(era),
  );
  const direct = createDirect(build);
  const plainRequest = createPlainReader();
  /** @returns undefined for what is not plain, or whose client has gone */
  async function answerPlain(
    request: { headers: IncomingHttpHeaders; body: unknown },
    auth: AuthInfo,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { headers, body } = request;
    const plain = plainRequest(headers, body, (name) => isAllowed(name, auth));
    return plain && (await direct(plain, { authInfo: auth, signal }))?.toString();
  }
  const borrow = (info: AuthInfo) => {
    const loan = lend();
    return { auth: { ...info, extra: { ...info.extra, loan } }, giveBack: loan.giveBack };
  };
  return { handler, answerPlain, borrow };
}

export const TOOLS = tools.map(({ name }) => name);

const isAllowed = (toolName: string, { scopes }: AuthInfo): boolean => {
  const tool = tools.find(({ name }) => name === toolName);
  return tool !== undefined && scopesOf(tool).every((scope) => scopes.includes(scope));
};

/** An MCP endpoint over real HTTP, with the bearer check replaced by a given AuthInfo. */
export async function mcpHost(
  t: ExecutionContext,
  build: () => McpServer,
  auth: () => AuthInfo = authInfo,
): Promise<URL> {
  const { handler, answerPlain, borrow } = pooledHandler(build);
  const node = toNodeHandler(handler);
  const server = createServer(async (request, response) => {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const loan = borrow(auth());
    const body = request.method === 'POST' ? await json(request) : undefined;
    const { headers } = request;
    const plain = await answerPlain({ headers, body }, loan.auth, gone.signal);
    if (plain) return void response.setHeader('content-type', 'application/json').end(plain);
    await node(Object.assign(request, { auth: loan.auth }), response, body);
    await loan.giveBack();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(async () => {
    server.closeAllConnections();
    await handler.close();
    await new Promise((resolve) => server.close(resolve));
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
}

type Era = 'legacy' | 'modern';

export const ERAS: readonly Era[] = ['legacy', 'modern'];

/** Headers and body of one JSON-RPC request as a client of that era sends it. */
export function rpc(
  era: Era,
  method: string,
  params: Record<string, unknown> = {},
  id: unknown = 1,
) {
  const version = era === 'modern' ? '2026-07-28' : '2025-11-25';
  const envelope = {
    'io.modelcontextprotocol/protocolVersion': version,
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  };
  const _meta = { ...(params['_meta'] as object | undefined), ...envelope };
  const body = {
    jsonrpc: '2.0',
    id,
    method,
    params: era === 'modern' ? { ...params, _meta } : params,
  };
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': version,
  };
  if (era === 'modern') {
    headers['mcp-method'] = method;
    if (typeof params['name'] === 'string') headers['mcp-name'] = params['name'];
  }
  return { headers, body };
}

/** The JSON-RPC answer of a body, which is JSON or the last frame of a stream. */
export function messageOf(text: string): any {
  const frame = [...text.matchAll(/^data: (.*)$/gm)].at(-1);
  return JSON.parse(frame ? frame[1]! : text);
}

/** One request over HTTP. */
export async function post(
  url: URL,
  era: Era,
  method: string,
  params: Record<string, unknown> = {},
) {
  const { headers, body } = rpc(era, method, params);
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  const text = await response.text();
  return { status: response.status, headers: response.headers, message: text && messageOf(text) };
}

export const callTool = (url: URL, era: Era, name: string, args: unknown) =>
  post(url, era, 'tools/call', { name, arguments: args as object });
