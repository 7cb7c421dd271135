import * as v2 from '@modelcontextprotocol/client';
import { UnauthorizedError as UnauthorizedV1 } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport as SseTransportV1 } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Harness } from '../support/harness.ts';
import { type Answers, type Attempt, signIn } from '../support/oauth.ts';
import { CALLBACK, MemoryProvider } from './provider.ts';

/** The real clients, each as an application would use it. */
export const KINDS = ['v2 client, 2026-07-28', 'v2 client, 2025-11-25', 'v1 client'] as const;
/** The same over the transport of 2024-11-05. */
export const SSE_KINDS = ['v2 client, SSE', 'v2 client, SSE, auto', 'v1 client, SSE'] as const;
export type Kind = (typeof KINDS)[number] | (typeof SSE_KINDS)[number];

export const VERSIONS: Readonly<Record<Kind, string>> = {
  'v2 client, SSE': '2025-11-25',
  'v2 client, SSE, auto': '2025-11-25',
  'v1 client, SSE': '2025-11-25',
  'v2 client, 2026-07-28': '2026-07-28',
  'v2 client, 2025-11-25': '2025-11-25',
  'v1 client': '2025-11-25',
};

export interface ToolResult {
  readonly isError?: boolean | undefined;
  readonly content: readonly { readonly type: string; readonly text?: string }[];
  readonly structuredContent?: any;
  readonly _meta?: Record<string, unknown> | undefined;
}

export interface ListedTool {
  readonly name: string;
  readonly description?: string | undefined;
  readonly inputSchema: Record<string, unknown>;
  readonly outputSchema?: Record<string, unknown> | undefined;
  readonly annotations?: Record<string, unknown> | undefined;
  readonly _meta?: Record<string, unknown> | undefined;
}

/** A client that is set up for one MCP address, signed in or not. */
export interface App {
  readonly provider: MemoryProvider;
  /** Opens the connection. @throws when the user has to sign in, see `isSignInNeeded` */
  open(): Promise<void>;
  /** Ends a sign-in with what came back to the client. */
  finish(callback: URL): Promise<void>;
  /** The protocol version both sides agreed on. */
  version(): string | undefined;
  tools(): Promise<ListedTool[]>;
  /** @param signal gives the call up */
  call(name: string, args?: Record<string, unknown>, signal?: AbortSignal): Promise<ToolResult>;
  close(): Promise<void>;
}

export interface AppOptions {
  readonly kind?: Kind;
  readonly provider?: MemoryProvider;
  /** What the client sends and gets, seen from outside. */
  readonly fetch?: typeof fetch;
}

const NAME = { name: 'journey', version: '1.0.0' };

/** Whether a client says that its user has to sign in first. */
export const isSignInNeeded = (error: unknown): boolean =>
  error instanceof UnauthorizedV1 || error instanceof v2.UnauthorizedError;

export function createApp(mcpUrl: string, options: AppOptions = {}): App {
  const { kind = 'v2 client, 2026-07-28', provider = new MemoryProvider() } = options;
  const transportOptions = {
    authProvider: provider,
    ...(options.fetch && { fetch: options.fetch as never }),
  };
  return kind.startsWith('v1')
    ? appV1(new URL(mcpUrl), provider, transportOptions, kind)
    : appV2(new URL(mcpUrl), provider, transportOptions, kind);
}

function appV1(url: URL, provider: MemoryProvider, options: object, kind: Kind): App {
  const newTransport = () =>
    kind === 'v1 client, SSE' ? new SseTransportV1(url, options) : new TransportV1(url, options);
  let client = new ClientV1(NAME);
  let transport = newTransport();
  return {
    provider,
    async open() {
      client = new ClientV1(NAME);
      transport = newTransport();
      // The SDK's own types disagree under exactOptionalPropertyTypes; at run time it is its transport.
      await client.connect(transport as never);
    },
    async finish(callback) {
      checkCallback(callback, provider);
      await transport.finishAuth(callback.searchParams.get('code')!);
    },
    version: () => (transport as { protocolVersion?: string }).protocolVersion,
    tools: async () => (await client.listTools()).tools as ListedTool[],
    call: async (name, args = {}, signal) =>
      (await client.callTool(
        { name, arguments: args },
        undefined,
        signal && { signal },
      )) as unknown as ToolResult,
    close: () => client.close(),
  };
}

function appV2(url: URL, provider: MemoryProvider, options: object, kind: Kind): App {
  const isModern = VERSIONS[kind] === '2026-07-28' || kind === 'v2 client, SSE, auto';
  const mode = isModern ? 'auto' : 'legacy';
  const newTransport = () =>
    kind.includes('SSE')
      ? new v2.SSEClientTransport(url, options)
      : new v2.StreamableHTTPClientTransport(url, options);
  const newClient = () => new v2.Client(NAME, { versionNegotiation: { mode } });
  let client = newClient();
  let transport = newTransport();
  return {
    provider,
    async open() {
      client = newClient();
      transport = newTransport();
      await client.connect(transport);
    },
    async finish(callback) {
      checkCallback(callback, provider);
      // Given the parameters, the SDK compares `iss` with the issuer it started with (RFC 9207).
      await transport.finishAuth(callback.searchParams);
    },
    version: () => client.getNegotiatedProtocolVersion(),
    tools: async () => (await client.listTools()).tools as unknown as ListedTool[],
    call: async (name, args = {}, signal) =>
      (await client.callTool(
        { name, arguments: args },
        signal && { signal },
      )) as unknown as ToolResult,
    close: () => client.close(),
  };
}

/** The SDKs leave the comparison of `state` to the application. */
function checkCallback(callback: URL, provider: MemoryProvider): void {
  if (callback.searchParams.get('state') !== provider.expectedState) {
    throw new Error(`callback with another state: ${callback}`);
  }
}

type SignedInAt = Pick<Harness, 'sandbox'>;

/** Plays the user of an app that asked for a sign-in, from the authorization address to the app's callback. */
export async function userSignsIn(at: SignedInAt, app: App, answers: Answers = {}): Promise<URL> {
  const url = app.provider.authorizationUrl;
  if (!url) throw new Error('the client did not ask for a sign-in');
  app.provider.authorizationUrl = undefined;
  const callback = await signIn(at, { url, redirectUri: CALLBACK } as Attempt, answers);
  await app.finish(callback);
  return callback;
}

/** Connects as a user does it: add the server, sign in, done. */
export async function connectApp(
  at: SignedInAt,
  mcpUrl: string,
  options: AppOptions & Answers = {},
): Promise<App> {
  const app = createApp(mcpUrl, options);
  try {
    await app.open();
  } catch (error) {
    if (!isSignInNeeded(error)) throw error;
    await userSignsIn(at, app, options);
    await app.open();
  }
  return app;
}
