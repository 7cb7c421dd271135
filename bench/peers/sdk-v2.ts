import { createServer } from 'node:http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { answerOf, readTools } from './tools.ts';

/** SDK v2's createMcpHandler as documented: the factory builds a server for every request; nobody is asked who they are. */
const tools = readTools();

const handler = createMcpHandler(() => {
  const server = new McpServer({ name: 'documented', version: '1.0.0' });
  for (const { name, title, description, annotations, schemas } of tools) {
    const config = { title, description, annotations, ...schemas() };
    server.registerTool(name, config, async (args: unknown) => answerOf(args));
  }
  return server;
});
const serve = toNodeHandler(handler);

createServer((request, response) => {
  if (request.url === '/') response.end('ready');
  else void serve(request, response);
}).listen(Number(process.env['PORT']));
