import * as z from 'zod';
import { tools as real } from '../../mcp/tools/index.ts';
import { defineTool, READS, type Tool } from '../../mcp/tools/tool.ts';
import { READ } from '../../resource.ts';

/** Answers at once and asks nobody. */
const echo = defineTool({
  name: 'echo',
  title: 'Echo',
  status: { invoking: 'Echoing', invoked: 'Echoed' },
  description: 'Returns the text it is given.',
  scope: READ,
  annotations: READS,
  input: z.strictObject({ text: z.string().max(1000).describe('Any text') }),
  output: z.looseObject({ text: z.string() }),
  run: async ({ text }) => ({ text }),
});

/** BENCH_TOOLS is how many there are in all, besides `echo`: the real ones, and copies of them under other names. */
const wanted = Number(process.env['BENCH_TOOLS'] ?? real.length);
const list = Array.from({ length: wanted }, (_, i): Tool => {
  const tool = real[i % real.length]!;
  return i < real.length ? tool : { ...tool, name: `${tool.name}${Math.floor(i / real.length)}` };
});

export const tools: readonly Tool[] = [...list, echo];
