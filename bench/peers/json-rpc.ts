import { createServer } from 'node:http';
import * as z from 'zod';
import { answerOf, readTools } from './tools.ts';

/** JSON-RPC by hand on node:http: what `tools/call` costs when nothing is general. Arguments are validated, nobody is asked who they are. */
const schemas = new Map(readTools().map((tool) => [tool.name, tool.schemas().inputSchema]));
const message = z.object({
  id: z.union([z.string(), z.number()]),
  params: z.object({ name: z.string(), arguments: z.record(z.string(), z.unknown()) }),
});

createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    if (chunks.length === 0) return void response.end('ready');
    const { id, params } = message.parse(JSON.parse(Buffer.concat(chunks).toString()));
    const args = schemas.get(params.name)!.parse(params.arguments);
    const body = JSON.stringify({ jsonrpc: '2.0', id, result: answerOf(args) });
    response.setHeader('content-type', 'application/json');
    response.setHeader('content-length', Buffer.byteLength(body));
    response.end(body);
  });
}).listen(Number(process.env['PORT']));
