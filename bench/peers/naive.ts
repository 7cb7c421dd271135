import { readFileSync } from 'node:fs';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { Redis } from 'ioredis';
import {
  CompactEncrypt,
  compactDecrypt,
  createLocalJWKSet,
  jwtVerify,
  type JSONWebKeySet,
} from 'jose';
import Koa from 'koa';
import { answerOf, readTools } from './tools.ts';

/**
 * The whole way as one writes it first: koa, SDK v1 for every request, jose for every token, two Redis reads one after the
 * other, the sealed credential opened, global fetch. It takes the very tokens that we take, and asks the same upstream.
 */
const { NAIVE_FILE, REDIS_URL, UPSTREAM_TARGET, PORT } = process.env;
const { grants, jwks } = JSON.parse(readFileSync(NAIVE_FILE!, 'utf8')) as {
  grants: string[];
  jwks: JSONWebKeySet;
};
const redis = new Redis(REDIS_URL!);
const sealingKey = Buffer.alloc(32, 7);
const keys = createLocalJWKSet(jwks);
const tools = readTools();

const encoded = new TextEncoder().encode('credential');
for (const grant of grants) {
  const sealed = await new CompactEncrypt(encoded)
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
    .encrypt(sealingKey);
  await redis.set(`naive:grant:${grant}`, JSON.stringify({ scope: 'neonpanel.read' }));
  await redis.set(`naive:credential:${grant}`, sealed);
}

function getServer(credential: string): McpServer {
  const server = new McpServer({ name: 'naive', version: '1.0.0' });
  for (const { name, title, description, annotations, schemas } of tools) {
    const { inputSchema } = schemas();
    const config = { title, description, annotations, inputSchema };
    server.registerTool(name, config as object, async () => {
      const headers = { authorization: `Bearer ${credential}` };
      const answer = await fetch(UPSTREAM_TARGET!, { headers });
      return answerOf(await answer.json());
    });
  }
  return server;
}

const app = new Koa();
app.use(async (ctx) => {
  if (ctx.method === 'GET') return void (ctx.body = 'ready');
  const token = ctx.get('authorization').slice('Bearer '.length);
  const { payload } = await jwtVerify(token, keys);
  const grant = await redis.get(`naive:grant:${String(payload['grant_id'])}`);
  const sealed = await redis.get(`naive:credential:${String(payload['grant_id'])}`);
  if (!grant || !sealed) return ctx.throw(401);
  const { plaintext } = await compactDecrypt(sealed, sealingKey);
  const chunks: Buffer[] = [];
  for await (const chunk of ctx.req) chunks.push(chunk as Buffer);
  const server = getServer(new TextDecoder().decode(plaintext));
  const transport = new StreamableHTTPServerTransport({});
  await server.connect(transport as never);
  ctx.respond = false;
  await transport.handleRequest(ctx.req, ctx.res, JSON.parse(Buffer.concat(chunks).toString()));
  ctx.res.on('close', () => {
    void transport.close();
    void server.close();
  });
});
app.listen(Number(PORT));
