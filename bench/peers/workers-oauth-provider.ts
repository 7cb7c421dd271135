import { createServer, type IncomingMessage } from 'node:http';
import { OAuthProvider, type OAuthHelpers } from '@cloudflare/workers-oauth-provider';

/**
 * workers-oauth-provider on a map in place of Cloudflare's KV, which would add a network. Its access tokens are opaque, so
 * it signs nothing; the user consents by himself.
 */
interface Env {
  readonly OAUTH_KV: ReturnType<typeof createKv>;
  OAUTH_PROVIDER: OAuthHelpers;
}

const origin = `http://localhost:${process.env['PORT']}`;
const provider = new OAuthProvider<Env>({
  apiRoute: '/mcp',
  apiHandler: { fetch: async () => new Response('{}') } as never,
  defaultHandler: { fetch: authorize } as never,
  authorizeEndpoint: '/authorize',
  tokenEndpoint: '/token',
  clientRegistrationEndpoint: '/register',
  scopesSupported: ['read'],
  resourceMetadata: { resource: `${origin}/mcp` } as never,
});
const env = { OAUTH_KV: createKv() } as Env;
const context = { waitUntil: () => {}, passThroughOnException: () => {}, props: {} };

async function authorize(request: Request, { OAUTH_PROVIDER }: Env): Promise<Response> {
  if (new URL(request.url).pathname === '/') return new Response('ready');
  const asked = await OAUTH_PROVIDER.parseAuthRequest(request);
  const { redirectTo } = await OAUTH_PROVIDER.completeAuthorization({
    request: asked,
    userId: '1',
    metadata: {},
    scope: asked.scope,
    props: { userId: '1' },
    revokeExistingGrants: false,
  });
  return new Response(null, { status: 302, headers: { location: redirectTo } });
}

function createKv() {
  const values = new Map<string, string>();
  return {
    async get(key: string, options?: { type?: string } | string) {
      const value = values.get(key);
      if (value === undefined) return null;
      const type = typeof options === 'string' ? options : options?.type;
      return type === 'json' ? (JSON.parse(value) as unknown) : value;
    },
    async put(key: string, value: string) {
      values.set(key, value);
    },
    async delete(key: string) {
      values.delete(key);
    },
    async list({ prefix = '' }: { prefix?: string } = {}) {
      const names = [...values.keys()].filter((key) => key.startsWith(prefix));
      return { keys: names.map((name) => ({ name })), list_complete: true };
    },
  };
}

createServer((incoming, response) => {
  void serve(incoming).then(async (answer) => {
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    response.end(Buffer.from(await answer.arrayBuffer()));
  });
}).listen(Number(process.env['PORT']));

async function serve(incoming: IncomingMessage): Promise<Response> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const request = new Request(origin + incoming.url, {
    method: incoming.method!,
    headers: incoming.headers as Record<string, string>,
    body: chunks.length > 0 ? Buffer.concat(chunks) : null,
  });
  return provider.fetch(request, env as never, context as never);
}
