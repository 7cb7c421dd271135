import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { answerOf, readTools } from './tools.ts';

/**
 * The stateless server of SDK v1 as its own example has it (simpleStatelessStreamableHttp): a server and a transport for
 * every request, and nobody is asked who they are.
 */
const tools = readTools();

function getServer(): McpServer {
  const server = new McpServer({ name: 'stateless', version: '1.0.0' });
  for (const { name, title, description, annotations, schemas } of tools) {
    const config = { title, description, annotations, ...schemas() };
    server.registerTool(name, config as object, async (args: unknown) => answerOf(args));
  }
  return server;
}

const app = createMcpExpressApp();
app.get('/', (_request, response) => void response.send('ready'));
app.post('/mcp', async (request, response) => {
  const server = getServer();
  const transport = new StreamableHTTPServerTransport({});
  await server.connect(transport as never);
  await transport.handleRequest(request, response, request.body);
  response.on('close', () => {
    void transport.close();
    void server.close();
  });
});
app.listen(Number(process.env['PORT']));
