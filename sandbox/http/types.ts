import type { ParameterizedContext } from 'koa';
import type { RequestFacts } from '../faults/switchboard.ts';

export type SandboxState = {
  /** The request body, read once by http/body.ts. */
  body: Buffer;
  /** What fault switches look at. */
  facts: RequestFacts;
};

export type Ctx = ParameterizedContext<SandboxState>;
export type Next = () => Promise<unknown>;
