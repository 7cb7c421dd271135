import { readFileSync } from 'node:fs';
import * as z from 'zod';

/**
 * The tools that our server lists (TOOLS_FILE), as one would write them with the SDK. The documentation builds a server
 * for every request, with its schemas inside: `z.object({ … })` where the tool is registered. So each schema of ours is
 * turned into the zod expression that stands for it, compiled once, and evaluated whenever a server is built.
 */
export interface PeerTool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly annotations: Record<string, boolean>;
  /** Builds the schemas anew. */
  readonly schemas: () => { inputSchema: z.ZodObject; outputSchema: z.ZodObject };
}

interface Definition extends Omit<PeerTool, 'schemas'> {
  readonly inputSchema: Schema;
  readonly outputSchema: Schema;
}

interface Schema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly description?: string;
  readonly [keyword: string]: unknown;
}

export function readTools(): PeerTool[] {
  const { tools } = JSON.parse(readFileSync(process.env['TOOLS_FILE']!, 'utf8')) as {
    tools: Definition[];
  };
  return tools.map(({ name, title, description, annotations, inputSchema, outputSchema }) => {
    const source = `({ inputSchema: ${zodOf(inputSchema)}, outputSchema: ${zodOf(outputSchema)} })`;
    const build = new Function('z', `return ${source}`) as (
      zod: typeof z,
    ) => ReturnType<PeerTool['schemas']>;
    return { name, title, description, annotations, schemas: () => build(z) };
  });
}

/** What a tool of a peer answers, whichever it is: as our `echo`, its arguments. */
export const answerOf = (args: unknown) => ({
  content: [{ type: 'text' as const, text: JSON.stringify(args) }],
  structuredContent: args as Record<string, unknown>,
});

/** The zod expression of a JSON Schema of ours, as source. */
function zodOf(schema: Schema): string {
  const types = [schema.type ?? []].flat();
  const plain = types.filter((type) => type !== 'null');
  const kinds = plain.map((type) => kindOf(type, schema));
  const base =
    kinds.length === 0
      ? 'z.unknown()'
      : kinds.length === 1
        ? kinds[0]!
        : `z.union([${kinds.join(', ')}])`;
  const nullable = types.includes('null') ? '.nullable()' : '';
  const fallback = 'default' in schema ? `.default(${JSON.stringify(schema.default)})` : '';
  const about = schema.description ? `.describe(${JSON.stringify(schema.description)})` : '';
  return base + nullable + fallback + about;
}

function kindOf(type: string, schema: Schema): string {
  const call = (method: string, keyword: string): string =>
    keyword in schema ? `.${method}(${JSON.stringify(schema[keyword])})` : '';
  if (type === 'object') return objectOf(schema);
  if (type === 'array')
    return `z.array(${zodOf(schema.items ?? {})})${call('min', 'minItems')}${call('max', 'maxItems')}`;
  if (type === 'boolean') return 'z.boolean()';
  if (type === 'integer' || type === 'number') {
    const whole = type === 'integer' ? '.int()' : '';
    return `z.number()${whole}${call('min', 'minimum')}${call('max', 'maximum')}`;
  }
  if (schema.enum) return `z.enum(${JSON.stringify(schema.enum)})`;
  const pattern = schema['pattern']
    ? `.regex(new RegExp(${JSON.stringify(schema['pattern'])}))`
    : '';
  return `z.string()${call('min', 'minLength')}${call('max', 'maxLength')}${pattern}`;
}

function objectOf({ properties = {}, required = [], additionalProperties }: Schema): string {
  const members = Object.entries(properties).map(([name, schema]) => {
    const isOptional = !required.includes(name) && !('default' in schema);
    return `${JSON.stringify(name)}: ${zodOf(schema)}${isOptional ? '.optional()' : ''}`;
  });
  const kind = additionalProperties === false ? 'strictObject' : 'looseObject';
  return `z.${kind}({ ${members.join(', ')} })`;
}
