import type * as z from 'zod';
import type { ApiResponse, QueryValue } from '../../adapters/neonpanel/neonpanel.ts';
import type { READ, WRITE } from '../../resource.ts';

export type Query = Readonly<Record<string, QueryValue>>;

/** NeonPanel as one caller sees it: bound to their credential, their deadline and their abort signal. */
export interface Upstream {
  /** @param path built by `pathOf`, e.g. `/companies` */
  get(path: string, query?: Query): Promise<ApiResponse>;
  /** Sent once and never repeated. */
  post(path: string, body: unknown, query?: Query): Promise<ApiResponse>;
}

/** A change that is to be carried out once, however often it is asked for. */
export interface OnceCall {
  readonly tool: string;
  /** The idempotency key, as the client chose it. */
  readonly key: string;
  /** What NeonPanel would be asked: JSON, with everything in it that makes the call another one. */
  readonly args: unknown;
}

/** What a tool is given for one call. */
export interface ToolContext {
  readonly neonpanel: Upstream;
  /** The origin at which people use NeonPanel. */
  readonly webUrl: string;
  /**
   * Does the work, unless a call of the same user with this tool and key has done it in the last 24 hours: then its result
   * is returned.
   *
   * @param work is given a NeonPanel that goes on when the client has gone
   */
  once(call: OnceCall, work: (neonpanel: Upstream) => Promise<Structured>): Promise<Structured>;
  /** Told which companies the call is about, as soon as they are known: for the audit log. */
  noteCompanies?(uuids: readonly string[]): void;
}

/** NeonPanel's JSON as it goes to the client: snake_case, nulls kept, unknown fields kept. */
export type Structured = Record<string, unknown>;

/** All four hints, because a missing one has a default that is wrong for us (MCP, ToolAnnotations). */
export interface Hints {
  readonly readOnlyHint: boolean;
  readonly destructiveHint: boolean;
  readonly idempotentHint: boolean;
  readonly openWorldHint: boolean;
}

/** One tool, one literal: what a model reads about it and what it does. */
export interface Tool<I extends z.ZodObject = z.ZodObject, O extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly title: string;
  /** What ChatGPT shows while the tool works and when it has answered, well or badly; at most 64 characters each. */
  readonly status: { readonly invoking: string; readonly invoked: string };
  /** At most 700 characters: when to use it, which tool comes before, what the numbers mean. */
  readonly description: string;
  readonly scope: typeof READ | typeof WRITE;
  readonly annotations: Hints;
  /** Strict: an argument we do not know is a mistake the model can correct. */
  readonly input: I;
  /** Loose: NeonPanel may add fields at any time. */
  readonly output: O;
  /** @throws NeonpanelError, or Refusal with a sentence the model can act on */
  run(args: z.output<I>, context: ToolContext): Promise<Structured>;
}

/** Types a tool literal, so that `run` knows its arguments. */
export const defineTool = <I extends z.ZodObject, O extends z.ZodObject>(
  tool: Tool<I, O>,
): Tool<I, O> => tool;

/** Hints of a tool that only reads. */
export const READS: Hints = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
};
