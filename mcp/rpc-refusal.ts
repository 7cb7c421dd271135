import type { Context } from 'koa';
import { Refusal } from '../errors.ts';
import { requestId, requestLog } from '../http/context.ts';

/** A refusal in the shape MCP clients read: a JSON-RPC error (no id: the request may not even have been readable). */
export class RpcRefusal extends Refusal {
  readonly rpcCode: number;

  constructor(status: number, rpcCode: number, description: string) {
    super('invalid_request', status, description);
    this.rpcCode = rpcCode;
  }
}

/** Renders every refusal on the MCP endpoint; what is not a Refusal goes on to the error edge. */
export function renderRpc(ctx: Context, refusal: Refusal): void {
  const { code, status, description, detail, retryAfterSeconds } = refusal;
  requestLog(ctx)[status < 500 ? 'info' : 'error']({
    event: 'refused',
    error: code,
    status,
    detail,
  });
  ctx.status = status;
  ctx.set('Cache-Control', 'no-store');
  if (retryAfterSeconds) ctx.set('Retry-After', String(retryAfterSeconds));
  const rpcCode = refusal instanceof RpcRefusal ? refusal.rpcCode : -32000;
  ctx.body = {
    jsonrpc: '2.0',
    id: null,
    error: {
      code: rpcCode,
      message: description,
      data: { error: code, request_id: requestId(ctx) },
    },
  };
}
