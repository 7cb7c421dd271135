import type { Context } from 'koa';
import { auditRequest } from '../http/context.ts';
import type { JsonRpcMessage } from './body.ts';
import type { Caller } from './caller.ts';

/** The transport's own answer (403) to calls whose scope was not granted: no tool was asked, so none wrote a line. */
export function auditScopeMissing(
  ctx: Context,
  caller: Caller | undefined,
  messages: readonly JsonRpcMessage[],
): void {
  for (const { method, params } of messages) {
    if (method !== 'tools/call') continue;
    auditRequest(ctx, 'tool.call', {
      outcome: 'refused',
      error: 'insufficient_scope',
      tool: String((params as { name?: unknown } | undefined)?.name),
      client_id: caller?.clientId,
      grant: caller?.grantId,
      subject: caller?.accountId,
    });
  }
}
