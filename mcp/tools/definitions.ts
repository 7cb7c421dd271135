import { READ, WRITE } from '../../resource.ts';
import { jsonSchemaOf, type JsonSchema } from './json-schema.ts';
import type { Hints, Tool } from './tool.ts';

/** One entry of tools/list. */
export interface ToolDefinition {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: JsonSchema & { type: 'object' };
  readonly outputSchema: JsonSchema & { type: 'object' };
  readonly annotations: Hints;
  /** What ChatGPT reads: that a tool needs a sign-in and for which scopes, and what to show while it works. */
  readonly _meta: {
    readonly securitySchemes: readonly [{ readonly type: 'oauth2'; readonly scopes: string[] }];
    readonly 'openai/toolInvocation/invoking': string;
    readonly 'openai/toolInvocation/invoked': string;
  };
}

/** What tools/list says, in the order of the tools. Compute it once: it never changes while the server runs. */
export const definitionsOf = (tools: readonly Tool[]): ToolDefinition[] => tools.map(definitionOf);

function definitionOf(tool: Tool): ToolDefinition {
  return {
    name: tool.name,
    title: tool.title,
    description: tool.description,
    inputSchema: { type: 'object', ...jsonSchemaOf(tool.input, 'input') },
    outputSchema: { type: 'object', ...jsonSchemaOf(tool.output, 'output') },
    annotations: tool.annotations,
    _meta: {
      securitySchemes: [{ type: 'oauth2', scopes: scopesOf(tool) }],
      'openai/toolInvocation/invoking': tool.status.invoking,
      'openai/toolInvocation/invoked': tool.status.invoked,
    },
  };
}

/** The scopes a token must have for a tool. Write is never granted without read. */
export const scopesOf = (tool: Pick<Tool, 'scope'>): [string, ...string[]] =>
  tool.scope === WRITE ? [READ, WRITE] : [READ];
